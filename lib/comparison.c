// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "comparison.h"
#include "counters.h"
#include "pins.h"

/* A row's process may have moved bytes through sockets of other namespaces than its own. */
static void add_row(struct comparison *c, const struct traffic *t, bool here)
{
	struct counters total = traffic_total(t), loopback = traffic_loopback(t);
	struct counters outside = counters_less(&total, &loopback);

	counters_add(&c->loopback, &loopback);
	if (!here)
		counters_add(&c->elsewhere, &outside);
}

static void sum_up(struct comparison *c, const struct reading *r, __u32 netns)
{
	struct counters outside;

	c->counted = r->totals.total;
	for (size_t i = 0; i < r->n_processes; i++)
		add_row(c, &r->processes[i].p.traffic, r->processes[i].p.netns == netns);
	for (size_t i = 0; i < r->n_finished; i++)
		add_row(c, &r->finished[i].f.traffic, r->finished[i].key.netns == netns);
	outside = counters_less(&c->counted, &c->loopback);
	c->payload = counters_less(&outside, &c->elsewhere);
}

/*
 * Interfaces that cut segments themselves, or never do, count up to 64 KiB as one packet. What is
 * sent again the kernel counts as it is cut: none of these is longer than the longest frame.
 */
static void explain(struct difference *d, double header, __u64 again, __u64 longest,
		    __u64 forwarded)
{
	double packet = d->packets ? (double)d->interfaces / (double)d->packets : 0;
	double segment = longest && packet > (double)longest ? (double)longest : packet;

	d->headers = header * (double)d->packets;
	/* Their headers are in headers. */
	if (segment > header)
		d->retransmitted = (segment - header) * (double)again;
	if (packet > header)
		d->forwarded = (packet - header) * (double)forwarded;
	d->rest = (double)d->interfaces - (double)d->payload - d->headers - d->retransmitted -
		  d->forwarded;
}

/* The oldest generation of the reading. */
static int since(struct comparison *c, const struct reading *r)
{
	const struct generation *g = &r->tables[0].generation;
	char folder[PATH_MAX], name[32];
	int err;

	for (int i = 1; i < r->n_tables; i++)
		if (r->tables[i].generation.number < g->number)
			g = &r->tables[i].generation;
	if (!g->number && g->began_at_ns < r->account->meta.loaded_at_ns)
		return -ESTALE;
	snprintf(name, sizeof(name), "%" PRIu64, (uint64_t)g->number);
	err = path_join(folder, r->account->pin_dir, name);
	return err < 0 ? err : interfaces_since(&c->interfaces, folder);
}

int comparison_make(struct comparison *c, const struct reading *r)
{
	struct interface sum;
	struct stat st;
	__u64 forwarded;

	*c = (struct comparison){};
	if (stat("/proc/self/ns/net", &st) < 0)
		return fail(-errno);
	c->unknown = since(c, r);
	sum_up(c, r, st.st_ino);
	if (c->unknown)
		return 0;
	sum = interfaces_sum(&c->interfaces);
	forwarded =
		c->interfaces.stack[STACK_IP_FORWARDED] + c->interfaces.stack[STACK_IP6_FORWARDED];
	c->tx.interfaces = sum.tx_bytes;
	c->tx.packets = sum.tx_packets;
	c->tx.payload = c->payload.tx_bytes;
	c->rx.interfaces = sum.rx_bytes;
	c->rx.packets = sum.rx_packets;
	c->rx.payload = c->payload.rx_bytes;
	explain(&c->tx, interfaces_header(&c->interfaces, true),
		c->interfaces.stack[STACK_RETRANSMITTED], sum.longest, forwarded);
	explain(&c->rx, interfaces_header(&c->interfaces, false), 0, sum.longest, forwarded);
	return 0;
}
