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

#endif
