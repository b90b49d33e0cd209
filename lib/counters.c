// SPDX-License-Identifier: GPL-2.0-only
#include "counters.h"

static __u64 less(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

struct counters counters_less(const struct counters *a, const struct counters *b)
{
	return (struct counters){
		.tx_bytes = less(a->tx_bytes, b->tx_bytes),
		.rx_bytes = less(a->rx_bytes, b->rx_bytes),
		.tx_calls = less(a->tx_calls, b->tx_calls),
		.rx_calls = less(a->rx_calls, b->rx_calls),
	};
}

void counters_add(struct counters *to, const struct counters *from)
{
	to->tx_bytes += from->tx_bytes;
	to->rx_bytes += from->rx_bytes;
	to->tx_calls += from->tx_calls;
	to->rx_calls += from->rx_calls;
}

bool counters_zero(const struct counters *c)
{
	return !c->tx_bytes && !c->rx_bytes && !c->tx_calls && !c->rx_calls;
}

struct counters traffic_protocol(const struct traffic *t, int protocol)
{
	struct counters sum = ((const struct counters *)t)[protocol];

	if (protocol == PROTOCOL_TCP)
		counters_add(&sum, &t->tcp_loopback);
	if (protocol == PROTOCOL_UDP)
		counters_add(&sum, &t->udp_loopback);
	return sum;
}

struct counters traffic_loopback(const struct traffic *t)
{
	struct counters sum = t->loopback;

	counters_add(&sum, &t->tcp_loopback);
	counters_add(&sum, &t->udp_loopback);
	return sum;
}

struct counters traffic_total(const struct traffic *t)
{
	const struct counters *parts = (const struct counters *)t;
	struct counters sum = {};

	for (int i = 0; i < TRAFFIC_PARTS; i++)
		if (i != PROTOCOL_PACKET)
			counters_add(&sum, &parts[i]);
	return sum;
}

void traffic_add(struct traffic *to, const struct traffic *from)
{
	struct counters *parts = (struct counters *)to;

	for (int i = 0; i < TRAFFIC_PARTS; i++)
		counters_add(&parts[i], (const struct counters *)from + i);
	counters_add(&to->loopback, &from->loopback);
}

void traffic_subtract(struct traffic *from, const struct traffic *t)
{
	struct counters *parts = (struct counters *)from;

	for (int i = 0; i < TRAFFIC_PARTS; i++)
		parts[i] = counters_less(&parts[i], (const struct counters *)t + i);
	from->loopback = counters_less(&from->loopback, &t->loopback);
}

static bool is_before(__u64 a, __u64 b)
{
	return (__s64)a < (__s64)b;
}

void finished_add(struct finished *to, const struct finished *from)
{
	to->processes += from->processes;
	if (is_before(from->first_seen_ns, to->first_seen_ns))
		to->first_seen_ns = from->first_seen_ns;
	if (is_before(to->last_seen_ns, from->last_seen_ns))
		to->last_seen_ns = from->last_seen_ns;
	if (!to->exited_ns || (from->exited_ns && is_before(to->exited_ns, from->exited_ns)))
		to->exited_ns = from->exited_ns;
	traffic_add(&to->traffic, &from->traffic);
}
