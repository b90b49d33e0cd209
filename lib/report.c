// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "pins.h"
#include "report.h"

struct walk {
	struct report *report;
	int (*each)(void *arg, const struct row *row);
	void *arg;
	int error;
};

/* Rows that fall together; the row comes first, so that trees can compare rows. */
struct group {
	struct row row;
	struct traffic traffic;
};

static struct counters wanted(const struct report *r, const struct traffic *t)
{
	return r->view->filter.no_loopback ? counters_less(&t->total, &t->loopback) : t->total;
}

/* was is NULL where nothing is subtracted any more: at first, and in the end. */
static void set_traffic(const struct report *r, struct row *row, const struct traffic *t,
			const struct traffic *was)
{
	static const struct traffic none;
	struct counters before;

	row->traffic = t;
	row->was = was ?: &none;
	row->counters = wanted(r, t);
	before = wanted(r, row->was);
	row->moved = counters_less(&row->counters, &before);
}

static bool subtracts(const struct report *r)
{
	return r->change && !r->summary;
}

static void make_process(const struct report *r, struct row *row, const struct process_row *process)
{
	const struct process *p = &process->p;

	*row = (struct row){
		.process = process,
		.uid = p->uid,
		.processes = 1,
		.first_seen_ns = p->first_seen_ns,
		.last_seen_ns = p->last_seen_ns,
		.other_flows = p->other_flows,
	};
	memcpy(row->comm, p->comm, sizeof(row->comm));
	set_traffic(r, row, &p->traffic,
		    subtracts(r) ? &change_process(r->change, process)->traffic : NULL);
}

static void make_finished(const struct report *r, struct row *row,
			  const struct finished_row *finished)
{
	const struct finished *f = &finished->f;

	*row = (struct row){
		.finished = finished,
		.uid = finished->key.uid,
		.processes = f->processes,
		.first_seen_ns = f->first_seen_ns,
		.last_seen_ns = f->last_seen_ns,
		.other_flows = f->traffic.total,
	};
	memcpy(row->comm, finished->key.comm, sizeof(row->comm));
	set_traffic(r, row, &f->traffic,
		    subtracts(r) ? &change_finished(r->change, r->reading, finished)->traffic
				 : NULL);
}

static void make_flow(const struct report *r, struct row *row, const struct flow_key *key,
		      const struct flow *flow, const struct process_row *process)
{
	*row = (struct row){
		.process = process,
		.flow_key = *key,
		.flow = *flow,
		.uid = process->p.uid,
		.protocol = flow->protocol,
		.processes = 1,
		.first_seen_ns = flow->first_seen_ns,
		.last_seen_ns = flow->last_seen_ns,
		.counters = flow->counters,
		.moved = flow->counters,
	};
	memcpy(row->comm, process->p.comm, sizeof(row->comm));
	if (r->change)
		row->moved = counters_less(&flow->counters, change_flow(r->change, key));
	if (r->summary)
		row->counters = row->moved;
}

static int compare_numbers(__u64 a, __u64 b)
{
	return (a > b) - (a < b);
}

static int compare_comms(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strncmp(x->comm, y->comm, COMM_LEN);
}

static int compare_users(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_numbers(x->uid, y->uid);
}

static int compare_protocols(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_numbers(x->protocol, y->protocol);
}

/* How rows are told apart that are added up; NULL: they are not. */
static int (*const same_group[GROUPINGS])(const void *a, const void *b) = {
	[BY_COMM] = compare_comms,
	[BY_USER] = compare_users,
	[BY_PROTOCOL] = compare_protocols,
};

int report_compare(const struct row *a, const struct row *b)
{
	static const struct process_key none;
	const struct process_key *x = a->process ? &a->process->key : &none;
	const struct process_key *y = b->process ? &b->process->key : &none;

	return compare_numbers(!a->process, !b->process) ?: compare_numbers(x->pid, y->pid) ?:
	       compare_numbers(x->start_ns, y->start_ns) ?:
	       compare_numbers(a->flow_key.flow, b->flow_key.flow) ?: compare_comms(a, b) ?:
	       compare_users(a, b) ?: compare_protocols(a, b) ?:
	       compare_numbers((__u64)(uintptr_t)a->finished, (__u64)(uintptr_t)b->finished);
}

__u64 report_weight(const struct report *r, const struct row *row)
{
	bool moved = r->change && !r->view->by_totals;
	const struct counters *c = moved ? &row->moved : &row->counters;

	return c->tx_bytes + c->rx_bytes;
}

static int hand_out(void *arg, const struct row *row)
{
	const struct walk *w = arg;
	const struct report *r = w->report;

	if (r->change && !r->view->all && counters_zero(&row->moved))
		return 0;
	return w->each(w->arg, row);
}

static int add_to_group(struct report *r, const struct row *row)
{
	int (*compare)(const void *a, const void *b) = same_group[r->view->by];
	struct group *const *found = tfind(row, &r->groups, compare), *g;

	if (!found) {
		g = malloc(sizeof(*g));
		if (!g)
			return -ENOMEM;
		*g = (struct group){ .row = *row, .traffic = *row->traffic };
		g->row.traffic = &g->traffic;
		g->row.process = NULL;
		g->row.finished = NULL;
		if (tsearch(g, &r->groups, compare))
			return 0;
		free(g);
		return -ENOMEM;
	}
	g = *found;
	g->row.processes += row->processes;
	if ((__s64)row->first_seen_ns < (__s64)g->row.first_seen_ns)
		g->row.first_seen_ns = row->first_seen_ns;
	if ((__s64)row->last_seen_ns > (__s64)g->row.last_seen_ns)
		g->row.last_seen_ns = row->last_seen_ns;
	traffic_add(&g->traffic, row->traffic);
	counters_add(&g->row.counters, &row->counters);
	counters_add(&g->row.moved, &row->moved);
	counters_add(&g->row.other_flows, &row->other_flows);
	return 0;
}

static int add_protocols(struct report *r, const struct row *row)
{
	struct row part = *row;
	int error = 0;

	for (part.protocol = 0; !error && part.protocol < PROTOCOLS; part.protocol++) {
		part.counters = *traffic_protocol(row->traffic, part.protocol);
		part.moved =
			counters_less(&part.counters, traffic_protocol(row->was, part.protocol));
		if (!counters_zero(&part.counters))
			error = add_to_group(r, &part);
	}
	return error;
}

static int add_row(void *arg, const struct row *row)
{
	struct report *r = arg;

	return r->view->by == BY_PROTOCOL ? add_protocols(r, row) : add_to_group(r, row);
}

static void hand_out_group(const void *node, VISIT visit, void *arg)
{
	struct walk *w = arg;

	if (!w->error && (visit == postorder || visit == leaf))
		w->error = hand_out(w, *(struct row *const *)node);
}

/* Each process and each finished row that the filter lets through. */
static int each_process(const struct report *r, int (*each)(void *arg, const struct row *row),
			void *arg)
{
	const struct reading *reading = r->reading;
	struct row row;
	int error = 0;

	for (size_t i = 0; !error && i < reading->n_processes; i++) {
		if (!filter_process(&r->view->filter, &reading->processes[i]))
			continue;
		make_process(r, &row, &reading->processes[i]);
		error = each(arg, &row);
	}
	for (size_t i = 0; !error && i < reading->n_finished; i++) {
		if (!filter_finished(&r->view->filter, &reading->finished[i]))
			continue;
		make_finished(r, &row, &reading->finished[i]);
		error = each(arg, &row);
	}
	return error;
}

static int hand_out_flow(void *arg, const struct flow_key *key, const struct flow *flow,
			 const struct process_row *process)
{
	struct walk *w = arg;
	struct report *r = w->report;
	struct row row;
	int error = 0;

	if (r->flows)
		error = past_flows_add(r->flows, key, &flow->counters);
	if (error || !filter_flow(&r->view->filter, flow) ||
	    !filter_process(&r->view->filter, process))
		return error;
	make_flow(r, &row, key, flow, process);
	return hand_out(w, &row);
}

int report_rows(struct report *r, int (*each)(void *arg, const struct row *row), void *arg)
{
	struct walk w = { .report = r, .each = each, .arg = arg };
	int error;

	if (r->view->by == BY_FLOW)
		return fail(reading_flows(r->reading, hand_out_flow, &w));
	if (!same_group[r->view->by])
		return fail(each_process(r, hand_out, &w));
	error = each_process(r, add_row, r);
	if (!error)
		twalk_r(r->groups, hand_out_group, &w);
	return fail(error ?: w.error);
}

static int sum_row(void *arg, const struct row *row)
{
	struct report *r = arg;

	counters_add(&r->totals, &row->counters);
	counters_add(&r->moved, &row->moved);
	counters_add(&r->other_flows, &row->other_flows);
	if (row->finished) {
		counters_add(&r->finished, &row->counters);
		counters_add(&r->finished_moved, &row->moved);
		r->n_finished += row->processes;
	}
	return 0;
}

static int subtract_flow(void *arg, const struct flow_key *key, const struct flow *flow,
			 const struct process_row *process)
{
	struct report *r = arg;
	struct row row;

	if (!filter_flow(&r->view->filter, flow) || !filter_process(&r->view->filter, process))
		return 0;
	make_flow(r, &row, key, flow, process);
	r->other_flows = counters_less(&r->other_flows, &row.counters);
	return 0;
}

/*
 * What processes have as other flows includes loopback, and all of a flow that
 * lost its row between two readings. Without these it is what the flows leave.
 */
static int sum_other_flows(struct report *r)
{
	if (r->view->by != BY_FLOW || !(r->view->filter.no_loopback || r->summary))
		return 0;
	r->other_flows = r->totals;
	return reading_flows(r->reading, subtract_flow, r);
}

int report_init(struct report *r)
{
	const struct totals *all = &r->reading->totals;
	int error;

	each_process(r, sum_row, r);
	error = sum_other_flows(r);
	r->has_no_row = !filter_active(&r->view->filter);
	if (r->has_no_row) {
		r->no_row = all->no_row;
		r->totals = r->moved = all->total;
		if (subtracts(r))
			r->moved = counters_less(&all->total, change_total(r->change));
	}
	return fail(error);
}

void report_free(struct report *r)
{
	tdestroy(r->groups, free);
	r->groups = NULL;
}
