// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tell what cannot be known before a tp_btf program has run: what it finds where
 * it runs. Renaming itself is all it takes a task to run them.
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
	void *stack;
	struct thread_info thread_info;
};

#pragma clang attribute pop

/* x86 has it in the one, or from 6.2 to 6.14 in the other; arm64 in thread_info. */
extern const int __preempt_count __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;

/*
 * 0: another task can take the CPU from such a program. The kernel would skip
 * the program for the other's events then (Linux 7.x does). -1: not to be had.
 */
int preempt_count = -1;

/* How far above its stack's end the registers of any task are. */
__u32 regs_offset = 0;

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

SEC("tp_btf/task_rename")
int read_regs_offset(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* In 32 bits: of 64 the verifier lets nobody subtract an unknown number from a pointer. */
	regs_offset = (__u32)(__u64)bpf_task_pt_regs(task) - (__u32)(__u64)task->stack;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
