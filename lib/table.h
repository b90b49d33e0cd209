/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A report as a table for people. Errors as in account.h; where they come from
 * writing, ferror(out) is set too.
 */
#ifndef NETACCT_TABLE_H
#define NETACCT_TABLE_H

#include <stdio.h>

#include "report.h"

/*
 * Names that would reach a terminal as control sequences, or are not of the
 * locale's character set, are escaped: setlocale() comes before.
 */
int table_print(FILE *out, struct report *report);

/* The text of one cell, the caller's to free, as the row has it; NULL: no memory. */
char *table_cell(struct report *report, const struct row *row, const struct column *column);

/* Whether a column's cells stand at its right. */
bool table_is_right(const struct column *column);

/* The line that opens it, without an end: since when, hooks, filters. */
void table_opening(FILE *out, const struct report *report);

/* A number of bytes as the report's view wants it; the caller's to free. */
char *table_bytes(const struct report *report, __u64 bytes);

#endif
