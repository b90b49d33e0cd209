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

struct member {
	const struct group *group;
	const struct process_row *process;
};

/* was is NULL where nothing is subtracted any more: at first, and in the end. */
static void set_traffic(const struct report *r, struct row *row, const struct traffic *t,
			const struct traffic *was)
{
	static const struct traffic none;
	struct counters before;

	row->traffic = t;
	row->was = was ?: &none;
	row->counters = filter_counters(&r->view->filter, t);
	before = filter_counters(&r->view->filter, row->was);
	row->moved = counters_less(&row->counters, &before);
}

static bool subtracts(const struct report *r)
{
	return r->change && !r->summary;
}

static void make_process(const struct report *r, struct row *row, const struct process_row *process)
{
	const struct process *p = &process->p;
	bool has_flows = r->reading->account->meta.flags & META_FLOWS;

	*row = (struct row){
		.process = process,
		.uid = p->uid,
		.netns = p->netns,
		.cgroup_id = p->cgroup_id,
		.processes = 1,
		.first_seen_ns = p->first_seen_ns,
		.last_seen_ns = p->last_seen_ns,
		.other_flows = has_flows ? p->other_flows : traffic_total(&p->traffic),
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
		.netns = finished->key.netns,
		.cgroup_id = finished->key.cgroup_id,
		.processes = f->processes,
		.first_seen_ns = f->first_seen_ns,
		.last_seen_ns = f->last_seen_ns,
		.other_flows = traffic_total(&f->traffic),
	};
	memcpy(row->comm, finished->key.comm, sizeof(row->comm));
	set_traffic(r, row, &f->traffic,
		    subtracts(r) ? &change_finished(r->change, r->reading, finished)->traffic
				 : NULL);
}

/* The port that names the service: the lower, since clients' are drawn from the high ones. */
static __u16 service_port(const struct flow *f)
{
	if (f->protocol > PROTOCOL_UDPLITE && f->protocol != PROTOCOL_SCTP)
		return 0;
	if (!(f->flags & FLOW_CONNECTED) || !f->remote_port)
		return f->local_port;
	return f->local_port && f->local_port < f->remote_port ? f->local_port : f->remote_port;
}

static void make_flow(const struct report *r, struct row *row, const struct flow_key *key,
		      const struct flow *flow, const struct process_row *process)
{
	*row = (struct row){
		.process = process,
		.flow_key = *key,
		.flow = *flow,
		.uid = process->p.uid,
		.netns = flow->netns,
		.cgroup_id = process->p.cgroup_id,
		.protocol = flow->protocol,
		.port = service_port(flow),
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

static int compare_cgroups(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_numbers(x->cgroup_id, y->cgroup_id);
}

static int compare_netns(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_numbers(x->netns, y->netns);
}

static int compare_protocols(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_numbers(x->protocol, y->protocol);
}

static int compare_ports(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_numbers(x->port, y->port) ?: compare_protocols(a, b);
}

/* Those of no known remote end are one. */
static int compare_remotes(const void *a, const void *b)
{
	const struct flow *x = &((const struct row *)a)->flow, *y = &((const struct row *)b)->flow;
	int known = x->flags & y->flags & FLOW_CONNECTED;

	return compare_numbers(x->flags & FLOW_CONNECTED, y->flags & FLOW_CONNECTED)
		       ?: known
			  ? memcmp(x->remote_address, y->remote_address, sizeof(x->remote_address))
			  : 0;
}

static int compare_processes(const void *a, const void *b)
{
	static const struct process_key none;
	const struct row *x = a, *y = b;
	const struct process_key *k = x->process ? &x->process->key : &none;
	const struct process_key *l = y->process ? &y->process->key : &none;

	return compare_numbers(!x->process, !y->process) ?: compare_numbers(k->pid, l->pid) ?:
	       compare_numbers(k->start_ns, l->start_ns);
}

/* How rows are told apart that are added up; NULL: they are not. */
static int (*same_group(const struct report *r))(const void *a, const void *b)
{
	static int (*const groups[GROUPINGS])(const void *a, const void *b) = {
		[BY_COMM] = compare_comms,     [BY_USER] = compare_users,
		[BY_CGROUP] = compare_cgroups, [BY_REMOTE] = compare_remotes,
		[BY_PORT] = compare_ports,     [BY_PROTOCOL] = compare_protocols,
		[BY_NETNS] = compare_netns,
	};

	return r->view->by == BY_PROCESS && r->by_flows ? compare_processes : groups[r->view->by];
}

int report_compare(const struct row *a, const struct row *b)
{
	return compare_processes(a, b) ?: compare_numbers(a->flow_key.flow, b->flow_key.flow) ?:
	       compare_comms(a, b) ?: compare_users(a, b) ?: compare_cgroups(a, b) ?:
	       compare_netns(a, b) ?: compare_ports(a, b) ?: compare_remotes(a, b) ?:
	       compare_numbers((__u64)(uintptr_t)a->finished, (__u64)(uintptr_t)b->finished);
}

__u64 report_weight(const struct report *r, const struct row *row)
{
	bool moved = r->change && !r->view->by_totals;
	const struct counters *c = moved ? &row->moved : &row->counters;

	return c->tx_bytes + c->rx_bytes;
}

/* A filter that leaves out a part of a process may leave nothing of it. */
static bool is_left_out(const struct report *r, const struct row *row)
{
	return (r->view->filter.protocols || r->view->filter.no_loopback) &&
	       counters_zero(&row->counters) && counters_zero(&row->moved);
}

static int hand_out(void *arg, const struct row *row)
{
	const struct walk *w = arg;
	const struct report *r = w->report;

	if (r->change && !r->view->all && counters_zero(&row->moved))
		return 0;
	return w->each(w->arg, row);
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return compare_numbers((__u64)(uintptr_t)x->group, (__u64)(uintptr_t)y->group)
		       ?: compare_numbers((__u64)(uintptr_t)x->process,
					  (__u64)(uintptr_t)y->process);
}

/* A process has many flows, but is one of the group's processes. */
static int add_member(struct report *r, struct group *g, const struct process_row *process)
{
	struct member *m = malloc(sizeof(*m)), *const * found;

	if (!m)
		return -ENOMEM;
	*m = (struct member){ g, process };
	found = tsearch(m, &r->members, compare_members);
	if (found && *found == m)
		g->row.processes++;
	else
		free(m);
	return found ? 0 : -ENOMEM;
}

static int new_group(struct report *r, const struct row *row)
{
	int (*compare)(const void *a, const void *b) = same_group(r);
	struct group *g = malloc(sizeof(*g));

	if (!g || !compare) {
		free(g);
		return -ENOMEM;
	}
	*g = (struct group){ .row = *row };
	g->row.traffic = row->traffic ? &g->traffic : NULL;
	g->row.finished = NULL;
	g->row.processes = 0;
	g->row.counters = g->row.moved = g->row.other_flows = (struct counters){};
	if (r->view->by != BY_PROCESS)
		g->row.process = NULL;
	if (tsearch(g, &r->groups, compare))
		return 0;
	free(g);
	return -ENOMEM;
}

static int add_to_group(struct report *r, const struct row *row)
{
	struct group *const *found = tfind(row, &r->groups, same_group(r)), *g;
	int error;

	if (!found) {
		error = new_group(r, row);
		return error ?: add_to_group(r, row);
	}
	g = *found;
	if ((__s64)row->first_seen_ns < (__s64)g->row.first_seen_ns)
		g->row.first_seen_ns = row->first_seen_ns;
	if ((__s64)row->last_seen_ns > (__s64)g->row.last_seen_ns)
		g->row.last_seen_ns = row->last_seen_ns;
	if (row->traffic)
		traffic_add(&g->traffic, row->traffic);
	counters_add(&g->row.counters, &row->counters);
	counters_add(&g->row.moved, &row->moved);
	counters_add(&g->row.other_flows, &row->other_flows);
	if (r->by_flows)
		return add_member(r, g, row->process);
	g->row.processes += row->processes;
	return 0;
}

static int add_protocols(struct report *r, const struct row *row)
{
	struct row part = *row;
	struct counters was;
	int error = 0;

	for (part.protocol = 0; !error && part.protocol < PROTOCOLS; part.protocol++) {
		if (!filter_protocol(&r->view->filter, part.protocol))
			continue;
		part.counters = traffic_protocol(row->traffic, part.protocol);
		was = traffic_protocol(row->was, part.protocol);
		part.moved = counters_less(&part.counters, &was);
		if (!counters_zero(&part.counters))
			error = add_to_group(r, &part);
	}
	return error;
}

static int add_row(void *arg, const struct row *row)
{
	struct report *r = arg;

	return r->view->by == BY_PROTOCOL && !r->by_flows ? add_protocols(r, row)
							  : add_to_group(r, row);
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
		if (!filter_process(&r->view->filter, r->names, &reading->processes[i]))
			continue;
		make_process(r, &row, &reading->processes[i]);
		error = is_left_out(r, &row) ? 0 : each(arg, &row);
	}
	for (size_t i = 0; !error && i < reading->n_finished; i++) {
		if (!filter_finished(&r->view->filter, r->names, &reading->finished[i]))
			continue;
		make_finished(r, &row, &reading->finished[i]);
		error = is_left_out(r, &row) ? 0 : each(arg, &row);
	}
	return error;
}

static int each_flow(void *arg, const struct flow_key *key, const struct flow *flow,
		     const struct process_row *process)
{
	struct walk *w = arg;
	struct report *r = w->report;
	struct row row;
	int error = 0;

	if (r->flows)
		error = past_flows_add(r->flows, key, &flow->counters);
	if (error || !filter_flow(&r->view->filter, r->names, flow, process))
		return error;
	make_flow(r, &row, key, flow, process);
	return r->view->by == BY_FLOW ? hand_out(w, &row) : add_row(r, &row);
}

int report_rows(struct report *r, int (*each)(void *arg, const struct row *row), void *arg)
{
	struct walk w = { .report = r, .each = each, .arg = arg };
	int error;

	if (!r->by_flows && !same_group(r))
		return fail(each_process(r, hand_out, &w));
	error = r->by_flows ? reading_flows(r->reading, each_flow, &w)
			    : each_process(r, add_row, r);
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

/* Whether totals are those of the flows that match: their processes have more. */
static bool has_flow_filter(const struct report *r)
{
	const struct filter *f = &r->view->filter;

	return filter_needs_flows(f) || filter_has(f, FILTER_NETNS);
}

static int sum_flow(void *arg, const struct flow_key *key, const struct flow *flow,
		    const struct process_row *process)
{
	struct report *r = arg;
	const struct filter *f = &r->view->filter;
	struct row row;

	make_flow(r, &row, key, flow, process);
	if (filter_placed(f, flow) && filter_process(f, r->names, process))
		r->other_flows = counters_less(&r->other_flows, &row.counters);
	if (has_flow_filter(r) && filter_flow(f, r->names, flow, process)) {
		counters_add(&r->totals, &row.counters);
		counters_add(&r->moved, &row.moved);
	}
	return 0;
}

/*
 * What processes have as other flows is of all protocols, includes loopback, and
 * all of a flow that lost its row between two readings. Where that is not what is
 * asked for it is what the flows leave.
 */
static int sum_flows(struct report *r)
{
	const struct filter *f = &r->view->filter;

	if (!r->by_flows || !(f->no_loopback || f->protocols || r->summary || has_flow_filter(r)))
		return 0;
	r->other_flows = r->totals;
	if (has_flow_filter(r))
		r->totals = r->moved = (struct counters){};
	return reading_flows(r->reading, sum_flow, r);
}

int report_init(struct report *r)
{
	const struct totals *all = &r->reading->totals;
	int error;

	r->by_flows = view_needs_flows(r->view);
	each_process(r, sum_row, r);
	error = sum_flows(r);
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
	tdestroy(r->members, free);
	tdestroy(r->groups, free);
	r->groups = r->members = NULL;
}
