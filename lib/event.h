/* SPDX-License-Identifier: GPL-2.0-only */
/* What a watcher's event says. */
#ifndef NETACCT_EVENT_H
#define NETACCT_EVENT_H

#include <stdbool.h>

#include <jansson.h>

#include "filter.h"
#include "names.h"
#include "watch.h"

/* "open", "accept", "failed" or "close". */
const char *event_name(const struct watch_event *e);

/* Nanoseconds since the epoch. */
__u64 event_time(const struct watch_event *e);

bool event_matches(const struct watch_event *e, const struct filter *f, struct names *names);

/*
 * All of it. Objects and strings are the caller's to free; NULL: no memory.
 */
json_t *event_json(const struct watch_event *e, struct names *names);

/* Its first keys: event and time. */
json_t *event_moment(const char *what, __u64 epoch_ns);

#endif
