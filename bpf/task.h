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

/*
 * The offset in a task's stack at which the registers of its call are, and above 16 bits
 * the mask of such offsets; 0: not known.
 */
static __u32 regs_place;

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

/* A stack is aligned to its size, THREAD_SIZE, and has them at its end. */
static __noinline void find_regs_place(struct task_struct *task, struct pt_regs___call *regs)
{
	__u32 stack = low_half(task->stack), offset = low_half(regs) - stack;
	__u32 mask = offset | offset >> 1;

	mask |= mask >> 2;
	mask |= mask >> 4;
	mask |= mask >> 8;
	if (mask <= 0xffff && !(stack & mask))
		regs_place = mask << 16 | offset;
}

/*
 * The registers of the call that a task is in, and a program of an event of it: the
 * program's context is on the task's stack.
 */
static __always_inline struct pt_regs___call *call_regs(void *ctx)
{
	__u32 place = READ_ONCE(regs_place);
	struct pt_regs___call *regs;
	struct task_struct *task;
	__u64 above;

	if (place) {
		above = (place - low_half(ctx)) & place >> 16;
		/* What is added to a pointer is to have bounds. */
		barrier_var(above);
		return bpf_rdonly_cast(ctx + above, bpf_core_type_id_kernel(struct pt_regs___call));
	}
	task = bpf_get_current_task_btf();
	regs = (struct pt_regs___call *)bpf_task_pt_regs(task);
	find_regs_place(task, regs);
	return bpf_rdonly_cast(regs, bpf_core_type_id_kernel(struct pt_regs___call));
}

#elif defined(SET_TRACEPOINT)

static __always_inline struct task_struct *current_task(void)
{
	return bpf_get_current_task_btf();
}

static __always_inline struct pt_regs___call *call_regs(void *ctx)
{
	return (struct pt_regs___call *)bpf_task_pt_regs(current_task());
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
static __always_inline bool in_receive_call(void *ctx)
{
#if (defined(SET_TP_BTF) || defined(SET_TRACEPOINT)) && \
	(defined(__TARGET_ARCH_x86) || defined(__TARGET_ARCH_arm64))
	struct pt_regs___call *regs = call_regs(ctx);
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
