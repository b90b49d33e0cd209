/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of one generation, and their change: how a reset starts from zero
 * without losing a byte. Errors as in account.h.
 *
 * A hook reads the number of the newest generation once and uses its tables
 * throughout, so storing a new number switches all tables at one instant. After
 * a grace period nobody writes to the old ones any more, and they can be read
 * at leisure: they are never emptied, only let go. Whoever changes anything
 * here has the turn (account_turn).
 */
#ifndef NETACCT_GENERATION_H
#define NETACCT_GENERATION_H

#include "account.h"

struct tables {
	struct generation generation;
	struct rows processes;
	struct rows flows;
	struct rows finished;
	struct rows totals;
};

/* Those of one generation of an account; -ENOENT: there are none. */
int generation_open(struct tables *t, const struct account *a, __u64 number);
void generation_close(struct tables *t);

/* Its sums over all CPUs are added to totals. */
int generation_totals(const struct tables *t, struct totals *totals);

/*
 * Those before the newest, where a reset switched away from them but did not get
 * to give them out. -ENOENT: there are none, or nobody wants them.
 */
int generation_open_pending(struct tables *t, const struct account *a, __u64 newest);

/*
 * Makes empty ones for the next generation, after generation_drop_others().
 * Changes nothing for the hooks yet.
 */
int generation_prepare(const struct account *a);

/*
 * Begins the generation that was prepared, and returns when nobody writes to
 * the one before any more. If that is to be discarded nobody will be shown it.
 */
int generation_switch(const struct account *a, bool discard);

/* Lets go of every generation but the newest, and of what is left of any. */
int generation_drop_others(const struct account *a);

/* Stops or resumes all counting; returns when every hook knows. */
int generation_set_counting(const struct account *a, bool counting);

/* Points the link to the newest generation at number, in the account at pin_dir. */
int generation_point(const char *pin_dir, __u64 number);

/* The pins of a generation that a group may read, and the folder that holds them. */
extern const char *const generation_readable[];

#endif
