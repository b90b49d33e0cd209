// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "columns.h"
#include "counters.h"
#include "pins.h"
#include "ranking.h"

/* A table does not wait longer for names. */
#define RESOLVE_MS 2000

/* Among rows that did not move, or are of one name. */
static int compare_sums(const struct row *a, const struct row *b)
{
	__u64 x = a->counters.tx_bytes + a->counters.rx_bytes;
	__u64 y = b->counters.tx_bytes + b->counters.rx_bytes;

	return (x < y) - (x > y);
}

static int compare(const void *a, const void *b, void *arg)
{
	struct report *r = arg;
	__u64 x, y;
	int order;

	if (r->view->sort) {
		order = column_compare(r, r->view->sort, a, b);
	} else {
		x = report_weight(r, a);
		y = report_weight(r, b);
		order = (x < y) - (x > y);
	}
	if (r->view->reverse)
		order = -order;
	return order ?: compare_sums(a, b) ?: report_compare(a, b);
}

static void add_rest(struct ranking *k, const struct row *row)
{
	k->n_rest++;
	counters_add(&k->rest, &row->counters);
	counters_add(&k->rest_moved, &row->moved);
}

/* Leaves the first rows, in order. */
static void cut(struct ranking *k)
{
	size_t limit = k->report->view->rows;

	if (k->n)
		qsort_r(k->rows, k->n, sizeof(*k->rows), compare, k->report);
	while (k->n > limit)
		add_rest(k, &k->rows[--k->n]);
	k->full = k->n == limit;
}

static int grow(struct ranking *k)
{
	size_t room = k->room ? 2 * k->room : 64;
	struct row *rows = reallocarray(k->rows, room, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	k->rows = rows;
	k->room = room;
	return 0;
}

static int add(void *arg, const struct row *row)
{
	struct ranking *k = arg;
	size_t limit = k->report->view->rows;
	int error = 0;

	if (row->finished && !k->finished)
		return 0;
	if (!limit || (k->full && compare(row, &k->rows[limit - 1], k->report) > 0)) {
		add_rest(k, row);
		return 0;
	}
	/* Twice the limit at most, so that each cut pays for as many rows as it leaves. */
	if (k->n / 2 >= limit)
		cut(k);
	if (k->n == k->room)
		error = grow(k);
	if (!error)
		k->rows[k->n++] = *row;
	return error;
}

int ranking_make(struct ranking *k, struct report *report, bool finished)
{
	int error;

	*k = (struct ranking){ .report = report, .finished = finished };
	error = report_rows(report, add, k);
	if (error < 0)
		ranking_free(k);
	else
		cut(k);
	return fail(error);
}

void ranking_free(struct ranking *k)
{
	free(k->rows);
	k->rows = NULL;
}

void ranking_resolve(struct ranking *k)
{
	struct hosts *hosts = k->report->names->hosts;

	if (!hosts)
		return;
	for (size_t i = 0; i < k->n; i++)
		if (k->rows[i].flow.flags & FLOW_CONNECTED)
			(void)hosts_want(hosts, k->rows[i].flow.remote_address);
	hosts_wait(hosts, RESOLVE_MS);
}
