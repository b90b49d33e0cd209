/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose events are counted: everybody's, or only those of the users and cgroups
 * that the account was loaded for. The last thing before counting, and the first
 * that looks at the process.
 */
#ifndef NETACCT_SCOPE_BPF_H
#define NETACCT_SCOPE_BPF_H

const volatile bool is_filtered; /* beside keep_flows: each event reads both */
const volatile __u32 n_only_users;
const volatile __u32 only_users[MAX_FILTERS];
const volatile __u32 n_only_cgroups;
const volatile __u64 only_cgroups[MAX_FILTERS];
const volatile __u32 only_levels[MAX_FILTERS]; /* how deep they lie */

#if defined(SET_TP_BTF) || defined(SET_TRACEPOINT)

static __always_inline __u64 ancestor_id(__u32 level)
{
	return bpf_get_current_ancestor_cgroup_id(level);
}

#else

/* Programs for kprobes may call that from 5.15 only. 0: it does not lie so deep. */
static __always_inline __u64 ancestor_id(__u32 level)
{
	struct cgroup *cgroup = BPF_CORE_READ(current_task(), cgroups, dfl_cgrp), *ancestor = NULL;
	__u64 id = 0;

	if (BPF_CORE_READ(cgroup, level) < (int)level)
		return 0;
	if (bpf_core_field_exists(cgroup->ancestors)) {
		bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
				      (void *)cgroup +
					      bpf_core_field_offset(struct cgroup, ancestors) +
					      level * sizeof(ancestor));
		return BPF_CORE_READ(ancestor, kn, id);
	}
	bpf_probe_read_kernel(&id, sizeof(id),
			      (void *)cgroup +
				      bpf_core_field_offset(struct cgroup___older, ancestor_ids) +
				      level * sizeof(id));
	return id;
}

#endif

static __always_inline bool is_wanted_user(__u32 uid)
{
	for (__u32 i = 0; i < MAX_FILTERS && i < n_only_users; i++)
		if (only_users[i] == uid)
			return true;
	return !n_only_users;
}

/* The kernel itself is in the root. */
static __always_inline bool is_wanted_cgroup(bool of_process)
{
	for (__u32 i = 0; i < MAX_FILTERS && i < n_only_cgroups; i++) {
		__u32 level = only_levels[i];

		if (of_process ? ancestor_id(level) == only_cgroups[i] : !level)
			return true;
	}
	return !n_only_cgroups;
}

/* Global, so that the verifier looks at its loops once. */
__noinline int is_wanted(int of_process)
{
	return is_wanted_user(of_process ? bpf_get_current_uid_gid() : 0) &&
	       is_wanted_cgroup(of_process);
}

/*
 * Whose event it is: the current process's, or the kernel's own. False: it is
 * not to be counted.
 */
static __always_inline bool whose(struct process_key *key, bool of_process)
{
	if (is_filtered && !is_wanted(of_process))
		return false;
	*key = (struct process_key){};
	if (of_process)
		process_key(key, current_task());
	return true;
}

#endif
