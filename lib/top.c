// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "pins.h"
#include "screen.h"
#include "top.h"

#define ERASE_ALL ('U' & 31)

static bool needs_flows(const struct top *t)
{
	return t->details || view_needs_flows(&t->view);
}

static bool has_flows(const struct top *t)
{
	return t->live.now->account.meta.flags & META_FLOWS;
}

int top_init(struct top *t, const char *pin_dir)
{
	live_init(&t->live, pin_dir);
	t->view.all = true;
	t->view.by_totals = !t->rates;
	return fail(sheet_choose(&t->view, t->rates));
}

void top_free(struct top *t)
{
	live_free(&t->live);
	filter_free(&t->view.filter);
}

/* Another account may be there since, that keeps no flows. */
int top_take(struct top *t)
{
	int err = live_take(&t->live, needs_flows(t));

	if (err < 0)
		return err;
	if (view_needs_flows(&t->view) && !has_flows(t)) {
		t->view.by = BY_PROCESS;
		t->view.sort = NULL;
		t->message = "no flows are kept: loaded with netacct-load --no-flows";
		err = sheet_choose(&t->view, t->rates);
	}
	return err;
}

/* Columns that the grouping has not got leave the order to the bytes. */
static int choose_columns(struct top *t)
{
	if (t->view.sort)
		t->view.sort = column_of(t->view.by, t->view.sort->id);
	return fail(sheet_choose(&t->view, t->rates));
}

static bool can_be_shown(const struct top *t, enum grouping by)
{
	struct view view = t->view;

	view.by = by;
	return has_flows(t) || !view_needs_flows(&view);
}

static int cycle_grouping(struct top *t, int step)
{
	int by = t->view.by;

	do
		by = (by + step + GROUPINGS) % GROUPINGS;
	while (!can_be_shown(t, by));
	t->view.by = by;
	t->cursor = t->first = 0;
	return choose_columns(t) ?: needs_flows(t) ? live_want_flows(&t->live) : 0;
}

/* From the bytes in both directions through the columns, and back to these. */
static int cycle_sort(struct top *t, int step)
{
	struct view *view = &t->view;
	int n = (int)view->n_columns + 1, at = 0;

	for (int i = 0; i < n - 1; i++)
		if (view->sort && view->columns[i] == view->sort)
			at = i + 1;
	at = (at + step + n) % n;
	view->sort = at ? view->columns[at - 1] : NULL;
	return choose_columns(t);
}

static int sort_by(struct top *t, enum column_id id, enum column_id rate)
{
	const struct column *column = column_of(t->view.by, t->rates ? rate : id);

	if (column)
		t->view.sort = column;
	else
		t->message = "there is no such column here";
	return choose_columns(t);
}

static int switch_rates(struct top *t)
{
	static const enum column_id pairs[][2] = { { COLUMN_TX_BYTES, COLUMN_TX_RATE },
						   { COLUMN_RX_BYTES, COLUMN_RX_RATE } };
	const struct column *sort = t->view.sort;

	t->rates = !t->rates;
	t->view.by_totals = !t->rates;
	for (int i = 0; sort && i < 2; i++)
		if (sort->id == pairs[i][!t->rates])
			t->view.sort = column_of(t->view.by, pairs[i][t->rates]);
	return choose_columns(t);
}

static void set_text(struct top *t)
{
	if (wcstombs(t->text, t->typed, sizeof(t->text)) == (size_t)-1)
		t->text[0] = '\0';
	t->view.filter.text = t->text[0] ? t->text : NULL;
	t->cursor = t->first = 0;
}

static void type(struct top *t, int key)
{
	size_t n = wcslen(t->typed);

	if (key == SCREEN_ENTER || key == SCREEN_ESCAPE)
		t->typing = false;
	if (key == SCREEN_ESCAPE || key == ERASE_ALL)
		n = 0;
	else if (key == SCREEN_BACK && n)
		n--;
	else if (key < SCREEN_UP && iswprint((wint_t)key) && n < TYPED_MAX)
		t->typed[n++] = (wchar_t)key;
	t->typed[n] = L'\0';
	set_text(t);
}

static int open_details(struct top *t)
{
	if (t->details)
		return 0;
	if (!t->on_process) {
		t->message = t->rows ? "details are of processes: g groups by these"
				     : "there is no row here";
		return 0;
	}
	t->details = true;
	t->process = t->chosen;
	t->cursor_before = t->cursor;
	t->first_before = t->first;
	t->cursor = t->first = 0;
	return live_want_flows(&t->live);
}

static void close_details(struct top *t)
{
	t->details = false;
	t->cursor = t->cursor_before;
	t->first = t->first_before;
}

static void go_back(struct top *t)
{
	if (t->details) {
		close_details(t);
	} else if (t->view.filter.text) {
		t->typed[0] = L'\0';
		set_text(t);
	}
}

static void move(struct top *t, int key)
{
	size_t page = t->page ?: 1, last = t->rows ? t->rows - 1 : 0;
	size_t *cursor = &t->cursor;

	if (key == SCREEN_UP && *cursor)
		--*cursor;
	else if (key == SCREEN_DOWN)
		++*cursor;
	else if (key == SCREEN_PAGE_UP)
		*cursor -= *cursor < page ? *cursor : page;
	else if (key == SCREEN_PAGE_DOWN)
		*cursor += page;
	else if (key == SCREEN_HOME)
		*cursor = 0;
	else if (key == SCREEN_LAST)
		*cursor = last;
	if (*cursor > last)
		*cursor = last;
}

/* Those that go for the rows and not for details. */
static int row_key(struct top *t, int key)
{
	switch (key) {
	case 'g':
		return cycle_grouping(t, 1);
	case 'G':
		return cycle_grouping(t, -1);
	case 's':
	case '>':
	case SCREEN_RIGHT:
		return cycle_sort(t, 1);
	case '<':
	case SCREEN_LEFT:
		return cycle_sort(t, -1);
	case 'B':
		t->view.sort = NULL;
		return choose_columns(t);
	case 'T':
		return sort_by(t, COLUMN_TX_BYTES, COLUMN_TX_RATE);
	case 'R':
		return sort_by(t, COLUMN_RX_BYTES, COLUMN_RX_RATE);
	case 'P':
		return sort_by(t, COLUMN_PID, COLUMN_PID);
	case 'C':
		return sort_by(t, COLUMN_COMM, COLUMN_COMM);
	case 'U':
		return sort_by(t, COLUMN_USER, COLUMN_USER);
	case 'L':
		return sort_by(t, COLUMN_LAST_SEEN, COLUMN_LAST_SEEN);
	case 'i':
		t->view.reverse = !t->view.reverse;
		return 0;
	case 'a':
		t->view.all = !t->view.all;
		return 0;
	case 'e':
		t->view.filter.live = !t->view.filter.live && !t->view.filter.exited;
		return 0;
	case '/':
		t->typing = true;
		return 0;
	default:
		move(t, key);
		return 0;
	}
}

static int common_key(struct top *t, int key)
{
	switch (key) {
	case 'q':
		t->quit = true;
		return 0;
	case 'h':
	case '?':
		t->help = true;
		return 0;
	case ' ':
	case 'p':
		t->paused = !t->paused;
		return 0;
	case 'r':
	case 'm':
		return switch_rates(t);
	case 'b':
		t->view.bytes = !t->view.bytes;
		return 0;
	case 'n':
		t->view.numeric = !t->view.numeric;
		return 0;
	case SCREEN_ENTER:
		return open_details(t);
	case SCREEN_ESCAPE:
	case SCREEN_BACK:
		go_back(t);
		return 0;
	default:
		break;
	}
	if (!t->details)
		return row_key(t, key);
	move(t, key);
	return 0;
}

int top_key(struct top *t, int key)
{
	if (key == SCREEN_RESIZE)
		return 0;
	t->message = NULL;
	if (t->help) {
		t->help = false;
		t->quit = key == 'q';
		return 0;
	}
	if (t->typing && (key < SCREEN_UP || key >= SCREEN_ENTER)) {
		type(t, key);
		return 0;
	}
	return fail(common_key(t, key));
}
