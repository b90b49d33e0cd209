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

/*
 * Adds what is pending in a socket to the row of its flow, or without one to the
 * other flows of its process. Where the process's row is gone, it was added to the
 * finished ones with all it had moved, or its generation was let go.
 */
static __noinline void settle(struct counted_socket *s, __u32 slot)
{
	struct pending *pending = &s->pending[slot & 1];
	struct flow_key key = { .process = pending->process, .flow = s->state.flow };
	struct counters *to;
	struct process *p;
	struct flow *f;
	__u64 tx, rx;

	if (!pending->tx && !pending->rx)
		return;
	p = get_process(slot & 1, &key.process);
	if (!p || p->token != pending->token)
		return;
	tx = __sync_lock_test_and_set(&pending->tx, 0);
	rx = __sync_lock_test_and_set(&pending->rx, 0);
	f = get_flow(slot & 1, &key);
	to = f ? &f->counters : &p->other_flows;
	add(to, true, pending_bytes(tx), tx >> PENDING_CALLS);
	add(to, false, pending_bytes(rx), rx >> PENDING_CALLS);
	if (f && pending->last_seen_ns > f->last_seen_ns)
		f->last_seen_ns = pending->last_seen_ns;
}

static __always_inline void settle_all(struct socket_state *s)
{
	struct counted_socket *counted = (struct counted_socket *)s;

	settle(counted, 0);
	settle(counted, 1);
}

/* After its number has changed nobody has a row of it; see claim_pending(). */
static __always_inline void forget_remote(struct socket_state *s)
{
	((struct counted_socket *)s)->remote_known = 0;
}

/*
 * Leaves the row of a flow alone: it takes a look-up and twice as many additions.
 * False: pending is another's, or the row has another remote end.
 */
static __always_inline bool add_pending(struct socket_state *s, __u64 generation,
					const struct process *p, const struct ends *e, bool tx,
					__s64 bytes, __u64 calls)
{
	struct counted_socket *counted = (struct counted_socket *)s;
	struct pending *pending = &counted->pending[generation & 1];
	__u64 more = calls << PENDING_CALLS | bytes, sum;

	if (!p->token || pending->token != p->token || bytes < 0 || !counted->remote_known ||
	    counted->remote_port != e->remote_port ||
	    !same_address((const __u32 *)counted->remote_address, e->remote))
		return false;
	pending->last_seen_ns = p->last_seen_ns;
	sum = __sync_fetch_and_add(tx ? &pending->tx : &pending->rx, more) + more;
	if (sum & PENDING_FULL)
		settle(counted, generation & 1);
	return true;
}

/*
 * The first process with a second event on a socket has pending for itself, as long
 * as the generation lasts: what is on its way there as the flow gets another number
 * is its own all the same. It has a row of the flow. What is still there is of a
 * generation that nobody wanted. Not of sockets whose end no hook tells of.
 */
static __always_inline void claim_pending(struct socket_state *s, const struct process *p,
					  const struct flow_key *key, struct sock *sk,
					  const struct ends *e)
{
	struct counted_socket *counted = (struct counted_socket *)s;
	__u64 token = p->token, generation = token & TOKEN_GENERATION, before;
	struct pending *pending = &counted->pending[generation & 1];
	__u16 protocol = READ(sk, sk_protocol);

	if (!token || READ_BITFIELD(sk, sk_kern_sock) ||
	    (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return;
	before = READ_ONCE(pending->token);
	if (before != token) {
		if (before && (before & TOKEN_GENERATION) == generation)
			return;
		/* A token that no row has, until what belongs to it is there. */
		if (__sync_val_compare_and_swap(&pending->token, before,
						generation | (TOKEN_GENERATION + 1)) != before)
			return;
		pending->process = key->process;
		__sync_lock_test_and_set(&pending->tx, 0);
		__sync_lock_test_and_set(&pending->rx, 0);
		__sync_lock_test_and_set(&pending->token, token);
	}
	__builtin_memcpy(counted->remote_address, e->remote, sizeof(counted->remote_address));
	counted->remote_port = e->remote_port;
	__sync_lock_test_and_set(&counted->remote_known, 1);
	/* Who changes it forgets after that: one of us two does. */
	if (READ_ONCE(s->flow) != key->flow)
		forget_remote(s);
}

#else

/* Each event is added to the row of its flow: Linux 5.10 cannot exchange a number. */
static __always_inline void settle_all(struct socket_state *s)
{
}

static __always_inline void forget_remote(struct socket_state *s)
{
}

static __always_inline bool add_pending(struct socket_state *s, __u64 generation,
					const struct process *p, const struct ends *e, bool tx,
					__s64 bytes, __u64 calls)
{
	return false;
}

static __always_inline void claim_pending(struct socket_state *s, const struct process *p,
					  const struct flow_key *key, struct sock *sk,
					  const struct ends *e)
{
}

#endif

#endif
