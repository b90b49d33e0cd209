/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ledger: an account as series that only grow, for those that keep time
 * series. Errors as in account.h.
 *
 * The tables of an account move bytes about: a process that is renamed takes all
 * it ever moved to its new name, one that has ended may be added to a row of
 * finished, or to no row. So what was shown of each series is written down, and of
 * each process how much of that was its. A reading then gives what a process gained
 * to the label that it has now. Of processes that are gone, what rows of finished
 * gained beyond what was shown of them already; where that is not enough, they went
 * elsewhere, and what is short is taken from what had no row, from other finished
 * rows, from what living processes gained, or it stays owed. So no series falls, and
 * together they are what the account counted.
 *
 * It is pinned in the account's folder, as an array of bytes that can be mapped: to
 * write it takes none of the system calls that keep hooks from running (rows.h). A
 * reading makes a new one and renames it over the old one, before anything of it is
 * shown: whoever is killed has either changed nothing, or shown less than was written.
 *
 * A series stays until the account is unloaded. Labels for which there is no room
 * are "other" for good, and so is what has no row. After a reset all begin from 0.
 */
#ifndef NETACCT_LEDGER_H
#define NETACCT_LEDGER_H

#include "names.h"
#include "reading.h"
#include "view.h"

#define LEDGER_VERSION 1
#define LEDGER_SERIES  1000 /* and one for the others */
#define LEDGER_LABEL   256
#define LEDGER_BLOCK   4096 /* value size of the array */

/* How it lies in the array: the head, then so many of each of the others. */
struct ledger_head {
	__u32 version;
	__u32 n_series;
	__u32 n_parts;
	__u32 n_names;
	__u64 loaded_at_ns; /* of the account */
	__u64 generation;   /* that its series begin with */
};
_Static_assert(sizeof(struct ledger_head) == 32, "struct ledger_head is ABI");

/* The first is that of the others. */
struct ledger_series {
	char label[LEDGER_LABEL]; /* UTF-8, without control characters but line feeds */
	struct counters shown;
	struct counters finished; /* what finished rows had, and for the others no row */
	struct counters owed;	  /* shown, but no longer found */
};
_Static_assert(sizeof(struct ledger_series) == 352, "struct ledger_series is ABI");

/* What was shown of a process, with --by protocol of one of its protocols; ordered. */
struct ledger_part {
	__u64 start_ns;
	__u32 pid;
	__u32 protocol;
	__u32 series; /* its label when it was read last */
	__u32 zero;
	struct counters counters;
};
_Static_assert(sizeof(struct ledger_part) == 56, "struct ledger_part is ABI");

/* Users and cgroups that have a label: their names may change, and that shall not. */
struct ledger_name {
	__u64 id;
	__u32 series;
	__u32 zero;
};
_Static_assert(sizeof(struct ledger_name) == 16, "struct ledger_name is ABI");

struct ledger;

/* Whether there are series for a grouping. */
bool ledger_keeps(enum grouping by);

/*
 * That of a grouping; made when it is first asked for. Only one command has it at a
 * time: readings are taken while it is held. -EBUSY: another had it for seconds.
 * -EPROTO: something else is pinned there. -ENOENT: the account was unloaded
 * meanwhile. -EACCES, -EPERM: only root can write it. ledger_close() it.
 */
int ledger_open(struct ledger **l, const struct account *a, enum grouping by);
void ledger_close(struct ledger *l);

/* Adds a reading of everything, and writes that down; once. */
int ledger_add(struct ledger *l, const struct reading *r, struct names *names);

/* One of its series, or NULL after the last. */
const struct ledger_series *ledger_series(const struct ledger *l, size_t i);

#endif
