/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netacct-reset, netacct-unload and netacct-show wrote as JSON, read back.
 * Errors as in account.h.
 *
 * A file is one document or more, one after the other. Readings of the same
 * generation hold the same bytes: the last of them counts. Behind what was
 * restored stands a mark, so that nothing is restored twice; what is appended
 * later counts.
 */
#ifndef NETACCT_SAVED_H
#define NETACCT_SAVED_H

#include <stddef.h>
#include <stdio.h>

#include "abi.h"
#include "mark.h"

#define SAVED_WHAT 256

/* Processes that have the same key, added up. Times are since the epoch; 0: not known. */
struct saved_row {
	struct finished_key key; /* cgroup_id and netns 0: not known */
	char *cgroup;		 /* the path, as names_cgroup() has it; NULL: not known */
	struct finished f;
};

struct saved {
	char boot_id[sizeof(((struct meta *)0)->boot_id)];
	__u64 scope;	       /* whose traffic it is: scope_sum() */
	__u64 since_ns;	       /* since the epoch: the beginning of the oldest reading */
	__u64 restored_at_ns;  /* of the last mark; 0: there is none */
	struct counters total; /* rows and no_row */
	struct counters no_row;
	struct counters packet; /* that the rows have; not in total */
	struct saved_row *rows; /* sorted by key, then cgroup */
	size_t n;
};

/*
 * Reads all that is to be restored. Keys are unique if all of it is of one boot.
 * Else boot_id is empty, what numbers a boot gives (cgroup_id, netns) is 0, and
 * key and cgroup are unique. `what` says in one line what is wrong, and where.
 *
 * -EPROTO: it is no reading, or not a whole one, or does not add up.
 * -EALREADY: all of it was restored. -ENODATA: there is nothing in it.
 *
 * saved_free() it.
 */
int saved_read(struct saved *s, FILE *f, char what[SAVED_WHAT]);
void saved_free(struct saved *s);

#endif
