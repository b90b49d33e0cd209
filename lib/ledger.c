// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "counters.h"
#include "ledger.h"
#include "pins.h"
#include "text.h"

#define LOCK_SECONDS 5
#define FRESH	     "~"
#define OTHERS	     "other"

/* The label comes first, so that trees can compare it. */
struct series {
	struct ledger_series s;
	struct counters finished; /* what finished rows have now */
	struct counters gone;	  /* of processes that are: what had been shown of them */
	struct counters living;	  /* what processes gained */
	struct counters gained;	  /* what finished rows did */
	struct counters missing;  /* what they did not, and should have */
	__u32 place;		  /* when it is written */
};

struct ledger {
	const struct account *account;
	enum grouping by;
	int lock;
	char folder[PATH_MAX];
	struct ledger_head head;
	struct series **series;
	void *labels; /* a tree of the same */
	struct ledger_part *parts, *old_parts;
	size_t n_parts, n_old_parts;
	void *names; /* a tree of struct ledger_name, those that are in use */
	struct ledger_name *old_names;
	size_t n_names, n_old_names;
	bool full; /* before the reading */
};

/* What a row is to be shown as. */
struct owner {
	const char *comm;
	__u64 cgroup_id;
	__u32 uid;
	__u32 netns;
	__u32 protocol;
};

bool ledger_keeps(enum grouping by)
{
	return by == BY_COMM || by == BY_USER || by == BY_CGROUP || by == BY_PROTOCOL ||
	       by == BY_NETNS;
}

static struct pin_shape shape_of(const char *name)
{
	return (struct pin_shape){ name, BPF_MAP_TYPE_ARRAY, sizeof(__u32), LEDGER_BLOCK };
}

static int compare_labels(const void *a, const void *b)
{
	const struct series *x = a, *y = b;

	return strcmp(x->s.label, y->s.label);
}

static int compare_names(const void *a, const void *b)
{
	const struct ledger_name *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int compare_parts(const struct ledger_part *a, const struct ledger_part *b)
{
	const struct process_key x = { .pid = a->pid, .start_ns = a->start_ns };
	const struct process_key y = { .pid = b->pid, .start_ns = b->start_ns };

	return reading_order(&x, &y) ?: (a->protocol > b->protocol) - (a->protocol < b->protocol);
}

/* -EEXIST: there is one of that label. */
static int add_series(struct ledger *l, const struct ledger_series *s)
{
	size_t n = l->head.n_series;
	struct series **all = reading_grow(l->series, n, sizeof(struct series *)), *one,
		      **found = NULL;

	if (!all)
		return -ENOMEM;
	l->series = all;
	one = calloc(1, sizeof(*one));
	if (one) {
		one->s = *s;
		one->place = n;
		found = tsearch(one, &l->labels, compare_labels);
	}
	if (!found || *found != one) {
		free(one);
		return found ? -EEXIST : -ENOMEM;
	}
	all[l->head.n_series++] = one;
	return 0;
}

static int add_label(struct ledger *l, const char *label)
{
	struct ledger_series s = {};

	snprintf(s.label, sizeof(s.label), "%s", label);
	return add_series(l, &s);
}

/* It goes into a file that one wrong byte makes useless. */
static bool is_label(const struct ledger_series *s)
{
	char *clean;
	bool same;

	if (s->label[LEDGER_LABEL - 1])
		return false;
	clean = text_label(s->label);
	same = clean && strcmp(clean, s->label) == 0;
	free(clean);
	return same;
}

static void *copy(const void *from, size_t n, size_t size)
{
	void *to = calloc(n + 1, size);

	return to ? memcpy(to, from, n * size) : NULL;
}

/* Of the head, and of all that it counts. */
static size_t size_of(const struct ledger_head *h)
{
	return sizeof(*h) + h->n_series * sizeof(struct ledger_series) +
	       h->n_parts * sizeof(struct ledger_part) + h->n_names * sizeof(struct ledger_name);
}

static int take_series(struct ledger *l, const struct ledger_series *s, size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = is_label(&s[i]) ? add_series(l, &s[i]) : -EPROTO;
	if (!err && strcmp(l->series[0]->s.label, OTHERS) != 0)
		err = -EPROTO;
	return err == -EEXIST ? -EPROTO : err;
}

static int take_rest(struct ledger *l, const struct ledger_head *h, const void *parts)
{
	const void *names = (const struct ledger_part *)parts + h->n_parts;

	l->old_parts = copy(parts, h->n_parts, sizeof(*l->old_parts));
	l->old_names = copy(names, h->n_names, sizeof(*l->old_names));
	if (!l->old_parts || !l->old_names)
		return -ENOMEM;
	l->n_old_parts = h->n_parts;
	l->n_old_names = h->n_names;
	for (size_t i = 0; i < l->n_old_parts; i++)
		if (l->old_parts[i].series >= h->n_series)
			return -EPROTO;
	for (size_t i = 0; i < l->n_old_names; i++)
		if (l->old_names[i].series >= h->n_series)
			return -EPROTO;
	return 0;
}

/* Nobody else writes to what is here, or ought to; it is checked before it is used. */
static int parse(struct ledger *l, const void *bytes, size_t size)
{
	const struct ledger_series *s;
	struct ledger_head h;
	int err;

	if (size < sizeof(h))
		return -EPROTO;
	memcpy(&h, bytes, sizeof(h));
	if (h.version != LEDGER_VERSION || !h.n_series || h.n_series > LEDGER_SERIES + 1 ||
	    size_of(&h) > size)
		return -EPROTO;
	/* Of an account that was here before this one: who wrote it came too late. */
	if (h.loaded_at_ns != l->account->meta.loaded_at_ns)
		return -ENOENT;
	l->head.generation = h.generation;
	s = (const struct ledger_series *)((const struct ledger_head *)bytes + 1);
	err = take_series(l, s, h.n_series);
	return err ?: take_rest(l, &h, s + h.n_series);
}

static void *map_bytes(int fd, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* A copy, which nobody changes as it is looked at. */
static int copy_array(int fd, void **bytes, size_t *size)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	void *mapped;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	*size = (size_t)info.max_entries * LEDGER_BLOCK;
	mapped = map_bytes(fd, *size);
	/* An array that is not ours cannot be mapped. */
	if (mapped == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EPROTO;
	*bytes = copy(mapped, info.max_entries, LEDGER_BLOCK);
	munmap(mapped, *size);
	return *bytes ? 0 : -ENOMEM;
}

static int read_pin(struct ledger *l)
{
	struct pin_shape shape = shape_of(grouping_name(l->by));
	void *bytes = NULL;
	size_t size = 0;
	int fd, err;

	fd = pin_open(l->folder, &shape, true);
	if (fd < 0)
		return fd;
	err = copy_array(fd, &bytes, &size);
	close(fd);
	if (!err)
		err = parse(l, bytes, size);
	free(bytes);
	return err;
}

/* The folder is the account's that was opened, and ours alone until it is closed. */
static int lock(struct ledger *l)
{
	struct stat st;
	int err;

	err = path_join(l->folder, l->account->pin_dir, PIN_METRICS);
	if (err < 0)
		return err;
	if (mkdir(l->folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	err = l->lock = pin_lock(l->folder, LOCK_SECONDS);
	if (err < 0)
		return err;
	if (stat(l->account->pin_dir, &st) < 0)
		return -errno;
	return st.st_ino == l->account->folder ? 0 : -ENOENT;
}

int ledger_open(struct ledger **to, const struct account *a, enum grouping by)
{
	struct ledger *l = calloc(1, sizeof(*l));
	int err;

	*to = NULL;
	if (!l)
		return fail(-ENOMEM);
	*l = (struct ledger){ .account = a, .by = by, .lock = -1 };
	err = lock(l);
	if (!err) {
		err = read_pin(l);
		if (err == -ENOENT)
			err = add_label(l, OTHERS);
	}
	if (err < 0) {
		ledger_close(l);
		return fail(err);
	}
	l->head.version = LEDGER_VERSION;
	l->head.loaded_at_ns = a->meta.loaded_at_ns;
	l->full = l->head.n_series > LEDGER_SERIES;
	*to = l;
	return 0;
}

static void keep_node(void *node)
{
	(void)node;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	tdestroy(l->labels, keep_node);
	for (size_t i = 0; i < l->head.n_series; i++)
		free(l->series[i]);
	tdestroy(l->names, free);
	free(l->series);
	free(l->parts);
	free(l->old_parts);
	free(l->old_names);
	if (l->lock >= 0)
		close(l->lock);
	free(l);
}

/* There was a reset: nothing of what was counted before is there any more. */
static void begin_anew(struct ledger *l)
{
	for (size_t i = 0; i < l->head.n_series; i++) {
		struct ledger_series *s = &l->series[i]->s;

		s->shown = s->finished = s->owed = (struct counters){};
	}
	l->n_old_parts = 0;
}

/* What is too long keeps its end, as cgroups do of which only that is known. */
static void shorten(char label[LEDGER_LABEL], const char *text)
{
	size_t length = strlen(text);

	if (length >= LEDGER_LABEL)
		text += length - LEDGER_LABEL + 1;
	while ((*text & 0xc0) == 0x80)
		text++;
	snprintf(label, LEDGER_LABEL, "%s", text);
}

/* In this order: the name, else the number. */
static char *name_owner(const struct ledger *l, const struct owner *o, struct names *names)
{
	char comm[COMM_LEN + 1] = "", number[24];
	const char *name = NULL;
	__u64 id = 0;

	switch (l->by) {
	case BY_COMM:
		memcpy(comm, o->comm, COMM_LEN);
		name = comm;
		break;
	case BY_USER:
		id = o->uid;
		name = names_user(names, o->uid);
		break;
	case BY_CGROUP:
		id = o->cgroup_id;
		name = names_cgroup(names, id);
		break;
	case BY_PROTOCOL:
		name = text_protocol(o->protocol);
		break;
	default:
		id = o->netns;
	}
	snprintf(number, sizeof(number), "%" PRIu64, (uint64_t)id);
	return text_label(name ?: number);
}

/* The series of a label; a new one if there is room, else that of the others. */
static int find_label(struct ledger *l, const char *text, __u32 *series)
{
	struct series key = {}, *const * found;

	shorten(key.s.label, text);
	found = tfind(&key, &l->labels, compare_labels);
	*series = found ? (*found)->place : 0;
	if (found || l->full)
		return 0;
	*series = l->head.n_series;
	return add_label(l, key.s.label);
}

static int remember(struct ledger *l, __u64 id, __u32 series)
{
	struct ledger_name *name = malloc(sizeof(*name));

	if (!name)
		return -ENOMEM;
	*name = (struct ledger_name){ .id = id, .series = series };
	if (!tsearch(name, &l->names, compare_names)) {
		free(name);
		return -ENOMEM;
	}
	l->n_names++;
	return 0;
}

/* Users and cgroups keep the label that they had, as long as anything has them. */
static int find_series(struct ledger *l, const struct owner *o, struct names *names, __u32 *series)
{
	bool named = l->by == BY_USER || l->by == BY_CGROUP;
	struct ledger_name key = { .id = l->by == BY_USER ? o->uid : o->cgroup_id }, *const * found;
	const struct ledger_name *old = NULL;
	char *text;
	int err;

	if (named) {
		found = tfind(&key, &l->names, compare_names);
		if (found) {
			*series = (*found)->series;
			return 0;
		}
		if (l->n_old_names)
			old = bsearch(&key, l->old_names, l->n_old_names, sizeof(*old),
				      compare_names);
	}
	if (old) {
		*series = old->series;
		return remember(l, key.id, *series);
	}
	text = name_owner(l, o, names);
	err = text ? find_label(l, text, series) : -ENOMEM;
	free(text);
	return err ?: named ? remember(l, key.id, *series) : 0;
}

/* Had counters been taken up where they were, none would be less. */
static bool goes_on(const struct counters *was, const struct counters *now)
{
	struct counters less = counters_less(was, now);

	return counters_zero(&less);
}

static void end_part(struct ledger *l, const struct ledger_part *old)
{
	counters_add(&l->series[old->series]->gone, &old->counters);
}

/* Parts come in their order; those of before that are passed have ended. */
static int add_part(struct ledger *l, const struct ledger_part *part, size_t *passed)
{
	struct ledger_part *parts = reading_grow(l->parts, l->n_parts, sizeof(*parts));
	struct counters gained = part->counters;

	if (!parts)
		return -ENOMEM;
	l->parts = parts;
	parts[l->n_parts++] = *part;
	for (; *passed < l->n_old_parts; ++*passed) {
		const struct ledger_part *old = &l->old_parts[*passed];
		int order = compare_parts(old, part);

		if (order > 0)
			break;
		if (order == 0 && goes_on(&old->counters, &part->counters))
			gained = counters_less(&part->counters, &old->counters);
		else
			end_part(l, old);
	}
	counters_add(&l->series[part->series]->living, &gained);
	return 0;
}

/* The counters that a protocol stands for; of all of them unless series are by protocol. */
static struct counters counters_of(const struct ledger *l, const struct traffic *t, __u32 protocol)
{
	if (l->by == BY_PROTOCOL ? protocol == PROTOCOL_PACKET : protocol != 0)
		return (struct counters){};
	return l->by == BY_PROTOCOL ? traffic_protocol(t, protocol) : traffic_total(t);
}

static int add_process(struct ledger *l, const struct process_row *row, struct names *names,
		       size_t *passed)
{
	const struct process *p = &row->p;
	struct ledger_part part = { .start_ns = row->key.start_ns, .pid = row->key.pid };
	struct owner o = { p->comm, p->cgroup_id, p->uid, p->netns, 0 };
	int err = 0;

	for (; !err && o.protocol < PROTOCOLS; o.protocol++) {
		part.counters = counters_of(l, &p->traffic, o.protocol);
		if (counters_zero(&part.counters))
			continue;
		part.protocol = o.protocol;
		err = find_series(l, &o, names, &part.series);
		if (!err)
			err = add_part(l, &part, passed);
	}
	return err;
}

static int add_finished(struct ledger *l, const struct finished_row *row, struct names *names)
{
	const struct finished_key *k = &row->key;
	struct owner o = { k->comm, k->cgroup_id, k->uid, k->netns, 0 };
	__u32 series;
	int err = 0;

	for (; !err && o.protocol < PROTOCOLS; o.protocol++) {
		struct counters c = counters_of(l, &row->f.traffic, o.protocol);

		if (counters_zero(&c))
			continue;
		err = find_series(l, &o, names, &series);
		if (!err)
			counters_add(&l->series[series]->finished, &c);
	}
	return err;
}

static int add_rows(struct ledger *l, const struct reading *r, struct names *names)
{
	size_t passed = 0;
	int err = 0;

	for (size_t i = 0; !err && i < r->n_processes; i++)
		err = add_process(l, &r->processes[i], names, &passed);
	for (size_t i = 0; !err && i < r->n_finished; i++)
		err = add_finished(l, &r->finished[i], names);
	for (; passed < l->n_old_parts; passed++)
		end_part(l, &l->old_parts[passed]);
	counters_add(&l->series[0]->finished, &r->totals.no_row);
	return err;
}

/* Lets as much of need be met as there is. */
static void meet(struct counters *need, struct counters *from)
{
	struct counters rest = counters_less(need, from);

	*from = counters_less(from, need);
	*need = rest;
}

static void weigh(struct series *s)
{
	struct counters expected = s->s.finished;

	counters_add(&expected, &s->gone);
	counters_add(&expected, &s->s.owed);
	s->gained = counters_less(&s->finished, &expected);
	s->missing = counters_less(&expected, &s->finished);
}

static void settle(struct ledger *l)
{
	size_t n = l->head.n_series;

	for (size_t i = 0; i < n; i++)
		weigh(l->series[i]);
	for (size_t i = 0; i < n; i++) {
		struct series *s = l->series[i];

		for (size_t j = 0; j < n && !counters_zero(&s->missing); j++)
			meet(&s->missing, &l->series[j]->gained);
		meet(&s->missing, &s->living);
		for (size_t j = 0; j < n && !counters_zero(&s->missing); j++)
			meet(&s->missing, &l->series[j]->living);
	}
	for (size_t i = 0; i < n; i++) {
		struct series *s = l->series[i];

		counters_add(&s->s.shown, &s->gained);
		counters_add(&s->s.shown, &s->living);
		s->s.finished = s->finished;
		s->s.owed = s->missing;
	}
}

static __u64 weight(const struct series *s)
{
	return s->s.shown.tx_bytes + s->s.shown.rx_bytes;
}

static int compare_weights(const void *a, const void *b)
{
	const struct series *x = *(struct series *const *)a, *y = *(struct series *const *)b;

	return (weight(x) < weight(y)) - (weight(x) > weight(y)) ?: compare_labels(x, y);
}

static void move_name(const void *node, VISIT visit, void *arg)
{
	struct ledger_name *name = *(struct ledger_name *const *)node;
	const __u32 *places = arg;

	if (visit == postorder || visit == leaf)
		name->series = places[name->series];
}

/* Where there is no room for all the new ones it goes to those that moved most. */
static int make_room(struct ledger *l, size_t n_old)
{
	size_t n = l->head.n_series;
	__u32 *places;

	if (n <= LEDGER_SERIES + 1)
		return 0;
	places = calloc(n, sizeof(*places));
	if (!places)
		return -ENOMEM;
	qsort(l->series + n_old, n - n_old, sizeof(struct series *), compare_weights);
	for (size_t i = 0; i < n; i++) {
		struct series *s = l->series[i], *others = l->series[0];

		if (i <= LEDGER_SERIES) {
			places[s->place] = i;
			continue;
		}
		counters_add(&others->s.shown, &s->s.shown);
		counters_add(&others->s.finished, &s->s.finished);
		counters_add(&others->s.owed, &s->s.owed);
		tdelete(s, &l->labels, compare_labels);
		free(s);
	}
	l->head.n_series = LEDGER_SERIES + 1;
	for (size_t i = 0; i < l->n_parts; i++)
		l->parts[i].series = places[l->parts[i].series];
	twalk_r(l->names, move_name, places);
	free(places);
	return 0;
}

static void put_name(const void *node, VISIT visit, void *arg)
{
	struct ledger_name **to = arg;

	if (visit == postorder || visit == leaf)
		*(*to)++ = **(struct ledger_name *const *)node;
}

static void put(const struct ledger *l, void *bytes)
{
	struct ledger_head *head = bytes;
	struct ledger_series *s = (struct ledger_series *)(head + 1);
	struct ledger_part *parts = (struct ledger_part *)(s + l->head.n_series);
	struct ledger_name *names = (struct ledger_name *)(parts + l->n_parts);

	*head = l->head;
	for (size_t i = 0; i < l->head.n_series; i++)
		*s++ = l->series[i]->s;
	for (size_t i = 0; i < l->n_parts; i++)
		*parts++ = l->parts[i];
	twalk_r(l->names, put_name, &names);
}

static int make_map(const struct ledger *l)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	size_t blocks = (size_of(&l->head) + LEDGER_BLOCK - 1) / LEDGER_BLOCK;
	void *bytes;
	int fd, err;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ledger", sizeof(__u32), LEDGER_BLOCK, blocks,
			    &opts);
	if (fd < 0)
		return fd;
	bytes = map_bytes(fd, blocks * LEDGER_BLOCK);
	if (bytes == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	put(l, bytes);
	munmap(bytes, blocks * LEDGER_BLOCK);
	return fd;
}

static int store(struct ledger *l)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int fd, err;

	l->head.n_parts = l->n_parts;
	l->head.n_names = l->n_names;
	err = path_join(path, l->folder, grouping_name(l->by));
	if (err < 0)
		return err;
	if (snprintf(fresh, sizeof(fresh), "%s" FRESH, path) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	if (unlink(fresh) < 0 && errno != ENOENT)
		return -errno;
	fd = make_map(l);
	if (fd < 0)
		return fd;
	err = bpf_obj_pin(fd, fresh);
	close(fd);
	if (!err && rename(fresh, path) < 0) {
		err = -errno;
		unlink(fresh);
	}
	return err;
}

int ledger_add(struct ledger *l, const struct reading *r, struct names *names)
{
	__u64 generation = r->generation - r->n_tables + 1;
	size_t n_old = l->head.n_series;
	int err;

	if (l->head.generation != generation)
		begin_anew(l);
	l->head.generation = generation;
	err = add_rows(l, r, names);
	if (err < 0)
		return fail(err);
	settle(l);
	err = make_room(l, n_old);
	return fail(err ?: store(l));
}

const struct ledger_series *ledger_series(const struct ledger *l, size_t i)
{
	return i < l->head.n_series ? &l->series[i]->s : NULL;
}
