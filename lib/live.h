/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two newest readings of an account, for reports on what moves between
 * them, as often as asked for. Errors as in account.h.
 */
#ifndef NETACCT_LIVE_H
#define NETACCT_LIVE_H

#include "report.h"

struct moment {
	struct account account;
	struct reading reading;
	struct past_flows flows;
	bool taken;
	bool has_flows;
	__u64 at_ns; /* CLOCK_MONOTONIC */
};

struct live {
	const char *pin_dir; /* borrowed */
	struct moment *now;  /* taken, after the first success */
	struct moment *before;
	struct moment moments[2];
	struct change change;
	bool has_change;
	struct names names; /* looked up anew now and then */
	__u64 names_since_ns;
};

/* live_free() it. */
void live_init(struct live *l, const char *pin_dir);
void live_free(struct live *l);

/*
 * A new reading, with the flows if they will be asked for. If that fails, as
 * account_open() or reading_take() do, those that are there stay.
 */
int live_take(struct live *l, bool flows);

/* Reads the flows of the newest reading, if it has not got them. */
int live_want_flows(struct live *l);

/*
 * Begins a report on the newest; report_free() it. There are no changes in it
 * where there is only one reading, or one with flows.
 */
int live_report(struct live *l, const struct view *view, struct report *report);

/* The names that filters need; they last until live_take(). */
struct names *live_names(struct live *l);

#endif
