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

/* The sum over all CPUs: of more than 240 the kernel's buffer would not take the values. */
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

#endif
