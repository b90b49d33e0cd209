/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reading as JSON, row by row, so that memory does not grow with the rows.
 * Errors as in account.h; where they come from writing, ferror(out) is set too.
 */
#ifndef NETACCT_JSON_H
#define NETACCT_JSON_H

#include <stdio.h>

#include <jansson.h>

#include "abi.h"

struct reading;
struct report;
struct scope;

/* One document; on one line unless the view wants it pretty. */
int json_document(FILE *out, struct report *report);

/* Each row on a line of its own, with the header's keys before its own. */
int json_lines(FILE *out, struct report *report);

/*
 * What reset and unload took: one document on one line, with every process and
 * every flow.
 */
int json_whole(FILE *out, const struct reading *reading);

/* The same as json_lines() of its processes; where there are none, the header's keys alone. */
int json_whole_lines(FILE *out, const struct reading *reading);

/* The object that stands for counters everywhere; the caller's to free. NULL: no memory. */
json_t *json_counters(const struct counters *c);

/* The same for whose traffic an account counts: {} is everybody's. */
json_t *json_scope(const struct scope *s);

#endif
