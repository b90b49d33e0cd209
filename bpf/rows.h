/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of a map as a file: key and value, as often as the map has them. */
#ifndef NETACCT_ROWS_H
#define NETACCT_ROWS_H

const volatile __u32 cpus = 1;

#define ROWS(name, key_size, value_size)                          \
	SEC("iter/bpf_map_elem")                                  \
	int name##_rows(struct bpf_iter__bpf_map_elem *ctx)       \
	{                                                         \
		void *key = ctx->key, *value = ctx->value;        \
                                                                  \
		if (!key || !value)                               \
			return 0;                                 \
		bpf_seq_write(ctx->meta->seq, key, key_size);     \
		bpf_seq_write(ctx->meta->seq, value, value_size); \
		return 0;                                         \
	}

ROWS(meta, sizeof(__u32), sizeof(struct meta))
ROWS(state, sizeof(__u32), sizeof(struct state))
ROWS(cgroups, sizeof(__u64), sizeof(struct cgroup_name))
ROWS(folded, sizeof(__u32), sizeof(struct process_key))
ROWS(generation, sizeof(__u32), sizeof(struct generation))
ROWS(processes, sizeof(struct process_key), sizeof(struct process))
ROWS(flows, sizeof(struct flow_key), sizeof(struct flow))
ROWS(finished, sizeof(struct finished_key), sizeof(struct finished))

/* The sum over all CPUs: of more than 190 the kernel's buffer would not take the values. */
SEC("iter/bpf_map_elem")
int totals_rows(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct totals *value = ctx->value;
	struct totals sum = {};
	void *key = ctx->key;

	if (!key || !value)
		return 0;
	for (__u32 cpu = 0; cpu < cpus; cpu++) {
		const __u64 *from = (const __u64 *)&value[cpu];

#pragma unroll
		for (int i = 0; i < (int)(sizeof(sum) / sizeof(__u64)); i++)
			((__u64 *)&sum)[i] += from[i];
	}
	bpf_seq_write(ctx->meta->seq, key, sizeof(__u32));
	bpf_seq_write(ctx->meta->seq, &sum, sizeof(sum));
	return 0;
}

static __always_inline bool read_connection(struct connection *c, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	if (protocol_of(sk) != PROTOCOL_TCP)
		return false;
	c->state = READ(sk, __sk_common.skc_state);
	c->rtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	c->retransmitted_bytes = BPF_CORE_READ(tp, bytes_retrans);
	return true;
}

static __always_inline void write_connection(struct seq_file *seq, __u64 flow, struct connection *c)
{
	bpf_seq_write(seq, &flow, sizeof(flow));
	bpf_seq_write(seq, c, sizeof(*c));
}

/* Not the states that are kept of sockets, but what they themselves tell. */
#ifdef SET_TP_BTF

SEC("iter/bpf_sk_storage_map")
int sockets_rows(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct counted_socket *s = ctx->value;
	struct sock *sk = ctx->sk;
	struct connection c;

	if (s && sk && read_connection(&c, sk))
		write_connection(ctx->meta->seq, s->state.flow, &c);
	return 0;
}

/* Writes nothing; once it is read to its end, flows have all that was pending. */
SEC("iter/bpf_sk_storage_map")
int settled(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct counted_socket *s = ctx->value;

	if (s)
		settle_all(&s->state);
	return 0;
}

#else

/* A socket that still has this state after it was read was there as it was read. */
SEC("iter/bpf_map_elem")
int sockets_rows(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct socket_state *s = ctx->value, *still;
	const __u64 *key = ctx->key;
	struct connection c;
	__u64 address, flow;

	if (!key || !s)
		return 0;
	address = *key;
	flow = s->flow;
	if (!read_connection(&c, (struct sock *)address))
		return 0;
	still = bpf_map_lookup_elem(&sockets, &address);
	if (still && still->flow == flow)
		write_connection(ctx->meta->seq, flow, &c);
	return 0;
}

#endif

#endif
