// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests/bench compares the hooks with, on the same tracepoints: programs
 * that do nothing; programs that find a row by a key of 16 bytes, and add one
 * number to it; and programs that keep all the sums that netacct's maps have to
 * tell, of what they know beforehand, looking at nothing: the straight way, each
 * sum by itself, and the floor, the fewest additions that will do.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <stdbool.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "kernel.h"
#include "task.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_PROCESSES);
	__type(key, struct process_key);
	__type(value, __u64);
} sums SEC(".maps");

static __always_inline struct process_key key_of(struct task_struct *task)
{
	return (struct process_key){ .start_ns = task->group_leader->start_boottime,
				     .pid = task->tgid };
}

static __always_inline int update(int ret)
{
	struct process_key key = key_of(bpf_get_current_task_btf());
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

/* Of a process: the number of its protocol, with loopback or without. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_PROCESSES);
	__type(key, struct process_key);
	__type(value, struct counters);
} floor_rows SEC(".maps");

/* Of the machine. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} machine SEC(".maps");

/*
 * Of a connection, where they are found soonest, and up to where it was received:
 * each by itself, and for the floor bytes and calls in one.
 */
struct floor_socket {
	struct counters counters;
	__u64 tx, rx;
	__u64 flow;
	__u32 copied;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct floor_socket);
} floor_sockets SEC(".maps");

/* Of a connection, where it outlives the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_FLOWS + 1024);
	__type(key, __u64);
	__type(value, struct flow);
} floor_flows SEC(".maps");

static const struct counters zero_row;
static const struct flow zero_flow;
static __u64 next_flow = 1;

static __always_inline struct floor_socket *floor_socket(struct sock *sk)
{
	return bpf_sk_storage_get(&floor_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline struct tcp_sock *tcp_sock(struct sock *sk)
{
	return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
}

/* The row of a connection is new with the first event, and one that was there goes. */
static __always_inline void floor_flow(struct floor_socket *s)
{
	__u64 oldest;

	if (s->flow)
		return;
	s->flow = __sync_fetch_and_add(&next_flow, 1);
	oldest = s->flow - DEFAULT_FLOWS;
	bpf_map_delete_elem(&floor_flows, &oldest);
	bpf_map_update_elem(&floor_flows, &s->flow, &zero_flow, BPF_NOEXIST);
}

static __always_inline int floor_call(struct sock *sk, int ret, bool flows, bool tx)
{
	struct process_key key = key_of(current_task());
	struct floor_socket *s = NULL;
	struct counters *row, *totals;
	__u32 zero = 0;

	if (ret <= 0)
		return 0;
	if (flows)
		s = floor_socket(sk);
	row = bpf_map_lookup_elem(&floor_rows, &key);
	totals = bpf_map_lookup_elem(&machine, &zero);
	if (!row || !totals) {
		bpf_map_update_elem(&floor_rows, &key, &zero_row, BPF_NOEXIST);
		return 0;
	}
	__sync_fetch_and_add(tx ? &row->tx_bytes : &row->rx_bytes, ret);
	__sync_fetch_and_add(tx ? &row->tx_calls : &row->rx_calls, 1);
	*(tx ? &totals->tx_bytes : &totals->rx_bytes) += ret;
	*(tx ? &totals->tx_calls : &totals->rx_calls) += 1;
	if (!s)
		return 0;
	floor_flow(s);
	__sync_fetch_and_add(tx ? &s->tx : &s->rx, 1ULL << PENDING_CALLS | ret);
	return 0;
}

/* What TCP receives the call tells, but a splice after it has to know where it begins. */
static __always_inline int floor_copied(struct sock *sk, bool flows)
{
	struct floor_socket *s = floor_socket(sk);
	struct tcp_sock *tp = tcp_sock(sk);

	if (s)
		s->copied = tp->copied_seq;
	return 0;
}

/* The straight way: each of the sums by itself. */
struct straight_row {
	struct counters total;
	struct counters loopback;
	struct counters protocol;
	__u64 last_seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_PROCESSES);
	__type(key, struct process_key);
	__type(value, struct straight_row);
} straight_rows SEC(".maps");

static const struct straight_row zero_straight;

/* What one hook of TCP's receive has 0 of, the other has. */
static __always_inline void add(struct counters *c, bool tx, __u64 bytes, __u64 calls)
{
	if (bytes)
		__sync_fetch_and_add(tx ? &c->tx_bytes : &c->rx_bytes, bytes);
	if (calls)
		__sync_fetch_and_add(tx ? &c->tx_calls : &c->rx_calls, calls);
}

/* The socket is NULL where no flows are counted. */
static __always_inline int straight_event(struct floor_socket *s, bool tx, __u64 bytes, __u64 calls)
{
	struct process_key key = key_of(bpf_get_current_task_btf());
	struct straight_row *row = bpf_map_lookup_elem(&straight_rows, &key);
	struct counters *totals;
	__u32 zero = 0;

	totals = bpf_map_lookup_elem(&machine, &zero);
	if (!row || !totals) {
		bpf_map_update_elem(&straight_rows, &key, &zero_straight, BPF_NOEXIST);
		return 0;
	}
	row->last_seen = bpf_jiffies64();
	add(&row->total, tx, bytes, calls);
	add(&row->loopback, tx, bytes, calls);
	add(&row->protocol, tx, bytes, calls);
	add(totals, tx, bytes, calls);
	if (s)
		add(&s->counters, tx, bytes, calls);
	return 0;
}

static __always_inline int straight_call(struct sock *sk, int ret, bool flows, bool tx)
{
	bool calls_only = !tx && sk->sk_protocol == IPPROTO_TCP;

	if (ret <= 0)
		return 0;
	return straight_event(flows ? floor_socket(sk) : NULL, tx, calls_only ? 0 : ret, 1);
}

static __always_inline int straight_copied(struct sock *sk, bool flows)
{
	struct floor_socket *s = floor_socket(sk);
	struct tcp_sock *tp = tcp_sock(sk);
	__u32 bytes;

	if (!s)
		return 0;
	bytes = tp->copied_seq - s->copied;
	s->copied = tp->copied_seq;
	return straight_event(flows ? s : NULL, false, bytes, 0);
}

#define HOOKS(way, name, flows)                                 \
	SEC("tp_btf/sock_send_length")                          \
	int BPF_PROG(name##_sent, struct sock *sk, int ret)     \
	{                                                       \
		return way##_call(sk, ret, flows, true);        \
	}                                                       \
	SEC("tp_btf/sock_recv_length")                          \
	int BPF_PROG(name##_received, struct sock *sk, int ret) \
	{                                                       \
		return way##_call(sk, ret, flows, false);       \
	}                                                       \
	SEC("tp_btf/tcp_rcv_space_adjust")                      \
	int BPF_PROG(name##_copied, struct sock *sk)            \
	{                                                       \
		return way##_copied(sk, flows);                 \
	}

HOOKS(floor, floor_plain, false)
HOOKS(floor, floor_flows, true)
HOOKS(straight, straight_plain, false)
HOOKS(straight, straight_flows, true)

char LICENSE[] SEC("license") = "GPL";
