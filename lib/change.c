// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "counters.h"
#include "pins.h"

static int compare_finished(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct finished_key));
}

static const struct finished_row *find_finished(const struct reading *r,
						const struct finished_key *key)
{
	if (!r->n_finished)
		return NULL;
	return bsearch(key, r->finished, r->n_finished, sizeof(*r->finished), compare_finished);
}

/* A process that has no row any more is in finished now, or in no row. */
static void fold(struct change *c, const struct reading *now, const struct process_row *gone)
{
	const struct finished_row *row;
	struct finished_key key;
	struct counters total;

	memcpy(key.comm, gone->p.comm, sizeof(key.comm));
	key.cgroup_id = gone->p.cgroup_id;
	key.uid = gone->p.uid;
	key.netns = gone->p.netns;
	row = find_finished(now, &key);
	if (row) {
		traffic_add(&c->finished[row - now->finished].traffic, &gone->p.traffic);
		return;
	}
	total = traffic_total(&gone->p.traffic);
	counters_add(&c->no_row, &total);
}

/* Both have them in the same order; to search for each would cost as much as all the rest. */
static void pair_processes(struct change *c)
{
	const struct reading *now = c->now;
	size_t i = 0, j = 0;

	while (j < c->before->n_processes) {
		const struct process_row *was = &c->before->processes[j];
		int order = i < now->n_processes ? reading_order(&was->key, &now->processes[i].key)
						 : -1;

		if (order < 0)
			fold(c, now, was);
		if (order == 0)
			c->processes[i].row = was;
		if (order <= 0)
			j++;
		if (order >= 0)
			i++;
	}
}

/* Both count from the same moment. */
static bool same_beginning(const struct reading *a, const struct reading *b)
{
	return a->account->meta.loaded_at_ns == b->account->meta.loaded_at_ns &&
	       a->generation - a->n_tables == b->generation - b->n_tables;
}

int change_init(struct change *c, const struct reading *before, const struct past_flows *flows,
		const struct reading *now, double seconds)
{
	*c = (struct change){ .now = now, .seconds = seconds };
	c->finished = calloc(now->n_finished + 1, sizeof(*c->finished));
	c->processes = calloc(now->n_processes + 1, sizeof(*c->processes));
	if (!c->finished || !c->processes) {
		change_free(c);
		return fail(-ENOMEM);
	}
	if (!same_beginning(before, now)) {
		/* More than what lies between, or less than nothing: the clock was set. */
		c->seconds = (__s64)(now->taken_at_ns - now->began_at_ns) / 1e9;
		if (c->seconds < 0 || c->seconds > seconds)
			c->seconds = seconds;
		return 0;
	}

	c->before = before;
	c->flows = flows;
	c->no_row = before->totals.no_row;
	for (size_t i = 0; i < now->n_finished; i++) {
		const struct finished_row *row = find_finished(before, &now->finished[i].key);

		if (row)
			c->finished[i] = row->f;
	}
	pair_processes(c);
	return 0;
}

void change_free(struct change *c)
{
	free(c->finished);
	free(c->processes);
	*c = (struct change){};
}

const struct process *change_process(const struct change *c, const struct process_row *row)
{
	static const struct process none;
	const struct process_row *was = c->processes[row - c->now->processes].row;

	return was ? &was->p : &none;
}

const struct finished *change_finished(const struct change *c, const struct reading *now,
				       const struct finished_row *row)
{
	return &c->finished[row - now->finished];
}

const struct counters *change_total(const struct change *c)
{
	static const struct counters none;

	return c->before ? &c->before->totals.total : &none;
}

static int compare_flows(const void *a, const void *b)
{
	const struct flow_key *x = a, *y = b;

	if (x->process.pid != y->process.pid)
		return x->process.pid < y->process.pid ? -1 : 1;
	if (x->process.start_ns != y->process.start_ns)
		return x->process.start_ns < y->process.start_ns ? -1 : 1;
	return (x->flow > y->flow) - (x->flow < y->flow);
}

const struct counters *change_flow(const struct change *c, const struct flow_key *key)
{
	static const struct counters none;
	const struct flow_past *was = NULL;

	if (c->flows && c->flows->n)
		was = bsearch(key, c->flows->flows, c->flows->n, sizeof(*was), compare_flows);
	return was ? &was->counters : &none;
}

void change_subtract(const struct change *c, struct reading *now)
{
	for (size_t i = 0; i < now->n_processes; i++) {
		struct process_row *row = &now->processes[i];
		const struct process *was = change_process(c, row);

		row->p.other_flows = counters_less(&row->p.other_flows, &was->other_flows);
		traffic_subtract(&row->p.traffic, &was->traffic);
	}
	for (size_t i = 0; i < now->n_finished; i++)
		traffic_subtract(&now->finished[i].f.traffic, &c->finished[i].traffic);
	now->totals.no_row = counters_less(&now->totals.no_row, &c->no_row);
	now->totals.total = counters_less(&now->totals.total, change_total(c));
}

int past_flows_add(struct past_flows *p, const struct flow_key *key,
		   const struct counters *counters)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 256;
		struct flow_past *flows = reallocarray(p->flows, room, sizeof(*flows));

		if (!flows)
			return fail(-ENOMEM);
		p->flows = flows;
		p->room = room;
	}
	p->flows[p->n++] = (struct flow_past){ *key, *counters };
	return 0;
}

void past_flows_sort(struct past_flows *p)
{
	if (p->n)
		qsort(p->flows, p->n, sizeof(*p->flows), compare_flows);
}

void past_flows_free(struct past_flows *p)
{
	free(p->flows);
	*p = (struct past_flows){};
}
