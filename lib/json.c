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
	json_t *header;	  /* what each line repeats, or NULL */
	bool later;	  /* a row was printed */
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

/* Those that were used. */
static json_t *from_protocols(const struct traffic *t)
{
	json_t *json = json_object();
	bool done = json;

	for (int i = 0; done && i < PROTOCOLS; i++) {
		const struct counters *c = traffic_protocol(t, i);

		done = counters_zero(c) || set(json, text_protocol(i), json_counters(c));
	}
	if (done)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *from_value(const struct column *column, const struct value *v)
{
	char time[TEXT_TIME_LEN];

	if (!v->known)
		return json_null();
	switch (column->kind) {
	case COLUMN_TEXT:
		return string(v->text);
	case COLUMN_BOOL:
		return json_boolean(v->number);
	case COLUMN_TIME:
		return json_string(text_time(time, v->number));
	case COLUMN_COUNTERS:
		return json_counters(&v->counters);
	case COLUMN_PROTOCOLS:
		return from_protocols(v->traffic);
	default:
		return json_integer(v->number);
	}
}

static int add_row(const struct document *d, const struct row *row, json_t *json)
{
	struct value v;

	for (size_t i = 0; i < d->view.n_columns; i++) {
		const struct column *column = d->view.columns[i];

		column_get(d->report, row, column, &v);
		if (!set(json, column->name, from_value(column, &v)))
			return -ENOMEM;
	}
	return 0;
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

static int print_element(struct document *d, const json_t *json)
{
	fputs(d->later ? "," : "", d->out);
	d->later = true;
	if (d->view.pretty)
		return print_pretty(d->out, json, 0, "    ");
	return print_compact(d->out, json, 0);
}

static int print_line(struct document *d, const json_t *json)
{
	int error = print_compact(d->out, json, 0);

	d->later = true;
	if (!error && fputc('\n', d->out) == EOF)
		error = write_error(d->out);
	return error;
}

static int print_row(void *arg, const struct row *row)
{
	struct document *d = arg;
	json_t *json = d->header ? json_copy(d->header) : json_object();
	int error = json ? add_row(d, row, json) : -ENOMEM;

	if (!error)
		error = d->header ? print_line(d, json) : print_element(d, json);
	json_decref(json);
	return error;
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

static struct document document(FILE *out, struct report *report)
{
	struct document d = { .out = out, .report = report, .view = *report->view };

	if (!d.view.n_columns)
		columns_all(&d.view, report);
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

/* header_alone: as a line of its own where there are no rows. */
static int print_lines(FILE *out, struct report *report, bool header_alone)
{
	struct document d = document(out, report);
	int error = -ENOMEM;

	d.header = make_header(report);
	if (d.header)
		error = print_rows(&d);
	if (!error && header_alone && !d.later)
		error = print_line(&d, d.header);
	json_decref(d.header);
	return error;
}

int json_lines(FILE *out, struct report *report)
{
	return fail(print_lines(out, report, false));
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
