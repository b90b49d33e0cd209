/* SPDX-License-Identifier: GPL-2.0-only */
/* The unified hierarchy of cgroups, wherever it is mounted. Errors as in account.h. */
#ifndef NETACCT_HIERARCHY_H
#define NETACCT_HIERARCHY_H

#include <linux/types.h>

/* A descriptor of its root. -EPERM: it takes CAP_SYS_ADMIN. */
int hierarchy_open(void);

/*
 * The id of a cgroup, as programs know it, by its path from the root, "/a/b".
 * -ENOENT: there is none. -EXDEV: ours is another cgroup namespace than the
 * kernel's, and its paths are not those.
 */
int hierarchy_cgroup(const char *path, __u64 *id);

#endif
