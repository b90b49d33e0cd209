/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which processes and flows are wanted. Repeats and commas are OR, different
 * filters AND, and `!` in front excludes. Errors as in account.h.
 */
#ifndef NETACCT_FILTER_H
#define NETACCT_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "reading.h"

/* Each is a list of what may match. */
enum filter_list {
	FILTER_PID,
	FILTER_COMM,
	FILTER_USER,
	FILTER_LISTS,
};

struct filter_item {
	enum filter_list list;
	bool excludes;
	const char *text; /* without the `!` */
	__u32 number;	  /* pid or uid */
};

struct filter {
	struct filter_item *items;
	size_t n_items;
	char **texts; /* what the items point into */
	size_t n_texts;
	bool no_loopback;
	bool live;
	bool exited;
};

/*
 * Adds "a,!b". -EINVAL: a part is empty or no number; -ENOENT: no such user.
 * *bad is then that part, and filter_free()'s to free.
 */
int filter_add(struct filter *f, enum filter_list list, const char *text, const char **bad);
void filter_free(struct filter *f);

bool filter_active(const struct filter *f);
bool filter_process(const struct filter *f, const struct process_row *row);
bool filter_finished(const struct filter *f, const struct finished_row *row);
bool filter_flow(const struct filter *f, const struct flow *flow);

/* A name or a number. -ENOENT: there is no such user. */
int filter_parse_user(const char *text, __u32 *uid);

/* The option that fills a list, without dashes. */
const char *filter_name(enum filter_list list);

#endif
