/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The columns: what tables, JSON, --output and --sort call by name. Errors as
 * in account.h.
 */
#ifndef NETACCT_COLUMNS_H
#define NETACCT_COLUMNS_H

#include <stdbool.h>
#include <stdio.h>

#include "report.h"
#include "text.h"

/* What a column holds; what comes before COLUMN_COUNT is sorted lowest first, the rest most first.
 */
enum column_kind {
	COLUMN_TEXT,   /* value.text */
	COLUMN_NUMBER, /* value.number, as the next five */
	COLUMN_BOOL,
	COLUMN_COUNT,
	COLUMN_BYTES,
	COLUMN_TIME,	  /* since the epoch */
	COLUMN_COUNTERS,  /* value.counters */
	COLUMN_PROTOCOLS, /* value.traffic, and its sum in value.counters */
};

/* In the order of the keys in JSON. */
enum column_id {
	COLUMN_PID,
	COLUMN_START_TIME,
	COLUMN_START_NS,
	COLUMN_COMM,
	COLUMN_UID,
	COLUMN_USER,
	COLUMN_CGROUP_ID,
	COLUMN_CGROUP,
	COLUMN_SERVICE,
	COLUMN_CONTAINER_ID,
	COLUMN_NETNS,
	COLUMN_NETNS_NAME,
	COLUMN_FLOW,
	COLUMN_PORT,
	COLUMN_PROTOCOL,
	COLUMN_FAMILY,
	COLUMN_LOCAL_ADDRESS,
	COLUMN_LOCAL_PORT,
	COLUMN_REMOTE_ADDRESS,
	COLUMN_REMOTE_PORT,
	COLUMN_REMOTE_NAME,
	COLUMN_IS_LOOPBACK,
	COLUMN_STATE,
	COLUMN_RTT_US,
	COLUMN_RETRANSMITTED_BYTES,
	COLUMN_NS_PID,
	COLUMN_PPID,
	COLUMN_PARENT_COMM,
	COLUMN_EXE,
	COLUMN_CMDLINE,
	COLUMN_EXITED,
	COLUMN_EXITED_AT,
	COLUMN_LIVED_NS,
	COLUMN_MERGED,
	COLUMN_PROCESSES,
	COLUMN_FIRST_SEEN,
	COLUMN_LAST_SEEN,
	COLUMN_TX_BYTES,
	COLUMN_RX_BYTES,
	COLUMN_TX_CALLS,
	COLUMN_RX_CALLS,
	COLUMN_TX_RATE,
	COLUMN_RX_RATE,
	COLUMN_OTHER_FLOWS,
	COLUMN_BY_PROTOCOL,
	COLUMN_LOOPBACK,
	COLUMNS,
};

struct column {
	enum column_id id;
	const char *name; /* the key in JSON */
	const char *help;
	enum column_kind kind;
	unsigned int groupings; /* a bit for each that has it */
	unsigned int asked;	/* a bit for each that has it only if it is asked for */
};

#define TEXT_VALUE_LEN 4096 /* a command line is cut off there */

struct value {
	bool known;
	__u64 number;
	const char *text; /* may point to buf */
	struct counters counters;
	const struct traffic *traffic;
	char buf[TEXT_VALUE_LEN];
};

/* The columns that a grouping has; NULL after the last. */
const struct column *column_of(enum grouping by, enum column_id id);

/* Whether it tells what report.connections has. */
bool column_of_connection(const struct column *column);

/* Fills view->columns. -EINVAL: *bad, to be freed, is none of the grouping's columns. */
int columns_choose(struct view *view, const char *names, char **bad);

/* Fills view->columns with what JSON has: all that the report knows, and nobody has to ask for. */
void columns_all(struct view *view, const struct report *r);

/* The one called name, in any case, or NULL. */
const struct column *column_find(enum grouping by, const char *name);

/* What a row has in a column. */
void column_get(struct report *r, const struct row *row, const struct column *column,
		struct value *value);

/* <0, 0, >0: whether row a comes before b. What is not known comes last. */
int column_compare(struct report *r, const struct column *column, const struct row *a,
		   const struct row *b);

/* Bytes per second. */
__u64 column_rate(const struct report *r, __u64 bytes);

/* One line for each column. */
void columns_help(FILE *out);

#endif
