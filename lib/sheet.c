// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pins.h"
#include "screen.h"
#include "sheet.h"
#include "table.h"

/* Text that is wider is the first to be cut off, and none is cut off beyond the other. */
#define WIDE   16
#define NARROW 6

struct drawing {
	struct sheet *sheet;
	struct report *report;
	const struct column *columns[MAX_COLUMNS];
	size_t n;
	bool rates;
};

/* Rates take the place of sums, which come after them. */
static enum column_id other_way(enum column_id id)
{
	switch (id) {
	case COLUMN_TX_BYTES:
		return COLUMN_TX_RATE;
	case COLUMN_RX_BYTES:
		return COLUMN_RX_RATE;
	case COLUMN_TX_RATE:
		return COLUMN_TX_BYTES;
	case COLUMN_RX_RATE:
		return COLUMN_RX_BYTES;
	default:
		return id;
	}
}

static bool is_rate(const struct column *column)
{
	return column->id == COLUMN_TX_RATE || column->id == COLUMN_RX_RATE;
}

int sheet_choose(struct view *view, bool rates)
{
	bool has_sort = !view->sort;
	char *bad = NULL;
	size_t n = 0;
	int error;

	error = columns_choose(view, grouping_columns(view->by), &bad);
	free(bad);
	if (error)
		return error;
	for (size_t i = 0; i < view->n_columns; i++) {
		const struct column *column = view->columns[i];

		if (rates)
			column = column_of(view->by, other_way(column->id));
		else if (is_rate(column))
			continue;
		if (!column)
			continue;
		has_sort = has_sort || column == view->sort;
		view->columns[n++] = column;
	}
	if (!has_sort && n < MAX_COLUMNS)
		view->columns[n++] = view->sort;
	view->n_columns = n;
	return 0;
}

static void make_title(char title[32], const struct column *column)
{
	size_t i;

	for (i = 0; i < 31 && column->name[i]; i++)
		title[i] = (char)toupper((unsigned char)column->name[i]);
	title[i] = '\0';
}

static int total_width(const struct drawing *d)
{
	int total = -1;

	for (size_t i = 0; i < d->n; i++)
		total += 1 + d->sheet->widths[d->columns[i]->id];
	return total;
}

static bool fits(const struct drawing *d)
{
	return total_width(d) <= screen_columns();
}

static void drop(struct drawing *d, enum column_id id)
{
	const struct column *sort = d->report->view->sort;
	size_t n = 0;

	if (sort && sort->id == id)
		return;
	for (size_t i = 0; i < d->n; i++)
		if (d->columns[i]->id != id)
			d->columns[n++] = d->columns[i];
	d->n = n;
}

static void cut_texts(struct drawing *d, int least)
{
	int *widest;

	do {
		widest = NULL;
		for (size_t i = 0; i < d->n; i++) {
			int *width = &d->sheet->widths[d->columns[i]->id];

			if (d->columns[i]->kind == COLUMN_TEXT && *width > least &&
			    (!widest || *width > *widest))
				widest = width;
		}
		if (widest && !fits(d))
			--*widest;
	} while (widest && !fits(d));
}

/* What tells least goes first. */
static void fit(struct drawing *d)
{
	static const enum column_id spare[] = { COLUMN_LOCAL_ADDRESS, COLUMN_LOCAL_PORT,
						COLUMN_TX_BYTES,      COLUMN_RX_BYTES,
						COLUMN_USER,	      COLUMN_PROCESSES,
						COLUMN_PROTOCOL,      COLUMN_NETNS };

	if (!fits(d))
		drop(d, COLUMN_LAST_SEEN);
	cut_texts(d, WIDE);
	for (size_t i = 0; i < sizeof(spare) / sizeof(*spare) && !fits(d) && d->n > 1; i++) {
		bool sums = spare[i] == COLUMN_TX_BYTES || spare[i] == COLUMN_RX_BYTES;
		bool named = d->columns[0]->id == spare[i];

		if ((!sums || d->rates) && !named)
			drop(d, spare[i]);
	}
	cut_texts(d, NARROW);
}

static void draw_titles(const struct drawing *d, int line)
{
	const struct column *sort = d->report->view->sort;
	char title[32];
	int at = 0;

	screen_put(line, 0, screen_columns(), STYLE_HEAD, false, "");
	for (size_t i = 0; i < d->n; i++) {
		const struct column *column = d->columns[i];
		int width = d->sheet->widths[column->id];

		make_title(title, column);
		screen_put(line, at, width, column == sort ? STYLE_SORTED : STYLE_HEAD,
			   table_is_right(column), title);
		at += width + 1;
	}
}

static void draw_row(const struct drawing *d, int line, const struct row *row, char **cells,
		     bool is_cursor)
{
	bool exited = row->process && row->process->p.exited_ns;
	enum screen_style style = is_cursor ? STYLE_CURSOR : exited ? STYLE_FAINT : STYLE_PLAIN;
	int at = 0;

	screen_put(line, 0, screen_columns(), style, false, "");
	for (size_t i = 0; i < d->n; i++) {
		enum column_id id = d->columns[i]->id;

		screen_put(line, at, d->sheet->widths[id], style, table_is_right(d->columns[i]),
			   cells[id]);
		at += d->sheet->widths[id] + 1;
	}
}

/* The widths go back to those of the titles where something else is shown. */
static void begin(struct drawing *d)
{
	const struct view *view = d->report->view;
	struct sheet *s = d->sheet;
	char title[32];

	if (s->by != view->by || s->rates != d->rates || s->columns != screen_columns())
		*s = (struct sheet){ .by = view->by,
				     .rates = d->rates,
				     .columns = screen_columns() };
	for (d->n = 0; d->n < view->n_columns; d->n++) {
		d->columns[d->n] = view->columns[d->n];
		make_title(title, d->columns[d->n]);
		if (s->widths[d->columns[d->n]->id] < (int)strlen(title))
			s->widths[d->columns[d->n]->id] = (int)strlen(title);
	}
}

/* One row's cells, by the ids of their columns. */
static int make_cells(struct drawing *d, const struct row *row, char **cells)
{
	for (size_t i = 0; i < d->n; i++) {
		enum column_id id = d->columns[i]->id;
		int width;

		cells[id] = table_cell(d->report, row, d->columns[i]);
		if (!cells[id])
			return -ENOMEM;
		width = screen_width(cells[id]);
		if (width > d->sheet->widths[id])
			d->sheet->widths[id] = width;
	}
	return 0;
}

static size_t count_rows(const struct ranking *k, const struct sheet_part *part)
{
	size_t n = k->n > part->first ? k->n - part->first : 0;
	size_t room = part->lines > 1 ? (size_t)part->lines - 1 : 0;

	return n < room ? n : room;
}

int sheet_draw(struct sheet *s, struct report *report, const struct ranking *k, bool rates,
	       const struct sheet_part *part)
{
	struct drawing d = { .sheet = s, .report = report, .rates = rates };
	size_t n = count_rows(k, part);
	char *(*cells)[COLUMNS] = calloc(n + 1, sizeof(*cells));
	int error = cells ? 0 : -ENOMEM;

	if (error)
		return fail(error);
	begin(&d);
	for (size_t i = 0; !error && i < n; i++)
		error = make_cells(&d, &k->rows[part->first + i], cells[i]);
	if (!error) {
		fit(&d);
		draw_titles(&d, part->line);
		for (size_t i = 0; i < n; i++)
			draw_row(&d, part->line + 1 + (int)i, &k->rows[part->first + i], cells[i],
				 part->first + i == part->cursor);
	}
	for (size_t i = 0; i < n; i++)
		for (int id = 0; id < COLUMNS; id++)
			free(cells[i][id]);
	free(cells);
	return fail(error);
}
