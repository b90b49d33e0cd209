/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of a generation, how values are added up in them, the rows of
 * processes, and how room for rows is made.
 *
 * Values are only added to, atomically where anybody else may add, so that no
 * reader and no other CPU matters.
 */
#ifndef NETACCT_PROCESSES_H
#define NETACCT_PROCESSES_H

/* How many rows are given away at once where one is needed: few readers cross it. */
#define FOLD_AT_ONCE 32

/*
 * How often room is asked for where another CPU gives rows away: it may be
 * interrupted meanwhile. A CPU that interrupted it asks in vain.
 */
#define ROOM_TRIES 64

const volatile bool keep_flows = true;

/* What new rows are made from: they are larger than the stack. */
static const struct process zero_process;
static const struct finished zero_finished;
static const struct cgroup_name zero_name;

/*
 * The map behind a switch. The number is copied first: Linux 7.2 forgets what a
 * slot of the stack held that only a helper was given.
 */
#define TABLE(name, slot)                           \
	({                                          \
		__u32 slot_ = slot;                 \
		bpf_map_lookup_elem(&name, &slot_); \
	})

static __always_inline struct totals *get_totals(__u32 slot)
{
	void *table = TABLE(totals, slot);
	__u32 zero = 0;

	return table ? bpf_map_lookup_elem(table, &zero) : NULL;
}

static __always_inline struct process *get_process(__u32 slot, const struct process_key *key)
{
	void *table = TABLE(processes, slot);

	return table ? bpf_map_lookup_elem(table, key) : NULL;
}

static __always_inline struct flow *get_flow(__u32 slot, const struct flow_key *key)
{
	void *table = TABLE(flows, slot);

	return table ? bpf_map_lookup_elem(table, key) : NULL;
}

/*
 * The boot clock, read once a jiffy on each CPU: a clock call on every event
 * would cost as much as a second table.
 */
static __always_inline __u64 now(struct totals *t)
{
	__u64 jiffies = bpf_jiffies64();

	if (t->now_jiffies != jiffies) {
		t->now_ns = bpf_ktime_get_boot_ns();
		t->now_jiffies = jiffies;
	}
	return t->now_ns;
}

/*
 * Written where it is later only, once a jiffy: what is seldom written, each CPU has
 * at hand, and the clocks of two are not the same.
 */
static __always_inline void see(__u64 *latest_ns, __u64 ns)
{
	if ((__s64)(ns - READ_ONCE(*latest_ns)) > 0)
		*latest_ns = ns;
}

static __always_inline void add(struct counters *c, bool tx, __u64 bytes, __u64 calls)
{
	/*
	 * The stream's bytes and its calls come from different hooks. And the compiler
	 * would make an "or" of adding 0, which 5.10 does not have.
	 */
	if (bytes)
		__sync_fetch_and_add(tx ? &c->tx_bytes : &c->rx_bytes, bytes);
	if (calls)
		__sync_fetch_and_add(tx ? &c->tx_calls : &c->rx_calls, calls);
}

/*
 * The kernel does not run a program on a CPU that is in it already, nor one of a
 * kprobe in that of another; and one program tells what calls sent, one what they
 * received, or kprobes do: nobody else adds to these numbers of a CPU. What tells of
 * bytes without a call may interrupt it.
 */
static __always_inline void add_total(struct totals *t, bool tx, __u64 bytes, __u64 calls)
{
	if (!calls) {
		add(&t->spliced, tx, bytes, 0);
	} else if (tx) {
		t->total.tx_bytes += bytes;
		t->total.tx_calls += calls;
	} else {
		t->total.rx_bytes += bytes;
		t->total.rx_calls += calls;
	}
}

static __always_inline struct counters counters_of(bool tx, __u64 bytes, __u64 calls)
{
	return tx ? (struct counters){ .tx_bytes = bytes, .tx_calls = calls }
		  : (struct counters){ .rx_bytes = bytes, .rx_calls = calls };
}

static __always_inline void add_counters(struct counters *to, const struct counters *from)
{
	__sync_fetch_and_add(&to->tx_bytes, from->tx_bytes);
	__sync_fetch_and_add(&to->rx_bytes, from->rx_bytes);
	__sync_fetch_and_add(&to->tx_calls, from->tx_calls);
	__sync_fetch_and_add(&to->rx_calls, from->rx_calls);
}

/* AF_PACKET's is not in it. */
static __noinline void add_traffic(struct counters *to, const struct traffic *t)
{
	const struct counters *part = (const struct counters *)t;

#pragma unroll
	for (int i = 0; i < TRAFFIC_PARTS; i++)
		if (i != PROTOCOL_PACKET)
			add_counters(to, &part[i]);
}

static __always_inline void process_key(struct process_key *key, struct task_struct *task)
{
	/* Of each event: where the kernel tells what a task is, no helper reads it. */
#if defined(SET_TP_BTF) || defined(SET_TRACEPOINT)
	key->start_ns = task->group_leader->start_boottime;
	key->pid = task->tgid;
#else
	key->start_ns = READ2(task, group_leader, start_boottime);
	key->pid = READ(task, tgid);
#endif
	key->zero = 0;
}

/*
 * Only one CPU gives away rows at a time: a row that is given away may be used
 * again at once, and the other must not hold it. An element of a map is a lock
 * that Linux 5.10 has too.
 */
static __always_inline bool fold_lock(void)
{
	__u32 zero = 0;

	for (int i = 0; i < 64; i++)
		if (bpf_map_update_elem(&folding, &zero, &zero, BPF_NOEXIST) == 0)
			return true;
	return false;
}

static __always_inline void fold_unlock(void)
{
	__u32 zero = 0;

	bpf_map_delete_elem(&folding, &zero);
}

static __noinline struct finished *finished_row(__u32 slot, const struct finished_key *key)
{
	void *table = TABLE(finished, slot);
	struct totals *t = get_totals(slot);
	struct finished *f;

	if (!table || !t)
		return NULL;
	f = bpf_map_lookup_elem(table, key);
	if (f)
		return f;
	if (bpf_map_update_elem(table, key, &zero_finished, BPF_NOEXIST) == 0)
		__sync_fetch_and_add(&t->finished_rows, 1);
	return bpf_map_lookup_elem(table, key);
}

static __noinline void add_finished(__u32 slot, const struct process *p)
{
	const __u64 *from = (const __u64 *)&p->traffic;
	struct finished_key key;
	struct finished *f;
	struct totals *t;
	__u64 *to;

	__builtin_memcpy(key.comm, p->comm, sizeof(key.comm));
	key.cgroup_id = p->cgroup_id;
	key.uid = p->uid;
	key.netns = p->netns;
	f = finished_row(slot, &key);
	if (!f) {
		t = get_totals(slot);
		if (t)
			add_traffic(&t->no_row, &p->traffic);
		return;
	}
	to = (__u64 *)&f->traffic;
#pragma unroll
	for (int i = 0; i < (int)(sizeof(f->traffic) / sizeof(*to)); i++)
		if (from[i])
			__sync_fetch_and_add(&to[i], from[i]);
	if (!f->first_seen_ns || (__s64)p->first_seen_ns < (__s64)f->first_seen_ns)
		f->first_seen_ns = p->first_seen_ns;
	see(&f->last_seen_ns, p->last_seen_ns);
	see(&f->exited_ns, p->exited_ns);
	__sync_fetch_and_add(&f->processes, 1);
}

/*
 * What is global is looked at once by the verifier, not once a caller or turn of
 * a loop. The two below give away the row that ended or closed first, and say
 * whether there was one.
 *
 * Readers tell by the numbers and by what is noted under them which rows of
 * processes they saw twice.
 */
__noinline int fold_process(__u64 generation)
{
	__u32 slot = generation & 1, place;
	void *queue = TABLE(ended, slot);
	void *table = TABLE(processes, slot);
	struct totals *t = get_totals(slot);
	struct process_key key;
	struct process *p;

	if (!queue || !table || !t || bpf_map_pop_elem(queue, &key))
		return 0;
	p = bpf_map_lookup_elem(table, &key);
	if (!p)
		return 1;
	place = state.folds_begun % FOLDED_KEYS;
	key.zero = generation;
	bpf_map_update_elem(&folded, &place, &key, BPF_ANY);
	key.zero = 0;
	__sync_fetch_and_add(&state.folds_begun, 1);
	add_finished(slot, p);
	bpf_map_delete_elem(table, &key);
	__sync_fetch_and_add(&t->process_rows, -1);
	__sync_fetch_and_add(&state.folds_done, 1);
	return 1;
}

static __always_inline bool same_process(const struct process_key *a, const struct process_key *b)
{
	return a->start_ns == b->start_ns && a->pid == b->pid;
}

/* Of processes that shared a socket one row leads to the next, and the last to itself. */
__noinline int fold_flow(__u32 slot)
{
	void *queue = TABLE(closed, slot);
	void *table = TABLE(flows, slot);
	struct totals *t = get_totals(slot);
	struct process_key next;
	struct flow_key key;
	struct process *p;
	struct flow *f;
	bool last;

	if (!queue || !table || !t || bpf_map_pop_elem(queue, &key))
		return 0;
	f = bpf_map_lookup_elem(table, &key);
	if (!f)
		return 1;
	p = get_process(slot, &key.process);
	if (p)
		add_counters(&p->other_flows, &f->counters);
	next = f->next_user;
	bpf_map_delete_elem(table, &key);
	__sync_fetch_and_add(&t->flow_rows, -1);
	last = same_process(&next, &key.process);
	key.process = next;
	if (!last && bpf_map_lookup_elem(table, &key))
		bpf_map_push_elem(queue, &key, 0);
	return 1;
}

/*
 * Makes room in processes: adds some that have ended to finished. Whether there
 * may be room now; another CPU that makes some counts.
 */
__noinline int fold_processes(__u64 generation)
{
	int any = 0;

	if (!fold_lock())
		return 1;
	for (int i = 0; i < FOLD_AT_ONCE && fold_process(generation); i++)
		any = 1;
	fold_unlock();
	return any;
}

/* The same in flows: closed ones become other flows of their processes. */
__noinline int fold_flows(__u32 slot)
{
	int any = 0;

	if (!fold_lock())
		return 1;
	for (int i = 0; i < FOLD_AT_ONCE && fold_flow(slot); i++)
		any = 1;
	fold_unlock();
	return any;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return (void *)BPF_CORE_READ((struct kernfs_node___older *)kn, parent);
}

/* It may be gone when somebody wants to know its name. */
static __noinline void note_cgroup(struct cgroup *cgroup, __u64 id)
{
	struct kernfs_node *kn = BPF_CORE_READ(cgroup, kn);
	struct cgroup_name *name;

	if (bpf_map_lookup_elem(&cgroups, &id))
		return;
	bpf_map_update_elem(&cgroups, &id, &zero_name, BPF_NOEXIST);
	name = bpf_map_lookup_elem(&cgroups, &id);
	if (!name)
		return;
	bpf_probe_read_kernel_str(name->name, sizeof(name->name), BPF_CORE_READ(kn, name));
	kn = kernfs_parent(kn);
	if (kn)
		bpf_probe_read_kernel_str(name->parent, sizeof(name->parent),
					  BPF_CORE_READ(kn, name));
	name->level = BPF_CORE_READ(cgroup, level);
}

static __always_inline void set_owner(__u32 *uid, __u64 *cgroup_id, struct task_struct *task)
{
	*uid = bpf_get_current_uid_gid();
	*cgroup_id = bpf_get_current_cgroup_id();
	note_cgroup(BPF_CORE_READ(task, cgroups, dfl_cgrp), *cgroup_id);
}

/* What the current process is added up by once it has no row. */
static __noinline void identify(struct finished_key *who, const struct process_key *key,
				__u32 netns)
{
	struct task_struct *task = current_task();

	__builtin_memset(who, 0, sizeof(*who));
	who->netns = netns;
	if (!key->pid) {
		__builtin_memcpy(who->comm, "kernel", sizeof("kernel"));
		return;
	}
	BPF_CORE_READ_STR_INTO(&who->comm, task, group_leader, comm);
	if (BPF_CORE_READ(task, nsproxy))
		who->netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	set_owner(&who->uid, &who->cgroup_id, task);
}

/* Fills in who the current process is. */
static __noinline void introduce(struct process *p, const struct process_key *key, __u32 netns,
				 __u64 generation)
{
	struct task_struct *task = current_task();
	struct finished_key who;
	struct pid *pid;
	unsigned int level;

	identify(&who, key, netns);
	__builtin_memcpy(p->comm, who.comm, sizeof(p->comm));
	p->cgroup_id = who.cgroup_id;
	p->uid = who.uid;
	p->netns = who.netns;
	p->first_seen_ns = bpf_ktime_get_boot_ns();
	see(&p->last_seen_ns, p->first_seen_ns);
	p->generation = generation + 1;
	if (!key->pid)
		return;
	BPF_CORE_READ_STR_INTO(&p->parent_comm, task, group_leader, real_parent, group_leader,
			       comm);
	p->ppid = BPF_CORE_READ(task, group_leader, real_parent, tgid);
	pid = BPF_CORE_READ(task, group_leader, thread_pid);
	level = BPF_CORE_READ(pid, level);
	bpf_probe_read_kernel(&p->ns_pid, sizeof(p->ns_pid),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid));
}

/*
 * The first event of a process in this generation. A process whose threads are
 * all gone makes no row any more, for none would come to give it away.
 */
static __noinline struct process *new_process(__u64 generation, const struct process_key *key,
					      __u32 netns)
{
	__u32 slot = generation & 1;
	void *table = TABLE(processes, slot);
	struct totals *t = get_totals(slot);
	struct process *p;
	int err;

	if (!table || !t)
		return NULL;
	if (key->pid && !BPF_CORE_READ(current_task(), signal, live.counter))
		return NULL;
	err = bpf_map_update_elem(table, key, &zero_process, BPF_NOEXIST);
	for (int i = 0; i < ROOM_TRIES && err == -E2BIG && fold_processes(generation); i++)
		err = bpf_map_update_elem(table, key, &zero_process, BPF_NOEXIST);
	p = bpf_map_lookup_elem(table, key);
	if (p && !err) {
		introduce(p, key, netns, generation);
		__sync_fetch_and_add(&t->process_rows, 1);
	}
	return p;
}

/* Where the current process finds no row: that of finished ones like it. */
static __noinline struct finished *shared_row(__u32 slot, const struct process_key *key,
					      __u32 netns)
{
	struct finished_key who;
	struct finished *f;

	identify(&who, key, netns);
	f = finished_row(slot, &who);
	if (f && !f->first_seen_ns) {
		f->first_seen_ns = bpf_ktime_get_boot_ns();
		see(&f->last_seen_ns, f->first_seen_ns);
	}
	return f;
}

#endif
