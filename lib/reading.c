// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "clock.h"
#include "counters.h"
#include "pins.h"
#include "reading.h"

#define TRIES 1000
#define WALKS 10

static void nap(void)
{
	const struct timespec t = { .tv_nsec = 1000000 };

	nanosleep(&t, NULL);
}

/* By doubling. */
void *reading_grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1) || (n && n < 64))
		return array;
	return reallocarray(array, n ? 2 * n : 64, size);
}

static int add_process(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct process_row *rows = reading_grow(r->processes, r->n_processes, sizeof(*rows));

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
	struct finished_row *rows = reading_grow(r->finished, r->n_finished, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	r->finished = rows;
	rows += r->n_finished++;
	memcpy(&rows->key, key, sizeof(rows->key));
	memcpy(&rows->f, value, sizeof(rows->f));
	return 0;
}

int reading_order(const struct process_key *a, const struct process_key *b)
{
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

/* Rows and places begin with their keys. */
static int compare_keys(const void *a, const void *b)
{
	return reading_order(a, b);
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

/* What is sorted instead of rows, which are large. */
struct place {
	struct process_key key;
	size_t row;
};

/* Rows that have each other's places make circles: each moves on by one in its own. */
static void put_in_order(struct process_row *rows, struct place *places, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct process_row first = rows[i];
		size_t at = i, from;

		for (; (from = places[at].row) != i; at = from) {
			rows[at] = rows[from];
			places[at].row = at;
		}
		rows[at] = first;
		places[at].row = at;
	}
}

/* Rows of the same key are of two generations, or one was read twice. */
static size_t merge_rows(struct process_row *rows, size_t n, bool generations)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (!m || compare_keys(&rows[m - 1], &rows[i]) != 0)
			rows[m++] = rows[i];
		else if (generations)
			merge_process(&rows[m - 1].p, &rows[i].p);
	}
	return m;
}

static int sort_processes(struct reading *r, bool generations)
{
	size_t n = r->n_processes;
	struct process_key *keys = reallocarray(r->keys, n + 1, sizeof(*keys));
	struct place *places = reallocarray(NULL, n + 1, sizeof(*places));

	r->keys = keys ?: r->keys;
	if (!keys || !places) {
		free(places);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){ r->processes[i].key, i };
	qsort(places, n, sizeof(*places), compare_keys);
	put_in_order(r->processes, places, n);
	free(places);
	n = merge_rows(r->processes, n, generations);
	for (size_t i = 0; i < n; i++)
		keys[i] = r->processes[i].key;
	r->n_processes = n;
	return 0;
}

static void sort_finished(struct reading *r, bool generations)
{
	size_t n = 0;

	if (r->n_finished)
		qsort(r->finished, r->n_finished, sizeof(*r->finished), compare_finished);
	for (size_t i = 0; i < r->n_finished; i++) {
		if (!n || compare_finished(&r->finished[n - 1], &r->finished[i]) != 0)
			r->finished[n++] = r->finished[i];
		else if (generations)
			finished_add(&r->finished[n - 1].f, &r->finished[i].f);
	}
	r->n_finished = n;
}

static int sort_rows(struct reading *r, bool generations)
{
	sort_finished(r, generations);
	return sort_processes(r, generations);
}

/*
 * The rows of processes, and how many were folded before. A walk through a file
 * may lose its way where rows are deleted meanwhile, and is made again.
 */
static int read_processes(struct reading *r, const struct rows *rows, __u64 *folds)
{
	struct state before = {}, after = {};
	int err;

	for (int i = 0; i < WALKS; i++) {
		err = account_state(r->account, &before);
		if (err < 0)
			return err;
		*folds = before.folds_done;
		r->n_processes = 0;
		err = rows_each(rows, add_process, r);
		if (err < 0 || rows->batch)
			return err;
		err = account_state(r->account, &after);
		if (err < 0 || after.folds_begun == *folds)
			return err;
	}
	return 0;
}

/* finished as it is between two folds; they are rare, and quick. */
static int read_finished_between(struct reading *r, const struct rows *rows, __u64 *folds)
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
			err = rows_each(rows, add_finished, r);
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
	const struct process_row *row;
	size_t at;

	if (key.zero != (__u32)r->generation)
		return;
	key.zero = 0;
	row = reading_process(r, &key);
	if (!row)
		return;
	at = row - r->processes;
	r->n_processes--;
	memmove(&r->processes[at], row + 1, (r->n_processes - at) * sizeof(*row));
	memmove(&r->keys[at], &r->keys[at + 1], (r->n_processes - at) * sizeof(*r->keys));
}

static int copy_key(void *arg, const void *key, const void *value)
{
	struct process_key *keys = arg;
	__u32 place;

	memcpy(&place, key, sizeof(place));
	memcpy(&keys[place % FOLDED_KEYS], value, sizeof(*keys));
	return 0;
}

static int drop_all_folded(struct reading *r, __u64 begun, __u64 end)
{
	struct process_key *keys = calloc(FOLDED_KEYS, sizeof(*keys));
	int err;

	if (!keys)
		return -ENOMEM;
	err = rows_each(&r->account->folded, copy_key, keys);
	for (; !err && begun != end; begun++)
		drop_folded(r, keys[begun % FOLDED_KEYS]);
	free(keys);
	return err;
}

/*
 * Rows of processes move to finished when room is needed. Rows are read first:
 * those that moved between, by the numbers, were perhaps read in both places.
 * -EAGAIN if they were too many to tell.
 */
static int read_newest(struct reading *r, const struct tables *t)
{
	__u64 begun = 0, end = 0;
	int err;

	err = read_processes(r, &t->processes, &begun);
	if (!err)
		err = read_finished_between(r, &t->finished, &end);
	if (err < 0)
		return err;
	err = sort_rows(r, false);
	if (err < 0)
		return err;
	if (end - begun >= FOLDED_KEYS / 2)
		return -EAGAIN;
	return begun == end ? 0 : drop_all_folded(r, begun, end);
}

/* Nobody writes to it any more. */
static int read_retired(struct reading *r, const struct tables *t)
{
	int err;

	err = rows_each(&t->processes, add_process, r);
	if (!err)
		err = rows_each(&t->finished, add_finished, r);
	if (!err)
		err = sort_rows(r, true);
	return err;
}

/*
 * First, as what finds no row goes to its process. Where that was removed, flows are
 * short; what processes moved is known all the same.
 */
static int settle_flows(const struct account *a)
{
	int err = a->meta.flags & META_FLOWS ? rows_run_pin(a->pin_dir, PIN_SETTLED) : 0;

	return err == -ENOENT ? 0 : err;
}

static int read_tables(struct reading *r)
{
	struct state now = {};
	int err;

	err = settle_flows(r->account);
	if (!err)
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
	int err;

	*r = (struct reading){ .account = a, .taken_at_ns = clock_ns(CLOCK_REALTIME) };
	err = account_missed(a, &r->missed_events);
	r->missed_known = !err;
	/* Without the hooks, what they counted can be read all the same. */
	return err == -EPERM || err == -EACCES || err == -ENOENT ? 0 : err;
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
	free(r->keys);
	free(r->finished);
	free(r->flows);
	r->processes = NULL;
	r->keys = NULL;
	r->finished = NULL;
	r->flows = NULL;
	r->n_processes = r->n_finished = 0;
}

const struct process_row *reading_process(const struct reading *r, const struct process_key *key)
{
	const struct process_key *found = NULL;

	if (r->n_processes)
		found = bsearch(key, r->keys, r->n_processes, sizeof(*r->keys), compare_keys);
	return found ? &r->processes[found - r->keys] : NULL;
}

struct flow_row {
	struct flow_key key;
	struct flow f;
	bool handed_out;
};

struct flow_walk {
	const struct reading *r;
	struct flow_row *before; /* of the generation before, sorted */
	size_t n_before;
	__u64 *seen; /* which rows of a file were handed out, by a hash */
	size_t n_seen;
	int (*each)(void *arg, const struct flow_key *key, const struct flow *flow,
		    const struct process_row *process);
	void *arg;
};

static int compare_flows(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct flow_key));
}

static int add_flow(void *arg, const void *key, const void *value)
{
	struct flow_walk *w = arg;
	struct flow_row *rows = reading_grow(w->before, w->n_before, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	w->before = rows;
	rows += w->n_before++;
	memcpy(&rows->key, key, sizeof(rows->key));
	memcpy(&rows->f, value, sizeof(rows->f));
	rows->handed_out = false;
	return 0;
}

static int hand_out(const struct flow_walk *w, const struct flow_key *key, const struct flow *flow)
{
	const struct process_row *process = reading_process(w->r, &key->process);

	return process ? w->each(w->arg, key, flow, process) : 0;
}

/* That two rows have the same is as good as impossible. */
static __u64 hash(const struct flow_key *key)
{
	__u64 h = key->flow * 0x9e3779b97f4a7c15ULL;

	return ((h ^ key->process.pid) * 0x9e3779b97f4a7c15ULL) ^ key->process.start_ns;
}

static int compare_hashes(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int one_flow(void *arg, const void *key, const void *value)
{
	struct flow_walk *w = arg;
	struct flow_row *before = NULL;
	struct flow_key k;
	struct flow f;

	memcpy(&k, key, sizeof(k));
	memcpy(&f, value, sizeof(f));
	if (w->n_before)
		before = bsearch(&k, w->before, w->n_before, sizeof(*before), compare_flows);
	if (before) {
		counters_add(&f.counters, &before->f.counters);
		f.first_seen_ns = before->f.first_seen_ns;
		before->handed_out = true;
	}
	return hand_out(w, &k, &f);
}

static int flow_of_file(void *arg, const void *key, const void *value)
{
	struct flow_walk *w = arg;
	__u64 *seen = reading_grow(w->seen, w->n_seen, sizeof(*seen));
	struct flow_key k;

	if (!seen)
		return -ENOMEM;
	w->seen = seen;
	memcpy(&k, key, sizeof(k));
	seen[w->n_seen++] = hash(&k);
	return one_flow(arg, key, value);
}

static int missed_flow(void *arg, const void *key, const void *value)
{
	const struct flow_walk *w = arg;
	struct flow_key k;
	__u64 h;

	memcpy(&k, key, sizeof(k));
	h = hash(&k);
	if (w->n_seen && bsearch(&h, w->seen, w->n_seen, sizeof(h), compare_hashes))
		return 0;
	return one_flow(arg, key, value);
}

/* Rows are only deleted where there is no room for one. */
static int may_have_folded(const struct flow_walk *w)
{
	__u32 max = w->r->account->meta.max_flows;
	struct totals totals = {};
	int err = generation_totals(&w->r->tables[0], &totals);

	return err < 0 ? err : totals.flow_rows >= max - max / 8;
}

/* A walk through a file may leave rows out where others are deleted: a second one finds them. */
static int newest_flows(struct flow_walk *w)
{
	const struct rows *rows = &w->r->tables[0].flows;
	int err;

	if (rows->batch)
		return rows_each(rows, one_flow, w);
	err = rows_each(rows, flow_of_file, w);
	if (!err)
		err = may_have_folded(w);
	if (err <= 0)
		return err;
	if (w->n_seen)
		qsort(w->seen, w->n_seen, sizeof(*w->seen), compare_hashes);
	return rows_each(rows, missed_flow, w);
}

struct kept_flow {
	struct flow_key key;
	struct flow f;
	const struct process_row *process;
};

static int keep_flow(void *arg, const struct flow_key *key, const struct flow *flow,
		     const struct process_row *process)
{
	struct reading *r = arg;
	struct kept_flow *flows = reading_grow(r->flows, r->n_flows, sizeof(*flows));

	if (!flows)
		return -ENOMEM;
	r->flows = flows;
	flows[r->n_flows++] = (struct kept_flow){ *key, *flow, process };
	return 0;
}

static int hand_out_kept(const struct flow_walk *w)
{
	const struct kept_flow *flow = w->r->flows, *end = flow + w->r->n_flows;
	int err = 0;

	for (; !err && flow < end; flow++)
		err = w->each(w->arg, &flow->key, &flow->f, flow->process);
	return err;
}

int reading_flows(const struct reading *r,
		  int (*each)(void *arg, const struct flow_key *key, const struct flow *flow,
			      const struct process_row *process),
		  void *arg)
{
	struct flow_walk w = { .r = r, .each = each, .arg = arg };
	int err = 0;

	if (r->flows)
		return fail(hand_out_kept(&w));
	if (r->n_tables == 2)
		err = rows_each(&r->tables[1].flows, add_flow, &w);
	if (w.n_before)
		qsort(w.before, w.n_before, sizeof(*w.before), compare_flows);
	if (!err)
		err = newest_flows(&w);
	for (size_t i = 0; !err && i < w.n_before; i++)
		if (!w.before[i].handed_out)
			err = hand_out(&w, &w.before[i].key, &w.before[i].f);
	free(w.before);
	free(w.seen);
	return fail(err);
}

int reading_keep_flows(struct reading *r)
{
	struct reading kept = *r;
	int err;

	kept.flows = NULL;
	kept.n_flows = 0;
	err = reading_flows(r, keep_flow, &kept);
	/* None at all is known, too. */
	if (!err && !kept.flows)
		kept.flows = malloc(sizeof(*kept.flows));
	if (!err && !kept.flows)
		err = -ENOMEM;
	if (err < 0) {
		free(kept.flows);
		return fail(err);
	}
	free(r->flows);
	*r = kept;
	return 0;
}
