/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which processes and flows are wanted. Repeats and commas are OR, different
 * filters AND, and `!` in front excludes. Errors as in account.h.
 */
#ifndef NETACCT_FILTER_H
#define NETACCT_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "names.h"
#include "reading.h"

#define FILTER_TEXT 64 /* bytes, at most */

/* Each is a list of what may match; only flows have what comes from FILTER_REMOTE on. */
enum filter_list {
	FILTER_PID,
	FILTER_COMM,
	FILTER_USER,
	FILTER_CGROUP,
	FILTER_NETNS,
	FILTER_REMOTE,
	FILTER_PORT,
	FILTER_LISTS,
};

struct filter_item {
	enum filter_list list;
	bool excludes;
	const char *text; /* without the `!` */
	__u32 number;	  /* pid, uid, port, or inode of the network namespace */
	__u8 address[16]; /* as in struct flow */
	int prefix;	  /* how many of its bits count */
};

struct filter {
	struct filter_item *items;
	size_t n_items;
	char **texts; /* what the items point into */
	size_t n_texts;
	unsigned int protocols; /* a bit for each enum protocol that is wanted; 0: all */
	bool ipv4;
	bool ipv6;
	const char *text; /* is in the command, user or pid, or a glob of them; or NULL */
	const struct process_key *process; /* this one alone, or NULL */
	bool no_loopback;
	bool live;
	bool exited;
};

/*
 * Adds "a,!b". -EINVAL: a part is empty, or no number or address; -ENOENT: no
 * such user or network namespace. *bad is then that part, and filter_free()'s to free.
 */
int filter_add(struct filter *f, enum filter_list list, const char *text, const char **bad);
void filter_free(struct filter *f);

bool filter_active(const struct filter *f);

bool filter_has(const struct filter *f, enum filter_list list);

/* Whether it asks for what only flows have: processes alone cannot answer. */
bool filter_needs_flows(const struct filter *f);

bool filter_process(const struct filter *f, struct names *names, const struct process_row *row);
bool filter_finished(const struct filter *f, struct names *names, const struct finished_row *row);

/* Of a flow, the network namespace is its socket's. */
bool filter_flow(const struct filter *f, struct names *names, const struct flow *flow,
		 const struct process_row *process);

/* What of traffic is wanted: all of it, without loopback, or of some protocols. */
struct counters filter_counters(const struct filter *f, const struct traffic *t);

/* Whether filter_counters() would have a flow's. */
bool filter_placed(const struct filter *f, const struct flow *flow);

bool filter_protocol(const struct filter *f, int protocol);

/* What -t and -u mean. */
#define FILTER_TCP (1U << PROTOCOL_TCP | 1U << PROTOCOL_MPTCP)
#define FILTER_UDP (1U << PROTOCOL_UDP | 1U << PROTOCOL_UDPLITE)

/* The name of switch i, "" if it is not set, NULL after the last: "no_loopback". */
const char *filter_switch(const struct filter *f, int i);

/* A name or a number. -ENOENT: there is no such user. */
int filter_parse_user(const char *text, __u32 *uid);

/* The option that fills a list, without dashes. */
const char *filter_name(enum filter_list list);

#endif
