/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pinned objects, as files: opening, locking and removing them. Errors as in
 * account.h.
 */
#ifndef NETACCT_PINS_H
#define NETACCT_PINS_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>

#include <linux/types.h>

/* What a pinned map has to look like before anybody reads it. */
struct pin_shape {
	const char *name;
	__u32 type; /* BPF_MAP_TYPE_* */
	__u32 key_size;
	__u32 value_size;
};

/* Sets errno to that of an error and returns it. */
int fail(int r);

/* "dir/name"; -ENAMETOOLONG. */
int path_join(char path[PATH_MAX], const char *dir, const char *name);

/*
 * readdir() for a loop that ends with an error: NULL after the last entry, if *err is
 * one, or with *err set where the folder cannot be read further.
 */
struct dirent *pin_next(DIR *dir, int *err);

/* A descriptor of the map; -EPROTO if it has another shape. */
int pin_open(const char *dir, const struct pin_shape *shape, bool writable);

/*
 * Locks a folder for this process, waiting some seconds for whoever holds it.
 * A descriptor to close; -EBUSY. The lock goes with the process.
 */
int pin_lock(const char *dir, int seconds);

/* Removes a folder of pins with all that is in it. */
int pin_remove(const char *dir);

/*
 * The same, and waits a while until the kernel has let go of what was pinned,
 * which it does behind our back. Others may hold on to it longer.
 */
int pin_remove_and_wait(const char *dir);

#endif
