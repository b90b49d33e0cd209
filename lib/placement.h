/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One set of hooks on its way into the kernel: its programs loaded, its maps and
 * attachments pinned in a folder. Errors as in account.h, with what failed in
 * `what`.
 */
#ifndef NETACCT_PLACEMENT_H
#define NETACCT_PLACEMENT_H

#include <limits.h>
#include <stdbool.h>

#include "hooks.h"
#include "saved.h"
#include "sets.h"

struct placement {
	const char *pin_dir;
	const struct load_options *o;
	const struct saved *saved; /* what it begins with, or NULL */
	struct meta meta;
	char dir[PATH_MAX]; /* where pins are made, until it is renamed */
	struct btf *btf;    /* of the kernel */
	struct set set;
	struct set splice; /* its obj is NULL where there is none */
	struct state *state;
	int sockets[2]; /* of TCP, over IPv4 and over IPv6 */
	bool traverse;	/* the group needs the file system's root to be opened for it */
	bool refused;	/* it was the kernel that would not have this set: another may do */
	char passed_over[HOOKS_KPROBE][128];
	char *what; /* LOAD_WHAT bytes */
};

/* Says in p->what what failed, and returns err. */
int placement_failed(struct placement *p, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts a set in place in p->dir, which is not there yet; it does not count yet. */
int placement_set(struct placement *p, enum hook_set id);

/* From here on it counts. */
void placement_start(struct placement *p);

/* Lets go of what placement_set() holds here; what is pinned stays. */
void placement_free(struct placement *p);

/* How large the tables are to be. */
void placement_sizes(const struct set *set, const struct load_options *o);

/* What its programs alone know: each version has its own, not pinned. */
bool placement_is_private(const struct bpf_map *map);

/* Where in the folder a map is pinned: told by its kind; see abi.h. */
void placement_map_pin(const struct bpf_map *map, char pin[64]);

/* Of a program: whether it is attached, and whether it reads rows. */
bool placement_is_entry(const struct bpf_program *prog);
bool placement_is_reader(const struct bpf_program *prog);

#endif
