/* SPDX-License-Identifier: GPL-2.0-only */
/* The names that numbers have now: users and cgroups, looked up when asked for. */
#ifndef NETACCT_NAMES_H
#define NETACCT_NAMES_H

#include <stdbool.h>
#include <sys/types.h>

#include "account.h"

struct names {
	const struct account *account; /* borrowed */
	void *users;		       /* trees of what was looked up */
	void *cgroups;
	bool walked;
};

/* Needs no privileges and cannot fail. names_free() it. */
void names_init(struct names *n, const struct account *account);
void names_free(struct names *n);

/* The user's name, or NULL. It is the tree's own, as are those below. */
const char *names_user(struct names *n, uid_t uid);

/*
 * The path of a cgroup: "/" for the root, "/a/b". Of a cgroup that is gone only
 * the last two components were noted; without a leading slash there may be
 * more before them. NULL: not known.
 */
const char *names_cgroup(struct names *n, __u64 id);

#endif
