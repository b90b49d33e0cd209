// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols/libsmartcols.h>

#include "columns.h"
#include "counters.h"
#include "pins.h"
#include "ranking.h"
#include "table.h"

struct table {
	struct report *report;
	struct libscols_table *cells;
	struct view view; /* with the columns that are shown */
	size_t label;	  /* the column that names what a sum at the end is of */
};

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *fmt, ...)
{
	char *s;
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vasprintf(&s, fmt, ap);
	va_end(ap);
	return length < 0 ? NULL : s;
}

char *table_bytes(const struct report *r, __u64 bytes)
{
	char size[TEXT_SIZE_LEN];

	if (r->view->bytes)
		return format("%" PRIu64, (uint64_t)bytes);
	return strdup(text_size(size, bytes));
}

static bool is_counter(const struct column *column)
{
	return column->id >= COLUMN_TX_BYTES && column->id <= COLUMN_RX_CALLS;
}

static bool is_rate(const struct column *column)
{
	return column->id == COLUMN_TX_RATE || column->id == COLUMN_RX_RATE;
}

/* As ip and tc print rates. */
static char *format_bits(const struct report *r, __u64 bytes)
{
	static const char *const units[] = { "", "K", "M", "G", "T", "P", "E", "Z" };
	double bits = 8.0 * bytes;
	int unit = 0;

	if (r->view->bytes)
		return format("%.0fbit", bits);
	for (; bits >= 999.5; unit++)
		bits /= 1000;
	return format(bits < 9.95 && unit ? "%.1f%sbit" : "%.0f%sbit", bits, units[unit]);
}

static char *format_counters(const struct report *r, const struct counters *c)
{
	char *tx = table_bytes(r, c->tx_bytes), *rx = table_bytes(r, c->rx_bytes), *both = NULL;

	if (tx && rx)
		both = format("%s/%s", tx, rx);
	free(tx);
	free(rx);
	return both;
}

static char *format_protocols(const struct traffic *t)
{
	char *list = strdup(""), *longer;

	for (int i = 0; list && i < PROTOCOLS; i++) {
		struct counters c = traffic_protocol(t, i);

		if (counters_zero(&c))
			continue;
		longer = format("%s%s%s", list, *list ? "," : "", text_protocol(i));
		free(list);
		list = longer;
	}
	return list;
}

static char *format_text(const struct view *view, const struct row *row,
			 const struct column *column, const struct value *value)
{
	bool exited = row->process && row->process->p.exited_ns;

	/* What reads this reads the column "exited", too. */
	if (view->raw)
		return strdup(value->text);
	if (column->id == COLUMN_COMM)
		return format("%s%s", value->text, exited ? " (exited)" : "");
	/* A sniffer's copies are no traffic: the rows without this one make the total. */
	if (column->id == COLUMN_PROTOCOL && row->protocol == PROTOCOL_PACKET)
		return format("%s (not in total)", value->text);
	return strdup(value->text);
}

char *table_cell(struct report *r, const struct row *row, const struct column *column)
{
	char time[TEXT_TIME_LEN];
	struct value v;

	column_get(r, row, column, &v);
	if (column->id == COLUMN_USER && (!v.known || r->view->numeric))
		return format("%" PRIu32, (uint32_t)row->uid);
	if (column->id == COLUMN_REMOTE_ADDRESS && v.known && r->view->resolve)
		v.text = names_host(r->names, row->flow.remote_address) ?: v.text;
	if (!v.known)
		return strdup("-");
	switch (column->kind) {
	case COLUMN_TEXT:
		return format_text(r->view, row, column, &v);
	case COLUMN_BOOL:
		return strdup(v.number ? "yes" : "no");
	case COLUMN_BYTES:
		return r->view->bits && is_rate(column) ? format_bits(r, v.number)
							: table_bytes(r, v.number);
	case COLUMN_TIME:
		return strdup(text_time(time, v.number));
	case COLUMN_COUNTERS:
		return format_counters(r, &v.counters);
	case COLUMN_PROTOCOLS:
		return format_protocols(v.traffic);
	default:
		return format("%" PRIu64, (uint64_t)v.number);
	}
}

/* Takes text over. */
static int set_cell(struct libscols_line *line, size_t column, char *text)
{
	int error = text ? scols_line_set_data(line, column, text) : -ENOMEM;

	free(text);
	return error;
}

static int add_row(struct table *t, const struct row *row)
{
	struct libscols_line *line = scols_table_new_line(t->cells, NULL);
	int error = line ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < t->view.n_columns; i++)
		error = set_cell(line, i, table_cell(t->report, row, t->view.columns[i]));
	return error;
}

/* A sum at the end; takes label over. Without moved it has no rates. */
static int add_sum(struct table *t, char *label, const struct counters *c,
		   const struct counters *moved)
{
	struct row sum = { .counters = *c, .moved = moved ? *moved : (struct counters){} };
	struct libscols_line *line = scols_table_new_line(t->cells, NULL);
	int error;

	if (!line) {
		free(label);
		return -ENOMEM;
	}
	error = set_cell(line, t->label, label);
	for (size_t i = 0; !error && i < t->view.n_columns; i++) {
		const struct column *column = t->view.columns[i];

		if (is_counter(column) || (moved && is_rate(column)))
			error = set_cell(line, i, table_cell(t->report, &sum, column));
	}
	return error;
}

static int add_sums(struct table *t, const struct ranking *k)
{
	const struct report *r = t->report;
	int error = 0;

	/* Among nothing but counters, nobody could tell sums from rows. */
	if (t->label == t->view.n_columns)
		return 0;
	if (k->n_rest)
		error = add_sum(t, format("%zu more", k->n_rest), &k->rest, &k->rest_moved);
	if (!error && r->view->by == BY_PROCESS && !r->by_flows && r->n_finished)
		error = add_sum(t, format("finished (%" PRIu64 ")", (uint64_t)r->n_finished),
				&r->finished, &r->finished_moved);
	if (!error && r->by_flows && !counters_zero(&r->other_flows))
		error = add_sum(t, strdup("other flows"), &r->other_flows, NULL);
	if (!error && r->has_no_row && !counters_zero(&r->no_row))
		error = add_sum(t, strdup("no row"), &r->no_row, NULL);
	return error ?: add_sum(t, strdup("total"), &r->totals, &r->moved);
}

static int choose_columns(struct table *t)
{
	char *bad = NULL;
	size_t n = 0;
	int error;

	if (t->view.n_columns)
		return 0;
	error = columns_choose(&t->view, grouping_columns(t->view.by), &bad);
	free(bad);
	for (size_t i = 0; i < t->view.n_columns; i++) {
		if (t->report->change || !is_rate(t->view.columns[i]))
			t->view.columns[n++] = t->view.columns[i];
	}
	t->view.n_columns = n;
	return error;
}

/* COMM where there is one, so that it is not taken for a process; else what is no sum. */
static size_t label_column(const struct view *view)
{
	size_t found = view->n_columns;

	for (size_t i = view->n_columns; i-- > 0;) {
		if (view->columns[i]->id == COLUMN_COMM)
			return i;
		if (!is_counter(view->columns[i]) && !is_rate(view->columns[i]))
			found = i;
	}
	return found;
}

bool table_is_right(const struct column *column)
{
	return column->kind == COLUMN_NUMBER || column->kind == COLUMN_COUNT ||
	       column->kind == COLUMN_BYTES || column->kind == COLUMN_COUNTERS;
}

static bool is_long(const struct column *column)
{
	return column->id == COLUMN_CGROUP || column->id == COLUMN_EXE ||
	       column->id == COLUMN_CMDLINE;
}

static int make_columns(struct table *t)
{
	int error = choose_columns(t);

	t->label = label_column(&t->view);
	for (size_t i = 0; !error && i < t->view.n_columns; i++) {
		const struct column *column = t->view.columns[i];
		int flags = (table_is_right(column) ? SCOLS_FL_RIGHT : 0) |
			    (is_long(column) ? SCOLS_FL_TRUNC : 0);
		char name[32] = "";

		for (size_t c = 0; c < sizeof(name) - 1 && column->name[c]; c++)
			name[c] = toupper((unsigned char)column->name[c]);
		if (!scols_table_new_column(t->cells, name, 0, flags))
			error = -ENOMEM;
	}
	return error;
}

/* What the user asked for may come from anywhere, too. */
static void print_plain(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc(iscntrl((unsigned char)*s) ? '?' : *s, out);
}

static void print_filters(FILE *out, const struct filter *f)
{
	const char *name;

	if (!filter_active(f)) {
		fputs(", no filters", out);
		return;
	}
	for (int list = 0; list < FILTER_LISTS; list++) {
		const char *before = NULL;

		for (size_t i = 0; i < f->n_items; i++) {
			if ((int)f->items[i].list != list)
				continue;
			if (!before)
				fprintf(out, ", %s ", filter_name(list));
			fputs(before ?: "", out);
			fputs(f->items[i].excludes ? "!" : "", out);
			print_plain(out, f->items[i].text);
			before = ",";
		}
	}
	for (int i = 0; (name = filter_switch(f, i)); i++) {
		fputs(*name ? ", " : "", out);
		for (; *name; name++)
			fputc(*name == '_' ? ' ' : *name, out);
	}
	if (f->text) {
		fputs(", text ", out);
		print_plain(out, f->text);
	}
}

/* Without memory for more, that it is partial at least. */
static void print_scope(FILE *out, const struct scope *s)
{
	char *text = s->n ? scope_text(s) : NULL;

	if (s->n)
		fprintf(out, ", %s", text ?: "only a part");
	free(text);
}

/* Sums are since then; in a summary, since the first reading. */
void table_opening(FILE *out, const struct report *r)
{
	const struct reading *reading = r->reading;
	__u64 since = reading->began_at_ns;
	char time[TEXT_TIME_LEN], age[TEXT_TIME_LEN];

	if (r->summary && r->change && r->change->before)
		since = r->change->before->taken_at_ns;
	fprintf(out, "since %s (%s), hooks %s", text_time(time, since),
		text_age(age, reading->taken_at_ns > since ? reading->taken_at_ns - since : 0),
		text_hooks(reading->account->meta.hooks));
	if (r->change)
		fprintf(out, r->summary ? ", whole run of %.1f s" : ", rates over %.1f s",
			r->change->seconds);
	if (reading->missed_events)
		fprintf(out, ", %" PRIu64 " events missed", (uint64_t)reading->missed_events);
	print_scope(out, &reading->account->scope);
	print_filters(out, &r->view->filter);
}

static int fill(struct table *t)
{
	struct ranking k;
	int error;

	error = make_columns(t);
	if (!error)
		error = ranking_make(&k, t->report, t->view.by != BY_PROCESS);
	if (error)
		return error;
	ranking_resolve(&k);
	for (size_t i = 0; !error && i < k.n; i++)
		error = add_row(t, &k.rows[i]);
	if (!error && !t->view.raw)
		error = add_sums(t, &k);
	/* The names of columns are not printed where there is no line. */
	if (!error && !scols_table_get_nlines(t->cells) && !t->view.no_header &&
	    !scols_table_new_line(t->cells, NULL))
		error = -ENOMEM;
	ranking_free(&k);
	return error;
}

/* By way of a string, since the library does not tell why a write failed. */
static int print(FILE *out, struct table *t)
{
	const struct view *view = t->report->view;
	char *text = NULL;
	int error;

	scols_table_enable_noheadings(t->cells, view->no_header);
	scols_table_enable_raw(t->cells, view->raw);
	if (out != stdout)
		scols_table_set_termforce(t->cells, SCOLS_TERMFORCE_NEVER);
	error = scols_print_table_to_string(t->cells, &text);
	if (error)
		return error;
	if (!view->no_header && !view->raw) {
		fputs(t->report->change ? "\n" : "", out);
		table_opening(out, t->report);
		fputc('\n', out);
	}
	errno = 0;
	if (fputs(text, out) == EOF || (*text && fputc('\n', out) == EOF))
		error = -(errno ?: EIO);
	free(text);
	return error;
}

int table_print(FILE *out, struct report *report)
{
	struct table t = { .report = report, .view = *report->view };
	int error;

	t.cells = scols_new_table();
	if (!t.cells)
		return fail(-ENOMEM);
	error = fill(&t);
	if (!error)
		error = print(out, &t);
	scols_unref_table(t.cells);
	return fail(error);
}
