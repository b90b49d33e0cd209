/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One JSON document of a file, checked: a reading, or a mark behind readings.
 * Errors as in account.h.
 */
#ifndef NETACCT_DOCUMENT_H
#define NETACCT_DOCUMENT_H

#include <stdbool.h>
#include <stdio.h>

#include "mark.h"
#include "saved.h"

#define DOCUMENT_SCHEMA	     1
#define DOCUMENT_RESTORED_AT "restored_at"
#define DOCUMENT_RESTORED_TO "restored_to"

struct document {
	struct mark account; /* of a reading in whole seconds; of a mark exactly */
	bool is_mark;
	__u64 restored_at_ns; /* of a mark */
	__u64 generation;
	__u64 began_at_ns; /* what is in it; since the epoch */
	__u64 since_ns;	   /* the same, or before that what was restored to it */
	bool whole;	   /* nobody wrote to its tables any more */
	__u64 scope;	   /* whose traffic it is of: scope_sum() */
	struct counters no_row;
	struct saved_row *rows;
	size_t n;
};

/* For messages: the document and its row, from 1, and the object in that. */
struct place {
	char *what; /* SAVED_WHAT bytes */
	size_t document;
	size_t row;
	const char *part;
};

/*
 * The next of a file: 1, or 0 if there is none. -EPROTO: where->what says what
 * is wrong with it.
 */
int document_read(struct document *d, FILE *f, struct place *where);
void document_drop_rows(struct document *d);
void document_free_rows(struct saved_row *rows, size_t n);

/* Adds __u64 numbers to others; false: a sum is larger than JSON can hold. */
bool document_add(void *to, const void *from, size_t size);

/* The same, of what it comes to in all. */
bool document_add_traffic(struct counters *to, const struct traffic *t);

/* -EPROTO, with words for that. */
int document_too_large(const struct place *where);

#endif
