/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF file system that pins are in. Errors as in account.h. */
#ifndef NETACCT_BPFFS_H
#define NETACCT_BPFFS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define BPFFS "/sys/fs/bpf"

/*
 * Sees to it that the folder that is to hold pin_dir is on a BPF file system;
 * mounts one at /sys/fs/bpf if need be, and then returns 1, else 0. -EXDEV: it is on another file
 * system; -EINVAL: a mount made here would end with this process's mount namespace.
 */
int bpffs_prepare(const char *pin_dir);

/*
 * Whether members of a group get through to pin_dir: 1 or 0. If they do not,
 * `where` is the folder that stops them.
 */
int bpffs_passable(const char *pin_dir, gid_t gid, char where[PATH_MAX]);

/* The root of the file system that pin_dir is to be on. */
void bpffs_root(const char *pin_dir, char root[PATH_MAX]);

/* Lets everybody pass through the file system's root (or, !yes, nobody). */
int bpffs_traverse(const char *pin_dir, bool yes);

#endif
