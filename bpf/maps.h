/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps. abi.h says what each is for. */
#ifndef NETACCT_MAPS_H
#define NETACCT_MAPS_H

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meta);
} meta SEC(".maps");

/* Of all maps the one that takes no look-up. */
struct state state SEC(STATE_SECTION);

/* The name that a cgroup is not asked for any more may go: it is LRU. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CGROUP_NAMES);
	__type(key, __u64);
	__type(value, struct cgroup_name);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FOLDED_KEYS);
	__type(key, __u32);
	__type(value, struct process_key);
} folded SEC(".maps");

/*
 * The state of a socket is in the socket where hooks are tp_btf: a look-up costs a
 * quarter of that in a hash. Other programs know a socket by its address only.
 */
#if defined(SET_TP_BTF)
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct counted_socket);
} sockets SEC(".maps");

/* To look up in an array is no call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NOTES);
	__type(key, __u32);
	__type(value, struct note);
} notes SEC(".maps");
#elif !defined(SET_SPLICE)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SOCKETS);
	__type(key, __u64);
	__type(value, struct socket_state);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} scratch SEC(".maps");
#endif

#if defined(SET_KPROBE) || defined(SET_SPLICE)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS);
	__type(key, __u64);
	__type(value, struct call);
} begun SEC(".maps");

/* Its elements outlive the descriptor they were stored through. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(map_flags, BPF_F_PRESERVE_ELEMS);
	__uint(max_entries, PROBES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} probes SEC(".maps");
#endif

/* Who has put the one element there may give away rows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} folding SEC(".maps");

/*
 * A table that changes with the generation: its first map, and the switch that
 * the lowest bit of a generation's number picks a map from. A reset makes the
 * next map, like the one it finds.
 */
#define SWITCHED(name)                                    \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, 2);                   \
		__type(key, __u32);                       \
		__array(values, struct name##_map);       \
	} name SEC(".maps") = { .values = { &name##_0 } }

struct processes_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_PROCESSES);
	__type(key, struct process_key);
	__type(value, struct process);
} processes_0 SEC(".maps");
SWITCHED(processes);

struct flows_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_FLOWS);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows_0 SEC(".maps");
SWITCHED(flows);

struct finished_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FINISHED_ROWS);
	__type(key, struct finished_key);
	__type(value, struct finished);
} finished_0 SEC(".maps");
SWITCHED(finished);

struct totals_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct totals);
} totals_0 SEC(".maps");
SWITCHED(totals);

struct ended_map {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, DEFAULT_PROCESSES);
	__type(value, struct process_key);
} ended_0 SEC(".maps");
SWITCHED(ended);

struct closed_map {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, DEFAULT_FLOWS);
	__type(value, struct flow_key);
} closed_0 SEC(".maps");
SWITCHED(closed);

/* Of each generation too, but no hook asks for it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct generation);
} generation_0 SEC(".maps");

#endif
