/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The counting, whatever hook an event comes from: which rows its bytes belong to.
 *
 * Every byte goes to totals, and to the row of its process or to "no row"; what
 * goes to a process goes to one of its flows or to its "other flows", where flows
 * are kept.
 */
#ifndef NETACCT_COUNT_H
#define NETACCT_COUNT_H

/*
 * Adds up what one event moved. s is NULL where the socket has no state; its
 * bytes are other flows then. The key says whose they are.
 */
static __always_inline void count(const struct process_key *key, struct sock *sk,
				  struct socket_state *s, int protocol, bool tx, __u64 bytes,
				  __u64 calls)
{
	__u64 generation = READ_ONCE(state.generation);
	__u32 slot = generation & 1;
	struct totals *t = get_totals(slot);
	struct traffic *traffic = NULL;
	struct finished *f;
	struct process *p;
	__u32 netns, part = protocol;
	struct event e;
	bool loopback;

	if (!t)
		return;
	p = get_process(slot, key);
	if (!p) {
		netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		p = new_process(generation, key, netns);
		f = p ? NULL : shared_row(slot, key, netns);
		if (f) {
			see(&f->last_seen_ns, now(t));
			traffic = &f->traffic;
		}
	}
	if (p) {
		see(&p->last_seen_ns, now(t));
		traffic = &p->traffic;
		if (s && keep_flows &&
		    count_pending(t, generation, key, p, sk, s, tx, bytes, calls))
			return;
	}
	get_ends(&e.ends, sk);
	loopback = protocol != PROTOCOL_PACKET && e.ends.kind & FLOW_LOOPBACK;
	if (loopback && protocol == PROTOCOL_TCP)
		part = PART_TCP_LOOPBACK;
	else if (loopback && protocol == PROTOCOL_UDP)
		part = PART_UDP_LOOPBACK;
	/* Made once: up to 6.1 what is read from the stack again has no bounds. */
	barrier_var(part);
	if (traffic && part < TRAFFIC_PARTS)
		add((struct counters *)traffic + part, tx, bytes, calls);
	if (traffic && loopback && part < PROTOCOLS)
		add(&traffic->loopback, tx, bytes, calls);
	if (protocol == PROTOCOL_PACKET) {
		add(&t->packet, tx, bytes, calls);
		return;
	}
	add_total(t, tx, bytes, calls);
	if (!traffic)
		add(&t->no_row, tx, bytes, calls);
	if (!p || !keep_flows)
		return;
	e.protocol = protocol;
	e.part = part;
	count_flow(generation, p, key, sk, s, &e, tx, bytes, calls);
}

#endif
