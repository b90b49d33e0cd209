// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "account.h"
#include "pins.h"
#include "probes.h"

#define ONE_ARRAY(n, type)                                         \
	{                                                          \
		n, BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(type) \
	}

static const struct pin_shape meta_shape = ONE_ARRAY(PIN_META, struct meta);
static const struct pin_shape state_shape = ONE_ARRAY(PIN_STATE, struct state);
static const struct pin_shape folded_shape = ONE_ARRAY(PIN_FOLDED, struct process_key);
static const struct pin_shape cgroups_shape = { PIN_CGROUPS, BPF_MAP_TYPE_LRU_HASH, sizeof(__u64),
						sizeof(struct cgroup_name) };

/* Texts of ours are ASCII; what somebody else put there must reach neither JSON nor a terminal. */
static void clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

#define CLEAN(text) clean(text, sizeof(text))

static bool has_shape(const char *dir, const struct pin_shape *shape)
{
	int fd = pin_open(dir, shape, false);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool account_was_here(const char *dir)
{
	static const char *const pins[] = { PIN_META, PIN_STATE, PIN_LINKS, PIN_SLOTS };
	char path[PATH_MAX];

	if (has_shape(dir, &meta_shape) || has_shape(dir, &state_shape))
		return true;
	/* That of another schema may have others. */
	for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++)
		if (path_join(path, dir, pins[i]) < 0 || access(path, F_OK) < 0)
			return false;
	return true;
}

static int read_meta(struct account *a)
{
	struct meta *m = &a->meta;
	struct rows rows;
	int err;

	err = rows_open(&rows, a->pin_dir, &meta_shape, false);
	if (err < 0)
		return err != -ENOENT ? err : account_was_here(a->pin_dir) ? -EUCLEAN : -EPROTO;
	err = rows_value(&rows, m);
	rows_close(&rows);
	if (!err && m->schema != (m->filters ? NETACCT_SCHEMA_PARTIAL : NETACCT_SCHEMA))
		err = -EPROTO;
	CLEAN(m->version);
	CLEAN(m->boot_id);
	CLEAN(m->passed_over[0]);
	CLEAN(m->passed_over[1]);
	return err;
}

/*
 * Writers store single words into it. Who may only read cannot map it: the
 * kernel wants a shared mapping, which a read-only descriptor does not give.
 */
static int map_state(struct account *a)
{
	int fd, err = 0;
	void *p;

	fd = pin_open(a->pin_dir, &state_shape, true);
	if (fd < 0)
		return fd;
	p = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err = -errno;
	else
		a->state = p;
	close(fd);
	return err;
}

static int open_all(struct account *a)
{
	int err;

	err = read_meta(a);
	if (err < 0)
		return err;
	err = scope_read(&a->scope, a->pin_dir, a->meta.filters);
	if (!err && a->writable)
		err = map_state(a);
	if (!err)
		err = rows_open(&a->states, a->pin_dir, &state_shape, false);
	if (!err)
		err = rows_open(&a->cgroups, a->pin_dir, &cgroups_shape, false);
	if (!err)
		err = rows_open(&a->folded, a->pin_dir, &folded_shape, false);
	/* It is of this schema: what is missing was there. */
	return err == -ENOENT || err == -EPROTO ? -EUCLEAN : err;
}

int account_open(struct account *a, const char *pin_dir, bool writable)
{
	struct stat before, after;
	int err, tries = 0;

	/*
	 * Loading and unloading rename the folder as a whole. If it is the same
	 * one after opening as before, all that was opened belongs together.
	 */
	do {
		*a = (struct account){ .pin_dir = pin_dir,
				       .writable = writable,
				       .states.fd = -1,
				       .cgroups.fd = -1,
				       .folded.fd = -1 };
		if (stat(pin_dir, &before) < 0)
			return fail(-errno);
		err = open_all(a);
		a->folder = before.st_ino;
		if (stat(pin_dir, &after) == 0 && before.st_ino == after.st_ino)
			break;
		account_close(a);
		err = -EAGAIN;
	} while (++tries < 10);
	if (err < 0)
		account_close(a);
	return fail(err);
}

void account_close(struct account *a)
{
	if (a->state)
		munmap(a->state, sizeof(*a->state));
	a->state = NULL;
	scope_free(&a->scope);
	rows_close(&a->states);
	rows_close(&a->cgroups);
	rows_close(&a->folded);
}

int account_state(const struct account *a, struct state *state)
{
	return rows_value(&a->states, state);
}

struct cgroup_walk {
	int (*each)(void *arg, __u64 id, const struct cgroup_name *name);
	void *arg;
};

static int one_cgroup(void *arg, const void *key, const void *value)
{
	const struct cgroup_walk *w = arg;
	struct cgroup_name name;
	__u64 id;

	memcpy(&id, key, sizeof(id));
	memcpy(&name, value, sizeof(name));
	name.parent[sizeof(name.parent) - 1] = '\0';
	name.name[sizeof(name.name) - 1] = '\0';
	return w->each(w->arg, id, &name);
}

int account_cgroups(const struct account *a,
		    int (*each)(void *arg, __u64 id, const struct cgroup_name *name), void *arg)
{
	struct cgroup_walk w = { each, arg };

	return rows_each(&a->cgroups, one_cgroup, &w);
}

/* How the thread shared the CPU, to go back to. */
struct share {
	bool changed;
	int policy;
	struct sched_param param;
};

/*
 * While a task is inside a map system call the kernel skips classic tracepoint
 * and kprobe programs on that CPU, so that no other task may get the CPU
 * meanwhile. (What interrupts call are tp_btf programs, which it does not skip.)
 * Without the right to it the chance that another does is small.
 */
static struct share keep_cpu(const struct account *a)
{
	struct sched_param param = { .sched_priority = sched_get_priority_max(SCHED_FIFO) };
	struct share s = { .policy = sched_getscheduler(0) };

	if (a->meta.hooks != HOOKS_TP_BTF && s.policy >= 0 && sched_getparam(0, &s.param) == 0)
		s.changed = sched_setscheduler(0, SCHED_FIFO, &param) == 0;
	return s;
}

static void share_cpu(const struct share *s)
{
	if (s->changed)
		(void)sched_setscheduler(0, s->policy, &s->param);
}

int account_update(const struct account *a, int map, __u32 index, const void *value)
{
	struct share s = keep_cpu(a);
	int err = bpf_map_update_elem(map, &index, value, BPF_ANY);

	share_cpu(&s);
	return fail(err);
}

int account_erase(const struct account *a, int map, __u32 index)
{
	struct share s = keep_cpu(a);
	int err = bpf_map_delete_elem(map, &index);

	share_cpu(&s);
	return fail(err);
}

int account_write_meta(const struct account *a)
{
	int fd, err;

	fd = pin_open(a->pin_dir, &meta_shape, true);
	if (fd < 0)
		return fd;
	err = account_update(a, fd, 0, &a->meta);
	close(fd);
	return fail(err);
}

bool account_in_batches(const struct account *a)
{
	return a->meta.hooks == HOOKS_TP_BTF;
}

int account_turn(const struct account *a, int seconds)
{
	struct stat locked, now;
	int fd, err = 0;

	fd = pin_lock(a->pin_dir, seconds);
	if (fd < 0)
		return fd;
	if (fstat(fd, &locked) < 0 || stat(a->pin_dir, &now) < 0)
		err = -errno;
	else if (locked.st_ino != a->folder || now.st_ino != a->folder)
		err = -ENOENT;
	if (err < 0) {
		close(fd);
		return fail(err);
	}
	__atomic_store_n(&a->state->resetter, getpid(), __ATOMIC_RELAXED);
	return fd;
}

int account_hooks(const struct account *a,
		  int (*each)(void *arg, const char *name, const struct hook_stats *stats),
		  void *arg)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	char folder[PATH_MAX], path[PATH_MAX];
	struct dirent *entry;
	int err;
	DIR *dir;

	err = path_join(folder, a->pin_dir, PIN_PROGS);
	if (err < 0)
		return err;
	dir = opendir(folder);
	if (!dir)
		return fail(-errno);
	while ((entry = pin_next(dir, &err))) {
		struct bpf_prog_info info = {};
		struct hook_stats stats;
		__u32 len = sizeof(info);
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		err = path_join(path, folder, entry->d_name);
		if (err < 0)
			break;
		fd = bpf_obj_get_opts(path, &opts);
		err = fd < 0 ? -errno : bpf_obj_get_info_by_fd(fd, &info, &len);
		if (fd >= 0)
			close(fd);
		if (err < 0)
			break;
		stats = (struct hook_stats){ .missed = info.recursion_misses,
					     .runs = info.run_cnt,
					     .run_ns = info.run_time_ns };
		err = each(arg, entry->d_name, &stats);
	}
	closedir(dir);
	return fail(err);
}

static int add_missed(void *arg, const char *name, const struct hook_stats *stats)
{
	__u64 *sum = arg;

	(void)name;
	*sum += stats->missed;
	return 0;
}

int account_missed(const struct account *a, __u64 *missed)
{
	struct state state = {};
	__u64 probes = 0;
	int err;

	*missed = 0;
	err = account_hooks(a, add_missed, missed);
	if (!err && a->meta.hooks == HOOKS_KPROBE)
		err = probes_missed(a->pin_dir, &probes);
	if (!err)
		err = account_state(a, &state);
	*missed += probes + state.unnoted;
	return fail(err);
}
