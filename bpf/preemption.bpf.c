// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells whether another task can take the CPU from a tp_btf program. The kernel
 * would skip the program for the other's events then (Linux 7.x does).
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* The bits of the count that say how often preemption was disabled. */
#define PREEMPT_MASK 0xff

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pcpu_hot {
	int preempt_count;
};

struct thread_info {
	__u64 preempt_count;
};

struct task_struct {
	struct thread_info thread_info;
};

#pragma clang attribute pop

/* x86 has it in the one, or from 6.2 to 6.14 in the other; arm64 in thread_info. */
extern const int __preempt_count __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;

int preempt_count = -1;

/* Renaming itself is all it takes to run it. */
SEC("tp_btf/task_rename")
int read_preempt_count(void *ctx)
{
#ifdef __TARGET_ARCH_x86
	int *count;

	if (&__preempt_count)
		count = bpf_this_cpu_ptr(&__preempt_count);
	else if (&pcpu_hot)
		count = &((struct pcpu_hot *)bpf_this_cpu_ptr(&pcpu_hot))->preempt_count;
	else
		return 0;
	preempt_count = *count & PREEMPT_MASK;
#else
	struct task_struct *task = bpf_get_current_task_btf();

	if (bpf_core_field_exists(task->thread_info.preempt_count))
		preempt_count = task->thread_info.preempt_count & PREEMPT_MASK;
#endif
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
