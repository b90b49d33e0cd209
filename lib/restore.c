// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "counters.h"
#include "pins.h"
#include "restore.h"

/* A number for a cgroup of another boot, told by its path: FNV-1a. */
static __u64 past_cgroup(const char *path)
{
	__u64 hash = 0xcbf29ce484222325;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3;
	return hash | CGROUP_OF_THE_PAST;
}

/* What is left of a path that is no longer than its last two components is whole. */
static void set_name(struct cgroup_name *name, const char *path)
{
	const char *slash;

	if (strcmp(path, "/") == 0)
		return;
	name->level = *path == '/' ? 0 : 2;
	for (; (slash = strchr(path, '/')); path = slash + 1) {
		if (slash == path)
			continue;
		name->level++;
		snprintf(name->parent, sizeof(name->parent), "%.*s", (int)(slash - path), path);
	}
	name->level++;
	snprintf(name->name, sizeof(name->name), "%s", path);
}

static int note_cgroup(int cgroups, __u64 id, const char *path)
{
	struct cgroup_name name = {};

	set_name(&name, path);
	if (bpf_map_update_elem(cgroups, &id, &name, BPF_NOEXIST) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* The boot clock may have to be negative: it was before this boot. */
static void to_boot_clock(struct finished *f, const struct saved *s, const struct meta *m)
{
	f->first_seen_ns = (f->first_seen_ns ?: s->since_ns) - m->clock_offset_ns;
	f->last_seen_ns = (f->last_seen_ns ?: s->since_ns) - m->clock_offset_ns;
	if (f->exited_ns)
		f->exited_ns -= m->clock_offset_ns;
}

/* Counted in t. Rows that differed in what is forgotten are added up. */
static int restore_row(const struct saved *s, const struct saved_row *row, const struct meta *m,
		       const struct restore_maps *maps, struct totals *t)
{
	bool this_boot = strcmp(s->boot_id, m->boot_id) == 0;
	struct finished_key key = row->key;
	struct finished f = row->f, same;
	struct counters total;
	int err = 0;

	if (!this_boot)
		key.netns = 0;
	if (!this_boot || !key.cgroup_id)
		key.cgroup_id = row->cgroup ? past_cgroup(row->cgroup) : 0;
	if (row->cgroup)
		err = note_cgroup(maps->cgroups, key.cgroup_id, row->cgroup);
	if (err < 0)
		return err;
	to_boot_clock(&f, s, m);
	if (bpf_map_lookup_elem(maps->finished, &key, &same) == 0)
		finished_add(&f, &same);
	else
		t->finished_rows++;
	if (bpf_map_update_elem(maps->finished, &key, &f, BPF_ANY) == 0)
		return 0;
	if (errno != E2BIG)
		return -errno;
	t->finished_rows--;
	total = traffic_total(&row->f.traffic);
	counters_add(&t->no_row, &total);
	return 0;
}

static int restore_totals(const struct totals *t, int map)
{
	int err, cpus = libbpf_num_possible_cpus();
	struct totals *each;
	__u32 zero = 0;

	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	*each = *t;
	err = bpf_map_update_elem(map, &zero, each, BPF_ANY);
	free(each);
	return err;
}

int restore_rows(const struct saved *s, const struct meta *m, const struct restore_maps *maps)
{
	struct totals t = { .total = s->total, .no_row = s->no_row, .packet = s->packet };
	int err;

	for (size_t i = 0; i < s->n; i++) {
		err = restore_row(s, &s->rows[i], m, maps, &t);
		if (err < 0)
			return fail(err);
	}
	return fail(restore_totals(&t, maps->totals));
}
