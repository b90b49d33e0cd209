// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "counters.h"
#include "pins.h"
#include "reading.h"

#define BATCH 1024
#define TRIES 1000

static void nap(void)
{
	const struct timespec t = { .tv_nsec = 1000000 };

	nanosleep(&t, NULL);
}

/*
 * Hands out a hash map row by row. The kernel walks it bucket by bucket: rows
 * that come or go meanwhile are seen or not, all others exactly once. A bucket
 * that is longer than our room asks for more room (ENOSPC).
 */
static int each_row(int fd, size_t key_size, size_t value_size,
		    int (*each)(void *arg, const void *key, const void *value), void *arg)
{
	char *keys = NULL, *values = NULL;
	__u32 position, *in = NULL, room = BATCH, n;
	int err = 0, last = 0;

	while (!last && !err) {
		if (!keys) {
			keys = malloc(room * key_size);
			values = malloc(room * value_size);
			if (!keys || !values) {
				err = -ENOMEM;
				break;
			}
		}
		n = room;
		err = bpf_map_lookup_batch(fd, in, &position, keys, values, &n, NULL);
		if (err == -ENOSPC) {
			free(keys);
			free(values);
			keys = values = NULL;
			room *= 2;
			err = 0;
			continue;
		}
		last = err == -ENOENT;
		if (err == -ENOENT || err == -EINTR)
			err = 0;
		for (__u32 i = 0; !err && i < n; i++)
			err = each(arg, keys + i * key_size, values + i * value_size);
		in = &position;
	}
	free(keys);
	free(values);
	return err;
}

/* Room for one more element of an array; it doubles. */
static void *grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1) || (n && n < 64))
		return array;
	return reallocarray(array, n ? 2 * n : 64, size);
}

static int add_process(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct process_row *rows = grow(r->processes, r->n_processes, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	r->processes = rows;
	rows += r->n_processes++;
	memcpy(&rows->key, key, sizeof(rows->key));
	memcpy(&rows->p, value, sizeof(rows->p));
	return 0;
}

static int add_finished(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct finished_row *rows = grow(r->finished, r->n_finished, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	r->finished = rows;
	rows += r->n_finished++;
	memcpy(&rows->key, key, sizeof(rows->key));
	memcpy(&rows->f, value, sizeof(rows->f));
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct process_key *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

static int compare_finished(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct finished_key));
}

/* A row of two generations: what it moved is added up, who it is the newer one knows. */
static void merge_process(struct process *to, const struct process *from)
{
	struct process newer = to->last_seen_ns >= from->last_seen_ns ? *to : *from;

	newer.first_seen_ns =
		to->first_seen_ns < from->first_seen_ns ? to->first_seen_ns : from->first_seen_ns;
	newer.exited_ns = to->exited_ns ? to->exited_ns : from->exited_ns;
	newer.traffic = to->traffic;
	newer.other_flows = to->other_flows;
	traffic_add(&newer.traffic, &from->traffic);
	counters_add(&newer.other_flows, &from->other_flows);
	*to = newer;
}

static void merge_finished(struct finished *to, const struct finished *from)
{
	to->processes += from->processes;
	if (from->first_seen_ns < to->first_seen_ns)
		to->first_seen_ns = from->first_seen_ns;
	if (from->last_seen_ns > to->last_seen_ns)
		to->last_seen_ns = from->last_seen_ns;
	if (from->exited_ns > to->exited_ns)
		to->exited_ns = from->exited_ns;
	traffic_add(&to->traffic, &from->traffic);
}

static void sort_rows(struct reading *r)
{
	size_t n = 0;

	if (r->n_processes)
		qsort(r->processes, r->n_processes, sizeof(*r->processes), compare_keys);
	for (size_t i = 0; i < r->n_processes; i++) {
		if (n && compare_keys(&r->processes[n - 1], &r->processes[i]) == 0)
			merge_process(&r->processes[n - 1].p, &r->processes[i].p);
		else
			r->processes[n++] = r->processes[i];
	}
	r->n_processes = n;
	n = 0;
	if (r->n_finished)
		qsort(r->finished, r->n_finished, sizeof(*r->finished), compare_finished);
	for (size_t i = 0; i < r->n_finished; i++) {
		if (n && compare_finished(&r->finished[n - 1], &r->finished[i]) == 0)
			merge_finished(&r->finished[n - 1].f, &r->finished[i].f);
		else
			r->finished[n++] = r->finished[i];
	}
	r->n_finished = n;
}

/* finished as it is between two folds; they are rare, and quick. */
static int read_finished_between(struct reading *r, int fd, __u64 *folds)
{
	struct state before = {}, after = {};
	int err;

	for (int i = 0; i < TRIES; i++) {
		err = account_state(r->account, &before);
		if (err < 0)
			return err;
		*folds = before.folds_begun;
		if (before.folds_done == *folds) {
			r->n_finished = 0;
			err = each_row(fd, sizeof(struct finished_key), sizeof(struct finished),
				       add_finished, r);
			if (!err)
				err = account_state(r->account, &after);
			if (err < 0 || after.folds_begun == *folds)
				return err;
		}
		nap();
	}
	return -EAGAIN;
}

/* Takes the row of a process that was folded out of the rows, if it was read before that. */
static void drop_folded(struct reading *r, struct process_key key)
{
	struct process_row *row;

	if (key.zero != (__u32)r->generation)
		return;
	key.zero = 0;
	row = (struct process_row *)reading_process(r, &key);
	if (row)
		memmove(row, row + 1, (char *)(r->processes + --r->n_processes) - (char *)row);
}

/*
 * Rows of processes move to finished when room is needed. Rows are read first:
 * those that moved between, by the numbers, were perhaps read in both places.
 * -EAGAIN if they were too many to tell.
 */
static int read_newest(struct reading *r, const struct tables *t)
{
	struct process_key key;
	struct state before = {};
	__u64 begun, end;
	__u32 place;
	int err;

	err = account_state(r->account, &before);
	if (err < 0)
		return err;
	begun = end = before.folds_done;
	err = each_row(t->processes, sizeof(struct process_key), sizeof(struct process),
		       add_process, r);
	if (!err)
		err = read_finished_between(r, t->finished, &end);
	if (err < 0)
		return err;
	sort_rows(r);
	if (end - begun >= FOLDED_KEYS / 2)
		return -EAGAIN;
	for (; begun != end && !err; begun++) {
		place = begun % FOLDED_KEYS;
		err = bpf_map_lookup_elem(r->account->folded, &place, &key);
		if (!err)
			drop_folded(r, key);
	}
	return err;
}

/* Nobody writes to it any more. */
static int read_retired(struct reading *r, const struct tables *t)
{
	int err;

	err = each_row(t->processes, sizeof(struct process_key), sizeof(struct process),
		       add_process, r);
	if (!err)
		err = each_row(t->finished, sizeof(struct finished_key), sizeof(struct finished),
			       add_finished, r);
	if (!err)
		sort_rows(r);
	return err;
}

static int read_tables(struct reading *r)
{
	struct state now = {};
	int err;

	err = account_state(r->account, &now);
	for (int i = 0; !err && i < r->n_tables; i++)
		err = generation_totals(&r->tables[i], &r->totals);
	if (!err && r->generation == now.generation)
		err = read_newest(r, &r->tables[0]);
	else if (!err)
		err = read_retired(r, &r->tables[0]);
	if (!err && r->n_tables == 2)
		err = read_retired(r, &r->tables[1]);
	return err;
}

static int begin(struct reading *r, const struct account *a)
{
	struct timespec t;

	*r = (struct reading){ .account = a };
	clock_gettime(CLOCK_REALTIME, &t);
	r->taken_at_ns = t.tv_sec * 1000000000ULL + t.tv_nsec;
	return account_missed(a, &r->missed_events);
}

static void name_generation(struct reading *r)
{
	r->generation = r->tables[0].generation.number;
	r->began_at_ns = r->tables[r->n_tables - 1].generation.began_at_ns;
}

static int try_to_take(struct reading *r, const struct account *a)
{
	struct state now = {};
	int err;

	err = begin(r, a);
	if (!err)
		err = account_state(a, &now);
	if (!err)
		err = generation_open(&r->tables[0], a, now.generation);
	if (err < 0)
		return err == -ENOENT ? -EAGAIN : err;
	r->n_tables = 1;
	err = generation_open_pending(&r->tables[1], a, now.generation);
	if (!err)
		r->n_tables = 2;
	else if (err != -ENOENT)
		return err;
	name_generation(r);
	return read_tables(r);
}

int reading_take(struct reading *r, const struct account *a)
{
	int err, tries = 0;

	do {
		err = try_to_take(r, a);
		if (err < 0)
			reading_free(r);
	} while (err == -EAGAIN && ++tries < 10);
	return fail(err);
}

int reading_take_tables(struct reading *r, const struct account *a, struct tables *t)
{
	int err;

	err = begin(r, a);
	r->tables[0] = *t;
	r->n_tables = 1;
	name_generation(r);
	if (!err)
		err = read_tables(r);
	if (err < 0)
		reading_free(r);
	return fail(err);
}

void reading_free(struct reading *r)
{
	for (int i = 0; i < r->n_tables; i++)
		generation_close(&r->tables[i]);
	r->n_tables = 0;
	free(r->processes);
	free(r->finished);
	r->processes = NULL;
	r->finished = NULL;
	r->n_processes = r->n_finished = 0;
}

const struct process_row *reading_process(const struct reading *r, const struct process_key *key)
{
	if (!r->n_processes)
		return NULL;
	return bsearch(key, r->processes, r->n_processes, sizeof(*r->processes), compare_keys);
}

struct flow_walk {
	const struct reading *r;
	int other; /* a map whose row of the same key is added, or -1 */
	int known; /* a map whose rows were handed out already, or -1 */
	int (*each)(void *arg, const struct flow_key *key, const struct flow *flow,
		    const struct process_row *process);
	void *arg;
};

static int one_flow(void *arg, const void *key, const void *value)
{
	const struct flow_walk *w = arg;
	const struct process_row *process;
	struct flow_key k;
	struct flow f, g;

	memcpy(&k, key, sizeof(k));
	memcpy(&f, value, sizeof(f));
	process = reading_process(w->r, &k.process);
	if (!process || (w->known >= 0 && bpf_map_lookup_elem(w->known, &k, &g) == 0))
		return 0;
	if (w->other >= 0 && bpf_map_lookup_elem(w->other, &k, &g) == 0) {
		counters_add(&f.counters, &g.counters);
		f.first_seen_ns = g.first_seen_ns;
	}
	return w->each(w->arg, &k, &f, process);
}

int reading_flows(const struct reading *r,
		  int (*each)(void *arg, const struct flow_key *key, const struct flow *flow,
			      const struct process_row *process),
		  void *arg)
{
	struct flow_walk w = { .r = r, .each = each, .arg = arg };
	int err = 0;

	for (int i = 0; !err && i < r->n_tables; i++) {
		w.other = !i && r->n_tables == 2 ? r->tables[1].flows : -1;
		w.known = i ? r->tables[0].flows : -1;
		err = each_row(r->tables[i].flows, sizeof(struct flow_key), sizeof(struct flow),
			       one_flow, &w);
	}
	return fail(err);
}
