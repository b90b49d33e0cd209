/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of a report on the screen, in the columns that there is room for. Errors
 * as in account.h.
 */
#ifndef NETACCT_SHEET_H
#define NETACCT_SHEET_H

#include "columns.h"
#include "ranking.h"

/* Columns only grow wider while the same is shown, so that they do not dance. */
struct sheet {
	enum grouping by;
	bool rates;
	int columns; /* of the screen */
	int widths[COLUMNS];
};

/*
 * Fills view->columns: the columns of its grouping's table, with rates before
 * sums or without rates, and that which it is sorted by.
 */
int sheet_choose(struct view *view, bool rates);

/* Where on the screen, and which rows: that under the cursor stands out. */
struct sheet_part {
	int line;
	int lines; /* the names of the columns are the first */
	size_t first;
	size_t cursor;
};

int sheet_draw(struct sheet *s, struct report *report, const struct ranking *ranking, bool rates,
	       const struct sheet_part *part);

#endif
