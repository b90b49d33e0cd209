/* SPDX-License-Identifier: GPL-2.0-only */
/* What is remembered of a socket, and what a TCP socket has handed out since. */
#ifndef NETACCT_SOCKETS_H
#define NETACCT_SOCKETS_H

#if defined(SET_SPLICE)

/* It is in the socket, or in a hash that only the set beside us has: other flows. */
static __always_inline struct socket_state *find_state(struct sock *sk)
{
	return NULL;
}

static __always_inline struct socket_state *make_state(struct sock *sk, struct socket_state *new)
{
	return NULL;
}

static __always_inline struct tcp_sock *tcp_sock(struct sock *sk)
{
	return NULL;
}

#elif defined(SET_TP_BTF)

static __always_inline struct socket_state *find_state(struct sock *sk)
{
	return bpf_sk_storage_get(&sockets, sk, NULL, 0);
}

/* That which is there already, if one is. */
static __always_inline struct socket_state *make_state(struct sock *sk, struct socket_state *new)
{
	struct counted_socket counted = { .state = *new };

	return bpf_sk_storage_get(&sockets, sk, &counted, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline struct tcp_sock *tcp_sock(struct sock *sk)
{
	if (READ(sk, sk_protocol) != IPPROTO_TCP)
		return NULL;
	return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
}

#else

static __always_inline struct socket_state *find_state(struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&sockets, &key);
}

static __always_inline struct socket_state *make_state(struct sock *sk, struct socket_state *new)
{
	__u64 key = (__u64)sk;

	bpf_map_update_elem(&sockets, &key, new, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sockets, &key);
}

/* Of a socket that is one. */
static __always_inline struct tcp_sock *tcp_sock(struct sock *sk)
{
	return (struct tcp_sock *)sk;
}

#endif

/* The columns of the protocols that have one, plus 1: 0 has none. */
static const __u8 columns[] = {
	[IPPROTO_ICMP] = PROTOCOL_ICMP + 1,   [IPPROTO_TCP] = PROTOCOL_TCP + 1,
	[IPPROTO_UDP] = PROTOCOL_UDP + 1,     [IPPROTO_ICMPV6] = PROTOCOL_ICMP6 + 1,
	[IPPROTO_SCTP] = PROTOCOL_SCTP + 1,   [IPPROTO_UDPLITE] = PROTOCOL_UDPLITE + 1,
	[IPPROTO_MPTCP] = PROTOCOL_MPTCP + 1,
};

/*
 * The protocol whose column it is counted in, or -1: not counted. Looked up, for
 * the verifier would follow each case of a switch through all that comes after.
 */
static __always_inline int protocol_of(struct sock *sk)
{
	__u16 family = READ(sk, __sk_common.skc_family);
	__u16 protocol;
	int column = PROTOCOL_OTHER;

	if (family == AF_PACKET)
		return PROTOCOL_PACKET;
	if (family == AF_SMC)
		return PROTOCOL_OTHER;
	if (family != AF_INET && family != AF_INET6)
		return -1;
	protocol = READ(sk, sk_protocol);
	if (protocol < sizeof(columns) && columns[protocol])
		column = columns[protocol] - 1;
	if (column != PROTOCOL_ICMP && column != PROTOCOL_ICMP6 && READ(sk, sk_type) == SOCK_RAW)
		return PROTOCOL_RAW;
	return column;
}

/*
 * Nobody took over its receiving: not kTLS, sockmap or MPTCP, whose recvmsg is
 * another one, and it is not the kernel's own. What SMC falls back to was made
 * by the kernel, but has got a file.
 */
static __always_inline bool is_plain_tcp(struct sock *sk, int protocol)
{
	__u64 recvmsg;

	if (protocol != PROTOCOL_TCP)
		return false;
	if (READ_BITFIELD(sk, sk_kern_sock) && !BPF_CORE_READ(sk, sk_socket, file))
		return false;
	recvmsg = (__u64)READ2(sk, __sk_common.skc_prot, recvmsg);
	return recvmsg == state.tcp_recvmsg[0] || recvmsg == state.tcp_recvmsg[1];
}

/* Of a socket that is not TCP's. Apart, for its stack. */
static __noinline struct socket_state *make_plain_state(struct sock *sk)
{
	struct socket_state new = { .flow = next_flow(), .generation = ~0ULL };

	return make_state(sk, &new);
}

/*
 * The state of a socket. That of TCP is made at its birth, by the loader, or as
 * it receives; there may be no room for it. A receive that finds none is
 * counted by what the call returned.
 */
static __always_inline struct socket_state *socket_state(struct sock *sk, int protocol)
{
	struct socket_state *s = find_state(sk);

	if (s || protocol == PROTOCOL_TCP || protocol == PROTOCOL_PACKET ||
	    READ(sk, __sk_common.skc_family) == AF_SMC)
		return s;
	return make_plain_state(sk);
}

static __always_inline bool sock_flag(struct sock *sk, int flag)
{
	return READ(sk, __sk_common.skc_flags) & 1UL << flag;
}

/* A FIN takes a sequence number of its own, that is no byte. */
static __always_inline __u32 copied_seq(struct sock *sk, struct tcp_sock *tp)
{
	__u32 copied = READ(tp, copied_seq);

	if (sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DONE)) &&
	    copied == READ(tp, rcv_nxt))
		copied--;
	return copied;
}

/* The sequence number of the first byte: another one is another connection. */
static __always_inline __u32 first_seq(struct tcp_sock *tp)
{
	return READ(tp, rcv_nxt) - (__u32)READ(tp, bytes_received);
}

/*
 * The stream skips an urgent byte, which whoever wants it takes by MSG_OOB.
 * urg_seq stays when that is done: each is dealt with once.
 */
static __always_inline bool skipped_urgent(struct sock *sk, struct tcp_sock *tp,
					   struct socket_state *s, __u32 copied)
{
	__u32 urgent = READ(tp, urg_seq);

	if (urgent == s->urgent || urgent - s->copied >= copied - s->copied)
		return false;
	s->urgent = urgent;
	return !sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_URGINLINE));
}

/* An urgent byte that is still ahead of what was handed out is yet to be dealt with. */
static __always_inline void set_urgent(struct socket_state *s, struct tcp_sock *tp, __u32 copied)
{
	__u32 urgent = READ(tp, urg_seq);

	s->mark = urgent;
	s->urgent = READ(tp, urg_data) && (__s32)(urgent - copied) >= 0 ? copied - 1 : urgent;
	s->doubt = 0;
}

static __always_inline void new_state(struct socket_state *s, struct tcp_sock *tp, __u32 copied)
{
	__builtin_memset(s, 0, sizeof(*s));
	s->flow = next_flow();
	s->generation = ~0ULL;
	s->copied = copied;
	set_urgent(s, tp, copied);
}

/*
 * As another urgent byte comes the kernel drops the one before, if that is the
 * next to be handed out: copied_seq moves, and nobody gets a byte. What the
 * call returns tells, if the urgent byte changed in this call and not in a
 * splice before it. More than a few bytes are no urgent ones, but what another
 * thread has received meanwhile.
 */
static __always_inline __s64 undo_doubt(struct socket_state *s, int ret)
{
	__s32 dropped = s->counted + s->later - ret;

	if (!s->doubt)
		return 0;
	s->doubt = 0;
	return s->later != (__u32)ret && dropped > 0 && dropped <= 16 ? -dropped : 0;
}

/*
 * Whether this connection was there when the loader saw it, as far as can be told:
 * what it had handed out then, it has now.
 */
static __always_inline bool is_behind(struct tcp_sock *tp, __u32 copied, __u32 seq, __u32 first)
{
	return copied - first <= seq - first || READ(tp, bytes_received) >> 31;
}

#ifdef SET_TP_BTF

/* Two sockets may have the same: the note is of that which came first. */
static __always_inline struct note *note_of(struct sock *sk)
{
	__u32 place = low_half(sk) * 0x9e3779b1 / (0x100000000 / NOTES);

	return bpf_map_lookup_elem(&notes, &place);
}

/*
 * Whether it is of this socket. No two get the same cookie, and the kernel gives none to
 * a socket of which nobody asks for one.
 */
static __always_inline bool is_note_of(const struct note *n, struct sock *sk)
{
	__u64 cookie = READ(sk, __sk_common.skc_cookie.counter);

	return cookie && n->cookie == cookie;
}

/* Like the two below called under the socket's lock, or where nobody else has the socket. */
static __always_inline void drop_note(struct sock *sk)
{
	struct note *n = note_of(sk);

	if (n && is_note_of(n, sk))
		__sync_lock_test_and_set(&n->cookie, 0);
}

/* The state is up to date, and alone, from then on. */
static __always_inline void end_note(struct sock *sk, struct socket_state *s)
{
	struct note *n = note_of(sk);

	if (!n || !is_note_of(n, sk))
		return;
	s->copied = n->copied;
	__sync_lock_test_and_set(&n->cookie, 0);
}

static __always_inline void begin_note(struct sock *sk, const struct socket_state *s)
{
	struct note *n = note_of(sk);

	if (!n || s->urgent != s->mark ||
	    __sync_val_compare_and_swap(&n->cookie, 0, bpf_get_socket_cookie(sk)) != 0)
		return;
	n->copied = s->copied;
	n->mark = s->mark;
}

/*
 * Notes what a call hands out that tells of it itself, where nothing is to be found
 * out: no urgent byte came. If the socket has another connection and its birth was
 * missed, its state tells who looks at that next.
 */
static __always_inline bool note_copied(struct sock *sk, struct note *n)
{
	struct tcp_sock *tp = tcp_sock(sk);
	__u32 seq;

	if (!tp || n->mark != READ(tp, urg_seq))
		return false;
	seq = copied_seq(sk, tp);
	if ((__s32)(seq - n->copied) > 0)
		n->copied = seq;
	return true;
}

#else

static __always_inline void drop_note(struct sock *sk)
{
}

static __always_inline void end_note(struct sock *sk, struct socket_state *s)
{
}

static __always_inline void begin_note(struct sock *sk, const struct socket_state *s)
{
}

#endif

/* Of a TCP socket that is seen for the first time as it receives. Apart, for its stack. */
static __noinline void make_tcp_state(struct sock *sk, struct tcp_sock *tp, __u32 copied,
				      __u32 first, __u32 base)
{
	struct socket_state new;

	new_state(&new, tp, copied);
	new.first = first;
	new.base = base;
	make_state(sk, &new);
}

/*
 * How many bytes a plain TCP socket has handed out since it was asked last, and
 * its state; 0 where that is told by what the call returns, as a caller may know.
 */
static __always_inline __s32 newly_copied(struct sock *sk, bool told, struct socket_state **found)
{
	__u32 unknown = told ? BASE_KNOWN : BASE_RECEIVE;
	struct tcp_sock *tp = tcp_sock(sk);
	struct socket_state *s;
	__u32 seq, first;
	__s32 n;

	if (!tp)
		return 0;
	seq = copied_seq(sk, tp);
	first = first_seq(tp);
	*found = s = find_state(sk);
	if (!s) {
		make_tcp_state(sk, tp, seq, first, state.counting ? unknown : BASE_KNOWN);
		return 0;
	}
	end_note(sk, s);
	switch (s->base) {
	case BASE_BIRTH:
		s->copied = first;
		s->first = first;
		break;
	case BASE_SEEDED:
		s->first = is_behind(tp, s->copied, seq, first) ? first : ~first;
	}
	if (s->first != first) {
		/* Its birth was missed: what is known is of another connection. */
		renumber(s);
		s->copied = seq;
		s->first = first;
		s->base = unknown;
		set_urgent(s, tp, seq);
		return 0;
	}
	n = seq - s->copied;
	if (n <= 0)
		return 0;
	n -= skipped_urgent(sk, tp, s, seq);
	s->copied = seq;
	if (told) {
		s->mark = READ(tp, urg_seq);
		s->doubt = 0;
		s->base = BASE_KNOWN;
		begin_note(sk, s);
		return 0;
	}
	if (READ(tp, urg_seq) != s->mark) {
		s->mark = READ(tp, urg_seq);
		s->doubt = 1;
		s->counted = n;
		s->later = 0;
	} else {
		s->later += n;
	}
	if (s->base == BASE_RECEIVE)
		return 0;
	s->base = BASE_KNOWN;
	return n;
}

#endif
