// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "abi.h"
#include "kprobe.skel.h"
#include "pins.h"
#include "preemption.skel.h"
#include "probes.h"
#include "sets.h"
#include "splice.skel.h"
#include "tp_btf.skel.h"
#include "tracepoint.skel.h"

#define SET_SCOPE(to, scope)                                                           \
	do {                                                                           \
		(to)->is_filtered = (scope)->n > 0;                                    \
		for (size_t i = 0; i < (scope)->n; i++) {                              \
			const struct scope_item *item = &(scope)->items[i];            \
                                                                                       \
			if (item->kind == SCOPE_USER) {                                \
				(to)->only_users[(to)->n_only_users++] = item->number; \
				continue;                                              \
			}                                                              \
			(to)->only_levels[(to)->n_only_cgroups] = scope_level(item);   \
			(to)->only_cgroups[(to)->n_only_cgroups++] = item->number;     \
		}                                                                      \
	} while (0)

#define DEFINE_OPEN(name, more)                                              \
	static void destroy_##name(void *skel)                               \
	{                                                                    \
		name##_set__destroy(skel);                                   \
	}                                                                    \
	static int open_##name(struct set *set, const struct set_options *o) \
	{                                                                    \
		struct name##_set *skel = name##_set__open();                \
                                                                             \
		if (!skel)                                                   \
			return -errno;                                       \
		skel->rodata->keep_flows = o->keep_flows;                    \
		SET_SCOPE(skel->rodata, o->scope);                           \
		more;                                                        \
		set->obj = skel->obj;                                        \
		set->skel = skel;                                            \
		set->destroy = destroy_##name;                               \
		return 0;                                                    \
	}

/* What the readers and seed() want to know. */
#define OF_READERS                                               \
	do {                                                     \
		int cpus = libbpf_num_possible_cpus();           \
                                                                 \
		skel->rodata->cpus = cpus < 0 ? 1 : cpus;        \
		skel->rodata->loader_sockets[0] = o->sockets[0]; \
		skel->rodata->loader_sockets[1] = o->sockets[1]; \
	} while (0)

DEFINE_OPEN(tp_btf, OF_READERS)
DEFINE_OPEN(tracepoint, OF_READERS)
DEFINE_OPEN(kprobe, OF_READERS)
DEFINE_OPEN(splice, )

int set_open(struct set *set, int id, const struct set_options *o)
{
	*set = (struct set){ .id = id };
	switch (id) {
	case HOOKS_TP_BTF:
		return fail(open_tp_btf(set, o));
	case HOOKS_TRACEPOINT:
		return fail(open_tracepoint(set, o));
	case HOOKS_KPROBE:
		return fail(open_kprobe(set, o));
	case HOOKS_SPLICE:
		return fail(open_splice(set, o));
	default:
		return fail(-EINVAL);
	}
}

void set_close(struct set *set)
{
	if (set->skel)
		set->destroy(set->skel);
	*set = (struct set){};
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

static bool has_member(const struct btf *btf, const char *structure, const char *name)
{
	int id = btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (int i = 0; t && i < btf_vlen(t); i++)
		if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), name) == 0)
			return true;
	return false;
}

/* Of a program: that which it is attached to, or NULL if that is no tracepoint. */
static const char *tracepoint_of(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	if (strncmp(section, "tp_btf/", 7) != 0 && strncmp(section, "tracepoint/", 11) != 0)
		return NULL;
	return strrchr(section, '/') + 1;
}

/* A tp_btf program tells; where it cannot, the version has to (x86 without KALLSYMS_ALL). */
bool set_preemptible(void)
{
	struct preemption *skel = preemption__open_and_load();
	struct utsname kernel;
	int count = -1;
	char name[16];

	/* No variable: an error has made libbpf believe that the kernel does not share arrays. */
	if (skel && skel->data && preemption__attach(skel) == 0 && prctl(PR_GET_NAME, name) == 0 &&
	    prctl(PR_SET_NAME, name) == 0)
		count = skel->data->preempt_count;
	preemption__destroy(skel);
	if (count >= 0)
		return count == 0;
	return uname(&kernel) == 0 && strtol(kernel.release, NULL, 10) >= 7;
}

int set_check(const struct set *set, const struct btf *btf, char *what, size_t size)
{
	struct bpf_program *prog;

	bpf_object__for_each_program (prog, set->obj) {
		const char *tracepoint = tracepoint_of(prog);
		char type[128];

		if (!tracepoint)
			continue;
		snprintf(type, sizeof(type), "btf_trace_%s", tracepoint);
		if (btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) < 0) {
			snprintf(what, size, "this kernel has no tracepoint %s", tracepoint);
			return fail(-ENOTSUP);
		}
	}
	if (set->id == HOOKS_KPROBE && probes_check() < 0) {
		snprintf(what, size,
			 errno == ENOTSUP ? "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)"
					  : "cannot see whether this kernel has kprobes");
		return -errno;
	}
	if (set->id != HOOKS_KPROBE && has_member(btf, "proto_ops", "sendpage")) {
		snprintf(what, size, "before Linux 6.5 sendfile may pass sock_send_length twice");
		return fail(-ENOTSUP);
	}
	if (set->id == HOOKS_TP_BTF && set_preemptible()) {
		snprintf(what, size,
			 "another task can take the CPU from these programs here, and the kernel "
			 "would skip them for its events");
		return fail(-ENOTSUP);
	}
	return 0;
}

__u32 set_holes(enum hook_set id, const struct btf *btf, bool splice)
{
	if (id == HOOKS_KPROBE)
		return HOLE_SMC;
	if (splice)
		return 0;
	return HOLE_TLS_SPLICE | (has_function(btf, "mptcp_splice_read") ? HOLE_MPTCP_SPLICE : 0);
}
