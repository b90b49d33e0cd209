/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What moved between two readings. Errors as in account.h.
 *
 * A reset in between starts everything from zero, and so does this: what moved
 * is then what was counted since the reset.
 */
#ifndef NETACCT_CHANGE_H
#define NETACCT_CHANGE_H

#include <stddef.h>

#include "reading.h"

/* The counters of the flows of a reading: they are read anew each time. */
struct flow_past {
	struct flow_key key;
	struct counters counters;
};

struct past_flows {
	struct flow_past *flows;
	size_t n;
	size_t room;
};

/* What a process was, or NULL. */
struct past_process {
	const struct process_row *row;
};

struct change {
	const struct reading *before; /* NULL: there was a reset in between */
	const struct reading *now;
	struct past_process *processes; /* for each row of now */
	const struct past_flows *flows;
	struct finished *finished; /* for each finished row of now, what it had before */
	struct counters no_row;	   /* what it was before */
	double seconds;		   /* over which it moved */
};

/*
 * before, flows and now are borrowed; seconds lie between them. Processes that were folded since
 * are folded in the past too, so that their old bytes do not seem to have moved. change_free() it.
 */
int change_init(struct change *c, const struct reading *before, const struct past_flows *flows,
		const struct reading *now, double seconds);
void change_free(struct change *c);

/* What a row of now had before; zeros if it is new. */
const struct process *change_process(const struct change *c, const struct process_row *row);
const struct finished *change_finished(const struct change *c, const struct reading *now,
				       const struct finished_row *row);
const struct counters *change_flow(const struct change *c, const struct flow_key *key);
const struct counters *change_total(const struct change *c);

/* Leaves in now only what moved. Flows have to be subtracted as they are read. */
void change_subtract(const struct change *c, struct reading *now);

/* Flows can be looked up after past_flows_sort(). */
int past_flows_add(struct past_flows *p, const struct flow_key *key,
		   const struct counters *counters);
void past_flows_sort(struct past_flows *p);
void past_flows_free(struct past_flows *p);

#endif
