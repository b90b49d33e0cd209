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

#define SCHEMA 1

struct document {
	FILE *out;
	struct report *report;
	struct view view; /* with the columns that are shown */
	char *header;	  /* what each line repeats, or NULL */
	int depth;	  /* of what is open here */
	bool later;	  /* something stands before it there */
};

/* Takes value over; false if there is no memory, or was none for the value. */
static bool set(json_t *json, const char *key, json_t *value)
{
	return json_object_set_new(json, key, value) == 0;
}

static json_t *string(const char *s)
{
	char *clean = s ? text_utf8(s) : NULL;
	json_t *json = clean ? json_string(clean) : s ? NULL : json_null();

	free(clean);
	return json;
}

static json_t *time_or_null(__u64 epoch_ns)
{
	char buf[TEXT_TIME_LEN];

	return epoch_ns ? json_string(text_time(buf, epoch_ns)) : json_null();
}

json_t *json_counters(const struct counters *c)
{
	return json_pack("{sI sI sI sI}", "tx_bytes", (json_int_t)c->tx_bytes, "rx_bytes",
			 (json_int_t)c->rx_bytes, "tx_calls", (json_int_t)c->tx_calls, "rx_calls",
			 (json_int_t)c->rx_calls);
}

static int write_error(FILE *out)
{
	return ferror(out) ? -(errno ?: EIO) : -ENOMEM;
}

/* Each line begins with a line feed, so that a comma can come before it. */
static int print_pretty(FILE *out, const json_t *json, size_t flags, const char *indent)
{
	char *dump = json_dumps(json, JSON_INDENT(2) | flags), *rest = dump, *line;

	if (!dump)
		return -ENOMEM;
	/* In strings line feeds are escaped: these are between values. */
	while ((line = strsep(&rest, "\n")))
		if (*line)
			fprintf(out, "\n%s%s", indent, line);
	free(dump);
	return ferror(out) ? write_error(out) : 0;
}

static int print_compact(FILE *out, const json_t *json, size_t flags)
{
	return json_dumpf(json, out, JSON_COMPACT | flags) < 0 ? write_error(out) : 0;
}

/*
 * Rows are written as text, since there may be a million of them. Whether that
 * worked is asked once a value.
 */
static void put(const struct document *d, const char *s)
{
	fputs_unlocked(s, d->out);
}

static void put_number(const struct document *d, __s64 n)
{
	char buf[TEXT_NUMBER_LEN];

	put(d, text_number(buf, n));
}

static void put_quoted(const struct document *d, const char *s)
{
	putc_unlocked('"', d->out);
	put(d, s);
	putc_unlocked('"', d->out);
}

static bool is_plain(const char *s)
{
	while (*s >= ' ' && *s <= '~' && *s != '"' && *s != '\\')
		s++;
	return !*s;
}

static int put_string(const struct document *d, const char *s)
{
	json_t *json;
	int error;

	if (is_plain(s)) {
		put_quoted(d, s);
		return 0;
	}
	json = string(s);
	error = json ? print_compact(d->out, json, JSON_ENCODE_ANY) : -ENOMEM;
	json_decref(json);
	return error;
}

/* Where a line begins, if there are lines. */
static void put_indent(const struct document *d)
{
	if (d->view.pretty)
		fprintf(d->out, "\n%*s", 2 * d->depth, "");
}

static void put_next(struct document *d)
{
	if (d->later)
		putc_unlocked(',', d->out);
	d->later = true;
	put_indent(d);
}

static void put_key(struct document *d, const char *name)
{
	put_next(d);
	put_quoted(d, name);
	put(d, d->view.pretty ? ": " : ":");
}

static void put_open(struct document *d)
{
	putc_unlocked('{', d->out);
	d->depth++;
	d->later = false;
}

static void put_close(struct document *d)
{
	d->depth--;
	if (d->later)
		put_indent(d);
	putc_unlocked('}', d->out);
	d->later = true;
}

static void put_counters(struct document *d, const struct counters *c)
{
	static const char *const names[] = { "tx_bytes", "rx_bytes", "tx_calls", "rx_calls" };
	const __u64 *n = (const __u64 *)c;

	put_open(d);
	for (int i = 0; i < 4; i++) {
		put_key(d, names[i]);
		put_number(d, n[i]);
	}
	put_close(d);
}

/* Those that were used. */
static void put_protocols(struct document *d, const struct traffic *t)
{
	put_open(d);
	for (int i = 0; i < PROTOCOLS; i++) {
		if (counters_zero(traffic_protocol(t, i)))
			continue;
		put_key(d, text_protocol(i));
		put_counters(d, traffic_protocol(t, i));
	}
	put_close(d);
}

static int put_value(struct document *d, enum column_kind kind, const struct value *v)
{
	char time[TEXT_TIME_LEN];

	if (!v->known)
		put(d, "null");
	else if (kind == COLUMN_TEXT)
		return put_string(d, v->text);
	else if (kind == COLUMN_BOOL)
		put(d, v->number ? "true" : "false");
	else if (kind == COLUMN_TIME)
		put_quoted(d, text_time(time, v->number));
	else if (kind == COLUMN_COUNTERS)
		put_counters(d, &v->counters);
	else if (kind == COLUMN_PROTOCOLS)
		put_protocols(d, v->traffic);
	else
		put_number(d, v->number);
	return 0;
}

static int put_row(struct document *d, const struct row *row)
{
	struct value v;
	int error = 0;

	for (size_t i = 0; !error && i < d->view.n_columns; i++) {
		const struct column *column = d->view.columns[i];

		column_get(d->report, row, column, &v);
		put_key(d, column->name);
		error = put_value(d, column->kind, &v);
		if (!error && ferror_unlocked(d->out))
			error = write_error(d->out);
	}
	return error;
}

static int print_row(void *arg, const struct row *row)
{
	struct document *d = arg;
	int error;

	if (!d->header)
		put_next(d);
	put_open(d);
	if (d->header) {
		put(d, d->header);
		d->later = true;
	}
	error = put_row(d, row);
	put_close(d);
	if (d->header)
		putc_unlocked('\n', d->out);
	return error ?: ferror_unlocked(d->out) ? write_error(d->out) : 0;
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
	done = json_array_append_new(list, string(text)) == 0;
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
		done = done && json_array_append_new(list, string(s->items[i].text)) == 0;
	}
	if (done)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *from_totals(const struct report *r)
{
	json_t *json = json_counters(&r->totals);

	if (!json || !r->change ||
	    (set(json, "tx_rate", json_integer(column_rate(r, r->moved.tx_bytes))) &&
	     set(json, "rx_rate", json_integer(column_rate(r, r->moved.rx_bytes)))))
		return json;
	json_decref(json);
	return NULL;
}

static json_t *make_header(const struct report *r)
{
	const struct reading *reading = r->reading;
	const struct meta *meta = &reading->account->meta;
	json_t *json = json_object();
	char hostname[256] = "";
	bool done;

	gethostname(hostname, sizeof(hostname) - 1);
	done = json && set(json, "schema", json_integer(SCHEMA)) &&
	       set(json, "version", json_string(NETACCT_VERSION)) &&
	       set(json, "hostname", string(hostname)) &&
	       set(json, "boot_id", string(meta->boot_id)) &&
	       set(json, "loaded_at", time_or_null(meta->loaded_at_ns)) &&
	       set(json, "generation", json_integer(reading->generation)) &&
	       set(json, "reset_at",
		   time_or_null(reading->generation ? reading->began_at_ns : 0)) &&
	       set(json, "taken_at", time_or_null(reading->taken_at_ns)) &&
	       set(json, "hooks", string(text_hooks(meta->hooks))) &&
	       set(json, "by", string(grouping_name(r->view->by))) &&
	       set(json, "filters", from_filter(&r->view->filter)) &&
	       set(json, "flows_enabled", json_boolean(meta->flags & META_FLOWS)) &&
	       set(json, "missed_events",
		   reading->missed_known ? json_integer(reading->missed_events) : json_null()) &&
	       set(json, "since", time_or_null(reading->began_at_ns)) &&
	       set(json, "load_filters", json_scope(&reading->account->scope)) &&
	       (!r->summary || set(json, "summary", json_true())) &&
	       set(json, "totals", from_totals(r)) &&
	       set(json, "no_row", r->has_no_row ? json_counters(&r->no_row) : json_null()) &&
	       (!r->by_flows || set(json, "other_flows", json_counters(&r->other_flows)));
	if (done)
		return json;
	json_decref(json);
	return NULL;
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

static struct document document(FILE *out, struct report *report)
{
	struct document d = { .out = out, .report = report, .view = *report->view, .depth = 2 };

	if (!d.view.n_columns)
		columns_all(&d.view, report);
	drop_repeats(&d.view);
	return d;
}

static int print_header(FILE *out, const struct report *r)
{
	json_t *header = make_header(r);
	int error = -ENOMEM;

	fputc('{', out);
	if (header)
		error = r->view->pretty ? print_pretty(out, header, JSON_EMBED, "")
					: print_compact(out, header, JSON_EMBED);
	json_decref(header);
	return error;
}

/* ,"flows":[...] */
static int print_array(FILE *out, struct report *r)
{
	struct document d = document(out, r);
	bool pretty = r->view->pretty;
	int error;

	fprintf(out, pretty ? ",\n  \"%s\": [" : ",\"%s\":[", grouping_rows(r->view->by));
	error = print_rows(&d);
	if (!error)
		fputs(pretty && d.later ? "\n  ]" : "]", out);
	return error;
}

static int end(FILE *out, bool pretty)
{
	fputs(pretty ? "\n}\n" : "}\n", out);
	return ferror(out) ? write_error(out) : 0;
}

int json_document(FILE *out, struct report *report)
{
	int error = print_header(out, report);

	if (!error)
		error = print_array(out, report);
	if (!error)
		error = end(out, report->view->pretty);
	return fail(error);
}

/* A key of both is the row's, and stands where the header has it: at its end. */
static void take_over(json_t *header, struct view *view)
{
	for (size_t i = 0; i < view->n_columns; i++) {
		const struct column *column = view->columns[i];

		if (json_object_del(header, column->name) < 0)
			continue;
		memmove(&view->columns[1], view->columns, i * sizeof(*view->columns));
		view->columns[0] = column;
	}
}

int json_lines(FILE *out, struct report *report)
{
	struct document d = document(out, report);
	json_t *header = make_header(report);
	int error = -ENOMEM;

	if (header) {
		take_over(header, &d.view);
		d.header = json_dumps(header, JSON_COMPACT | JSON_EMBED);
	}
	if (d.header)
		error = print_rows(&d);
	free(d.header);
	json_decref(header);
	return fail(error);
}

/* A second array in the same document, of a report of its own. */
static int print_flows(FILE *out, const struct reading *reading, struct names *names)
{
	const struct view view = { .by = BY_FLOW };
	struct report r = { .view = &view, .reading = reading, .names = names };
	int error = report_init(&r);

	if (!error)
		error = print_array(out, &r);
	report_free(&r);
	return error;
}

int json_whole(FILE *out, const struct reading *reading)
{
	const struct view view = { .by = BY_PROCESS };
	struct report r = { .view = &view, .reading = reading };
	struct names names;
	int error;

	names_init(&names, reading->account);
	r.names = &names;
	error = report_init(&r);
	if (!error)
		error = print_header(out, &r);
	if (!error)
		error = print_array(out, &r);
	if (!error)
		error = print_flows(out, reading, &names);
	if (!error)
		error = end(out, false);
	report_free(&r);
	names_free(&names);
	return fail(error);
}
