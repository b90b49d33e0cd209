// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel half of netacct-watch: connections of TCP, as they open and close.
 *
 * A connection's states tell, but often in a softirq, where the current task is
 * anybody. Who connects is current as the first SYN goes out; who accepts, as the
 * call returns. Both are remembered until it closes. Of what was accepted without
 * a call of that name (io_uring, 32-bit processes), who first receives is taken
 * for who accepted.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "events.h"

#define PF_KTHREAD  0x00200000
#define ERESTARTSYS 512 /* from here on the kernel's own */

/* What is remembered of a connection that is open, or opens. */
struct connection {
	__u64 began_ns; /* of connect; 0: not known */
	__u64 open_ns;
	__u32 pid;
	__u32 uid;
	__u32 flags; /* WATCH_* */
	__u32 zero;
	char comm[WATCH_COMM_LEN];
};

/* A call of connect, which may fail before there is a connection. */
struct call {
	__u64 sk; /* the socket that goes to SYN_SENT in this call, or 0 */
	__u64 address;
	__u64 began_ns;
	__u32 netns;
	__u32 zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the loader gives its size */
} events SEC(".maps");

/* By the address of the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCH_CONNECTIONS);
	__type(key, __u64);
	__type(value, struct connection);
} connections SEC(".maps");

/* By the thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCH_CALLS);
	__type(key, __u64);
	__type(value, struct call);
} calls SEC(".maps");

__u64 missed;  /* events that the ring had no room for */
__u64 no_room; /* connections or calls that could not be remembered */
__u64 waiting; /* connections from elsewhere that nobody has accepted yet */

static __always_inline bool is_tcp(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline __u32 netns_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void set_owner(struct connection *c)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	c->pid = bpf_get_current_pid_tgid() >> 32;
	c->uid = bpf_get_current_uid_gid();
	BPF_CORE_READ_STR_INTO(&c->comm, task, group_leader, comm);
	c->flags |= WATCH_OWNED;
}

static __always_inline void set_v4(__u8 to[16], __u32 address)
{
	((__u32 *)to)[0] = 0;
	((__u32 *)to)[1] = 0;
	((__u32 *)to)[2] = bpf_htonl(0xffff);
	((__u32 *)to)[3] = address;
}

static __always_inline bool is_v4(const __u8 address[16])
{
	const __u32 *a = (const __u32 *)address;

	return !a[0] && !a[1] && a[2] == bpf_htonl(0xffff);
}

static __always_inline void set_ends(struct watch_event *e, struct sock *sk)
{
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (e->family == AF_INET6) {
		bpf_core_read(e->local_address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(e->remote_address, 16, &sk->__sk_common.skc_v6_daddr);
		if (is_v4(e->remote_address))
			e->family = AF_INET;
	} else {
		set_v4(e->local_address, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		set_v4(e->remote_address, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	}
	/* Not skc_num: that is 0 already where a connection was reset. */
	e->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	e->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	e->flags |= WATCH_BOUND;
	e->netns = netns_of(sk);
}

/* NULL: the ring is full. since: 0 if it is not known. */
static __always_inline struct watch_event *new_event(enum watch_what what,
						     const struct connection *c, __u64 since)
{
	struct watch_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&missed, 1);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = bpf_ktime_get_boot_ns();
	e->what = what;
	e->pid = c->pid;
	e->uid = c->uid;
	e->flags = c->flags;
	__builtin_memcpy(e->comm, c->comm, sizeof(e->comm));
	if (since) {
		e->took_ns = e->time_ns - since;
		e->flags |= WATCH_TIMED;
	}
	return e;
}

static __always_inline struct connection *find(struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&connections, &key);
}

static __always_inline bool remember(struct sock *sk, const struct connection *c)
{
	__u64 key = (__u64)sk;

	return bpf_map_update_elem(&connections, &key, c, BPF_ANY) == 0;
}

static __always_inline void forget(struct sock *sk, const struct connection *c)
{
	__u64 key = (__u64)sk;

	if (c && c->flags & WATCH_IN && !(c->flags & WATCH_OWNED))
		__sync_fetch_and_add(&waiting, -1);
	bpf_map_delete_elem(&connections, &key);
}

static __always_inline struct call *current_call(void)
{
	__u64 thread = bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&calls, &thread);
}

/* To SYN_SENT. The port is not known yet. */
static __always_inline int on_connecting(struct sock *sk)
{
	struct connection c = { .flags = WATCH_OUT };
	struct call *call = current_call();

	forget(sk, find(sk));
	c.began_ns = bpf_ktime_get_boot_ns();
	set_owner(&c);
	if (call)
		call->sk = (__u64)sk;
	if (!remember(sk, &c))
		__sync_fetch_and_add(&no_room, 1);
	return 0;
}

static __always_inline int on_opened(struct sock *sk, struct connection *c)
{
	struct connection new = { .flags = WATCH_OUT };
	struct watch_event *e;

	if (c)
		new = *c;
	e = new_event(WATCH_OPEN, &new, new.began_ns);
	new.open_ns = e ? e->time_ns : bpf_ktime_get_boot_ns();
	if (e) {
		set_ends(e, sk);
		bpf_ringbuf_submit(e, 0);
	}
	remember(sk, &new);
	return 0;
}

static __always_inline int on_established(struct sock *sk, int old)
{
	struct connection new = { .flags = WATCH_IN };
	struct connection *c = find(sk);

	if (old == TCP_SYN_SENT || (c && c->flags & WATCH_OUT))
		return on_opened(sk, c);
	new.open_ns = bpf_ktime_get_boot_ns();
	/* Fast open: it was accepted before. */
	if (c)
		c->open_ns = new.open_ns;
	else if (remember(sk, &new))
		__sync_fetch_and_add(&waiting, 1);
	else
		__sync_fetch_and_add(&no_room, 1);
	return 0;
}

static __always_inline int on_failed(struct sock *sk, struct connection *c)
{
	struct connection unknown = { .flags = WATCH_OUT };
	__u32 error = BPF_CORE_READ(sk, sk_err);
	struct call *call = current_call();
	struct watch_event *e;

	/* No port is left: only what the call returns tells. */
	if (!error && call && call->sk == (__u64)sk) {
		call->sk = 0;
		return 0;
	}
	e = new_event(WATCH_FAILED, c ?: &unknown, c ? c->began_ns : 0);
	if (!e)
		return 0;
	set_ends(e, sk);
	e->error = error;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/*
 * What the other end has acknowledged and what came from there, read or not. The
 * kernel's own counters have each SYN and FIN that took a sequence number, but for
 * the SYN of who was connected to. It is not known who that was if the connection
 * is older than we are; then what was sent, once, tells.
 */
static __always_inline void set_bytes(struct watch_event *e, struct sock *sk, int old)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	bool sent_fin = old == TCP_FIN_WAIT1 || old == TCP_FIN_WAIT2 || old == TCP_CLOSING ||
			old == TCP_LAST_ACK;
	__u64 flags = BPF_CORE_READ(sk, __sk_common.skc_flags);
	__u64 tx = BPF_CORE_READ(tp, bytes_acked), sent;

	if (sent_fin && tx && BPF_CORE_READ(tp, snd_una) == BPF_CORE_READ(tp, write_seq))
		tx--;
	if (e->flags & WATCH_OUT && tx)
		tx--;
	sent = BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans);
	if (!(e->flags & (WATCH_OUT | WATCH_IN)) && sent < tx)
		tx = sent;
	e->tx_bytes = tx;
	e->rx_bytes = BPF_CORE_READ(tp, bytes_received);
	if (flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DONE) && e->rx_bytes)
		e->rx_bytes--;
}

static __always_inline int on_closed(struct sock *sk, struct connection *c, int old)
{
	struct connection unknown = {};
	struct watch_event *e = new_event(WATCH_CLOSE, c ?: &unknown, c ? c->open_ns : 0);

	if (!e)
		return 0;
	set_ends(e, sk);
	set_bytes(e, sk, old);
	e->error = BPF_CORE_READ(sk, sk_err);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

static __always_inline int on_end(struct sock *sk, int old)
{
	struct connection *c = find(sk);
	bool opening = old == TCP_SYN_SENT ||
		       (old == TCP_SYN_RECV && c && c->flags & WATCH_OUT && !c->open_ns);

	if (opening)
		on_failed(sk, c);
	else if (c || (old != TCP_SYN_RECV && old != TCP_LISTEN && old != TCP_CLOSE))
		on_closed(sk, c, old);
	forget(sk, c);
	return 0;
}

static __always_inline int on_state(struct sock *sk, int old, int new)
{
	if (!is_tcp(sk))
		return 0;
	switch (new) {
	case TCP_SYN_SENT:
		return on_connecting(sk);
	case TCP_SYN_RECV:
		/* A new socket; what is known of its address is of an older one. */
		if (old != TCP_SYN_SENT)
			forget(sk, find(sk));
		return 0;
	case TCP_ESTABLISHED:
		return on_established(sk, old);
	case TCP_CLOSE:
		return on_end(sk, old);
	default:
		return 0;
	}
}

static __always_inline int on_accepted(struct sock *sk, struct connection *c)
{
	struct connection new = { .flags = WATCH_IN };
	__u64 key = (__u64)sk;
	struct watch_event *e;

	if (c)
		new = *c;
	set_owner(&new);
	/* It may have been reset before it was accepted, and has closed for us then. */
	if (c && bpf_map_update_elem(&connections, &key, &new, BPF_EXIST) == 0)
		__sync_fetch_and_add(&waiting, -1);
	else if (!c && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE)
		remember(sk, &new);
	e = new_event(WATCH_ACCEPT, &new, new.open_ns);
	if (!e)
		return 0;
	set_ends(e, sk);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

static __always_inline int on_received(struct sock *sk)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct connection *c;

	if (!waiting)
		return 0;
	c = find(sk);
	if (!c || !(c->flags & WATCH_IN) || c->flags & WATCH_OWNED)
		return 0;
	/* Where the lock is a softirq's, the current task is anybody. */
	if (!BPF_CORE_READ(sk, sk_lock.owned) || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	return on_accepted(sk, c);
}

/* Of each pair one is loaded: see set_preemptible(). */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_btf, struct sock *sk, int old, int new)
{
	return on_state(sk, old, new);
}

SEC("tracepoint/sock/inet_sock_set_state")
int state_classic(struct trace_event_raw_inet_sock_set_state *ctx)
{
	return on_state((struct sock *)ctx->skaddr, ctx->oldstate, ctx->newstate);
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(receive_btf, struct sock *sk)
{
	return on_received(sk);
}

SEC("tracepoint/tcp/tcp_rcv_space_adjust")
int receive_classic(struct trace_event_raw_tcp_event_sk *ctx)
{
	return on_received((struct sock *)ctx->skaddr);
}

/* The record of a system call: the kernel converts it to this for programs. */
struct syscall_record {
	__u64 header[2];
	long args[2]; /* or what it returned */
};

static __always_inline struct socket *socket_of(unsigned int fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files, *file = NULL;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

static __always_inline int accepted(struct syscall_record *ctx)
{
	struct socket *socket;
	struct connection *c;
	struct sock *sk;

	if (ctx->args[0] < 0)
		return 0;
	socket = socket_of(ctx->args[0]);
	sk = socket ? BPF_CORE_READ(socket, sk) : NULL;
	/* The first subflow is the connection that was accepted. */
	if (sk && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP &&
	    bpf_core_field_exists(((struct mptcp_sock *)sk)->first))
		sk = BPF_CORE_READ((struct mptcp_sock *)sk, first);
	if (!sk || !is_tcp(sk))
		return 0;
	c = find(sk);
	return c && c->flags & WATCH_OWNED ? 0 : on_accepted(sk, c);
}

SEC("tracepoint/syscalls/sys_exit_accept")
int accept_returned(struct syscall_record *ctx)
{
	return accepted(ctx);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int accept4_returned(struct syscall_record *ctx)
{
	return accepted(ctx);
}

SEC("tracepoint/syscalls/sys_enter_connect")
int connect_called(struct syscall_record *ctx)
{
	struct socket *socket = socket_of(ctx->args[0]);
	__u64 thread = bpf_get_current_pid_tgid();
	struct sock *sk = socket ? BPF_CORE_READ(socket, sk) : NULL;
	struct call call = { .address = ctx->args[1] };
	__u16 protocol;

	/* A later call of the same attempt tells what a state has told already. */
	if (!sk || BPF_CORE_READ(socket, state) != SS_UNCONNECTED)
		return 0;
	protocol = BPF_CORE_READ(sk, sk_protocol);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return 0;
	call.netns = netns_of(sk);
	call.began_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&calls, &thread, &call, BPF_ANY) < 0)
		__sync_fetch_and_add(&no_room, 1);
	return 0;
}

/* False: it is no address of the internet. */
static __always_inline bool set_remote(struct watch_event *e, __u64 address)
{
	struct {
		__u16 family;
		__u16 port;
		__u32 v4;
		__u8 v6[16];
	} to = {};

	/* It may be as short as its family wants it. */
	if (bpf_probe_read_user(&to, 8, (void *)address) < 0)
		return false;
	e->family = to.family;
	e->remote_port = bpf_ntohs(to.port);
	set_v4(e->remote_address, to.v4);
	if (e->family != AF_INET6)
		return e->family == AF_INET;
	if (bpf_probe_read_user(e->remote_address, 16, (void *)(address + 8)) < 0)
		return false;
	if (is_v4(e->remote_address))
		e->family = AF_INET;
	return true;
}

/* Before a SYN went out. */
static __always_inline void on_refused_call(const struct call *call, __u32 error)
{
	struct connection c = { .flags = WATCH_OUT };
	struct watch_event *e;

	set_owner(&c);
	e = new_event(WATCH_FAILED, &c, call->began_ns);
	if (!e)
		return;
	e->netns = call->netns;
	e->error = error;
	if (set_remote(e, call->address))
		bpf_ringbuf_submit(e, 0);
	else
		bpf_ringbuf_discard(e, 0);
}

SEC("tracepoint/syscalls/sys_exit_connect")
int connect_returned(struct syscall_record *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct call *call = current_call();
	long error = -ctx->args[0];

	if (!call)
		return 0;
	if (!call->sk && error > 0 && error < ERESTARTSYS && error != EINPROGRESS &&
	    error != EALREADY && error != EISCONN && error != EINTR)
		on_refused_call(call, error);
	bpf_map_delete_elem(&calls, &thread);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
