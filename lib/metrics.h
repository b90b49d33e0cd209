/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An account in the text format that Prometheus reads, version 0.0.4. Errors as
 * in account.h; where they come from writing, ferror(out) is set too.
 */
#ifndef NETACCT_METRICS_H
#define NETACCT_METRICS_H

#include <stdio.h>

#include "ledger.h"

/* Each series of the ledger of a grouping. */
int metrics_traffic(FILE *out, const struct ledger *l, enum grouping by);

/* How the account itself is doing: the same whatever the grouping is. */
int metrics_account(FILE *out, const struct reading *r);

#endif
