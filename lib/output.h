/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a reading goes: to stdout, or to a file that is either the old one or
 * all of the new one, whatever happens in between. Errors as in account.h.
 */
#ifndef NETACCT_OUTPUT_H
#define NETACCT_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
	FILE *file;	 /* write here */
	const char *to;	 /* for messages: "standard output", or the path as it was given */
	char *path;	 /* the rest is output.c's own */
	char *temporary; /* in the folder, beside the path */
	int folder;
	bool named;
	bool replaces; /* a file that was there */
};

/*
 * to: a path, or NULL for stdout. A file that is there already keeps its mode
 * and owner, a new one gets 0600. -EINVAL: it is there, and is no plain file.
 */
int output_open(struct output *o, const char *to);

/* A new file is for everybody to read. */
int output_share(struct output *o);

/*
 * 0 only when every byte is written, and a file is on disk under its name. On
 * failure the old file is untouched. The output is closed either way.
 */
int output_commit(struct output *o);

/*
 * The same, but goes on after what was written: a later commit has that, too.
 */
int output_continue(struct output *o);

/* Leaves the old file as it is. */
void output_abort(struct output *o);

#endif
