/* SPDX-License-Identifier: GPL-2.0-only */
/* How an account is doing. Errors as in account.h. */
#ifndef NETACCT_STATUS_H
#define NETACCT_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "account.h"
#include "damage.h"

#define STATUS_HOOKS 32

struct status_hook {
	char name[64];
	struct hook_stats stats;
};

struct status {
	struct meta meta;
	struct generation generation; /* the newest */
	bool counting;
	bool pending;		 /* a reset has left the generation before to be printed */
	char damage[DAMAGE_LEN]; /* the part of it that is gone, or empty */
	struct totals totals;
	__u64 missed_events;
	bool missed_known; /* or there may be more, and only root is told */
	size_t n_hooks;
	struct status_hook hooks[STATUS_HOOKS]; /* by name */
};

int status_take(struct status *s, const struct account *a);

/* Nanoseconds an event took since loading, over all hooks; 0: the kernel does not measure. */
double status_cost(const struct status *s);

#endif
