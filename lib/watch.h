/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections of TCP as they open and close, while somebody watches: programs
 * and a ring of one's own, that nobody else sees and that go with the process.
 * No account is needed. Errors as in account.h.
 */
#ifndef NETACCT_WATCH_H
#define NETACCT_WATCH_H

#include <stddef.h>
#include <linux/types.h>

#include "events.h"

#define WATCHER_WHAT 256

/* Returns 0, or -errno to stop. */
typedef int watcher_each(void *arg, const struct watch_event *event);

struct watcher;

struct watcher_counts {
	__u64 missed;  /* events that the ring had no room for, and runs that the kernel skipped */
	__u64 no_room; /* connections whose opening could not be remembered */
};

struct watcher_limits {
	size_t ring_bytes; /* a power of two, and of pages */
	__u32 connections; /* that are remembered */
};

/*
 * Watches from its return on. On failure `what` says what failed. -EPERM,
 * -EACCES; -ENOTSUP: this kernel has not what it takes. watcher_stop() it.
 */
int watcher_start(struct watcher **w, const struct watcher_limits *limits, watcher_each *each,
		  void *arg, char what[WATCHER_WHAT]);
void watcher_stop(struct watcher *w);

/* No more events come; those that came are still there. */
void watcher_detach(struct watcher *w);

/* Can be read when there are events. */
int watcher_fd(const struct watcher *w);

/*
 * Hands out events; 1 if there may be more. What each() returned, if that was not
 * 0.
 */
int watcher_take(struct watcher *w);

/* Up to the last time that events were taken. */
void watcher_count(const struct watcher *w, struct watcher_counts *c);

#endif
