/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of flows: what a process moves on one connection. */
#ifndef NETACCT_FLOWS_H
#define NETACCT_FLOWS_H

/* What the row of a flow begins with. */
struct event {
	struct ends ends;
	__u16 protocol;
	__u16 part; /* of traffic */
	struct counters counters;
	__u64 seen_ns;
};

static __always_inline void describe(struct flow *f, struct sock *sk, const struct ends *e,
				     int protocol)
{
	f->protocol = protocol;
	f->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	__builtin_memcpy(f->remote_address, e->remote, sizeof(f->remote_address));
	__builtin_memcpy(f->local_address, e->local, sizeof(f->local_address));
	f->remote_port = bpf_ntohs(e->remote_port);
	f->family = READ(sk, __sk_common.skc_family);
	if (f->family == AF_INET6 && e->kind & ENDS_V4)
		f->family = AF_INET;
	f->flags = e->kind & (FLOW_CONNECTED | FLOW_LOOPBACK);
}

/*
 * The first event of a process on a connection, in this generation: it is in the
 * row as that is inserted. 0, or why there is no new row.
 */
static __noinline int new_flow(__u64 generation, const struct flow_key *key, struct sock *sk,
			       struct socket_state *s, const struct event *e)
{
	__u32 slot = generation & 1;
	void *table = TABLE(flows, slot);
	struct totals *t = get_totals(slot);
	struct flow f = {};
	int err;

	if (!table || !t)
		return -1;
	describe(&f, sk, &e->ends, e->protocol);
	f.netns = READ2(sk, __sk_common.skc_net.net, ns.inum);
	f.first_seen_ns = f.last_seen_ns = e->seen_ns;
	f.counters = e->counters;
	f.next_user = s->generation == generation ? s->users : key->process;
	err = bpf_map_update_elem(table, key, &f, BPF_NOEXIST);
	for (int i = 0; i < ROOM_TRIES && err == -E2BIG && fold_flows(slot); i++)
		err = bpf_map_update_elem(table, key, &f, BPF_NOEXIST);
	if (err)
		return err;
	__sync_fetch_and_add(&t->flow_rows, 1);
	s->users = key->process;
	s->generation = generation;
	return 0;
}

/* The rows of a socket that nobody can use any more may be given away. */
static __noinline void retire(struct socket_state *s)
{
	__u64 generation = READ_ONCE(state.generation);
	struct flow_key key = { .process = s->users, .flow = s->flow };
	void *queue;

	settle_all(s);
	if (s->generation != generation)
		return;
	queue = TABLE(closed, generation & 1);
	if (!queue)
		return;
	s->generation = ~0ULL;
	bpf_map_push_elem(queue, &key, 0);
}

/*
 * Drawn at random, as 5.10 cannot count and read in one step. 53 bits are what
 * every reader of JSON keeps; that two of a million are alike happens once in
 * 18,000 such tables.
 */
static __always_inline __u64 next_flow(void)
{
	return (__u64)(bpf_get_prandom_u32() & 0x1fffff) << 32 | bpf_get_prandom_u32();
}

/* What is moved from now on is another flow's. */
static __always_inline void renumber(struct socket_state *s)
{
	retire(s);
	s->flow = next_flow();
	forget_ends(s);
}

/* Its addresses are those of the newest event; a new remote end is a new flow. */
static __always_inline bool same_remote(const struct flow *f, const struct ends *e)
{
	return f->remote_port == bpf_ntohs(e->remote_port) &&
	       same_address((const __u32 *)f->remote_address, e->remote);
}

static __always_inline void count_flow(__u64 generation, struct process *p,
				       const struct process_key *process, struct sock *sk,
				       struct socket_state *s, struct event *e, bool tx,
				       __u64 bytes, __u64 calls)
{
	struct flow_key key = { .process = *process };
	struct flow *f = NULL;
	bool same = false;

	if (s) {
		key.flow = s->flow;
		/* Of another generation nobody has a row for this socket: not looked for. */
		if (s->generation == generation)
			f = get_flow(generation & 1, &key);
		same = f && same_remote(f, &e->ends);
		if (f && !same && f->flags & FLOW_CONNECTED) {
			renumber(s);
			key.flow = s->flow;
			f = NULL;
		}
		if (!f) {
			e->counters = counters_of(tx, bytes, calls);
			e->seen_ns = p->last_seen_ns;
			if (new_flow(generation, &key, sk, s, e) == 0)
				return;
			f = get_flow(generation & 1, &key);
			same = f && same_remote(f, &e->ends);
		}
	}
	if (!f) {
		add(&p->other_flows, tx, bytes, calls);
		return;
	}
	add(&f->counters, tx, bytes, calls);
	f->last_seen_ns = p->last_seen_ns;
	if (!same || !f->local_port)
		describe(f, sk, &e->ends, e->protocol);
	/* Many connections have two calls: it would not pay. A splice has none. */
	if (!calls || f->counters.tx_calls + f->counters.rx_calls > 2)
		claim_pending(s, generation, p, &key, sk, &e->ends, e->part);
}

#endif
