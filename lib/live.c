// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "live.h"
#include "pins.h"

#define NAMES_NS (10 * NS_PER_S)

void live_init(struct live *l, const char *pin_dir)
{
	*l = (struct live){ .pin_dir = pin_dir };
	l->now = &l->moments[0];
	l->before = &l->moments[1];
}

static void drop(struct moment *m)
{
	if (!m->taken)
		return;
	past_flows_free(&m->flows);
	reading_free(&m->reading);
	account_close(&m->account);
	m->taken = m->has_flows = false;
}

void live_free(struct live *l)
{
	change_free(&l->change);
	drop(l->now);
	drop(l->before);
	names_free(&l->names);
}

static int note_flow(void *arg, const struct flow_key *key, const struct flow *flow,
		     const struct process_row *process)
{
	(void)process;
	return past_flows_add(arg, key, &flow->counters);
}

static int keep_flows(struct moment *m)
{
	int err = 0;

	if (m->has_flows || !(m->account.meta.flags & META_FLOWS))
		return 0;
	err = reading_keep_flows(&m->reading);
	if (!err)
		err = reading_flows(&m->reading, note_flow, &m->flows);
	if (err < 0)
		return err;
	past_flows_sort(&m->flows);
	m->has_flows = true;
	return 0;
}

/* The account is opened each time: it may have been unloaded and loaded again. */
static int take(struct moment *m, const char *pin_dir)
{
	int err = account_open(&m->account, pin_dir, false);

	if (err < 0)
		return err;
	err = reading_take(&m->reading, &m->account);
	if (err < 0) {
		account_close(&m->account);
		return fail(err);
	}
	m->at_ns = clock_ns(CLOCK_MONOTONIC);
	m->flows = (struct past_flows){};
	m->taken = true;
	return 0;
}

static int compare(struct live *l)
{
	double seconds = (double)(l->now->at_ns - l->before->at_ns) / NS_PER_S;

	int err;

	if (!l->before->taken)
		return 0;
	err = change_init(&l->change, &l->before->reading, &l->before->flows, &l->now->reading,
			  seconds);
	l->has_change = !err;
	return err;
}

/* Users and cgroups come and go, but rarely; a name is of the account, too. */
static void renew_names(struct live *l)
{
	if (l->now->at_ns - l->names_since_ns >= NAMES_NS) {
		names_free(&l->names);
		l->names_since_ns = l->now->at_ns;
	}
	l->names.account = &l->now->account;
}

int live_take(struct live *l, bool flows)
{
	struct moment fresh = {}, *oldest = l->before;
	int err = take(&fresh, l->pin_dir);

	if (err < 0)
		return err;
	change_free(&l->change);
	l->has_change = false;
	drop(oldest);
	*oldest = fresh;
	oldest->reading.account = &oldest->account;
	l->before = l->now;
	l->now = oldest;
	renew_names(l);
	if (flows)
		err = keep_flows(l->now);
	return err ?: compare(l);
}

int live_want_flows(struct live *l)
{
	return keep_flows(l->now);
}

struct names *live_names(struct live *l)
{
	return &l->names;
}

int live_report(struct live *l, const struct view *view, struct report *report)
{
	bool known = l->has_change;

	if (known && view_needs_flows(view) && l->change.before)
		known = l->before->has_flows;
	*report = (struct report){ .view = view,
				   .reading = &l->now->reading,
				   .change = known ? &l->change : NULL,
				   .names = &l->names };
	return report_init(report);
}
