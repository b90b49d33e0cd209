// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "columns.h"
#include "counters.h"
#include "json.h"
#include "pins.h"
#include "ranking.h"
#include "writer.h"

#define SCHEMA 1

struct document {
	struct writer *w;
	struct report *report;
	struct view view;   /* with the columns that are shown */
	const char *header; /* what each line repeats, or NULL */
	bool printed;	    /* a row was */
};

/* Takes value over; false if there is no memory, or was none for the value. */
static bool set(json_t *json, const char *key, json_t *value)
{
	return json_object_set_new(json, key, value) == 0;
}

json_t *json_counters(const struct counters *c)
{
	return json_pack("{sI sI sI sI}", "tx_bytes", (json_int_t)c->tx_bytes, "rx_bytes",
			 (json_int_t)c->rx_bytes, "tx_calls", (json_int_t)c->tx_calls, "rx_calls",
			 (json_int_t)c->rx_calls);
}

/* Those that were used. */
static void write_protocols(struct writer *w, const char *key, const struct traffic *t)
{
	write_open(w, key, '{');
	for (int i = 0; i < PROTOCOLS; i++) {
		struct counters c = traffic_protocol(t, i);

		if (!counters_zero(&c))
			write_counters(w, text_protocol(i), &c);
	}
	write_close(w, '}');
}

static void write_value(struct writer *w, const struct column *column, const struct value *v)
{
	if (!v->known)
		return write_null(w, column->name);
	switch (column->kind) {
	case COLUMN_TEXT:
		return write_string(w, column->name, v->text);
	case COLUMN_BOOL:
		return write_bool(w, column->name, v->number);
	case COLUMN_TIME:
		return write_time(w, column->name, v->number);
	case COLUMN_COUNTERS:
		return write_counters(w, column->name, &v->counters);
	case COLUMN_PROTOCOLS:
		return write_protocols(w, column->name, v->traffic);
	default:
		return write_number(w, column->name, v->number);
	}
}

/* NULL: what each line repeats, alone. */
static int print_row(void *arg, const struct row *row)
{
	struct document *d = arg;
	struct value v;

	d->printed = true;
	write_open(d->w, NULL, '{');
	if (d->header)
		write_members(d->w, d->header);
	/* Asked each time, since what a column looks up sets errno, too. */
	for (size_t i = 0; row && i < d->view.n_columns && !writer_error(d->w); i++) {
		column_get(d->report, row, d->view.columns[i], &v);
		write_value(d->w, d->view.columns[i], &v);
	}
	write_close(d->w, '}');
	if (d->header)
		write_end(d->w);
	return writer_error(d->w);
}

static int print_rows(struct document *d)
{
	struct ranking k;
	int error;

	if (!d->view.sorted)
		return report_rows(d->report, print_row, d);
	error = ranking_make(&k, d->report, true);
	if (error)
		return error;
	ranking_resolve(&k);
	for (size_t i = 0; !error && i < k.n; i++)
		error = print_row(d, &k.rows[i]);
	ranking_free(&k);
	return error;
}

static bool add_item(json_t *json, const struct filter_item *item)
{
	const char *name = filter_name(item->list);
	json_t *list = json_object_get(json, name);
	char *text;
	bool done;

	if (!list) {
		list = json_array();
		if (!set(json, name, list))
			return false;
	}
	if (asprintf(&text, "%s%s", item->excludes ? "!" : "", item->text) < 0)
		return false;
	done = json_array_append_new(list, writer_text(text)) == 0;
	free(text);
	return done;
}

static json_t *from_filter(const struct filter *f)
{
	json_t *json = json_object();
	bool done = json;
	const char *name;

	for (size_t i = 0; done && i < f->n_items; i++)
		done = add_item(json, &f->items[i]);
	for (int i = 0; done && (name = filter_switch(f, i)); i++)
		done = !*name || set(json, name, json_true());
	if (done)
		return json;
	json_decref(json);
	return NULL;
}

json_t *json_scope(const struct scope *s)
{
	json_t *json = json_object(), *list;
	bool done = json;

	for (size_t i = 0; done && i < s->n; i++) {
		const char *name = scope_name(s->items[i].kind);

		list = json_object_get(json, name);
		if (!list) {
			list = json_array();
			done = set(json, name, list);
		}
		done = done && json_array_append_new(list, writer_text(s->items[i].text)) == 0;
	}
	if (done)
		return json;
	json_decref(json);
	return NULL;
}

static void write_time_or_null(struct writer *w, const char *key, __u64 epoch_ns)
{
	if (epoch_ns)
		write_time(w, key, epoch_ns);
	else
		write_null(w, key);
}

static void write_totals(struct writer *w, const struct report *r)
{
	write_open(w, "totals", '{');
	write_fields(w, &r->totals);
	if (r->change) {
		write_number(w, "tx_rate", column_rate(r, r->moved.tx_bytes));
		write_number(w, "rx_rate", column_rate(r, r->moved.rx_bytes));
	}
	write_close(w, '}');
}

static void write_header(struct writer *w, const struct report *r, bool other_flows)
{
	const struct reading *reading = r->reading;
	const struct meta *meta = &reading->account->meta;
	char hostname[256] = "";

	gethostname(hostname, sizeof(hostname) - 1);
	write_number(w, "schema", SCHEMA);
	write_string(w, "version", NETACCT_VERSION);
	write_string(w, "hostname", hostname);
	write_string(w, "boot_id", meta->boot_id);
	write_time_or_null(w, "loaded_at", meta->loaded_at_ns);
	write_number(w, "generation", reading->generation);
	write_time_or_null(w, "reset_at", reading->generation ? reading->began_at_ns : 0);
	write_time_or_null(w, "taken_at", reading->taken_at_ns);
	write_string(w, "hooks", text_hooks(meta->hooks));
	write_string(w, "by", grouping_name(r->view->by));
	write_json(w, "filters", from_filter(&r->view->filter));
	write_bool(w, "flows_enabled", meta->flags & META_FLOWS);
	if (reading->missed_known)
		write_number(w, "missed_events", reading->missed_events);
	else
		write_null(w, "missed_events");
	write_time_or_null(w, "since", reading->began_at_ns);
	write_json(w, "load_filters", json_scope(&reading->account->scope));
	if (r->summary)
		write_bool(w, "summary", true);
	write_totals(w, r);
	if (r->has_no_row)
		write_counters(w, "no_row", &r->no_row);
	else
		write_null(w, "no_row");
	if (other_flows)
		write_counters(w, "other_flows", &r->other_flows);
}

/* A column that was asked for twice is one key. */
static void drop_repeats(struct view *view)
{
	size_t n = 0, same;

	for (size_t i = 0; i < view->n_columns; i++) {
		for (same = 0; view->columns[same] != view->columns[i]; same++)
			;
		if (same >= n)
			view->columns[n++] = view->columns[i];
	}
	view->n_columns = n;
}

static struct document document(struct writer *w, struct report *report)
{
	struct document d = { .w = w, .report = report, .view = *report->view };

	if (!d.view.n_columns)
		columns_all(&d.view, report);
	drop_repeats(&d.view);
	return d;
}

/* "flows":[...] */
static int write_array(struct writer *w, struct report *r)
{
	struct document d = document(w, r);
	int error;

	write_open(w, grouping_rows(r->view->by), '[');
	error = print_rows(&d);
	write_close(w, ']');
	return error;
}

static int begin(struct writer *w, const struct report *r)
{
	write_open(w, NULL, '{');
	write_header(w, r, r->by_flows);
	return writer_error(w);
}

static int end(struct writer *w)
{
	write_close(w, '}');
	write_end(w);
	return writer_error(w);
}

int json_document(FILE *out, struct report *report)
{
	struct writer w = { .out = out, .pretty = report->view->pretty };
	int error = begin(&w, report);

	if (!error)
		error = write_array(&w, report);
	return fail(error ?: end(&w));
}

/* What each line begins with; the caller frees it. NULL: no memory. */
static char *header_text(const struct report *r, bool other_flows)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct writer w = { .out = f };
	int error;

	if (!f)
		return NULL;
	write_header(&w, r, other_flows);
	error = writer_error(&w);
	if (!fclose(f) && !error)
		return text;
	free(text);
	return NULL;
}

/* Moves it to the front, if it is there. */
static bool put_first(struct view *view, enum column_id id)
{
	const struct column *column;
	size_t at = 0;

	while (at < view->n_columns && view->columns[at]->id != id)
		at++;
	if (at == view->n_columns)
		return false;
	column = view->columns[at];
	for (; at; at--)
		view->columns[at] = view->columns[at - 1];
	view->columns[0] = column;
	return true;
}

/* header_alone: as a line of its own where there are no rows. */
static int print_lines(FILE *out, struct report *report, bool header_alone)
{
	struct writer w = { .out = out };
	struct document d = document(&w, report);
	bool other_flows = report->by_flows;
	char *header;
	int error;

	/* It may be a key of both: then it is the row's, where the header's would be. */
	if (other_flows)
		other_flows = !put_first(&d.view, COLUMN_OTHER_FLOWS);
	d.header = header = header_text(report, other_flows);
	error = header ? print_rows(&d) : -ENOMEM;
	if (!error && header_alone && !d.printed)
		error = print_row(&d, NULL);
	free(header);
	return error;
}

int json_lines(FILE *out, struct report *report)
{
	return fail(print_lines(out, report, false));
}

/* A second array in the same document, of a report of its own. */
static int write_flows(struct writer *w, const struct reading *reading, struct names *names)
{
	const struct view view = { .by = BY_FLOW };
	struct report r = { .view = &view, .reading = reading, .names = names };
	int error = report_init(&r);

	if (!error)
		error = write_array(w, &r);
	report_free(&r);
	return error;
}

int json_whole(FILE *out, const struct reading *reading)
{
	const struct view view = { .by = BY_PROCESS };
	struct report r = { .view = &view, .reading = reading };
	struct writer w = { .out = out };
	struct names names;
	int error;

	names_init(&names, reading->account);
	r.names = &names;
	error = report_init(&r);
	if (!error)
		error = begin(&w, &r);
	if (!error)
		error = write_array(&w, &r);
	if (!error)
		error = write_flows(&w, reading, &names);
	if (!error)
		error = end(&w);
	report_free(&r);
	names_free(&names);
	return fail(error);
}

int json_whole_lines(FILE *out, const struct reading *reading)
{
	const struct view view = { .by = BY_PROCESS };
	struct report r = { .view = &view, .reading = reading };
	struct names names;
	int error;

	names_init(&names, reading->account);
	r.names = &names;
	error = report_init(&r);
	if (!error)
		error = print_lines(out, &r, true);
	report_free(&r);
	names_free(&names);
	return fail(error);
}
