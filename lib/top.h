/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netacct-top shows, and what its keys do to that. Errors as in account.h.
 */
#ifndef NETACCT_TOP_H
#define NETACCT_TOP_H

#include <wchar.h>

#include "live.h"
#include "sheet.h"

#define TYPED_MAX (FILTER_TEXT / 4 - 1) /* characters */

struct top {
	struct live live;
	struct view view;
	bool rates; /* or totals */
	bool paused;
	bool help;
	bool gone; /* the account was unloaded meanwhile */
	bool quit;
	bool typing; /* the text that filters */
	wchar_t typed[TYPED_MAX + 1];
	char text[FILTER_TEXT];
	bool details; /* of the process below, instead of the rows */
	struct process_key process;
	const char *message; /* until the next key */
	size_t cursor;
	size_t first;			    /* row on the screen */
	size_t cursor_before, first_before; /* the details */
	struct sheet sheet;

	/* As of the last drawing. */
	size_t rows;
	size_t page;	 /* rows that there is room for */
	bool on_process; /* the cursor is on a row of the process below */
	struct process_key chosen;
};

/* The view is filled in before. top_free() it. */
int top_init(struct top *t, const char *pin_dir);
void top_free(struct top *t);

/* Takes a reading, with what will be shown of it; fails as live_take() does. */
int top_take(struct top *t);

/* Does what a key says. */
int top_key(struct top *t, int key);

/* Draws all of it. */
int top_draw(struct top *t);

#endif
