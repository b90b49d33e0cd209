/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mark is a line of JSON behind readings that were restored: it says when, and
 * to which account. Errors as in account.h.
 */
#ifndef NETACCT_MARK_H
#define NETACCT_MARK_H

#include <stdbool.h>

#include "abi.h"

struct mark {
	char boot_id[sizeof(((struct meta *)0)->boot_id)];
	__u64 loaded_at_ns; /* since the epoch */
};

bool mark_is(const struct mark *a, const struct mark *b);

/*
 * Puts a mark behind all that is in the file, which is either the old one or all
 * of the new one whatever happens. -EINVAL: it is no plain file.
 */
int mark_put(const char *path, const struct mark *m);

/* Takes it away again; -ENOENT if it is not the last line. */
int mark_take_away(const char *path, const struct mark *m);

#endif
