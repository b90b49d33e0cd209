// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel half: the hooks. Each first refuses what it does not count; then
 * count() counts.
 *
 * Sends are counted by what the call returned. So are receives, but for plain
 * TCP, where splice and zero-copy receive pass by the call's tracepoint: there
 * the bytes are how far copied_seq moved. One tracepoint fires on all of these
 * ways, tcp_rcv_space_adjust, under the lock that copied_seq moves under.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "kernel.h"
#include "maps.h"
#include "count.h"

/*
 * What is attached only jumps to what counts, through a slot that an upgrade
 * can store another program in: links cannot be updated, and two attached
 * programs would count twice or not at all for a moment.
 */
#define HOOK(name, section)                                           \
	int name(unsigned long long *ctx);                            \
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

/* The protocol whose column it is counted in, or -1: not counted. */
static __always_inline int protocol_of(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	if (family == AF_PACKET)
		return PROTOCOL_PACKET;
	if (family == AF_SMC)
		return PROTOCOL_OTHER;
	if (family != AF_INET && family != AF_INET6)
		return -1;
	switch (sk->sk_protocol) {
	case IPPROTO_ICMP:
		return PROTOCOL_ICMP;
	case IPPROTO_ICMPV6:
		return PROTOCOL_ICMP6;
	}
	if (sk->sk_type == SOCK_RAW)
		return PROTOCOL_RAW;
	switch (sk->sk_protocol) {
	case IPPROTO_TCP:
		return PROTOCOL_TCP;
	case IPPROTO_UDP:
		return PROTOCOL_UDP;
	case IPPROTO_UDPLITE:
		return PROTOCOL_UDPLITE;
	case IPPROTO_SCTP:
		return PROTOCOL_SCTP;
	case IPPROTO_MPTCP:
		return PROTOCOL_MPTCP;
	}
	return PROTOCOL_OTHER;
}

/*
 * Nobody took over its receiving: not kTLS, sockmap or MPTCP, and it is not the
 * inner socket of a kernel user. In every such case recvmsg is another one.
 */
static __always_inline bool is_plain_tcp(struct state *st, struct sock *sk, int protocol)
{
	__u64 recvmsg;

	if (protocol != PROTOCOL_TCP || BPF_CORE_READ_BITFIELD(sk, sk_kern_sock))
		return false;
	recvmsg = (__u64)sk->__sk_common.skc_prot->recvmsg;
	return recvmsg == st->tcp_recvmsg[0] || recvmsg == st->tcp_recvmsg[1];
}

/*
 * The state of a socket. That of TCP is made at its birth, by the loader, or as
 * it receives; there may be no memory for it. A receive that finds none is
 * counted by what the call returned.
 */
static __always_inline struct socket_state *socket_state(struct state *st, struct sock *sk,
							 int protocol)
{
	struct socket_state *s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	struct socket_state new = {};

	if (s || protocol == PROTOCOL_TCP || protocol == PROTOCOL_PACKET || !keep_flows ||
	    sk->__sk_common.skc_family == AF_SMC)
		return s;
	new.flow = next_flow(st);
	new.generation = ~0ULL;
	return bpf_sk_storage_get(&sockets, sk, &new, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void count_current(struct state *st, struct sock *sk, struct socket_state *s,
					  int protocol, bool tx, __u64 bytes, __u64 calls)
{
	struct process_key key;

	process_key(&key, bpf_get_current_task_btf());
	count(st, &key, sk, s, protocol, tx, bytes, calls);
}

HOOK(sent, "tp_btf/sock_send_length")
int BPF_PROG(sent, struct sock *sk, int ret)
{
	struct state *st = get_state();
	int protocol;

	if (ret <= 0 || !st || !st->counting)
		return 0;
	protocol = protocol_of(sk);
	if (protocol < 0)
		return 0;
	count_current(st, sk, socket_state(st, sk, protocol), protocol, true, ret, 1);
	return 0;
}

HOOK(received, "tp_btf/sock_recv_length")
int BPF_PROG(received, struct sock *sk, int ret, int flags)
{
	struct state *st = get_state();
	struct socket_state *s;
	int protocol;

	if (ret <= 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || !st || !st->counting)
		return 0;
	protocol = protocol_of(sk);
	if (protocol < 0)
		return 0;
	s = socket_state(st, sk, protocol);
	/* MSG_OOB takes the urgent byte from beside the stream. */
	if (s && !(flags & MSG_OOB) && is_plain_tcp(st, sk, protocol)) {
		if (s->base == BASE_RECEIVE)
			s->base = BASE_KNOWN;
		else
			ret = 0;
	}
	count_current(st, sk, s, protocol, false, ret, 1);
	return 0;
}

static __always_inline bool sock_flag(struct sock *sk, int flag)
{
	return sk->__sk_common.skc_flags & 1UL << flag;
}

/* A FIN takes a sequence number of its own, that is no byte. */
static __always_inline __u32 copied_seq(struct sock *sk, struct tcp_sock *tp)
{
	__u32 copied = tp->copied_seq;

	if (sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DONE)) && copied == tp->rcv_nxt)
		copied--;
	return copied;
}

/*
 * The stream skips an urgent byte, which whoever wants it takes by MSG_OOB.
 * urg_seq stays when that is done: each is dealt with once.
 */
static __always_inline bool skipped_urgent(struct sock *sk, struct tcp_sock *tp,
					   struct socket_state *s, __u32 copied)
{
	__u32 urgent = tp->urg_seq;

	if (urgent == s->urgent || urgent - s->copied >= copied - s->copied)
		return false;
	s->urgent = urgent;
	return !sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_URGINLINE));
}

static __always_inline void new_state(struct state *st, struct socket_state *s, struct tcp_sock *tp)
{
	__builtin_memset(s, 0, sizeof(*s));
	s->flow = next_flow(st);
	s->generation = ~0ULL;
	s->urgent = tp->urg_seq;
}

HOOK(copied, "tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(copied, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct state *st = get_state();
	struct socket_state *s, new;
	struct process_key key = {};
	int protocol;
	__u32 seq;
	__s32 n;

	if (!st || !tp)
		return 0;
	seq = copied_seq(sk, tp);
	s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!s) {
		new_state(st, &new, tp);
		new.copied = seq;
		new.base = st->counting ? BASE_RECEIVE : BASE_KNOWN;
		bpf_sk_storage_get(&sockets, sk, &new, BPF_SK_STORAGE_GET_F_CREATE);
		return 0;
	}
	if (s->base == BASE_BIRTH)
		s->copied = tp->rcv_nxt - (__u32)tp->bytes_received;
	n = seq - s->copied;
	if (n <= 0)
		return 0;
	n -= skipped_urgent(sk, tp, s, seq);
	s->copied = seq;
	if (s->base == BASE_RECEIVE)
		return 0;
	s->base = BASE_KNOWN;
	protocol = protocol_of(sk);
	if (!n || !st->counting || !is_plain_tcp(st, sk, protocol))
		return 0;
	/* Where the lock is a softirq's, the current task is anybody: it is the kernel's doing. */
	if (sk->sk_lock.owned)
		process_key(&key, bpf_get_current_task_btf());
	count(st, &key, sk, s, protocol, false, n, 0);
	return 0;
}

HOOK(born, "tp_btf/inet_sock_set_state")
int BPF_PROG(born, struct sock *sk, int oldstate, int newstate)
{
	struct state *st = get_state();
	struct socket_state *s, new;
	struct tcp_sock *tp;

	if (newstate != TCP_SYN_SENT && newstate != TCP_SYN_RECV)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!st || !tp || oldstate == TCP_SYN_SENT)
		return 0;
	new_state(st, &new, tp);
	s = bpf_sk_storage_get(&sockets, sk, &new, BPF_SK_STORAGE_GET_F_CREATE);
	if (s && s->flow != new.flow) {
		retire(st, s);
		*s = new;
	}
	return 0;
}

static __always_inline void close_socket(struct socket_state *s)
{
	struct state *st = get_state();

	if (s && st)
		retire(st, s);
}

/* No descriptor refers to the socket any more. */
HOOK(released, "cgroup/sock_release")
int released(unsigned long long *ctx)
{
	close_socket(bpf_sk_storage_get(&sockets, (struct bpf_sock *)ctx, NULL, 0));
	return 1;
}

/* The kernel's own TCP sockets are not released as others are. */
HOOK(destroyed, "tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock *sk)
{
	close_socket(bpf_sk_storage_get(&sockets, sk, NULL, 0));
	return 0;
}

/* The row of a process in the newest generation, if it has one. */
static __always_inline struct process *process_of(struct task_struct *task, struct process_key *key,
						  __u32 *slot)
{
	struct state *st = get_state();

	if (!st)
		return NULL;
	process_key(key, task);
	*slot = READ_ONCE(st->generation) & 1;
	return get_process(*slot, key);
}

HOOK(exited, "tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	struct process_key key;
	struct process *p;
	__u32 slot;

	if (task->signal->live.counter)
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

	if (task != task->group_leader)
		return 0;
	p = process_of(task, &key, &slot);
	if (!p)
		return 0;
	queue = bpf_map_lookup_elem(&ended, &slot);
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

	if (task != task->group_leader)
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
		set_owner(p, task);
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
		p->cgroup_id = cgroup->kn->id;
		note_cgroup(cgroup, p->cgroup_id);
	}
	return 0;
}

/* Descriptors that the loader opened for seed(): TCP over IPv4 and over IPv6. */
const volatile __u32 loader_sockets[2];

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
	struct state *st = get_state();
	struct socket_state base;
	struct socket *socket;
	struct tcp_sock *tp;
	struct sock *sk;

	if (!task || !file || !st)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || protocol_of(sk) != PROTOCOL_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (task->tgid == (int)(bpf_get_current_pid_tgid() >> 32)) {
		if (ctx->fd == loader_sockets[0])
			st->tcp_recvmsg[0] = (__u64)sk->__sk_common.skc_prot->recvmsg;
		else if (ctx->fd == loader_sockets[1])
			st->tcp_recvmsg[1] = (__u64)sk->__sk_common.skc_prot->recvmsg;
	}
	new_state(st, &base, tp);
	base.copied = copied_seq(sk, tp);
	base.base = BASE_KNOWN;
	bpf_sk_storage_get(&sockets, sk, &base, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
