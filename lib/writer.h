/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON as text, written as it comes: for what there may be a million of, and
 * for what stands around it. Each value has a key, or NULL in an array. A
 * failure is remembered, and writer_error() tells of it.
 */
#ifndef NETACCT_WRITER_H
#define NETACCT_WRITER_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "abi.h"

struct writer {
	FILE *out;
	bool pretty; /* on many lines, as jansson breaks them */
	int depth;   /* the rest is writer.c's own */
	bool later;
	int error;
};

/* An object or array, with the bracket of either. */
void write_open(struct writer *w, const char *key, char bracket);
void write_close(struct writer *w, char bracket);

void write_null(struct writer *w, const char *key);
void write_bool(struct writer *w, const char *key, bool value);
void write_number(struct writer *w, const char *key, __s64 n);
void write_time(struct writer *w, const char *key, __u64 epoch_ns);
void write_counters(struct writer *w, const char *key, const struct counters *c);
/* The members of that alone. */
void write_fields(struct writer *w, const struct counters *c);
/* null if it is NULL; what is no UTF-8 is U+FFFD. */
void write_string(struct writer *w, const char *key, const char *s);
/* Takes json over; NULL: there was no memory for it. */
void write_json(struct writer *w, const char *key, json_t *json);
/* Members of an object that were written before, with nothing around them. */
void write_members(struct writer *w, const char *text);

/* A line ends here, and what comes next is a document of its own. */
void write_end(struct writer *w);

/* 0, or -errno of the first failure: -ENOMEM, or with ferror(out) set that of writing. */
int writer_error(struct writer *w);

/* What write_string() writes, for jansson. NULL: no memory. */
json_t *writer_text(const char *s);

#endif
