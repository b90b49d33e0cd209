// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "clock.h"
#include "counters.h"
#include "interfaces.h"
#include "pins.h"
#include "generation.h"

/* Behind the number of a folder that is not filled yet. */
#define MAKING "~"

static const struct pin_shape generation_shape = { PIN_GENERATION, BPF_MAP_TYPE_ARRAY,
						   sizeof(__u32), sizeof(struct generation) };

/* The tables that hooks use, each behind a switch of its name. */
static const struct pin_shape shapes[] = {
	{ PIN_PROCESSES, BPF_MAP_TYPE_HASH, sizeof(struct process_key), sizeof(struct process) },
	{ PIN_FLOWS, BPF_MAP_TYPE_HASH, sizeof(struct flow_key), sizeof(struct flow) },
	{ PIN_FINISHED, BPF_MAP_TYPE_HASH, sizeof(struct finished_key), sizeof(struct finished) },
	{ PIN_TOTALS, BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(__u32), sizeof(struct totals) },
	{ PIN_ENDED, BPF_MAP_TYPE_QUEUE, 0, sizeof(struct process_key) },
	{ PIN_CLOSED, BPF_MAP_TYPE_QUEUE, 0, sizeof(struct flow_key) },
};
#define N_SHAPES (sizeof(shapes) / sizeof(*shapes))
enum { PROCESSES, FLOWS, FINISHED, TOTALS };

#define WITH_ROWS(pin) pin, pin PIN_ROWS
const char *const generation_readable[] = {
	WITH_ROWS(PIN_GENERATION), WITH_ROWS(PIN_PROCESSES), WITH_ROWS(PIN_FLOWS),
	WITH_ROWS(PIN_FINISHED),   WITH_ROWS(PIN_TOTALS),    NULL,
};

static int folder_of(char path[PATH_MAX], const struct account *a, __u64 number, const char *suffix)
{
	char name[32];

	snprintf(name, sizeof(name), "%" PRIu64 "%s", (uint64_t)number, suffix);
	return path_join(path, a->pin_dir, name);
}

static int read_generation(const char *folder, struct generation *g)
{
	struct rows rows;
	int err;

	err = rows_open(&rows, folder, &generation_shape, false);
	if (!err)
		err = rows_value(&rows, g);
	rows_close(&rows);
	return err;
}

static int write_generation(const struct account *a, const char *folder, const struct generation *g)
{
	int fd, err;

	fd = pin_open(folder, &generation_shape, true);
	if (fd < 0)
		return fd;
	err = account_update(a, fd, 0, g);
	close(fd);
	return err;
}

int generation_open(struct tables *t, const struct account *a, __u64 number)
{
	struct rows *const tables[] = { &t->processes, &t->flows, &t->finished, &t->totals };
	char folder[PATH_MAX];
	int err;

	*t = (struct tables){
		.processes.fd = -1, .flows.fd = -1, .finished.fd = -1, .totals.fd = -1
	};
	err = folder_of(folder, a, number, "");
	if (!err)
		err = read_generation(folder, &t->generation);
	if (err < 0)
		return fail(err);
	for (size_t i = 0; !err && i <= TOTALS; i++)
		err = rows_open(tables[i], folder, &shapes[i],
				i != TOTALS && account_in_batches(a));
	if (err < 0)
		generation_close(t);
	return fail(err);
}

void generation_close(struct tables *t)
{
	rows_close(&t->processes);
	rows_close(&t->flows);
	rows_close(&t->finished);
	rows_close(&t->totals);
}

/* Wraps around where numbers are not ours. */
static void add_rows(__s64 *to, __s64 n)
{
	*to = (__u64)*to + (__u64)n;
}

int generation_totals(const struct tables *t, struct totals *totals)
{
	struct totals sum = {};
	int err = rows_value(&t->totals, &sum);

	if (err < 0)
		return fail(err);
	counters_add(&totals->total, &sum.total);
	counters_add(&totals->total, &sum.spliced);
	counters_add(&totals->no_row, &sum.no_row);
	counters_add(&totals->packet, &sum.packet);
	add_rows(&totals->process_rows, sum.process_rows);
	add_rows(&totals->flow_rows, sum.flow_rows);
	add_rows(&totals->finished_rows, sum.finished_rows);
	return 0;
}

static __u64 newest(const struct account *a)
{
	return __atomic_load_n(&a->state->generation, __ATOMIC_ACQUIRE);
}

int generation_open_pending(struct tables *t, const struct account *a, __u64 newest)
{
	int err;

	if (!newest)
		return fail(-ENOENT);
	err = generation_open(t, a, newest - 1);
	if (err < 0)
		return err;
	if (t->generation.phase != GENERATION_READY) {
		generation_close(t);
		return fail(-ENOENT);
	}
	return 0;
}

static int switch_fd(const struct account *a, const char *table)
{
	struct pin_shape shape = { table, BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(__u32),
				   sizeof(__u32) };
	char folder[PATH_MAX];
	int err;

	err = path_join(folder, a->pin_dir, PIN_SWITCHES);
	return err < 0 ? err : pin_open(folder, &shape, true);
}

/*
 * The kernel returns from an update of a map of maps only when programs that ran
 * as it was made have ended: maybe_wait_bpf_programs() in kernel/bpf/syscall.c.
 */
static int install(const struct account *a, const char *table, __u64 number, int fd)
{
	int outer, err;

	outer = switch_fd(a, table);
	if (outer < 0)
		return outer;
	err = account_update(a, outer, number & 1, &fd);
	close(outer);
	return err;
}

/* Lets go of what is behind a switch since the generation before the newest. */
static int uninstall(const struct account *a, const char *table, __u64 number)
{
	int outer, err;

	outer = switch_fd(a, table);
	if (outer < 0)
		return outer;
	err = account_erase(a, outer, number & 1);
	close(outer);
	return err == -ENOENT ? 0 : err;
}

/* Waits until all hooks that run now have ended: an update that changes nothing. */
static int grace(const struct account *a)
{
	char folder[PATH_MAX];
	int fd, err;

	err = folder_of(folder, a, newest(a), "");
	if (err < 0)
		return err;
	fd = pin_open(folder, &shapes[TOTALS], false);
	if (fd < 0)
		return fd;
	err = install(a, PIN_TOTALS, newest(a), fd);
	close(fd);
	return err;
}

/* An empty map like another; its field names come with the type information. */
static int create_like(int like, const char *name)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int err, fd, btf = -1;

	err = bpf_obj_get_info_by_fd(like, &info, &len);
	if (err < 0)
		return err;
	if (info.btf_id) {
		btf = bpf_btf_get_fd_by_id(info.btf_id);
		if (btf < 0)
			return btf;
		opts.btf_fd = btf;
		opts.btf_key_type_id = info.btf_key_type_id;
		opts.btf_value_type_id = info.btf_value_type_id;
	}
	opts.map_flags = info.map_flags;
	fd = bpf_map_create(info.type, name, info.key_size, info.value_size, info.max_entries,
			    &opts);
	if (btf >= 0)
		close(btf);
	return fd;
}

/* A new pin has the owner and mode of the one that it is like. */
static int copy_access(const char *from_dir, const char *to_dir, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st;
	int err;

	err = path_join(from, from_dir, name);
	if (!err)
		err = path_join(to, to_dir, name);
	if (err < 0)
		return err;
	if (stat(from, &st) < 0 || chown(to, st.st_uid, st.st_gid) < 0 ||
	    chmod(to, st.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int make_map(const char *from_dir, const char *to_dir, const struct pin_shape *shape)
{
	char path[PATH_MAX];
	int like, fd, err;

	like = pin_open(from_dir, shape, false);
	if (like < 0)
		return like;
	err = fd = create_like(like, shape->name);
	close(like);
	if (fd < 0)
		return err;
	err = path_join(path, to_dir, shape->name);
	if (!err)
		err = bpf_obj_pin(fd, path);
	if (!err)
		err = copy_access(from_dir, to_dir, shape->name);
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

/* The file with its rows, if the one that it is like has one. */
static int make_rows(const struct account *a, const char *from_dir, const char *to_dir,
		     const char *table, int map)
{
	char name[64], readers[PATH_MAX], path[PATH_MAX];
	int prog, err;

	snprintf(name, sizeof(name), "%s" PIN_ROWS, table);
	err = path_join(path, from_dir, name);
	if (err < 0)
		return err;
	if (access(path, F_OK) < 0)
		return errno == ENOENT ? 0 : -errno;
	err = path_join(readers, a->pin_dir, PIN_READERS);
	if (!err)
		err = path_join(path, readers, name);
	if (err < 0)
		return err;
	prog = bpf_obj_get(path);
	if (prog < 0)
		return prog;
	err = path_join(path, to_dir, name);
	if (!err)
		err = rows_pin(prog, map, path);
	if (!err)
		err = copy_access(from_dir, to_dir, name);
	close(prog);
	return err;
}

static int make_like(const struct account *a, const char *from_dir, const char *to_dir,
		     const struct pin_shape *shape)
{
	int fd, err;

	fd = make_map(from_dir, to_dir, shape);
	if (fd < 0)
		return fd;
	err = make_rows(a, from_dir, to_dir, shape->name, fd);
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

static int fill_folder(const struct account *a, const char *like, const char *folder, __u64 number)
{
	struct generation g = { .number = number, .phase = GENERATION_READY };
	int fd, err;

	if (mkdir(folder, 0700) < 0)
		return -errno;
	for (size_t i = 0; i < N_SHAPES; i++) {
		/* The large ones first make room: two generations are the most there is. */
		err = shapes[i].type == BPF_MAP_TYPE_HASH ? uninstall(a, shapes[i].name, number)
							  : 0;
		if (err < 0)
			return err;
		fd = make_like(a, like, folder, &shapes[i]);
		if (fd < 0)
			return fd;
		err = install(a, shapes[i].name, number, fd);
		close(fd);
		if (err < 0)
			return err;
	}
	fd = make_like(a, like, folder, &generation_shape);
	if (fd < 0)
		return fd;
	close(fd);
	err = write_generation(a, folder, &g);
	return err < 0 ? err : copy_access(like, folder, ".");
}

int generation_prepare(const struct account *a)
{
	char like[PATH_MAX], making[PATH_MAX], folder[PATH_MAX];
	__u64 number = newest(a) + 1;
	int err;

	err = folder_of(like, a, number - 1, "");
	if (!err)
		err = folder_of(making, a, number, MAKING);
	if (!err)
		err = folder_of(folder, a, number, "");
	if (err < 0)
		return err;
	err = fill_folder(a, like, making, number);
	if (!err && rename(making, folder) < 0)
		err = -errno;
	if (err < 0)
		(void)pin_remove(making);
	return fail(err);
}

static int set_generation(const struct account *a, __u64 number, __u32 phase, __u64 began_at_ns)
{
	char folder[PATH_MAX];
	struct generation g;
	int err;

	err = folder_of(folder, a, number, "");
	if (!err)
		err = read_generation(folder, &g);
	if (err < 0)
		return err;
	g.phase = phase;
	if (began_at_ns)
		g.began_at_ns = began_at_ns;
	return write_generation(a, folder, &g);
}

int generation_point(const char *pin_dir, __u64 number)
{
	char path[PATH_MAX], fresh[PATH_MAX], target[32];
	int err;

	err = path_join(path, pin_dir, PIN_CURRENT);
	if (!err)
		err = path_join(fresh, pin_dir, PIN_CURRENT "~");
	if (err < 0)
		return err;
	snprintf(target, sizeof(target), "%" PRIu64, (uint64_t)number);
	if (unlink(fresh) < 0 && errno != ENOENT)
		return fail(-errno);
	if (symlink(target, fresh) < 0 || rename(fresh, path) < 0) {
		err = -errno;
		unlink(fresh);
	}
	return fail(err);
}

int generation_switch(const struct account *a, bool discard)
{
	__u64 number = newest(a) + 1;
	char folder[PATH_MAX];
	int err;

	/* If that fails, nothing but a comparison is missing. */
	if (folder_of(folder, a, number, "") == 0)
		(void)interfaces_note(folder);
	err = set_generation(a, number, GENERATION_READY, clock_ns(CLOCK_REALTIME));
	if (!err)
		err = set_generation(a, number - 1,
				     discard ? GENERATION_DISCARDED : GENERATION_READY, 0);
	if (err < 0)
		return fail(err);
	__atomic_store_n(&a->state->generation, number, __ATOMIC_RELEASE);
	err = generation_point(a->pin_dir, number);
	if (!err)
		err = grace(a);
	return fail(err);
}

static int drop(const struct account *a, const char *name)
{
	struct generation g;
	char folder[PATH_MAX];
	int err;

	err = path_join(folder, a->pin_dir, name);
	if (err < 0)
		return err;
	/* Should the removal be cut short, nobody takes the rest for one that waits. */
	if (read_generation(folder, &g) == 0) {
		g.phase = GENERATION_DISCARDED;
		err = write_generation(a, folder, &g);
	}
	return err < 0 ? err : pin_remove(folder);
}

int generation_drop_others(const struct account *a)
{
	struct dirent *entry;
	char keep[32];
	int err = 0;
	DIR *dir;

	snprintf(keep, sizeof(keep), "%" PRIu64, (uint64_t)newest(a));
	dir = opendir(a->pin_dir);
	if (!dir)
		return fail(-errno);
	while ((entry = pin_next(dir, &err))) {
		size_t digits = strspn(entry->d_name, "0123456789");
		const char *rest = entry->d_name + digits;

		if (digits && (!*rest || strcmp(rest, MAKING) == 0) &&
		    strcmp(entry->d_name, keep) != 0)
			err = drop(a, entry->d_name);
	}
	closedir(dir);
	return fail(err);
}

int generation_set_counting(const struct account *a, bool counting)
{
	__atomic_store_n(&a->state->counting, counting, __ATOMIC_RELEASE);
	return fail(grace(a));
}
