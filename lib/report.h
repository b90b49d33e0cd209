/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reading as a view wants it: the rows that are to be shown, and what they
 * come to. Errors as in account.h.
 */
#ifndef NETACCT_REPORT_H
#define NETACCT_REPORT_H

#include "change.h"
#include "connections.h"
#include "names.h"
#include "view.h"

/* What does not apply to the grouping is NULL or zero. */
struct row {
	const struct process_row *process;   /* that it is, or whose flow it is */
	const struct finished_row *finished; /* that it is */
	struct flow_key flow_key;
	struct flow flow;
	char comm[COMM_LEN];
	__u32 uid;
	__u32 netns; /* of the process, or of the flow's socket */
	__u64 cgroup_id;
	int protocol; /* enum protocol */
	__u16 port;   /* of the service; 0: it has none */
	__u64 processes;
	__u64 first_seen_ns;
	__u64 last_seen_ns;
	const struct traffic *traffic; /* by protocol and loopback; NULL: not known */
	const struct traffic *was;     /* the same at the reading before */
	struct counters counters;
	struct counters moved; /* since the reading before */
	struct counters other_flows;
};

struct report {
	const struct view *view;
	const struct reading *reading;
	const struct change *change; /* NULL: there is no reading before */
	bool summary;		     /* the reading was cut down to what moved */
	struct names *names;
	struct connections *connections; /* NULL: nobody wants to know of them */
	struct past_flows *flows;	 /* where the next reading's past is noted, or NULL */

	/* Filled in by report_init(). */
	struct counters totals;
	struct counters moved;
	struct counters no_row;
	bool has_no_row; /* no_row is known: nothing is filtered */
	struct counters other_flows;
	bool by_flows; /* rows are of flows; other_flows is what none of them has */
	struct counters finished;
	struct counters finished_moved;
	__u64 n_finished;
	void *groups;
	void *members; /* which processes each group of flows has */
};

/* Adds up what the members above ask for. report_free() it. */
int report_init(struct report *r);
void report_free(struct report *r);

/*
 * Hands out each row, in no order, once. What rows point to lives as long as
 * the report. each() returns 0, or -errno to stop.
 */
int report_rows(struct report *r, int (*each)(void *arg, const struct row *row), void *arg);

/* Its bytes in both directions, of the time that the report is about. */
__u64 report_weight(const struct report *r, const struct row *row);

/* Orders rows by what they are about, so that no two are equal. */
int report_compare(const struct row *a, const struct row *b);

#endif
