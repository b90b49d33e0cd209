/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An account: what netacct-load pinned under one folder.
 *
 * Error convention of everything in lib/, the one libbpf uses: success is 0 or
 * a descriptor, failure is -errno with errno set too. Nothing here prints.
 */
#ifndef NETACCT_ACCOUNT_H
#define NETACCT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "abi.h"
#include "rows.h"
#include "scope.h"

struct account {
	const char *pin_dir; /* borrowed */
	bool writable;
	ino_t folder; /* another one: it was unloaded, and loaded again */
	struct meta meta;
	struct scope scope;  /* whose traffic it counts */
	struct state *state; /* shared with the hooks; NULL unless writable */
	struct rows states;  /* the one row is the state */
	struct rows cgroups;
	struct rows folded;
};

/*
 * -ENOENT: not loaded. -EPROTO: it is not an account of this schema.
 * -EUCLEAN: it is, but parts of it are gone; meta is set unless it is among them.
 * -ENODEV: /proc is not mounted.
 * -EACCES, -EPERM: not allowed to read it. Close it with account_close().
 */
int account_open(struct account *a, const char *pin_dir, bool writable);
void account_close(struct account *a);

/* Whether a folder is an account, of whatever schema, or what is left of one. */
bool account_was_here(const char *dir);

/* A copy of the state as it is now. */
int account_state(const struct account *a, struct state *state);

/*
 * Each name that was noted for a cgroup, which may be gone; each() returns 0,
 * or -errno to stop.
 */
int account_cgroups(const struct account *a,
		    int (*each)(void *arg, __u64 id, const struct cgroup_name *name), void *arg);

/*
 * The only map system calls where hooks are tracepoints or kprobes, one element
 * each: no other task gets the CPU meanwhile, whose events would go uncounted.
 */
int account_update(const struct account *a, int map, __u32 index, const void *value);
int account_erase(const struct account *a, int map, __u32 index);

/* Stores a->meta. */
int account_write_meta(const struct account *a);

/* Whether large tables are read in batches: see rows.h. */
bool account_in_batches(const struct account *a);

/*
 * The turn to change the account: one reset or unload at a time. A descriptor
 * to close; -EBUSY if another had it for so many seconds (state->resetter is its
 * pid), -ENOENT if the account was unloaded meanwhile.
 */
int account_turn(const struct account *a, int seconds);

struct hook_stats {
	__u64 missed; /* events that the kernel did not run the program for */
	__u64 runs;   /* 0 unless the kernel keeps count: kernel.bpf_stats_enabled */
	__u64 run_ns;
};

/*
 * Each hook by name; each() returns 0, or -errno to stop. -EPERM: before Linux
 * 6.0 only root is told.
 */
int account_hooks(const struct account *a,
		  int (*each)(void *arg, const char *name, const struct hook_stats *stats),
		  void *arg);

/* The missed events of all hooks. -EPERM, -EACCES: only root is told. */
int account_missed(const struct account *a, __u64 *missed);

#endif
