// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests/bench compares the hooks with, on the same tracepoints: programs
 * that do nothing; programs that find a row by a key of 16 bytes, and add one
 * number to it; and the floor: programs that add all that netacct's maps have to
 * tell of an event, to rows that are there, and look at nothing else.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_PROCESSES);
	__type(key, struct process_key);
	__type(value, __u64);
} sums SEC(".maps");

static __always_inline int update(int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct process_key key = { .start_ns = task->group_leader->start_boottime,
				   .pid = task->tgid };
	__u64 *sum, first = ret;

	sum = bpf_map_lookup_elem(&sums, &key);
	if (sum)
		__sync_fetch_and_add(sum, ret);
	else
		bpf_map_update_elem(&sums, &key, &first, BPF_NOEXIST);
	return 0;
}

SEC("tp_btf/sock_send_length")
int empty_sent(void *ctx)
{
	return 0;
}

SEC("tp_btf/sock_recv_length")
int empty_received(void *ctx)
{
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int empty_copied(void *ctx)
{
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(hash_sent, struct sock *sk, int ret)
{
	return update(ret);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(hash_received, struct sock *sk, int ret)
{
	return update(ret);
}

/* Of a process: in all, for loopback, and by protocol. */
struct floor_row {
	struct counters total;
	struct counters loopback;
	struct counters protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_PROCESSES);
	__type(key, struct process_key);
	__type(value, struct floor_row);
} floor_rows SEC(".maps");

/* Of the machine. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} floor_totals SEC(".maps");

/* Of a connection, where they are found soonest, and up to where it was received. */
struct floor_socket {
	struct counters counters;
	__u32 copied;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct floor_socket);
} floor_sockets SEC(".maps");

static const struct floor_row zero_row;

/* What one hook of TCP's receive has 0 of, the other has. */
static __always_inline void add(struct counters *c, bool tx, __u64 bytes, __u64 calls)
{
	if (bytes)
		__sync_fetch_and_add(tx ? &c->tx_bytes : &c->rx_bytes, bytes);
	if (calls)
		__sync_fetch_and_add(tx ? &c->tx_calls : &c->rx_calls, calls);
}

static __always_inline struct floor_socket *floor_socket(struct sock *sk)
{
	return bpf_sk_storage_get(&floor_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* The socket is NULL where no flows are counted. */
static __always_inline int floor_event(struct floor_socket *s, bool tx, __u64 bytes, __u64 calls)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct process_key key = { .start_ns = task->group_leader->start_boottime,
				   .pid = task->tgid };
	struct floor_row *row = bpf_map_lookup_elem(&floor_rows, &key);
	struct counters *totals;
	__u32 zero = 0;

	if (!row) {
		bpf_map_update_elem(&floor_rows, &key, &zero_row, BPF_NOEXIST);
		return 0;
	}
	add(&row->total, tx, bytes, calls);
	add(&row->loopback, tx, bytes, calls);
	add(&row->protocol, tx, bytes, calls);
	totals = bpf_map_lookup_elem(&floor_totals, &zero);
	if (totals)
		add(totals, tx, bytes, calls);
	if (s)
		add(&s->counters, tx, bytes, calls);
	return 0;
}

static __always_inline int floor_call(struct sock *sk, int ret, bool flows, bool tx)
{
	/* What TCP receives is told by two hooks: the calls here, the bytes below. */
	bool calls_only = !tx && sk->sk_protocol == IPPROTO_TCP;

	if (ret <= 0)
		return 0;
	return floor_event(flows ? floor_socket(sk) : NULL, tx, calls_only ? 0 : ret, 1);
}

static __always_inline int floor_copied(struct sock *sk, bool flows)
{
	struct floor_socket *s = floor_socket(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 bytes;

	if (!s || !tp)
		return 0;
	bytes = tp->copied_seq - s->copied;
	s->copied = tp->copied_seq;
	return floor_event(flows ? s : NULL, false, bytes, 0);
}

#define FLOOR(name, flows)                                      \
	SEC("tp_btf/sock_send_length")                          \
	int BPF_PROG(name##_sent, struct sock *sk, int ret)     \
	{                                                       \
		return floor_call(sk, ret, flows, true);        \
	}                                                       \
	SEC("tp_btf/sock_recv_length")                          \
	int BPF_PROG(name##_received, struct sock *sk, int ret) \
	{                                                       \
		return floor_call(sk, ret, flows, false);       \
	}                                                       \
	SEC("tp_btf/tcp_rcv_space_adjust")                      \
	int BPF_PROG(name##_copied, struct sock *sk)            \
	{                                                       \
		return floor_copied(sk, flows);                 \
	}

FLOOR(floor_plain, false)
FLOOR(floor_flows, true)

char LICENSE[] SEC("license") = "GPL";
