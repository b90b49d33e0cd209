/* SPDX-License-Identifier: GPL-2.0-only */
/* The current task, and the call it is in. */
#ifndef NETACCT_TASK_H
#define NETACCT_TASK_H

#ifdef SET_TP_BTF

/*
 * What calls have found out once is read without them from then on: where the kernel
 * guards its returns, each costs 7 ns, and the first of a program 18. To read so came
 * with 6.2, and these hooks with 6.3.
 */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

#define CPUS 1024 /* of the others the call tells */

/* Where the kernel has what a CPU runs; 0: not known. */
static __u64 run_queues[CPUS];

/* How far above its stack's end a task's registers are; 0: not known. */
static __u32 regs_offset;

/* It is this CPU's if it has the task that runs here. */
static __noinline void find_run_queue(struct task_struct *task, __u32 cpu)
{
	struct sched_entity *se = &task->se;
	struct rq *rq;

	if (cpu >= CPUS || !bpf_core_field_exists(se->cfs_rq->rq))
		return;
	rq = BPF_CORE_READ(se, cfs_rq, rq);
	if (BPF_CORE_READ(rq, curr) == task)
		run_queues[cpu] = (__u64)rq;
}

static __always_inline struct task_struct *current_task(void)
{
	/* From 6.10 that is no call. */
	__u32 cpu = bpf_get_smp_processor_id();
	struct task_struct *task;
	struct rq *rq;

	if (cpu < CPUS && run_queues[cpu]) {
		rq = bpf_rdonly_cast((void *)run_queues[cpu], bpf_core_type_id_kernel(struct rq));
		return rq->curr;
	}
	task = bpf_get_current_task_btf();
	find_run_queue(task, cpu);
	/* Of both the verifier is to know the same. */
	return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
}

static __noinline void find_regs_offset(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* In 32 bits: of 64 the verifier lets nobody subtract an unknown number from a pointer. */
	regs_offset = (__u32)(__u64)bpf_task_pt_regs(task) - (__u32)(__u64)task->stack;
}

static __always_inline struct pt_regs___call *regs_of(struct task_struct *task)
{
	if (!regs_offset)
		find_regs_offset();
	return bpf_rdonly_cast(task->stack + regs_offset,
			       bpf_core_type_id_kernel(struct pt_regs___call));
}

#elif defined(SET_TRACEPOINT)

static __always_inline struct task_struct *current_task(void)
{
	return bpf_get_current_task_btf();
}

static __always_inline struct pt_regs___call *regs_of(struct task_struct *task)
{
	return (struct pt_regs___call *)bpf_task_pt_regs(task);
}

#else

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

#endif

/*
 * Whether the current task has called what returns the bytes it received, so that
 * a hook tells of them as it returns. Splices do not, and io_uring's receives are
 * in another call. A thread that the kernel made for itself or for io_uring is in no
 * call: it has a copy of somebody's registers, or zeros, but no place to return to.
 */
static __always_inline bool in_receive_call(struct task_struct *task)
{
#if (defined(SET_TP_BTF) || defined(SET_TRACEPOINT)) && \
	(defined(__TARGET_ARCH_x86) || defined(__TARGET_ARCH_arm64))
	struct pt_regs___call *regs = regs_of(task);
#ifdef __TARGET_ARCH_arm64
	__u64 call = READ(regs, syscallno), returns_to = READ(regs, pc);
#else
	__u64 call = READ(regs, orig_ax), returns_to = READ(regs, ip);
#endif

	return returns_to && (call == __NR_recvfrom || call == __NR_read || call == __NR_recvmsg ||
			      call == __NR_readv || call == __NR_recvmmsg);
#else
	return false;
#endif
}

#endif
