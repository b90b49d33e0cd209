/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rows of a pinned map, to read. Errors as in account.h.
 *
 * They come from the file beside the map, that a program of ours writes as it is
 * read. The kernel skips classic tracepoint and kprobe programs on a CPU that is
 * inside a map system call, so that with such hooks events would go uncounted if
 * maps were read by these. With others large maps are read in batches, which
 * never lose their place.
 */
#ifndef NETACCT_LIB_ROWS_H
#define NETACCT_LIB_ROWS_H

#include <stdbool.h>

#include "pins.h"

struct rows {
	const struct pin_shape *shape;
	int fd;
	bool batch; /* fd is of the map, and not of the file */
};

/*
 * Takes hold of the rows of a map, which stay even if its pins are removed.
 * -EPROTO: it has another shape. rows_close() it.
 */
int rows_open(struct rows *r, const char *dir, const struct pin_shape *shape, bool batch);
void rows_close(struct rows *r);

/* The same for a file alone, whatever its map is like. */
int rows_open_file(struct rows *r, const char *dir, const struct pin_shape *shape);

/*
 * Hands out each row as it is now, as often as asked for. Those that come or go
 * meanwhile are handed out or not, all others once; but for a file: where rows
 * are deleted meanwhile, others may be left out or come twice.
 *
 * Key and value may lie at any address. each() returns 0, or -errno to stop.
 * -ENODEV: it takes /proc.
 */
int rows_each(const struct rows *r, int (*each)(void *arg, const void *key, const void *value),
	      void *arg);

/*
 * Reads an iterator that has no rows to its end, for what its program does, and
 * closes it; or says with errno why there is none. The same of one that is pinned.
 */
int rows_run(int fd);
int rows_run_pin(const char *dir, const char *name);

/* The value of an array of one. */
int rows_value(const struct rows *r, void *value);

/* Makes the file with the rows of a map, by the program for this kind of map. */
int rows_pin(int prog_fd, int map_fd, const char *path);

#endif
