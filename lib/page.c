// SPDX-License-Identifier: GPL-2.0-only
/* How netacct-top's screen looks: a header of three lines, rows or details, a line of keys. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "pins.h"
#include "screen.h"
#include "table.h"
#include "top.h"

#define HEADER	   3
#define LINE	   1024
#define FACT	   38 /* columns of a fact, where there are two on a line */
#define FACT_NAME  12
#define FACT_FLOWS 4 /* lines that are left for flows */

static const char *const help[][2] = {
	{ "q", "quit" },
	{ "h ?", "this help" },
	{ "p Space", "pause, and go on" },
	{ "r m", "rates, or totals" },
	{ "g G", "the next grouping, the one before" },
	{ "s < > Left Right", "sort by another column" },
	{ "B", "most bytes first, in both directions" },
	{ "T R P C U L", "sort by sent, received, pid, command, user, last" },
	{ "i", "the other way round" },
	{ "/", "filter by text in command, user or pid, with * and ?" },
	{ "Enter", "a process and its connections; keep a filter" },
	{ "Esc", "back; no filter" },
	{ "a", "all rows, or only those that move" },
	{ "e", "with or without processes that have ended" },
	{ "b", "exact numbers of bytes" },
	{ "n", "numbers for users" },
	{ "Up Down PgUp PgDn Home End", "move" },
	{ "Ctrl-L", "draw all anew" },
};

static void put(int line, enum screen_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put(int line, enum screen_style style, const char *fmt, ...)
{
	char text[LINE] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	screen_put(line, 0, screen_columns(), style, false, text);
}

/* Of a line that is written piece by piece. */
static int put_written(int line, enum screen_style style, FILE *f, char **text)
{
	if (fclose(f))
		return -ENOMEM;
	put(line, style, "%s", *text);
	free(*text);
	return 0;
}

static void write_bytes(FILE *f, const struct report *r, const char *before, __u64 bytes)
{
	char *text = table_bytes(r, bytes);

	fprintf(f, "%s%s", before, text ?: "?");
	free(text);
}

static void write_both(FILE *f, const struct report *r, const char *before,
		       const struct counters *c)
{
	if (counters_zero(c))
		return;
	write_bytes(f, r, before, c->tx_bytes);
	write_bytes(f, r, "/", c->rx_bytes);
}

static void write_sum(FILE *f, const struct report *r, const char *before, __u64 bytes, __u64 moved)
{
	write_bytes(f, r, before, bytes);
	if (!r->change)
		return;
	write_bytes(f, r, " (", column_rate(r, moved));
	fputs("/s)", f);
}

static int put_opening(const struct top *t, const struct report *r)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	table_opening(f, r);
	return put_written(0, t->gone ? STYLE_ALERT : STYLE_TITLE, f, &text);
}

/* What the machine moved, or what the filter lets through of it. */
static int put_sums(const struct report *r)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	write_sum(f, r, "sent ", r->totals.tx_bytes, r->moved.tx_bytes);
	write_sum(f, r, ", received ", r->totals.rx_bytes, r->moved.rx_bytes);
	if (r->view->by == BY_PROCESS)
		write_both(f, r, ", finished ", &r->finished);
	if (r->has_no_row)
		write_both(f, r, ", no row ", &r->no_row);
	if (r->view->by == BY_FLOW)
		write_both(f, r, ", other flows ", &r->other_flows);
	return put_written(1, STYLE_PLAIN, f, &text);
}

static void put_state(const struct top *t)
{
	enum screen_style style = t->paused || t->gone ? STYLE_ALERT : STYLE_PLAIN;
	const char *gone = t->gone ? "not loaded any more: waiting; " : "";
	const char *paused = t->paused ? "paused; " : "";
	const struct view *view = &t->view;
	const char *sort = view->sort ? view->sort->name : t->rates ? "rate" : "bytes";

	if (t->details)
		put(2, style, "%s%sprocess %" PRIu32 " and its connections", gone, paused,
		    t->process.pid);
	else
		put(2, style, "%s%s%zu %s, %s, sorted by %s%s%s", gone, paused, t->rows,
		    grouping_rows(view->by), t->rates ? "rates" : "totals", sort,
		    view->reverse ? " in reverse" : "", view->all ? "" : ", only what moves");
}

static void put_foot(const struct top *t)
{
	int line = screen_lines() - 1;

	if (t->message)
		put(line, STYLE_ALERT, "%s", t->message);
	else if (t->typing)
		put(line, STYLE_HEAD, "filter: %ls_   (Enter keeps it, Esc drops it)", t->typed);
	else if (t->details)
		put(line, STYLE_HEAD, "Esc back  h help  q quit  p pause  r %s",
		    t->rates ? "totals" : "rates");
	else
		put(line, STYLE_HEAD,
		    "h help  q quit  g group  s sort  / filter  p pause  r %s  Enter details",
		    t->rates ? "totals" : "rates");
}

static void draw_help(void)
{
	int lines = sizeof(help) / sizeof(*help);
	int width = screen_columns() < 60 ? 12 : 28;

	put(0, STYLE_TITLE, "netacct-top %s: keys", NETACCT_VERSION);
	for (int i = 0; i < lines && i + 2 < screen_lines(); i++) {
		screen_put(i + 1, 0, width - 1, STYLE_TITLE, false, help[i][0]);
		screen_put(i + 1, width, screen_columns() - width, STYLE_PLAIN, false, help[i][1]);
	}
	put(screen_lines() - 1, STYLE_HEAD, "any key goes back");
}

/* Keeps the cursor among the rows, and on the screen. */
static void settle(struct top *t, size_t rows, size_t page)
{
	t->rows = rows;
	t->page = page;
	if (t->cursor >= rows)
		t->cursor = rows ? rows - 1 : 0;
	if (t->first > t->cursor)
		t->first = t->cursor;
	if (page && t->cursor >= t->first + page)
		t->first = t->cursor - page + 1;
	if (t->first + page > rows)
		t->first = rows > page ? rows - page : 0;
}

static void note_chosen(struct top *t, const struct ranking *k)
{
	t->on_process = t->cursor < k->n && k->rows[t->cursor].process;
	if (t->on_process)
		t->chosen = k->rows[t->cursor].process->key;
}

/* The rows of a report from a line on; as many as can be scrolled to are ranked. */
static int draw_rows(struct top *t, struct report *r, struct view *view, int line)
{
	int lines = screen_lines() - 1 - line;
	size_t page = lines > 1 ? (size_t)lines - 1 : 0;
	struct sheet_part part = { .line = line, .lines = lines };
	struct ranking k;
	int error;

	view->rows = (t->cursor > t->first ? t->cursor : t->first) + page + 1;
	error = ranking_make(&k, r, view->by != BY_PROCESS);
	if (error)
		return error;
	settle(t, k.n + k.n_rest, page);
	part.first = t->first;
	part.cursor = t->cursor;
	if (!t->details)
		note_chosen(t, &k);
	if (lines > 0)
		error = sheet_draw(&t->sheet, r, &k, t->rates, &part);
	ranking_free(&k);
	return error;
}

static bool is_told(const struct column *column)
{
	return column && column->id != COLUMN_START_NS && column->id != COLUMN_UID &&
	       column->id != COLUMN_CGROUP_ID && column->id != COLUMN_EXITED &&
	       column->id != COLUMN_MERGED;
}

static void put_fact(int line, int at, int width, const char *name, const char *value)
{
	screen_put(line, at, FACT_NAME, STYLE_TITLE, true, name);
	screen_put(line, at + FACT_NAME + 1, width - FACT_NAME - 1, STYLE_PLAIN, false, value);
}

/* All that is known of a process, as columns have it; those that are long have lines of their own.
 */
static int put_facts(struct report *r, const struct row *row, int *line)
{
	int half = screen_columns() >= 2 * FACT ? screen_columns() / 2 : screen_columns();
	int last = screen_lines() - 1 - FACT_FLOWS, at = 0;

	for (int id = 0; id < COLUMNS && *line < last; id++) {
		const struct column *column = column_of(BY_PROCESS, id);
		char *value = is_told(column) ? table_cell(r, row, column) : NULL;
		int width = half;

		if (!value || !strcmp(value, "-")) {
			free(value);
			continue;
		}
		if (at && screen_width(value) > half - FACT_NAME - 2) {
			at = 0;
			++*line;
		}
		if (screen_width(value) > half - FACT_NAME - 2)
			width = screen_columns();
		if (*line < last)
			put_fact(*line, at, width, column->name, value);
		free(value);
		at += width;
		if (at + half > screen_columns()) {
			at = 0;
			++*line;
		}
	}
	if (at)
		++*line;
	return 0;
}

static int draw_facts(struct top *t, int *line)
{
	struct view view = t->view;
	struct report r;
	struct ranking k;
	int error;

	view.by = BY_PROCESS;
	view.all = true;
	view.sort = NULL;
	view.rows = 1;
	view.filter = (struct filter){ .process = &t->process,
				       .no_loopback = t->view.filter.no_loopback };
	error = live_report(&t->live, &view, &r);
	if (!error)
		error = ranking_make(&k, &r, false);
	if (!error) {
		if (k.n)
			error = put_facts(&r, &k.rows[0], line);
		else
			put((*line)++, STYLE_ALERT,
			    "process %" PRIu32
			    " has no row: it is among the finished, or was reset",
			    t->process.pid);
		ranking_free(&k);
	}
	report_free(&r);
	return error;
}

/* Which stands above already. */
static void leave_out_process(struct view *view)
{
	size_t n = 0;

	for (size_t i = 0; i < view->n_columns; i++)
		if (!column_of(BY_PROCESS, view->columns[i]->id) ||
		    column_of(BY_PROTOCOL, view->columns[i]->id))
			view->columns[n++] = view->columns[i];
	view->n_columns = n;
}

static int draw_flows(struct top *t, int line)
{
	struct view view = t->view;
	struct report r;
	int error;

	if (!(t->live.now->account.meta.flags & META_FLOWS)) {
		put(line, STYLE_ALERT, "no flows are kept: loaded with netacct-load --no-flows");
		return 0;
	}
	view.by = BY_FLOW;
	view.all = true;
	view.sort = NULL;
	view.filter = (struct filter){ .process = &t->process,
				       .no_loopback = t->view.filter.no_loopback };
	error = sheet_choose(&view, t->rates);
	leave_out_process(&view);
	if (!error)
		error = live_report(&t->live, &view, &r);
	if (error)
		return error;
	error = draw_rows(t, &r, &view, line);
	report_free(&r);
	return error;
}

/* The machine's sums stay, whatever is below them. */
static int draw_header(struct top *t, struct report *r)
{
	int error = put_opening(t, r);

	return error ?: put_sums(r);
}

static int draw_details(struct top *t)
{
	int line = HEADER, error;

	error = draw_facts(t, &line);
	if (!error)
		error = draw_flows(t, line);
	return error;
}

static int draw_report(struct top *t)
{
	struct report r;
	int error;

	error = live_report(&t->live, &t->view, &r);
	if (!error)
		error = draw_header(t, &r);
	if (!error && t->details)
		error = draw_details(t);
	else if (!error)
		error = draw_rows(t, &r, &t->view, HEADER);
	put_state(t);
	report_free(&r);
	return error;
}

int top_draw(struct top *t)
{
	int error = 0;

	screen_clear();
	if (t->help)
		draw_help();
	else
		error = draw_report(t);
	if (!t->help)
		put_foot(t);
	screen_show();
	return fail(error);
}
