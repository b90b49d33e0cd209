// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "pins.h"
#include "text.h"

struct reader {
	struct place place;
	struct document *documents;
	size_t n;
	size_t n_restored; /* the first of them */
	__u64 restored_at_ns;
};

static bool same_account(const struct document *a, const struct document *b)
{
	return mark_is(&a->account, &b->account);
}

static struct document *find(struct reader *r, const struct document *d)
{
	for (size_t i = 0; i < r->n; i++)
		if (same_account(&r->documents[i], d) &&
		    r->documents[i].generation == d->generation)
			return &r->documents[i];
	return NULL;
}

static int contradiction(const struct reader *r, const struct document *d, const char *why)
{
	snprintf(r->place.what, SAVED_WHAT, "document %zu, generation %" PRIu64 ": %s",
		 r->place.document, (uint64_t)d->generation, why);
	return -EPROTO;
}

/* Takes d's rows over, or drops them. */
static int add_reading(struct reader *r, struct document *d)
{
	struct document *same = find(r, d), *more;

	if (same && same < r->documents + r->n_restored) {
		if (!same->whole)
			return contradiction(r, d, "it was restored as it was before");
		document_drop_rows(d);
		return 0;
	}
	if (same) {
		document_drop_rows(same);
		*same = *d;
		return 0;
	}
	more = reallocarray(r->documents, r->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->documents = more;
	r->documents[r->n++] = *d;
	return 0;
}

static void add_mark(struct reader *r, const struct document *mark)
{
	for (size_t i = r->n_restored; i < r->n; i++)
		document_drop_rows(&r->documents[i]);
	r->n_restored = r->n;
	r->restored_at_ns = mark->restored_at_ns;
}

static int read_all(struct reader *r, FILE *f)
{
	struct document d;
	int err;

	for (;;) {
		err = document_read(&d, f, &r->place);
		if (err <= 0)
			return err;
		if (d.is_mark) {
			add_mark(r, &d);
			continue;
		}
		err = add_reading(r, &d);
		if (err < 0) {
			document_drop_rows(&d);
			return err;
		}
	}
}

/*
 * While a reset did not finish its output, a reading has two generations in it,
 * and begins when the first began.
 */
static int check_overlap(const struct reader *r, const struct document *d)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct document *before = &r->documents[i];

		if (!d->whole && same_account(d, before) &&
		    before->generation + 1 == d->generation &&
		    before->began_at_ns == d->began_at_ns)
			return contradiction(r, d, "the one before may be in it, and is there too");
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct saved_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key)) ?: strcmp(x->cgroup ?: "", y->cgroup ?: "");
}

static __u64 earlier(__u64 a, __u64 b)
{
	return !a || (b && b < a) ? b : a;
}

static __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* A path that was read when the cgroup was there is longer than what was noted of it. */
static bool merge(struct saved_row *to, struct saved_row *from)
{
	char *cgroup = to->cgroup;

	if (from->cgroup && (!cgroup || strlen(cgroup) < strlen(from->cgroup))) {
		to->cgroup = from->cgroup;
		from->cgroup = cgroup;
	}
	to->f.first_seen_ns = earlier(to->f.first_seen_ns, from->f.first_seen_ns);
	to->f.last_seen_ns = later(to->f.last_seen_ns, from->f.last_seen_ns);
	to->f.exited_ns = later(to->f.exited_ns, from->f.exited_ns);
	return document_add(&to->f.processes, &from->f.processes, sizeof(to->f.processes)) &&
	       document_add(&to->f.traffic, &from->f.traffic, sizeof(to->f.traffic));
}

static bool merge_same(struct saved *s)
{
	bool one_boot = *s->boot_id, fits = true;
	size_t n = 0;

	if (s->n)
		qsort(s->rows, s->n, sizeof(*s->rows), compare);
	for (size_t i = 0; i < s->n; i++) {
		struct saved_row *row = &s->rows[i], *last = n ? &s->rows[n - 1] : NULL;

		if (last && (one_boot ? memcmp(&last->key, &row->key, sizeof(row->key))
				      : compare(last, row)) == 0) {
			fits = fits && merge(last, row);
			free(row->cgroup);
		} else {
			s->rows[n++] = *row;
		}
	}
	s->n = n;
	return fits;
}

static bool sum_up(struct saved *s)
{
	bool fits = true;

	s->total = s->no_row;
	for (size_t i = 0; fits && i < s->n; i++) {
		const struct traffic *t = &s->rows[i].f.traffic;

		fits = document_add_traffic(&s->total, t) &&
		       document_add(&s->packet, &t->protocols.packet, sizeof(s->packet));
	}
	return fits;
}

/* When it began, which boot it is of, and whether it fits together. */
static int look_through(const struct reader *r, struct saved *s, size_t *rows)
{
	int err = 0;

	*rows = 0;
	for (size_t i = r->n_restored; !err && i < r->n; i++) {
		const struct document *d = &r->documents[i];

		err = check_overlap(r, d);
		if (i == r->n_restored)
			s->scope = d->scope;
		if (!err && d->scope != s->scope)
			err = contradiction(r, d,
					    "it was counted with other --user or --cgroup "
					    "than the one before");
		if (i == r->n_restored)
			memcpy(s->boot_id, d->account.boot_id, sizeof(s->boot_id));
		else if (strcmp(s->boot_id, d->account.boot_id) != 0)
			*s->boot_id = '\0';
		s->since_ns = earlier(s->since_ns, d->since_ns);
		*rows += d->n;
	}
	return err;
}

static int nothing(const struct reader *r)
{
	char time[TEXT_TIME_LEN];

	if (!r->n) {
		snprintf(r->place.what, SAVED_WHAT, "there is nothing in it");
		return -ENODATA;
	}
	snprintf(r->place.what, SAVED_WHAT, "all of it was restored at %s",
		 text_time(time, r->restored_at_ns));
	return -EALREADY;
}

static int gather(struct reader *r, struct saved *s)
{
	bool fits = true;
	size_t rows;
	int err;

	if (r->n_restored == r->n)
		return nothing(r);
	err = look_through(r, s, &rows);
	if (err < 0)
		return err;
	s->rows = calloc(rows + 1, sizeof(*s->rows));
	if (!s->rows)
		return -ENOMEM;
	for (size_t i = r->n_restored; i < r->n; i++) {
		struct document *d = &r->documents[i];

		memcpy(s->rows + s->n, d->rows, d->n * sizeof(*d->rows));
		s->n += d->n;
		d->n = 0;
		fits = fits && document_add(&s->no_row, &d->no_row, sizeof(s->no_row));
	}
	for (size_t i = 0; !*s->boot_id && i < s->n; i++)
		s->rows[i].key.cgroup_id = s->rows[i].key.netns = 0;
	fits = merge_same(s) && fits;
	return fits && sum_up(s) ? 0 : document_too_large(&r->place);
}

int saved_read(struct saved *s, FILE *f, char what[SAVED_WHAT])
{
	struct reader r = { .place.what = what };
	int err;

	*s = (struct saved){};
	snprintf(what, SAVED_WHAT, "there is not enough memory");
	err = read_all(&r, f);
	if (!err)
		err = gather(&r, s);
	s->restored_at_ns = r.restored_at_ns;
	for (size_t i = 0; i < r.n; i++)
		document_drop_rows(&r.documents[i]);
	free(r.documents);
	if (err < 0)
		saved_free(s);
	return fail(err);
}

void saved_free(struct saved *s)
{
	document_free_rows(s->rows, s->n);
	s->rows = NULL;
	s->n = 0;
}
