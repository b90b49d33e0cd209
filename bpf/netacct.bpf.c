// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel half: the hooks. Each first refuses what it does not count; then
 * count() counts.
 *
 * Sends are counted by what the call returned. So are receives, but for plain
 * TCP, where splice and zero-copy receive do not pass the place that tells:
 * there the bytes are how far copied_seq moved, unless the task is in a call that
 * will tell. tcp_rcv_space_adjust is on all of these ways, under the lock that
 * copied_seq moves under.
 *
 * This file is compiled once for each set of hooks, which differ in how they
 * come to know of a call. Who is who they learn in one way: the kernel skips a
 * tp_btf program only where it runs already on that CPU. SET_SPLICE goes beside
 * a set that is not of kprobes, where the kernel has them.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "kernel.h"
#include "task.h"
#include "maps.h"
#include "processes.h"
#include "ends.h"
#include "pending.h"
#include "flows.h"
#include "count.h"
#include "sockets.h"
#include "scope.h"
#ifndef SET_SPLICE
#include "rows.h"
#endif

/*
 * What is attached only jumps to what counts, through a slot that an upgrade
 * can store another program in: links cannot be updated, and two attached
 * programs would count twice or not at all for a moment. What counts is declared
 * without its argument, whose type depends on the section.
 */
#if __has_warning("-Wdeprecated-non-prototype")
#pragma clang diagnostic ignored "-Wdeprecated-non-prototype"
#endif
#define HOOK(name, section)                                           \
	int name();                                                   \
	struct {                                                      \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                \
		__uint(max_entries, 1);                               \
		__uint(key_size, sizeof(__u32));                      \
		__array(values, int(void *));                         \
	} name##_slot SEC(".maps") = { .values = { (void *)&name } }; \
	SEC(section)                                                  \
	int name##_hook(unsigned long long *ctx)                      \
	{                                                             \
		bpf_tail_call(ctx, &name##_slot, 0);                  \
		return 0;                                             \
	}                                                             \
	SEC(section)

/*
 * A receive call has ended. What a TCP socket has handed out is noted whoever got
 * it: else the next to receive would be charged with it.
 */
static __always_inline int on_received(void *ctx, struct sock *sk, int ret, int flags, __u64 calls)
{
	struct process_key key;
	struct socket_state *s = NULL;
	bool wanted, told;
	__s64 bytes = ret;
	int protocol;

	if (ret <= 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || !state.counting)
		return 0;
	protocol = protocol_of(sk);
	if (protocol < 0)
		return 0;
	wanted = whose(&key, true);
	told = protocol != PROTOCOL_TCP || in_receive_call(ctx);
	if (!wanted && told)
		return 0;
	if (keep_flows || !told)
		s = socket_state(sk, protocol);
	/* Of what others told; MSG_OOB takes the urgent byte from beside the stream. */
	if (s && !told && !(flags & MSG_OOB) && is_plain_tcp(sk, protocol)) {
		if (s->base == BASE_RECEIVE)
			s->base = BASE_KNOWN;
		else
			bytes = undo_doubt(s, ret);
	}
	if (wanted)
		count(&key, sk, s, protocol, false, bytes, calls);
	return 0;
}

#ifndef SET_SPLICE

/* A send call has ended. */
static __always_inline int on_sent(struct sock *sk, int ret)
{
	struct socket_state *s = NULL;
	struct process_key key;
	int protocol;

	if (ret <= 0 || !state.counting)
		return 0;
	protocol = protocol_of(sk);
	if (protocol < 0 || !whose(&key, true))
		return 0;
	if (keep_flows)
		s = socket_state(sk, protocol);
	count(&key, sk, s, protocol, true, ret, 1);
	return 0;
}

/* A TCP socket has handed out bytes, some way or other. */
static __always_inline int on_copied(void *ctx, struct sock *sk)
{
	struct socket_state *s = NULL;
	struct process_key key;
	bool of_process;
	int protocol;
	__s32 n;

	/* Where the lock is a softirq's, the current task is anybody: it is the kernel's doing. */
	of_process = READ(sk, sk_lock.owned);
	n = newly_copied(sk, of_process && in_receive_call(ctx), &s);
	protocol = protocol_of(sk);
	if (n <= 0 || !state.counting || !is_plain_tcp(sk, protocol))
		return 0;
	if (whose(&key, of_process))
		count(&key, sk, s, protocol, false, n, 0);
	return 0;
}

#endif

#if defined(SET_TP_BTF)

/* Read where they are wanted: see count_at_once(). */
#define EVENT_SOCK(ctx) ((struct sock *)READ_ONCE((ctx)[0]))
#define EVENT_RET(ctx)	((int)READ_ONCE((ctx)[1]))

/* Most sockets of a desktop are none of the network's, and most receives find nothing. */
static __always_inline bool is_of_interest(unsigned long long *ctx)
{
	return EVENT_RET(ctx) > 0 && protocol_of(EVENT_SOCK(ctx)) >= 0;
}

/*
 * TCP and UDP over IPv4: their part is soon told, without flows and what they know of a
 * socket. And without protocol_of(), which would look it up.
 */
static __always_inline bool has_quick_part(struct sock *sk)
{
	__u16 protocol = READ(sk, sk_protocol);

	return READ(sk, __sk_common.skc_family) == AF_INET && READ(sk, sk_type) != SOCK_RAW &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

/* Counts an event of a socket that has_quick_part(). */
static __always_inline bool count_process(struct totals *t, struct process *p, struct sock *sk,
					  bool tx, __u64 bytes)
{
	__u32 local = READ(sk, __sk_common.skc_rcv_saddr);
	__u32 remote = READ(sk, __sk_common.skc_daddr);
	bool loopback = is_loopback_v4(local, remote);
	struct counters *c;

	if (READ(sk, sk_protocol) == IPPROTO_TCP)
		c = loopback ? &p->traffic.tcp_loopback : &p->traffic.protocols.tcp;
	else
		c = loopback ? &p->traffic.udp_loopback : &p->traffic.protocols.udp;
	add_total(t, tx, bytes, 1);
	add(c, tx, bytes, 1);
	return true;
}

/*
 * Most events take a short way: all is known of the process, and of the ends that the
 * socket had at the event before. False: nothing is done.
 *
 * Up to 6.12 the stacks of all that call each other are 512 bytes together, and below 64
 * a newer kernel leaves a program its own stack, which is warm. So the long way is in
 * functions of its own, and the short one keeps nothing that it can read once more.
 */
static __always_inline bool count_at_once(unsigned long long *ctx, bool tx)
{
	__u64 generation, jiffies;
	struct socket_state *s = NULL;
	struct process_key key;
	struct process *p;
	struct totals *t;

	if (!state.counting)
		return false;
	generation = READ_ONCE(state.generation);
	if (keep_flows) {
		s = find_state(EVENT_SOCK(ctx));
		if (!s || !may_be_pending(s))
			return false;
	} else if (!has_quick_part(EVENT_SOCK(ctx))) {
		return false;
	}
	if (!tx && READ(EVENT_SOCK(ctx), sk_protocol) == IPPROTO_TCP && !in_receive_call(ctx))
		return false;
	process_key(&key, current_task());
	if (is_filtered && !is_wanted(true))
		return true;
	p = get_process(generation & 1, &key);
	/* Its last bit is taken from it again each time. */
	barrier_var(generation);
	t = get_totals(generation & 1);
	barrier_var(generation);
	jiffies = bpf_jiffies64();
	if (!p || !t || t->now_jiffies != jiffies)
		return false;
	see(&p->last_seen_ns, t->now_ns);
	if (!keep_flows) {
		/* Else what both ways read is read before they part, and kept. */
		barrier_var(ctx);
		return count_process(t, p, EVENT_SOCK(ctx), tx, EVENT_RET(ctx));
	}
	return count_pending(t, generation, &key, p, EVENT_SOCK(ctx), s, tx, EVENT_RET(ctx), 1);
}

static __always_inline bool note_at_once(unsigned long long *ctx)
{
	struct sock *sk = EVENT_SOCK(ctx);
	struct note *n = note_of(sk);

	return n && is_note_of(n, sk) && READ(sk, sk_lock.owned) && in_receive_call(ctx) &&
	       note_copied(sk, n);
}

static __noinline int sent_otherwise(unsigned long long *ctx)
{
	return on_sent(EVENT_SOCK(ctx), EVENT_RET(ctx));
}

static __noinline int received_otherwise(unsigned long long *ctx)
{
	return on_received(ctx, EVENT_SOCK(ctx), EVENT_RET(ctx), ctx[2], 1);
}

static __noinline int copied_otherwise(unsigned long long *ctx)
{
	return on_copied(ctx, EVENT_SOCK(ctx));
}

HOOK(sent, "tp_btf/sock_send_length")
int sent(unsigned long long *ctx)
{
	if (!is_of_interest(ctx) || count_at_once(ctx, true))
		return 0;
	return sent_otherwise(ctx);
}

HOOK(received, "tp_btf/sock_recv_length")
int received(unsigned long long *ctx)
{
	if (!is_of_interest(ctx) || ctx[2] & (MSG_PEEK | MSG_ERRQUEUE) || count_at_once(ctx, false))
		return 0;
	return received_otherwise(ctx);
}

HOOK(copied, "tp_btf/tcp_rcv_space_adjust")
int copied(unsigned long long *ctx)
{
	return note_at_once(ctx) ? 0 : copied_otherwise(ctx);
}

#elif defined(SET_TRACEPOINT)

HOOK(sent, "tracepoint/sock/sock_send_length")
int sent(struct trace_event_raw_sock_msg_length *ctx)
{
	return on_sent((struct sock *)ctx->sk, ctx->ret);
}

HOOK(received, "tracepoint/sock/sock_recv_length")
int received(struct trace_event_raw_sock_msg_length *ctx)
{
	return on_received(ctx, (struct sock *)ctx->sk, ctx->ret, ctx->flags, 1);
}

HOOK(copied, "tracepoint/tcp/tcp_rcv_space_adjust")
int copied(struct trace_event_raw_tcp_event_sk *ctx)
{
	return on_copied(ctx, (struct sock *)ctx->skaddr);
}

#endif

#if defined(SET_KPROBE) || defined(SET_SPLICE)

/*
 * A call is noted as it begins, by where its return address lies on the stack:
 * that names the task, and what it is in if one call is inside another.
 */
#ifdef __TARGET_ARCH_x86
#define RETURNED_FROM(ctx) (PT_REGS_SP(ctx) - sizeof(long))
#else
#define RETURNED_FROM(ctx) PT_REGS_SP(ctx)
#endif

static __always_inline int begin_call(struct pt_regs *ctx, int flags, __u32 calls)
{
	struct socket *socket = (struct socket *)PT_REGS_PARM1(ctx);
	struct call call = { .flags = flags, .calls = calls };
	__u64 key = PT_REGS_SP(ctx);

	call.sock = (__u64)BPF_CORE_READ(socket, sk);
	if (bpf_map_update_elem(&begun, &key, &call, BPF_ANY) < 0)
		__sync_fetch_and_add(&state.unnoted, 1);
	return 0;
}

/* False: it was not noted. */
static __always_inline bool end_call(struct pt_regs *ctx, struct call *call)
{
	__u64 key = RETURNED_FROM(ctx);
	struct call *found = bpf_map_lookup_elem(&begun, &key);

	if (!found)
		return false;
	*call = *found;
	bpf_map_delete_elem(&begun, &key);
	return true;
}

/* These receive past recvmsg: the splice of kTLS, and of MPTCP from 7.0. */
HOOK(splicing, "kprobe")
int splicing(struct pt_regs *ctx)
{
	return begin_call(ctx, 0, 0);
}

HOOK(spliced, "kretprobe")
int spliced(struct pt_regs *ctx)
{
	struct call call;

	if (!end_call(ctx, &call))
		return 0;
	return on_received(ctx, (struct sock *)call.sock, PT_REGS_RC(ctx), 0, 0);
}

#endif

#ifdef SET_KPROBE

HOOK(sending, "kprobe")
int sending(struct pt_regs *ctx)
{
	return begin_call(ctx, 0, 1);
}

/* Up to 6.4. Where the protocol has no sendpage of its own, it goes on to sendmsg. */
HOOK(sending_page, "kprobe")
int sending_page(struct pt_regs *ctx)
{
	struct socket *socket = (struct socket *)PT_REGS_PARM1(ctx);
	struct proto___older *proto;

	proto = (struct proto___older *)BPF_CORE_READ(socket, sk, __sk_common.skc_prot);
	if (!bpf_core_field_exists(proto->sendpage) || !BPF_CORE_READ(proto, sendpage))
		return 0;
	return begin_call(ctx, 0, 1);
}

HOOK(sent, "kretprobe")
int sent(struct pt_regs *ctx)
{
	struct call call;

	if (!end_call(ctx, &call))
		return 0;
	return on_sent((struct sock *)call.sock, PT_REGS_RC(ctx));
}

HOOK(receiving, "kprobe")
int receiving(struct pt_regs *ctx)
{
	return begin_call(ctx, PT_REGS_PARM4(ctx), 1);
}

/* Not of UDP: a task may sleep long in there, and not every return can be awaited. */
HOOK(received, "kretprobe")
int received(struct pt_regs *ctx)
{
	struct call call;
	int protocol;

	if (!end_call(ctx, &call))
		return 0;
	protocol = protocol_of((struct sock *)call.sock);
	if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDPLITE)
		return 0;
	return on_received(ctx, (struct sock *)call.sock, PT_REGS_RC(ctx), call.flags, call.calls);
}

/* With a negative length where it is peeked at. */
HOOK(consumed, "kprobe")
int consumed(struct pt_regs *ctx)
{
	return on_received(ctx, (struct sock *)PT_REGS_PARM1(ctx), PT_REGS_PARM3(ctx), 0, 1);
}

HOOK(copied, "kprobe")
int copied(struct pt_regs *ctx)
{
	return on_copied(ctx, (struct sock *)PT_REGS_PARM1(ctx));
}

#endif

#ifndef SET_SPLICE

HOOK(born, "tp_btf/inet_sock_set_state")
int BPF_PROG(born, struct sock *sk, int oldstate, int newstate)
{
	struct socket_state *s, new;
	struct tcp_sock *tp;

	if ((newstate != TCP_SYN_SENT && newstate != TCP_SYN_RECV) || oldstate == TCP_SYN_SENT ||
	    protocol_of(sk) != PROTOCOL_TCP)
		return 0;
	tp = tcp_sock(sk);
	if (!tp)
		return 0;
	drop_note(sk);
	new_state(&new, tp, 0);
	s = make_state(sk, &new);
	if (s && s->flow != new.flow) {
		retire(s);
		*s = new;
		forget_ends(s);
	}
	return 0;
}

/* No descriptor refers to the socket any more. */
HOOK(released, "cgroup/sock_release")
int released(struct bpf_sock *ctx)
{
	struct socket_state *s;

	/* No row needs to be given away, and of UDP no state is made. */
	if (!keep_flows)
		return 1;
#ifdef SET_TP_BTF
	s = bpf_sk_storage_get(&sockets, ctx, NULL, 0);
	if (s)
		retire(s);
#else
	/* The context is the socket, but as a number only what was stored somewhere has it. */
	__u32 zero = 0;
	__u64 *address = bpf_map_lookup_elem(&scratch, &zero), key;

	if (!address)
		return 1;
	*(void *volatile *)address = ctx;
	key = READ_ONCE(*address);
	s = bpf_map_lookup_elem(&sockets, &key);
	if (!s)
		return 1;
	retire(s);
	if (ctx->protocol != IPPROTO_TCP)
		bpf_map_delete_elem(&sockets, &key);
#endif
	return 1;
}

/* The kernel's own TCP sockets are not released as others are. */
HOOK(destroyed, "tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock *sk)
{
	struct socket_state *s = keep_flows ? find_state(sk) : NULL;

	drop_note(sk);
	if (s)
		retire(s);
#ifndef SET_TP_BTF
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&sockets, &key);
#endif
	return 0;
}

/* The row of a process in the newest generation, if it has one. */
static __always_inline struct process *process_of(struct task_struct *task, struct process_key *key,
						  __u32 *slot)
{
	process_key(key, task);
	*slot = READ_ONCE(state.generation) & 1;
	return get_process(*slot, key);
}

HOOK(exited, "tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	struct process_key key;
	struct process *p;
	__u32 slot;

	if (READ2(task, signal, live.counter))
		return 0;
	p = process_of(task, &key, &slot);
	if (p)
		p->exited_ns = bpf_ktime_get_boot_ns();
	return 0;
}

/* Not before: a process may still send as it closes its files. */
HOOK(freed, "tp_btf/sched_process_free")
int BPF_PROG(freed, struct task_struct *task)
{
	struct process_key key;
	struct process *p;
	void *queue;
	__u32 slot;

	if (task != READ(task, group_leader))
		return 0;
	p = process_of(task, &key, &slot);
	if (!p)
		return 0;
	if (!p->exited_ns)
		p->exited_ns = bpf_ktime_get_boot_ns();
	queue = TABLE(ended, slot);
	if (queue)
		bpf_map_push_elem(queue, &key, 0);
	return 0;
}

HOOK(renamed, "tp_btf/task_rename")
int BPF_PROG(renamed, struct task_struct *task, const char *comm)
{
	struct process_key key;
	struct process *p;
	__u32 slot;

	if (task != READ(task, group_leader))
		return 0;
	p = process_of(task, &key, &slot);
	if (p)
		bpf_probe_read_kernel_str(p->comm, sizeof(p->comm), comm);
	return 0;
}

HOOK(executed, "tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task)
{
	struct process_key key;
	struct process *p;
	__u32 slot;

	p = process_of(task, &key, &slot);
	if (p)
		set_owner(&p->uid, &p->cgroup_id, task);
	return 0;
}

HOOK(moved, "tp_btf/cgroup_attach_task")
int BPF_PROG(moved, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	struct process_key key;
	struct process *p;
	__u32 slot;

	/* Only the unified hierarchy, whose number is 0, has the ids that we know. */
	if (cgroup->root->hierarchy_id || task != task->group_leader)
		return 0;
	p = process_of(task, &key, &slot);
	if (p) {
		p->cgroup_id = READ2(cgroup, kn, id);
		note_cgroup(cgroup, p->cgroup_id);
	}
	return 0;
}

/* Descriptors that the loader opened for seed(): TCP over IPv4 and over IPv6. */
const volatile __u32 loader_sockets[2];

#ifdef SET_TP_BTF

static __always_inline struct sock *sock_of(struct file *file)
{
	struct socket *socket = bpf_sock_from_file(file);

	return socket ? socket->sk : NULL;
}

#else

/* bpf_sock_from_file() is there from 5.11 only. */
static __always_inline struct sock *sock_of(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC || !socket)
		return NULL;
	return BPF_CORE_READ(socket, sk);
}

#endif

/*
 * Read once by the loader, before counting begins: notes for the TCP sockets
 * that are open up to where all was received before. The loader's own tell what
 * tcp_recvmsg looks like: its symbol is not always to be had.
 */
SEC("iter/task_file")
int seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket_state base;
	struct tcp_sock *tp;
	struct sock *sk;

	if (!task || !file)
		return 0;
	sk = sock_of(file);
	if (!sk || protocol_of(sk) != PROTOCOL_TCP)
		return 0;
	tp = tcp_sock(sk);
	if (!tp)
		return 0;
	if (task->tgid == (int)(bpf_get_current_pid_tgid() >> 32)) {
		if (ctx->fd == loader_sockets[0])
			state.tcp_recvmsg[0] = (__u64)READ2(sk, __sk_common.skc_prot, recvmsg);
		else if (ctx->fd == loader_sockets[1])
			state.tcp_recvmsg[1] = (__u64)READ2(sk, __sk_common.skc_prot, recvmsg);
	}
	new_state(&base, tp, copied_seq(sk, tp));
	base.base = BASE_SEEDED;
	make_state(sk, &base);
	return 0;
}

#endif

char LICENSE[] SEC("license") = "GPL";
