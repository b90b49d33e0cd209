/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the interfaces of this network namespace and its protocols have moved, now
 * or since a generation began. That moment is noted as the text of a link in the
 * generation's folder: what does not fit there is not noted. Errors as in account.h.
 */
#ifndef NETACCT_INTERFACES_H
#define NETACCT_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#define INTERFACES 64

/* Of the whole namespace, loopback too. */
enum stack_counter {
	STACK_RETRANSMITTED,
	STACK_TCP_RX,
	STACK_TCP_TX,
	STACK_UDP_RX,
	STACK_UDP_TX,
	STACK_UDP6_RX,
	STACK_UDP6_TX,
	STACK_IP_RX,
	STACK_IP_TX,
	STACK_IP_FORWARDED,
	STACK_IP6_RX,
	STACK_IP6_TX,
	STACK_IP6_FORWARDED,
	STACK_COUNTERS,
};

struct interface {
	char name[IF_NAMESIZE];
	unsigned int index;
	__u64 rx_bytes;
	__u64 rx_packets;
	__u64 tx_bytes;
	__u64 tx_packets;
	__u64 longest; /* frame that it lets pass, in bytes; 0: not known */
	bool sums;     /* others carry what it carries, and count it; or it is loopback */
};

struct interfaces {
	__u32 netns;
	__u64 stack[STACK_COUNTERS];
	struct interface all[INTERFACES];
	size_t n;
	bool cut; /* there are more */
};

/* Those of this namespace now. */
int interfaces_now(struct interfaces *i);

/* Notes them in a folder, in place of an older note. */
int interfaces_note(const char *folder);

/*
 * Those of now, less what was noted. -ENOENT: nothing was. -EXDEV: another
 * namespace's was, whose number is then i->netns. -ERANGE: more interfaces are there
 * than could be noted. -EPROTO: it is no note.
 */
int interfaces_since(struct interfaces *i, const char *folder);

/* The sum of those whose bytes no other has, too; the longest frame is of who sent the most. */
struct interface interfaces_sum(const struct interfaces *i);

/* How long headers are on average, of the frames of a direction: by the shares of the protocols. */
double interfaces_header(const struct interfaces *i, bool tx);

#endif
