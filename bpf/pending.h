/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is yet to be added to the rows of flows. It waits in the socket, which each
 * event has at hand: for a close, a reading, or until there is much of it.
 *
 * It is added to by one process in a generation, and taken from by exchanging it
 * for 0, so that no order of hooks, readings and resets loses any of it.
 */
#ifndef NETACCT_PENDING_H
#define NETACCT_PENDING_H

#ifdef SET_TP_BTF

/* Both halves of a pending number are far from full, however many CPUs add to it at once. */
#define PENDING_FULL (1ULL << 63 | 1ULL << (PENDING_CALLS - 1))

static __always_inline __u64 pending_bytes(__u64 n)
{
	return n & ((1ULL << PENDING_CALLS) - 1);
}

/* Of no process: as long as start_ns is written. */
#define PID_NONE ~0U

static __always_inline __u64 owner_of(__u64 generation, __u32 pid)
{
	return generation << 32 | pid;
}

/*
 * Adds what is pending in a socket to the row of its flow, or without one to the
 * other flows of its process. Where the process's row is gone, it was added to the
 * finished ones with all it had moved, or its generation was let go.
 */
static __noinline void settle(struct counted_socket *s, __u32 slot)
{
	struct pending *pending = &s->pending[slot & 1];
	struct flow_key key = { .flow = s->state.flow };
	__u64 owner = READ_ONCE(pending->owner), tx, rx;
	struct counters *to;
	struct process *p;
	struct flow *f;

	if (!pending->tx && !pending->rx)
		return;
	key.process.start_ns = pending->start_ns;
	key.process.pid = owner;
	p = get_process(slot & 1, &key.process);
	if (!p || owner_of(p->generation - 1, owner) != owner || READ_ONCE(pending->owner) != owner)
		return;
	tx = __sync_lock_test_and_set(&pending->tx, 0);
	rx = __sync_lock_test_and_set(&pending->rx, 0);
	f = get_flow(slot & 1, &key);
	to = f ? &f->counters : &p->other_flows;
	add(to, true, pending_bytes(tx), tx >> PENDING_CALLS);
	add(to, false, pending_bytes(rx), rx >> PENDING_CALLS);
	if (f)
		see(&f->last_seen_ns, pending->last_seen_ns);
}

static __always_inline void settle_all(struct socket_state *s)
{
	struct counted_socket *counted = (struct counted_socket *)s;

	settle(counted, 0);
	settle(counted, 1);
}

/* After its number has changed nobody has a row of it; see claim_pending(). */
static __always_inline void forget_ends(struct socket_state *s)
{
	__sync_fetch_and_or(&s->ends, ENDS_FORGOTTEN);
}

static __always_inline bool are_known(__u32 ends)
{
	return (ends & (ENDS_KNOWN | ENDS_WRITTEN | ENDS_FORGOTTEN)) == ENDS_KNOWN;
}

/* Whether there may be an event for count_pending(). */
static __always_inline bool may_be_pending(const struct socket_state *s)
{
	return are_known(READ_ONCE(s->ends));
}

static __always_inline bool same_addresses(const struct counted_socket *s, struct sock *sk, bool v4)
{
	const __u32 *local = (const __u32 *)s->local_address;
	const __u32 *remote = (const __u32 *)s->remote_address;

	if (s->remote_port != READ(sk, __sk_common.skc_dport))
		return false;
	if (READ(sk, __sk_common.skc_family) == AF_INET)
		return v4 && remote[3] == READ(sk, __sk_common.skc_daddr) &&
		       local[3] == READ(sk, __sk_common.skc_rcv_saddr);
	return !v4 && same_address(remote, sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32) &&
	       same_address(local, sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
}

/* Whether a socket has the ends still that were noted, and that nobody noted others meanwhile. */
static __always_inline bool same_ends(const struct counted_socket *s, struct sock *sk, __u32 ends)
{
	return ends & ENDS_STAY ||
	       (same_addresses(s, sk, ends & ENDS_OF_IPV4) && READ_ONCE(s->state.ends) == ends);
}

/*
 * Counts an event of the process that pending is for, if its row of the flow has the
 * ends that the socket has. That row is left alone: it takes a look-up and twice as many
 * additions. False: nothing is counted.
 */
static __always_inline bool count_pending(struct totals *t, __u64 generation,
					  const struct process_key *key, struct process *p,
					  struct sock *sk, struct socket_state *s, bool tx,
					  __s64 bytes, __u64 calls)
{
	struct counted_socket *counted = (struct counted_socket *)s;
	struct pending *pending = &counted->pending[generation & 1];
	__u32 ends = READ_ONCE(s->ends), part = ends >> ENDS_PART_SHIFT;
	__u64 more = calls << PENDING_CALLS | bytes, sum;

	/* One pointer: else what it is made from is kept beside it, on the stack. */
	barrier_var(pending);
	if (!are_known(ends) || bytes < 0 || part >= TRAFFIC_PARTS ||
	    READ_ONCE(pending->owner) != owner_of(generation, key->pid) ||
	    pending->start_ns != key->start_ns || !same_ends(counted, sk, ends))
		return false;
	pending->last_seen_ns = READ_ONCE(p->last_seen_ns);
	add_total(t, tx, bytes, calls);
	add((struct counters *)&p->traffic + part, tx, bytes, calls);
	sum = __sync_fetch_and_add(tx ? &pending->tx : &pending->rx, more) + more;
	if (sum & PENDING_FULL)
		settle_all(s);
	return true;
}

/* Notes the ends of a socket, where nobody else does. */
static __always_inline void note_ends(struct counted_socket *s, __u64 flow, struct sock *sk,
				      const struct ends *e, __u32 part)
{
	__u32 before = READ_ONCE(s->state.ends), known = ENDS_KNOWN | part << ENDS_PART_SHIFT;

	if (READ(sk, __sk_common.skc_family) == AF_INET)
		known |= ENDS_OF_IPV4;
	if (READ(sk, sk_protocol) == IPPROTO_TCP)
		known |= ENDS_STAY;
	if ((before == known && same_ends(s, sk, known)) || before & ENDS_WRITTEN ||
	    __sync_val_compare_and_swap(&s->state.ends, before, ENDS_WRITTEN) != before)
		return;
	__builtin_memcpy(s->local_address, e->local, sizeof(s->local_address));
	__builtin_memcpy(s->remote_address, e->remote, sizeof(s->remote_address));
	s->remote_port = e->remote_port;
	/* Who changes the flow's number forgets the ends after that: one of us two does. */
	if (READ_ONCE(s->state.flow) != flow ||
	    __sync_val_compare_and_swap(&s->state.ends, ENDS_WRITTEN, known) != ENDS_WRITTEN)
		__sync_lock_test_and_set(&s->state.ends, 0);
}

/*
 * The first process with a third call on a socket has pending for itself, as long
 * as the generation lasts: what is on its way there as the flow gets another number
 * is its own all the same. It has a row of the flow. What is still there is of a
 * generation that nobody wanted. Not of sockets whose end no hook tells of.
 */
static __always_inline void claim_pending(struct socket_state *s, __u64 generation,
					  const struct process *p, const struct flow_key *key,
					  struct sock *sk, const struct ends *e, __u32 part)
{
	struct counted_socket *counted = (struct counted_socket *)s;
	__u64 mine = owner_of(generation, key->process.pid), before;
	struct pending *pending = &counted->pending[generation & 1];
	__u16 protocol = READ(sk, sk_protocol);

	if (!key->process.pid || p->generation != generation + 1 ||
	    READ_BITFIELD(sk, sk_kern_sock) || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return;
	before = READ_ONCE(pending->owner);
	if (before != mine) {
		if (before && before >> 32 == mine >> 32)
			return;
		if (__sync_val_compare_and_swap(&pending->owner, before,
						owner_of(generation, PID_NONE)) != before)
			return;
		pending->start_ns = key->process.start_ns;
		__sync_lock_test_and_set(&pending->tx, 0);
		__sync_lock_test_and_set(&pending->rx, 0);
		__sync_lock_test_and_set(&pending->owner, mine);
	}
	note_ends(counted, key->flow, sk, e, part);
}

#else

/* Each event is added to the row of its flow: Linux 5.10 cannot exchange a number. */
static __always_inline void settle_all(struct socket_state *s)
{
}

static __always_inline void forget_ends(struct socket_state *s)
{
}

static __always_inline bool count_pending(struct totals *t, __u64 generation,
					  const struct process_key *key, struct process *p,
					  struct sock *sk, struct socket_state *s, bool tx,
					  __s64 bytes, __u64 calls)
{
	return false;
}

static __always_inline void claim_pending(struct socket_state *s, __u64 generation,
					  const struct process *p, const struct flow_key *key,
					  struct sock *sk, const struct ends *e, __u32 part)
{
}

#endif

#endif
