/* SPDX-License-Identifier: GPL-2.0-only */
/* The two ends of a connection, and what can be told from them. */
#ifndef NETACCT_ENDS_H
#define NETACCT_ENDS_H

struct ends {
	__u32 local[4];
	__u32 remote[4];
	__u16 remote_port; /* in network byte order */
	__u16 kind;	   /* FLOW_CONNECTED, FLOW_LOOPBACK, ENDS_V4 */
};

/* Of an IPv6 socket, too. */
#define ENDS_V4 0x100

static __always_inline void mapped(__u32 to[4], __u32 v4)
{
	to[0] = 0;
	to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = v4;
}

static __always_inline bool is_v4(__u64 high, __u64 low)
{
	return !high && low >> 32 == bpf_htonl(0xffff);
}

static __always_inline bool is_loopback_net(__u32 v4)
{
	return (v4 & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}

static __always_inline bool is_loopback_address(__u64 high, __u64 low)
{
	if (is_v4(high, low))
		return is_loopback_net(low);
	return !high && low == bpf_htonl(1);
}

/* What kind_of_ends() says of IPv4's. */
static __always_inline bool is_loopback_v4(__u32 local, __u32 remote)
{
	return is_loopback_net(local) || is_loopback_net(remote) || (remote && remote == local);
}

static __always_inline bool is_any(__u64 high, __u64 low)
{
	return (!high && !low) || (is_v4(high, low) && !(__u32)low);
}

/*
 * A loopback address at either end will do: nothing else can be sent to or from
 * it, and an unconnected socket has no other end to look at. Global, so that the
 * verifier does not follow what is known of each end through all that comes after.
 */
__noinline int kind_of_ends(__u64 local_high, __u64 local_low, __u64 remote_high, __u64 remote_low)
{
	int kind = 0;

	if (is_any(remote_high, remote_low)) {
		if (is_v4(remote_high, remote_low) || is_v4(local_high, local_low))
			kind |= ENDS_V4;
	} else {
		kind |= FLOW_CONNECTED;
		if (is_v4(remote_high, remote_low))
			kind |= ENDS_V4;
		if (remote_high == local_high && remote_low == local_low)
			kind |= FLOW_LOOPBACK;
	}
	if (is_loopback_address(remote_high, remote_low) ||
	    is_loopback_address(local_high, local_low))
		kind |= FLOW_LOOPBACK;
	return kind;
}

#ifdef SET_TP_BTF
#define READ_ADDRESS(to, sk, field) \
	for (int i = 0; i < 4; i++) \
	(to)[i] = (sk)->__sk_common.field.in6_u.u6_addr32[i]
#else
#define READ_ADDRESS(to, sk, field) bpf_core_read(to, sizeof(to), &(sk)->__sk_common.field)
#endif

#define HIGH(a) ((__u64)(a)[0] << 32 | (a)[1])
#define LOW(a)	((__u64)(a)[2] << 32 | (a)[3])

/* An IPv6 datagram socket that is disconnected keeps the address, not the port. */
static __always_inline void get_ends(struct ends *e, struct sock *sk)
{
	e->remote_port = READ(sk, __sk_common.skc_dport);
	if (READ(sk, __sk_common.skc_family) == AF_INET6) {
		READ_ADDRESS(e->local, sk, skc_v6_rcv_saddr);
		if (e->remote_port || READ(sk, __sk_common.skc_state) != TCP_CLOSE)
			READ_ADDRESS(e->remote, sk, skc_v6_daddr);
		else
			__builtin_memset(e->remote, 0, sizeof(e->remote));
	} else {
		mapped(e->local, READ(sk, __sk_common.skc_rcv_saddr));
		mapped(e->remote, READ(sk, __sk_common.skc_daddr));
	}
	e->kind = kind_of_ends(HIGH(e->local), LOW(e->local), HIGH(e->remote), LOW(e->remote));
}

static __always_inline bool same_address(const __u32 a[4], const __u32 b[4])
{
	return a[3] == b[3] && a[2] == b[2] && a[1] == b[1] && a[0] == b[0];
}

#endif
