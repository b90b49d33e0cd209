/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first rows of a report in the order its view asks for, and the sum of the
 * rest: memory grows with the rows that are shown. Errors as in account.h.
 */
#ifndef NETACCT_RANKING_H
#define NETACCT_RANKING_H

#include "report.h"

struct ranking {
	struct report *report;
	bool finished;	  /* rows of finished processes are wanted */
	bool full;	  /* what is behind the last that may stay is not looked at any more */
	struct row *rows; /* the first n of all, in order */
	size_t n;
	size_t room;
	size_t n_rest;
	struct counters rest;
	struct counters rest_moved;
};

/* ranking_free() it, before the report. */
int ranking_make(struct ranking *k, struct report *report, bool finished);
/* Looks up the names of the rows' remote addresses, if any are wanted: for two seconds at most. */
void ranking_resolve(struct ranking *k);
void ranking_free(struct ranking *k);

#endif
