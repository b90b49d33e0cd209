// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpffs.h"
#include "clock.h"
#include "generation.h"
#include "hierarchy.h"
#include "interfaces.h"
#include "pins.h"
#include "placement.h"
#include "probes.h"
#include "restore.h"
#include "rows.h"
#include "tracefs.h"

int placement_failed(struct placement *p, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->what, LOAD_WHAT, fmt, ap);
	va_end(ap);
	return err;
}

/* What is attached is called NAME_hook, and pinned by the name of its hook. */
bool placement_is_entry(const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog), *end = strstr(name, "_hook");

	return end && strcmp(end, "_hook") == 0;
}

static bool is_of(const struct bpf_program *prog, const char *type)
{
	return strncmp(bpf_program__section_name(prog), type, strlen(type)) == 0;
}

/* A program for kprobes has many hooks, and is called by its own name. */
static const char *hook_name(const struct bpf_program *prog, char name[64])
{
	const char *slash = strrchr(bpf_program__section_name(prog), '/');

	snprintf(name, 64, "%s", slash ? slash + 1 : bpf_program__name(prog));
	if (!slash)
		*strstr(name, "_hook") = '\0';
	return name;
}

bool placement_is_reader(const struct bpf_program *prog)
{
	return is_of(prog, "iter/bpf_map_elem") || is_of(prog, "iter/bpf_sk_storage_map");
}

static struct bpf_map *map_of(const struct placement *p, const char *name)
{
	return bpf_object__find_map_by_name(p->set.obj, name);
}

static bool is_called(const struct bpf_map *map, const char *name)
{
	return strcmp(bpf_map__name(map), name) == 0;
}

void placement_sizes(const struct set *set, const struct load_options *o)
{
	__u32 max_flows = o->no_flows ? 1 : o->max_flows;
	struct bpf_map *map;

	bpf_object__for_each_map (map, set->obj) {
		bool of_sockets = is_called(map, PIN_SOCKETS) &&
				  bpf_map__type(map) == BPF_MAP_TYPE_HASH && max_flows > SOCKETS;

		if (is_called(map, PIN_PROCESSES "_0") || is_called(map, PIN_ENDED "_0"))
			bpf_map__set_max_entries(map, o->max_processes);
		else if (is_called(map, PIN_FLOWS "_0") || is_called(map, PIN_CLOSED "_0") ||
			 of_sockets)
			bpf_map__set_max_entries(map, max_flows);
	}
}

/* Calls one() for each program that is attached, until it fails. */
static int each_entry(struct placement *p,
		      int (*one)(struct placement *p, struct bpf_program *prog))
{
	const struct set *const both[] = { &p->set, &p->splice, NULL };
	struct bpf_program *prog;
	int err = 0;

	for (const struct set *const *set = both; *set && (*set)->obj; set++)
		bpf_object__for_each_program (prog, (*set)->obj)
			if (!err && placement_is_entry(prog))
				err = one(p, prog);
	return err;
}

static int attach_probes(struct placement *p, const struct set *set)
{
	return probes_attach(p->pin_dir, set->obj, p->btf, p->what, LOAD_WHAT);
}

/*
 * The probes of what passes by the other sets. They use its maps, and are left
 * out where the kernel does not let us: set_holes() says what that means.
 */
static void load_splice(struct placement *p, const struct set_options *options)
{
	struct bpf_map *map, *same;
	int err;

	if (probes_check() < 0 || set_open(&p->splice, HOOKS_SPLICE, options) < 0)
		return;
	err = 0;
	bpf_object__for_each_map (map, p->splice.obj) {
		same = placement_is_private(map) ? NULL : map_of(p, bpf_map__name(map));
		if (!err && same)
			err = bpf_map__reuse_fd(map, bpf_map__fd(same));
	}
	if (!err)
		err = bpf_object__load(p->splice.obj);
	if (!err)
		err = attach_probes(p, &p->splice);
	if (err < 0) {
		set_close(&p->splice);
		(void)probes_remove(p->pin_dir);
	}
}

static int load(struct placement *p, enum hook_set id)
{
	struct set_options options = { .keep_flows = !p->o->no_flows,
				       .scope = p->o->scope,
				       .sockets = { p->sockets[0], p->sockets[1] } };
	int err;

	err = set_open(&p->set, id, &options);
	if (err < 0)
		return placement_failed(p, err, "cannot open the programs");
	/* Not what cannot be made, named or filled: another set would fare no better. */
	p->refused = true;
	err = set_check(&p->set, p->btf, p->what, LOAD_WHAT);
	if (err < 0)
		return err;
	placement_sizes(&p->set, p->o);
	err = bpf_object__load(p->set.obj);
	if (err < 0)
		return placement_failed(p, err, "the kernel refuses the programs or their maps");
	if (id == HOOKS_KPROBE)
		return attach_probes(p, &p->set);
	load_splice(p, &options);
	return 0;
}

static int read_boot_id(char *id, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f)
		return -errno;
	if (!fgets(id, size, f))
		*id = '\0';
	id[strcspn(id, "\n")] = '\0';
	fclose(f);
	return 0;
}

static int write_meta(struct placement *p)
{
	const struct load_options *o = p->o;
	struct meta *m = &p->meta;
	__u32 zero = 0;
	int err;

	*m = (struct meta){ .schema = o->scope->n ? NETACCT_SCHEMA_PARTIAL : NETACCT_SCHEMA,
			    .hooks = p->set.id,
			    .version = NETACCT_VERSION,
			    .max_processes = o->max_processes,
			    .max_flows = o->max_flows,
			    .flags = (o->no_flows ? 0 : META_FLOWS) |
				     (p->traverse ? META_TRAVERSE : 0),
			    .gid = o->gid,
			    .holes = set_holes(p->set.id, p->btf, p->splice.obj),
			    .filters = o->scope->n };
	err = read_boot_id(m->boot_id, sizeof(m->boot_id));
	if (err < 0)
		return placement_failed(p, err, "cannot read /proc/sys/kernel/random/boot_id");
	m->loaded_at_ns = clock_ns(CLOCK_REALTIME);
	m->clock_offset_ns = m->loaded_at_ns - clock_ns(CLOCK_BOOTTIME);
	/* Once the last set is passed over there is no account. */
	memcpy(m->passed_over, p->passed_over, sizeof(m->passed_over));
	err = bpf_map_update_elem(bpf_map__fd(map_of(p, PIN_META)), &zero, m, BPF_ANY);
	return err < 0 ? placement_failed(p, err, "cannot write down the options") : 0;
}

/* The first generation, with what was saved before. */
static int fill(struct placement *p)
{
	struct generation g = { .began_at_ns = p->meta.loaded_at_ns, .phase = GENERATION_READY };
	const struct restore_maps maps = { .finished = bpf_map__fd(map_of(p, "finished_0")),
					   .totals = bpf_map__fd(map_of(p, "totals_0")),
					   .cgroups = bpf_map__fd(map_of(p, PIN_CGROUPS)) };
	__u32 zero = 0;
	int err = 0;

	if (p->saved && p->saved->since_ns && p->saved->since_ns < g.began_at_ns)
		g.began_at_ns = p->saved->since_ns;
	if (p->saved)
		err = restore_rows(p->saved, &p->meta, &maps);
	if (!err)
		err = bpf_map_update_elem(bpf_map__fd(map_of(p, "generation_0")), &zero, &g,
					  BPF_ANY);
	return err < 0 ? placement_failed(p, err, "cannot fill the tables") : 0;
}

static int make_folder(struct placement *p, const char *name)
{
	char path[PATH_MAX];
	int err;

	err = path_join(path, p->dir, name);
	if (!err && mkdir(path, 0700) < 0)
		err = -errno;
	return err < 0 ? placement_failed(p, err, "cannot make %s/%s", p->dir, name) : 0;
}

bool placement_is_private(const struct bpf_map *map)
{
	return bpf_map__is_internal(map) && !is_called(map, STATE_SECTION);
}

/* Where a map is pinned is told by its kind; see abi.h. */
void placement_map_pin(const struct bpf_map *map, char pin[64])
{
	const char *name = bpf_map__name(map), *folder = "", *end = name + strlen(name);

	if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
		folder = PIN_SWITCHES "/";
	} else if (bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY) {
		folder = PIN_SLOTS "/";
		end -= strlen("_slot");
	} else if (strcmp(end - 2, "_0") == 0) {
		folder = "0/";
		end -= 2;
	} else if (is_called(map, STATE_SECTION)) {
		name = PIN_STATE;
		end = name + strlen(name);
	}
	snprintf(pin, 64, "%s%.*s", folder, (int)(end - name), name);
}

/* The file that has a program look at each element of a map, if this set has the program. */
static int pin_reader(struct placement *p, const char *name, const struct bpf_map *map,
		      const char *pin)
{
	const struct bpf_program *reader = bpf_object__find_program_by_name(p->set.obj, name);
	char path[PATH_MAX];
	int err;

	if (!reader)
		return 0;
	err = path_join(path, p->dir, pin);
	if (!err)
		err = rows_pin(bpf_program__fd(reader), bpf_map__fd(map), path);
	return err < 0 ? placement_failed(p, err, "cannot pin %s/%s", p->dir, pin) : 0;
}

/* The file with its rows, for a map that readers want. */
static int pin_rows(struct placement *p, const struct bpf_map *map, const char *pin)
{
	const char *name = strrchr(pin, '/') ? strrchr(pin, '/') + 1 : pin;
	char reader[128], rows[128];

	if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		return 0;
	snprintf(reader, sizeof(reader), "%s" PIN_ROWS, name);
	snprintf(rows, sizeof(rows), "%s" PIN_ROWS, pin);
	return pin_reader(p, reader, map, rows);
}

static int pin_map(struct placement *p, const struct bpf_map *map)
{
	char pin[64], path[PATH_MAX];
	int err;

	if (placement_is_private(map))
		return 0;
	placement_map_pin(map, pin);
	err = path_join(path, p->dir, pin);
	if (!err)
		err = bpf_obj_pin(bpf_map__fd(map), path);
	return err < 0 ? placement_failed(p, err, "cannot pin %s/%s", p->dir, pin)
		       : pin_rows(p, map, pin);
}

static int pin_program(struct placement *p, struct bpf_program *prog, const char *folder,
		       const char *name)
{
	char pin[128], path[PATH_MAX];
	int err;

	snprintf(pin, sizeof(pin), "%s/%s", folder, name);
	err = path_join(path, p->dir, pin);
	if (!err)
		err = bpf_program__pin(prog, path);
	return err < 0 ? placement_failed(p, err, "cannot pin %s/%s", p->dir, pin) : 0;
}

static int make_link(struct placement *p, const char *table)
{
	char path[PATH_MAX], target[64];
	int err;

	snprintf(target, sizeof(target), PIN_CURRENT "/%s", table);
	err = path_join(path, p->dir, table);
	if (!err && symlink(target, path) < 0)
		err = -errno;
	return err < 0 ? placement_failed(p, err, "cannot make the link %s", path) : 0;
}

static int pin_maps(struct placement *p)
{
	static const char *const folders[] = { "0",	  PIN_SWITCHES, PIN_SLOTS,
					       PIN_LINKS, PIN_PROGS,	PIN_READERS };
	static const char *const tables[] = { PIN_PROCESSES, PIN_FLOWS, PIN_FINISHED, PIN_TOTALS };
	struct bpf_program *prog;
	struct bpf_map *map;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(folders) / sizeof(*folders); i++)
		err = make_folder(p, folders[i]);
	bpf_object__for_each_map (map, p->set.obj)
		if (!err)
			err = pin_map(p, map);
	if (!err)
		err = pin_reader(p, PIN_SETTLED, map_of(p, PIN_SOCKETS), PIN_SETTLED);
	if (p->splice.obj)
		bpf_object__for_each_map (map, p->splice.obj)
			if (!err && !map_of(p, bpf_map__name(map)))
				err = pin_map(p, map);
	bpf_object__for_each_program (prog, p->set.obj)
		if (!err && placement_is_reader(prog))
			err = pin_program(p, prog, PIN_READERS, bpf_program__name(prog));
	if (!err && p->o->scope->n && (err = scope_write(p->o->scope, p->dir)) < 0)
		return placement_failed(p, err, "cannot write down the filters");
	if (!err && (err = generation_point(p->dir, 0)) < 0)
		return placement_failed(p, err, "cannot make a link in %s", p->dir);
	for (size_t i = 0; !err && i < sizeof(tables) / sizeof(*tables); i++)
		err = make_link(p, tables[i]);
	return err;
}

static int set_access(struct placement *p, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int err;

	err = path_join(path, p->dir, name);
	if (!err && (chown(path, -1, p->o->gid) < 0 || chmod(path, mode) < 0))
		err = -errno;
	return err < 0 ? placement_failed(p, err, "cannot give %s to the group", path) : 0;
}

static int let_group_read_program(struct placement *p, struct bpf_program *prog)
{
	char name[128], hook[64];

	snprintf(name, sizeof(name), PIN_PROGS "/%s", hook_name(prog, hook));
	return set_access(p, name, 0640);
}

static int let_group_read(struct placement *p)
{
	static const char *const maps[] = {
		PIN_META,	    PIN_META PIN_ROWS,	 PIN_STATE,
		PIN_STATE PIN_ROWS, PIN_CGROUPS,	 PIN_CGROUPS PIN_ROWS,
		PIN_FOLDED,	    PIN_FOLDED PIN_ROWS, PIN_SOCKETS PIN_ROWS
	};
	char name[128];
	int err;

	if (!p->o->gid)
		return 0;
	err = set_access(p, ".", 0750);
	if (!err)
		err = set_access(p, "0", 0750);
	if (!err)
		err = set_access(p, PIN_PROGS, 0750);
	if (!err && p->o->scope->n)
		err = set_access(p, PIN_FILTERS, 0750);
	for (size_t i = 0; !err && i < sizeof(maps) / sizeof(*maps); i++)
		err = set_access(p, maps[i], 0640);
	if (!err && bpf_object__find_program_by_name(p->set.obj, PIN_SETTLED))
		err = set_access(p, PIN_SETTLED, 0640);
	for (const char *const *table = generation_readable; !err && *table; table++) {
		snprintf(name, sizeof(name), "0/%s", *table);
		err = set_access(p, name, 0640);
	}
	return err < 0 ? err : each_entry(p, let_group_read_program);
}

static int attach(struct placement *p, struct bpf_program *prog)
{
	char name[64], pin[128], path[PATH_MAX];
	struct bpf_link *link;
	int cgroup, err;

	err = pin_program(p, prog, PIN_PROGS, hook_name(prog, name));
	if (err < 0 || is_of(prog, "kprobe") || is_of(prog, "kretprobe"))
		return err;
	if (is_of(prog, "cgroup/")) {
		cgroup = hierarchy_open();
		if (cgroup < 0)
			return placement_failed(p, cgroup,
						"cannot open the root of the cgroup2 hierarchy");
		link = bpf_program__attach_cgroup(prog, cgroup);
		err = -errno;
		close(cgroup);
	} else if (is_of(prog, "tracepoint/")) {
		link = tracefs_attach(prog);
		err = -errno;
	} else {
		link = bpf_program__attach(prog);
		err = -errno;
	}
	if (!link)
		return placement_failed(p, err, "cannot attach to %s", name);
	snprintf(pin, sizeof(pin), PIN_LINKS "/%s", name);
	err = path_join(path, p->dir, pin);
	if (!err)
		err = bpf_link__pin(link, path);
	/* The pin keeps it. */
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return err < 0 ? placement_failed(p, err, "cannot pin %s/%s", p->dir, pin) : 0;
}

/* Reading the iterator runs seed() for every open file of the machine. */
static int seed(struct placement *p)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->set.obj, "seed");
	struct bpf_link *link;
	int err;

	link = bpf_program__attach_iter(prog, NULL);
	if (!link)
		return placement_failed(p, -errno, "cannot make the iterator task_file");
	err = rows_run(bpf_iter_create(bpf_link__fd(link)));
	bpf_link__destroy(link);
	if (err < 0)
		return placement_failed(p, err, "cannot look at the sockets that are open");
	if (!p->state->tcp_recvmsg[0])
		return placement_failed(
			p, -ENOTSUP,
			"what this kernel calls to receive from TCP cannot be found; "
			"received bytes would be counted wrong");
	return 0;
}

/*
 * Attach, then note how far the open connections are; then it can count. Until it
 * counts, every receive renews its connection's note, so that none is missed
 * and none brings its history into the account.
 */
static int attach_all(struct placement *p)
{
	int err;

	p->state = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(map_of(p, STATE_SECTION)), 0);
	if (p->state == MAP_FAILED) {
		p->state = NULL;
		return placement_failed(p, -errno, "cannot map the state");
	}
	p->refused = true;
	err = each_entry(p, attach);
	if (!err)
		err = seed(p);
	if (err < 0)
		return err;
	p->refused = false;
	err = let_group_read(p);
	if (!err)
		err = write_meta(p);
	if (!err)
		err = fill(p);
	return err;
}

void placement_start(struct placement *p)
{
	char first[PATH_MAX];

	/* If that fails, nothing but a comparison is missing. */
	if (path_join(first, p->dir, "0") == 0)
		(void)interfaces_note(first);
	__atomic_store_n(&p->state->counting, 1, __ATOMIC_RELEASE);
}

void placement_free(struct placement *p)
{
	if (p->state)
		munmap(p->state, sizeof(*p->state));
	p->state = NULL;
	set_close(&p->set);
	set_close(&p->splice);
}

int placement_set(struct placement *p, enum hook_set id)
{
	int err;

	p->refused = false;
	err = load(p, id);
	if (err < 0)
		return err;
	p->refused = false;
	if (mkdir(p->dir, 0700) < 0)
		return placement_failed(p, -errno, "cannot make %s", p->dir);
	err = pin_maps(p);
	if (!err)
		err = attach_all(p);
	return err;
}
