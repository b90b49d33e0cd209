/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a reading is wanted, and how it is to look. Errors as in account.h. */
#ifndef NETACCT_VIEW_H
#define NETACCT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter.h"

#define DEFAULT_ROWS 1000
#define ALL_ROWS     SIZE_MAX
#define MAX_COLUMNS  64

enum grouping {
	BY_PROCESS,
	BY_COMM,
	BY_USER,
	BY_CGROUP,
	BY_FLOW,
	BY_REMOTE,
	BY_PORT,
	BY_PROTOCOL,
	BY_NETNS,
	GROUPINGS,
};

struct column;

struct view {
	enum grouping by;
	struct filter filter;
	const struct column *columns[MAX_COLUMNS]; /* none: those of the grouping */
	size_t n_columns;
	const struct column *sort; /* NULL: most bytes first, where rows are sorted */
	size_t rows;		   /* at most */
	bool sorted;		   /* JSON too */
	bool by_totals;		   /* most bytes of all time first, not of what moved */
	bool reverse;		   /* the other way round */
	bool all;		   /* rows that did not move, too */
	bool pretty;
	bool bytes;
	bool no_header;
	bool numeric;
	bool raw;
	bool bits;    /* rates */
	bool resolve; /* remote addresses */
};

/* Whether its rows are made from flows. */
bool grouping_of_flows(enum grouping by);

/* Only flows can tell: what stands in no flow's row cannot be placed. */
bool view_needs_flows(const struct view *view);

/* The grouping called name, or -EINVAL. */
int grouping_find(const char *name);

/* All their names: "process, comm or user". */
const char *grouping_names(void);

/* Its name, as --by takes it, and that of the array of its rows. */
const char *grouping_name(enum grouping by);
const char *grouping_rows(enum grouping by);

/* The columns of its table if none were chosen, separated by commas. */
const char *grouping_columns(enum grouping by);

#endif
