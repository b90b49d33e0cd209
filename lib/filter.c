// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "counters.h"
#include "filter.h"
#include "pins.h"

/* What of a row the lists are held against; NULL or -1: the row has none. */
struct subject {
	const char *comm;
	__s64 pid;
	__u32 uid;
	__u32 netns;
	__u64 cgroup;
	const struct flow *flow; /* NULL: nothing from FILTER_REMOTE on is asked */
	bool exited;
};

const char *filter_name(enum filter_list list)
{
	static const char *const names[] = {
		[FILTER_PID] = "pid",	    [FILTER_COMM] = "comm",   [FILTER_USER] = "user",
		[FILTER_CGROUP] = "cgroup", [FILTER_NETNS] = "netns", [FILTER_REMOTE] = "remote",
		[FILTER_PORT] = "port",
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

/* A number, or what `ip netns` calls it. */
static int parse_netns(const char *text, __u32 *inode)
{
	struct stat st;
	char *path;
	int error = 0;

	if (parse_number(text, inode) == 0)
		return 0;
	if (asprintf(&path, NETNS_FOLDER "/%s", text) < 0)
		return -ENOMEM;
	if (strchr(text, '/') || stat(path, &st) < 0)
		error = -ENOENT;
	free(path);
	if (!error)
		*inode = st.st_ino;
	return error;
}

static int parse_port(const char *text, __u32 *port)
{
	int error = parse_number(text, port);

	return !error && *port > 0xffff ? -EINVAL : error;
}

/* An address, or ADDRESS/BITS. */
static int parse_remote(struct filter_item *item)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(item->text, '/');
	bool v4 = !memchr(item->text, ':', slash - item->text);
	__u32 bits, most = v4 ? 32 : 128;

	if ((size_t)(slash - item->text) >= sizeof(text))
		return -EINVAL;
	*stpncpy(text, item->text, slash - item->text) = 0;
	memcpy(item->address, mapped, sizeof(mapped));
	if (inet_pton(v4 ? AF_INET : AF_INET6, text, item->address + (v4 ? 12 : 0)) != 1)
		return -EINVAL;
	bits = most;
	if (*slash && (parse_number(slash + 1, &bits) < 0 || bits > most))
		return -EINVAL;
	item->prefix = bits + (v4 ? 96 : 0);
	return 0;
}

static int parse_item(struct filter_item *item)
{
	switch (item->list) {
	case FILTER_PID:
		return parse_number(item->text, &item->number);
	case FILTER_USER:
		return filter_parse_user(item->text, &item->number);
	case FILTER_NETNS:
		return parse_netns(item->text, &item->number);
	case FILTER_REMOTE:
		return parse_remote(item);
	case FILTER_PORT:
		return parse_port(item->text, &item->number);
	default:
		return 0;
	}
}

static int add_item(struct filter *f, enum filter_list list, const char *text, const char **bad)
{
	struct filter_item item = { .list = list, .text = text };
	struct filter_item *items;
	int error;

	*bad = text;
	if (*item.text == '!') {
		item.excludes = true;
		item.text++;
	}
	error = *item.text ? parse_item(&item) : -EINVAL;
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

bool filter_has(const struct filter *f, enum filter_list list)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (f->items[i].list == list)
			return true;
	return false;
}

bool filter_active(const struct filter *f)
{
	return f->n_items || f->text || f->process || f->protocols || f->ipv4 || f->ipv6 ||
	       f->no_loopback || f->live || f->exited;
}

bool filter_needs_flows(const struct filter *f)
{
	return f->ipv4 || f->ipv6 || (f->protocols && f->no_loopback) ||
	       filter_has(f, FILTER_REMOTE) || filter_has(f, FILTER_PORT);
}

const char *filter_switch(const struct filter *f, int i)
{
	const struct {
		const char *name;
		bool set;
	} switches[] = {
		{ "ipv4", f->ipv4 },
		{ "ipv6", f->ipv6 },
		{ "tcp", f->protocols & FILTER_TCP },
		{ "udp", f->protocols & FILTER_UDP },
		{ "no_loopback", f->no_loopback },
		{ "live", f->live },
		{ "exited", f->exited },
	};

	if (i >= (int)(sizeof(switches) / sizeof(*switches)))
		return NULL;
	return switches[i].set ? switches[i].name : "";
}

/* Whether a component begins at s, and the name ends one. */
static bool found_in(const char *path, const char *s, const char *name)
{
	size_t length = strlen(name);

	return (s == path || s[-1] == '/') && (!s[length] || s[length] == '/');
}

/*
 * Whether path is the cgroup called name, or below it. Without a leading slash
 * the name may be anywhere in the path, as that of a unit is. Of a path that has
 * none itself, only its last two components are known.
 */
static bool is_within(const char *path, const char *name)
{
	const char *last = strrchr(name, '/');
	size_t parent = strcspn(path, "/");

	if (*name == '/' && *path == '/') {
		size_t length = strlen(name);

		return !name[1] ||
		       (!strncmp(path, name, length) && (!path[length] || path[length] == '/'));
	}
	if (*name == '/') {
		size_t length = strlen(name), known = strlen(path);

		return (length > known && name[length - known - 1] == '/' &&
			!strcmp(name + length - known, path)) ||
		       (!strncmp(last + 1, path, parent) && strlen(last + 1) == parent);
	}
	for (const char *s = strstr(path, name); s; s = strstr(s + 1, name))
		if (found_in(path, s, name))
			return true;
	return false;
}

static bool is_remote(const struct filter_item *item, const struct flow *flow)
{
	int bytes = item->prefix / 8, rest = item->prefix % 8;

	if (!(flow->flags & FLOW_CONNECTED) ||
	    memcmp(item->address, flow->remote_address, bytes) != 0)
		return false;
	return !rest || !((item->address[bytes] ^ flow->remote_address[bytes]) >> (8 - rest));
}

static bool item_matches(const struct filter_item *item, struct names *names,
			 const struct subject *s)
{
	const char *path;

	switch (item->list) {
	case FILTER_PID:
		return s->pid == item->number;
	case FILTER_COMM:
		return fnmatch(item->text, s->comm, 0) == 0;
	case FILTER_USER:
		return s->uid == item->number;
	case FILTER_CGROUP:
		path = names_cgroup(names, s->cgroup);
		return path && is_within(path, item->text);
	case FILTER_NETNS:
		return s->netns == item->number;
	case FILTER_REMOTE:
		return is_remote(item, s->flow);
	default:
		return s->flow->local_port == item->number ||
		       (s->flow->flags & FLOW_CONNECTED && s->flow->remote_port == item->number);
	}
}

static bool list_matches(const struct filter *f, enum filter_list list, struct names *names,
			 const struct subject *s)
{
	bool wants = false, found = false;

	for (size_t i = 0; i < f->n_items; i++) {
		const struct filter_item *item = &f->items[i];

		if (item->list != list)
			continue;
		if (!item->excludes)
			wants = true;
		if (!item_matches(item, names, s))
			continue;
		if (item->excludes)
			return false;
		found = true;
	}
	return found || !wants;
}

/* Text that holds * or ? stands for what it matches, other text for itself. */
static bool is_in(const char *text, const char *s)
{
	char glob[FILTER_TEXT + 3];

	if (!strpbrk(text, "*?"))
		return strcasestr(s, text);
	snprintf(glob, sizeof(glob), "*%s*", text);
	return fnmatch(glob, s, FNM_CASEFOLD) == 0;
}

static bool text_matches(const struct filter *f, struct names *names, const struct subject *s)
{
	const char *user = names_user(names, s->uid);
	char number[16];

	if (is_in(f->text, s->comm) || (user && is_in(f->text, user)))
		return true;
	snprintf(number, sizeof(number), "%lld", (long long)s->pid);
	return s->pid >= 0 && is_in(f->text, number);
}

static bool matches(const struct filter *f, struct names *names, const struct subject *s)
{
	int end = s->flow ? FILTER_LISTS : FILTER_REMOTE;

	if (f->text && !text_matches(f, names, s))
		return false;
	if ((f->live && s->exited) || (f->exited && !s->exited))
		return false;
	for (int list = 0; list < end; list++)
		if (!list_matches(f, list, names, s))
			return false;
	return true;
}

static bool process_matches(const struct filter *f, struct names *names,
			    const struct process_row *row, const struct flow *flow)
{
	char comm[COMM_LEN + 1] = {};

	if (f->process && reading_order(f->process, &row->key) != 0)
		return false;
	if (!f->n_items && !f->text && !f->live && !f->exited)
		return true;
	memcpy(comm, row->p.comm, COMM_LEN);
	return matches(f, names,
		       &(struct subject){
			       .comm = comm,
			       .pid = row->key.pid,
			       .uid = row->p.uid,
			       .netns = flow ? flow->netns : row->p.netns,
			       .cgroup = row->p.cgroup_id,
			       .flow = flow,
			       .exited = row->p.exited_ns,
		       });
}

bool filter_process(const struct filter *f, struct names *names, const struct process_row *row)
{
	return process_matches(f, names, row, NULL);
}

bool filter_finished(const struct filter *f, struct names *names, const struct finished_row *row)
{
	char comm[COMM_LEN + 1] = {};

	if (f->process)
		return false;
	memcpy(comm, row->key.comm, COMM_LEN);
	return matches(f, names,
		       &(struct subject){
			       .comm = comm,
			       .pid = -1,
			       .uid = row->key.uid,
			       .netns = row->key.netns,
			       .cgroup = row->key.cgroup_id,
			       .exited = true,
		       });
}

bool filter_protocol(const struct filter *f, int protocol)
{
	return !f->protocols ||
	       (protocol >= 0 && protocol < PROTOCOLS && f->protocols & 1U << protocol);
}

bool filter_flow(const struct filter *f, struct names *names, const struct flow *flow,
		 const struct process_row *process)
{
	bool v4 = flow->family == AF_INET;

	if (f->no_loopback && flow->flags & FLOW_LOOPBACK)
		return false;
	if ((f->ipv4 || f->ipv6) && !(v4 ? f->ipv4 : f->ipv6))
		return false;
	return filter_protocol(f, flow->protocol) && process_matches(f, names, process, flow);
}

struct counters filter_counters(const struct filter *f, const struct traffic *t)
{
	struct counters sum = {}, part;

	if (f->protocols) {
		for (int i = 0; i < PROTOCOLS; i++) {
			if (!filter_protocol(f, i))
				continue;
			part = traffic_protocol(t, i);
			counters_add(&sum, &part);
		}
		return sum;
	}
	sum = traffic_total(t);
	if (!f->no_loopback)
		return sum;
	part = traffic_loopback(t);
	return counters_less(&sum, &part);
}

bool filter_placed(const struct filter *f, const struct flow *flow)
{
	if (f->protocols)
		return filter_protocol(f, flow->protocol);
	return !(f->no_loopback && flow->flags & FLOW_LOOPBACK);
}
