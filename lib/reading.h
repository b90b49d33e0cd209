/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reading: what an account holds at one moment. Errors as in account.h.
 *
 * Processes are copied; flows may be very many and are handed out one by one,
 * as often as asked for, so that memory does not grow with them (but with those
 * of a generation that waits to be read, which is rare, or who wants to keep them).
 */
#ifndef NETACCT_READING_H
#define NETACCT_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "account.h"
#include "generation.h"

struct process_row {
	struct process_key key;
	struct process p;
};

struct finished_row {
	struct finished_key key;
	struct finished f;
};

struct reading {
	const struct account *account;
	__u64 generation;  /* the newest that is in it */
	__u64 began_at_ns; /* when that began; since the epoch */
	__u64 taken_at_ns; /* since the epoch */
	__u64 missed_events;
	bool missed_known; /* or there may be more, and only root is told */
	struct totals totals;
	struct process_row *processes; /* in reading_order() */
	size_t n_processes;
	struct process_key *keys; /* theirs, close together: to be searched */
	struct finished_row *finished;
	size_t n_finished;
	/* The newest generation, and the one before while it waits to be read. */
	struct tables tables[2];
	int n_tables;
	struct kept_flow *flows; /* NULL: they are read when they are asked for */
	size_t n_flows;
};

/* Everything counted since the last reset that was finished. reading_free() it. */
int reading_take(struct reading *r, const struct account *a);

/* One generation alone; takes the tables over, on failure too. */
int reading_take_tables(struct reading *r, const struct account *a, struct tables *t);

void reading_free(struct reading *r);

/* By pid, then start: <0, 0 or >0. */
int reading_order(const struct process_key *a, const struct process_key *b);

/* Room for one more element of an array that has n and is made by this alone. NULL: no memory. */
void *reading_grow(void *array, size_t n, size_t size);

/* The row of a process, or NULL. */
const struct process_row *reading_process(const struct reading *r, const struct process_key *key);

/*
 * Copies the flows, for reading_flows() to hand out these from now on: all that
 * is shown of one reading is then of one moment.
 */
int reading_keep_flows(struct reading *r);

/*
 * Hands out each flow once, with the row of its process. Flows of processes
 * that have no row any more are left out: their bytes are other flows. each()
 * returns 0, or -errno to stop.
 */
int reading_flows(const struct reading *r,
		  int (*each)(void *arg, const struct flow_key *key, const struct flow *flow,
			      const struct process_row *process),
		  void *arg);

#endif
