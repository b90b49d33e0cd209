// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "pins.h"

/* What of a row the lists are held against; NULL or -1: the row has none. */
struct subject {
	const char *comm;
	__s64 pid;
	__u32 uid;
};

const char *filter_name(enum filter_list list)
{
	static const char *const names[] = {
		[FILTER_PID] = "pid",
		[FILTER_COMM] = "comm",
		[FILTER_USER] = "user",
	};

	return names[list];
}

static int parse_number(const char *text, __u32 *number)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || n > 0xffffffff)
		return -EINVAL;
	*number = n;
	return 0;
}

int filter_parse_user(const char *text, __u32 *uid)
{
	const struct passwd *pw;

	if (parse_number(text, uid) == 0)
		return 0;
	pw = getpwnam(text);
	if (!pw)
		return -ENOENT;
	*uid = pw->pw_uid;
	return 0;
}

static int add_item(struct filter *f, enum filter_list list, const char *text, const char **bad)
{
	struct filter_item item = { .list = list, .text = text };
	struct filter_item *items;
	int error = 0;

	*bad = text;
	if (*item.text == '!') {
		item.excludes = true;
		item.text++;
	}
	if (!*item.text)
		return -EINVAL;
	if (list == FILTER_PID)
		error = parse_number(item.text, &item.number);
	else if (list == FILTER_USER)
		error = filter_parse_user(item.text, &item.number);
	if (error)
		return error;

	items = reallocarray(f->items, f->n_items + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	f->items = items;
	f->items[f->n_items++] = item;
	return 0;
}

int filter_add(struct filter *f, enum filter_list list, const char *text, const char **bad)
{
	char **texts = reallocarray(f->texts, f->n_texts + 1, sizeof(*texts)), *rest, *part;
	int error = 0;

	*bad = text;
	if (!texts)
		return fail(-ENOMEM);
	f->texts = texts;
	rest = strdup(text);
	if (!rest)
		return fail(-ENOMEM);
	f->texts[f->n_texts++] = rest;
	while (!error && (part = strsep(&rest, ",")))
		error = add_item(f, list, part, bad);
	return fail(error);
}

void filter_free(struct filter *f)
{
	for (size_t i = 0; i < f->n_texts; i++)
		free(f->texts[i]);
	free(f->texts);
	free(f->items);
	*f = (struct filter){};
}

bool filter_active(const struct filter *f)
{
	return f->n_items || f->no_loopback || f->live || f->exited;
}

static bool item_matches(const struct filter_item *item, const struct subject *s)
{
	switch (item->list) {
	case FILTER_PID:
		return s->pid == item->number;
	case FILTER_COMM:
		return fnmatch(item->text, s->comm, 0) == 0;
	case FILTER_USER:
		return s->uid == item->number;
	default:
		return false;
	}
}

static bool list_matches(const struct filter *f, enum filter_list list, const struct subject *s)
{
	bool wants = false, found = false;

	for (size_t i = 0; i < f->n_items; i++) {
		const struct filter_item *item = &f->items[i];

		if (item->list != list)
			continue;
		if (!item->excludes)
			wants = true;
		if (!item_matches(item, s))
			continue;
		if (item->excludes)
			return false;
		found = true;
	}
	return found || !wants;
}

static bool matches(const struct filter *f, const struct subject *s, bool exited)
{
	if ((f->live && exited) || (f->exited && !exited))
		return false;
	for (int list = 0; list < FILTER_LISTS; list++)
		if (!list_matches(f, list, s))
			return false;
	return true;
}

bool filter_process(const struct filter *f, const struct process_row *row)
{
	char comm[COMM_LEN + 1] = {};

	memcpy(comm, row->p.comm, COMM_LEN);
	return matches(f, &(struct subject){ comm, row->key.pid, row->p.uid }, row->p.exited_ns);
}

bool filter_finished(const struct filter *f, const struct finished_row *row)
{
	char comm[COMM_LEN + 1] = {};

	memcpy(comm, row->key.comm, COMM_LEN);
	return matches(f, &(struct subject){ comm, -1, row->key.uid }, true);
}

bool filter_flow(const struct filter *f, const struct flow *flow)
{
	return !(f->no_loopback && flow->flags & FLOW_LOOPBACK);
}
