// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests/bench compares the hooks with, on the same tracepoints: programs
 * that do nothing, and programs that do the least that counting by process
 * takes: find a row by a key of 16 bytes, and add to it.
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

char LICENSE[] SEC("license") = "GPL";
