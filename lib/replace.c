// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "account.h"
#include "pins.h"
#include "placement.h"
#include "replace.h"

#define MAX_SWAPS 32

/* Behind the name of a pin that is to take the place of another. */
#define FRESH "~"

struct swap {
	int slot; /* a PROG_ARRAY that hooks tail-call */
	int prog;
};

struct replacement {
	struct account *account;
	struct set sets[2]; /* that of the account, and what is beside it */
	size_t n_sets;
	struct swap swaps[MAX_SWAPS];
	size_t n_swaps;
	char *what;
};

static int failed(struct replacement *r, int err, const char *what, const char *name)
{
	snprintf(r->what, LOAD_WHAT, "%s %.256s", what, name);
	return err;
}

/* Not loaded: what is attached stays, and only the loader looks for sockets. */
static bool is_needed(const struct bpf_program *prog)
{
	return !placement_is_entry(prog) && strcmp(bpf_program__name(prog), "seed") != 0;
}

/*
 * What is the programs' alone. libbpf would fill the map while other tasks can get the
 * CPU; see account_update().
 */
static int make_private(struct replacement *r, struct bpf_map *map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = bpf_map__map_flags(map));
	size_t size;
	const void *value = bpf_map__initial_value(map, &size);
	int fd, err;

	err = fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "private", sizeof(__u32), size, 1, &opts);
	if (fd >= 0) {
		err = account_update(r->account, fd, 0, value);
		if (!err)
			err = bpf_map_freeze(fd);
		if (!err)
			err = bpf_map__reuse_fd(map, fd);
		close(fd);
	}
	return err < 0 ? failed(r, err, "cannot make", "the programs' own map") : 0;
}

/* The pinned map, if it is what the programs would have made. */
static int use_pinned(struct replacement *r, struct bpf_map *map)
{
	struct bpf_map_info info = {};
	char pin[64], path[PATH_MAX];
	__u32 len = sizeof(info);
	int fd, err;

	placement_map_pin(map, pin);
	err = path_join(path, r->account->pin_dir, pin);
	if (err < 0)
		return failed(r, err, "cannot open", pin);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return failed(r, errno == ENOENT ? -EPROTO : -errno, "cannot open", path);
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!err && (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
		     info.value_size != bpf_map__value_size(map) ||
		     info.max_entries != bpf_map__max_entries(map)))
		err = -EPROTO;
	if (!err)
		err = bpf_map__reuse_fd(map, fd);
	close(fd);
	return err < 0 ? failed(r, err, "this version has another map", pin) : 0;
}

/* Slots are made anew, for these programs alone: what they hold goes to the pinned ones. */
static int use_map(struct replacement *r, struct bpf_map *map)
{
	const char *name = bpf_map__name(map);

	if (bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY)
		return 0;
	if (strcmp(name + strlen(name) - 2, "_0") == 0)
		return bpf_map__set_autocreate(map, false);
	if (placement_is_private(map))
		return make_private(r, map);
	return use_pinned(r, map);
}

static int load_programs(struct replacement *r, int id, const struct load_options *o)
{
	const struct set_options options = { .keep_flows = !o->no_flows, .scope = o->scope };
	struct set *set = &r->sets[r->n_sets];
	struct bpf_program *prog;
	struct bpf_map *map;
	int err;

	err = set_open(set, id, &options);
	if (err < 0)
		return failed(r, err, "cannot open", "the programs");
	r->n_sets++;
	placement_sizes(set, o);
	bpf_object__for_each_map (map, set->obj) {
		err = use_map(r, map);
		if (err < 0)
			return err;
	}
	bpf_object__for_each_program (prog, set->obj)
		bpf_program__set_autoload(prog, is_needed(prog));
	err = bpf_object__load(set->obj);
	return err < 0 ? failed(r, err, "the kernel refuses", "the programs") : 0;
}

static int load_all(struct replacement *r)
{
	const struct meta *m = &r->account->meta;
	const struct load_options o = { .max_processes = m->max_processes,
					.max_flows = m->max_flows,
					.no_flows = !(m->flags & META_FLOWS),
					.scope = &r->account->scope };
	char path[PATH_MAX];
	int err;

	err = load_programs(r, m->hooks, &o);
	if (!err)
		err = path_join(path, r->account->pin_dir, PIN_SLOTS "/splicing");
	if (!err && m->hooks != HOOKS_KPROBE && access(path, F_OK) == 0)
		err = load_programs(r, HOOKS_SPLICE, &o);
	return err;
}

/* Of the program that counts in the slot of that name. */
static int add_swap(struct replacement *r, const char *name)
{
	const struct pin_shape shape = { name, BPF_MAP_TYPE_PROG_ARRAY, sizeof(__u32),
					 sizeof(__u32) };
	const struct bpf_program *prog = NULL;
	struct swap *swap = &r->swaps[r->n_swaps];
	char folder[PATH_MAX];
	int err;

	for (size_t i = 0; i < r->n_sets && !prog; i++)
		prog = bpf_object__find_program_by_name(r->sets[i].obj, name);
	if (!prog || placement_is_reader(prog) || r->n_swaps == MAX_SWAPS)
		return failed(r, -EPROTO, "this version does not have the hook", name);
	err = path_join(folder, r->account->pin_dir, PIN_SLOTS);
	if (err < 0)
		return failed(r, err, "cannot open the slot", name);
	swap->slot = pin_open(folder, &shape, true);
	if (swap->slot < 0)
		return failed(r, swap->slot, "cannot open the slot", name);
	swap->prog = bpf_program__fd(prog);
	r->n_swaps++;
	return 0;
}

/* Every slot gets a program, and every program a slot. */
static int pair(struct replacement *r)
{
	struct bpf_program *prog;
	struct dirent *entry;
	char folder[PATH_MAX];
	size_t wanted = 0;
	int err;
	DIR *dir;

	err = path_join(folder, r->account->pin_dir, PIN_SLOTS);
	if (err < 0)
		return failed(r, err, "cannot open", PIN_SLOTS);
	dir = opendir(folder);
	if (!dir)
		return failed(r, -errno, "cannot open", folder);
	while ((entry = pin_next(dir, &err)))
		if (entry->d_name[0] != '.')
			err = add_swap(r, entry->d_name);
	closedir(dir);
	for (size_t i = 0; i < r->n_sets; i++)
		bpf_object__for_each_program (prog, r->sets[i].obj)
			wanted += is_needed(prog) && !placement_is_reader(prog);
	if (!err && r->n_swaps != wanted)
		err = failed(r, -EPROTO, "this version has more hooks than", folder);
	return err;
}

/* A pin in place of another, which is there at every moment. */
static int pin_over(const struct bpf_program *prog, const char *path)
{
	char fresh[PATH_MAX];
	int n;

	n = snprintf(fresh, sizeof(fresh), "%s" FRESH, path);
	if (n >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	if (unlink(fresh) < 0 && errno != ENOENT)
		return -errno;
	if (bpf_obj_pin(bpf_program__fd(prog), fresh) < 0)
		return -errno;
	if (rename(fresh, path) < 0) {
		n = -errno;
		unlink(fresh);
		return n;
	}
	return 0;
}

/* The iterators of one folder, if it has one of this name. */
static int update_rows(const char *folder, const struct bpf_program *reader)
{
	char path[PATH_MAX];
	int link, err;

	err = path_join(path, folder, bpf_program__name(reader));
	if (err < 0)
		return err;
	link = bpf_obj_get(path);
	if (link < 0)
		return errno == ENOENT ? 0 : -errno;
	err = bpf_link_update(link, bpf_program__fd(reader), NULL);
	close(link);
	return err;
}

static int replace_reader(struct replacement *r, const struct bpf_program *reader)
{
	char folder[PATH_MAX], path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int err;

	err = path_join(folder, r->account->pin_dir, PIN_READERS);
	if (!err)
		err = path_join(path, folder, bpf_program__name(reader));
	if (!err)
		err = pin_over(reader, path);
	if (!err)
		err = update_rows(r->account->pin_dir, reader);
	dir = opendir(r->account->pin_dir);
	if (!dir)
		return -errno;
	while ((entry = pin_next(dir, &err))) {
		size_t digits = strspn(entry->d_name, "0123456789");

		if (!digits || entry->d_name[digits])
			continue;
		err = path_join(folder, r->account->pin_dir, entry->d_name);
		if (!err)
			err = update_rows(folder, reader);
	}
	closedir(dir);
	return err;
}

static int replace_readers(struct replacement *r)
{
	struct bpf_program *prog;
	int err = 0;

	bpf_object__for_each_program (prog, r->sets[0].obj)
		if (!err && placement_is_reader(prog))
			err = replace_reader(r, prog);
	return err < 0 ? failed(r, err, "cannot replace", "what reads rows") : 0;
}

/* The kernel does not stop other programs for an update of a PROG_ARRAY. */
static int swap_all(struct replacement *r)
{
	__u32 zero = 0;

	for (size_t i = 0; i < r->n_swaps; i++)
		if (bpf_map_update_elem(r->swaps[i].slot, &zero, &r->swaps[i].prog, BPF_ANY) < 0) {
			int err = -errno;

			snprintf(r->what, LOAD_WHAT,
				 "%zu of %zu programs are replaced, and all go on counting; "
				 "run netacct-load --replace again",
				 i, r->n_swaps);
			return err;
		}
	return 0;
}

struct replacement *replacement_make(struct account *a, char what[LOAD_WHAT])
{
	struct replacement *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (r) {
		*r = (struct replacement){ .account = a, .what = what };
		err = load_all(r);
		if (!err)
			err = pair(r);
		if (!err)
			return r;
		replacement_free(r);
	} else {
		snprintf(what, LOAD_WHAT, "cannot load the programs");
	}
	(void)fail(err);
	return NULL;
}

int replacement_use(struct replacement *r)
{
	struct meta *m = &r->account->meta;
	int err;

	err = replace_readers(r);
	if (!err)
		err = swap_all(r);
	if (err < 0)
		return fail(err);
	snprintf(m->version, sizeof(m->version), "%s", NETACCT_VERSION);
	err = account_write_meta(r->account);
	return err < 0 ? failed(r, err, "the programs are replaced, but cannot write down",
				"their version; run netacct-load --replace again")
		       : 0;
}

void replacement_free(struct replacement *r)
{
	for (size_t i = 0; i < r->n_swaps; i++)
		close(r->swaps[i].slot);
	for (size_t i = 0; i < r->n_sets; i++)
		set_close(&r->sets[i]);
	free(r);
}
