/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sets of hooks: the same programs, compiled for each way the kernel may
 * tell of a call. Errors as in account.h.
 */
#ifndef NETACCT_SETS_H
#define NETACCT_SETS_H

#include <stdbool.h>
#include <stddef.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "scope.h"

struct set_options {
	bool keep_flows;
	const struct scope *scope; /* whose events are counted */
	int sockets[2];		   /* of TCP, over IPv4 and over IPv6 */
};

/* Beside a set that is not of kprobes; no account is named for it. */
#define HOOKS_SPLICE (HOOKS_KPROBE + 1)

struct set {
	int id; /* enum hook_set, or HOOKS_SPLICE */
	struct bpf_object *obj;
	void *skel;
	void (*destroy)(void *skel);
};

/* The programs of a set, not loaded yet; set_close() them. */
int set_open(struct set *set, int id, const struct set_options *o);
void set_close(struct set *set);

/*
 * Whether the set would count exactly on this kernel, whose types are in btf;
 * -ENOTSUP: no, and `what` says why.
 */
int set_check(const struct set *set, const struct btf *btf, char *what, size_t size);

/*
 * Whether another task can take the CPU from a tp_btf program here: the kernel
 * would skip it for the other's events.
 */
bool set_preemptible(void);

/*
 * HOLE_*: what this kernel moves past the set, where the kprobes of HOOKS_SPLICE
 * are not beside it.
 */
__u32 set_holes(enum hook_set id, const struct btf *btf, bool splice);

#endif
