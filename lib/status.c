// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pins.h"
#include "status.h"
#include "generation.h"

static int add_hook(void *arg, const char *name, const struct hook_stats *stats)
{
	struct status *s = arg;

	if (s->n_hooks == STATUS_HOOKS)
		return -E2BIG;
	snprintf(s->hooks[s->n_hooks].name, sizeof(s->hooks->name), "%s", name);
	s->hooks[s->n_hooks++].stats = *stats;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct status_hook *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int try_to_take(struct status *s, const struct account *a)
{
	struct state state = {};
	struct tables t;
	int err;

	*s = (struct status){ .meta = a->meta };
	err = account_state(a, &state);
	if (!err)
		err = generation_open(&t, a, state.generation);
	if (err < 0)
		return err == -ENOENT ? -EAGAIN : err;
	s->counting = state.counting;
	s->generation = t.generation;
	err = generation_totals(&t, &s->totals);
	generation_close(&t);
	if (err < 0)
		return err;
	err = generation_open_pending(&t, a, state.generation);
	if (!err) {
		s->pending = true;
		generation_close(&t);
	} else if (err != -ENOENT) {
		return err;
	}
	err = account_hooks(a, add_hook, s);
	qsort(s->hooks, s->n_hooks, sizeof(*s->hooks), by_name);
	if (!err)
		err = account_missed(a, &s->missed_events);
	s->missed_known = !err;
	return err == -EPERM || err == -EACCES || err == -ENOENT ? 0 : err;
}

int status_take(struct status *s, const struct account *a)
{
	int err, tries = 0;

	do
		err = try_to_take(s, a);
	while (err == -EAGAIN && ++tries < 10);
	if (!err && damage_find(a->pin_dir, s->damage) <= 0)
		*s->damage = '\0';
	return fail(err);
}

double status_cost(const struct status *s)
{
	__u64 runs = 0, ns = 0;

	for (size_t i = 0; i < s->n_hooks; i++) {
		runs += s->hooks[i].stats.runs;
		ns += s->hooks[i].stats.run_ns;
	}
	return runs ? (double)ns / runs : 0;
}
