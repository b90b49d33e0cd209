/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why the interfaces say more than what is counted, since both began. Errors as in
 * account.h.
 */
#ifndef NETACCT_COMPARISON_H
#define NETACCT_COMPARISON_H

#include "interfaces.h"
#include "reading.h"

/* Bytes of a direction. What is no integer is estimated. */
struct difference {
	__u64 interfaces;
	__u64 packets;
	__u64 payload;
	double headers;
	double retransmitted; /* received twice: not known, 0 */
	double forwarded;
	double rest; /* may be negative */
};

struct comparison {
	struct counters counted;   /* all, and of it: */
	struct counters loopback;  /* what stayed on this machine */
	struct counters elsewhere; /* of processes of other network namespaces */
	struct counters payload;   /* what is left for the interfaces here */
	int unknown;		   /* 0, or why the rest is not there: see interfaces_since() */
	struct interfaces interfaces;
	struct difference tx;
	struct difference rx;
};

/*
 * unknown is also -ESTALE: the account was restored, and has more than was counted
 * since.
 */
int comparison_make(struct comparison *c, const struct reading *r);

#endif
