// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "account.h"
#include "pins.h"

/* The key of an array of one. */
static const __u32 first;

#define ONE_ARRAY(n, type)                                         \
	{                                                          \
		n, BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(type) \
	}

static const struct pin_shape meta_shape = ONE_ARRAY(PIN_META, struct meta);
static const struct pin_shape state_shape = ONE_ARRAY(PIN_STATE, struct state);
static const struct pin_shape folded_shape = ONE_ARRAY(PIN_FOLDED, struct process_key);
static const struct pin_shape cgroups_shape = { PIN_CGROUPS, BPF_MAP_TYPE_LRU_HASH, sizeof(__u64),
						sizeof(struct cgroup_name) };

static int read_meta(struct account *a)
{
	int fd, err;

	fd = pin_open(a->pin_dir, &meta_shape, false);
	if (fd < 0)
		return fd == -ENOENT ? -EPROTO : fd;
	err = bpf_map_lookup_elem(fd, &first, &a->meta);
	close(fd);
	if (!err && a->meta.schema != NETACCT_SCHEMA)
		err = -EPROTO;
	a->meta.version[sizeof(a->meta.version) - 1] = '\0';
	a->meta.boot_id[sizeof(a->meta.boot_id) - 1] = '\0';
	return err;
}

/*
 * Writers store single words into it. Who may only read cannot map it: the
 * kernel wants a shared mapping, which a read-only descriptor does not give.
 */
static int open_state(struct account *a)
{
	void *p;

	a->state_fd = pin_open(a->pin_dir, &state_shape, a->writable);
	if (a->state_fd < 0 || !a->writable)
		return a->state_fd;
	p = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, a->state_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	a->state = p;
	return 0;
}

static int open_all(struct account *a)
{
	int err;

	err = read_meta(a);
	if (err < 0)
		return err;
	err = open_state(a);
	if (err < 0)
		return err;
	err = a->cgroups = pin_open(a->pin_dir, &cgroups_shape, false);
	if (err < 0)
		return err;
	err = a->folded = pin_open(a->pin_dir, &folded_shape, false);
	return err < 0 ? err : 0;
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
				       .state_fd = -1,
				       .cgroups = -1,
				       .folded = -1 };
		if (stat(pin_dir, &before) < 0)
			return fail(-errno);
		err = open_all(a);
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
	if (a->state_fd >= 0)
		close(a->state_fd);
	if (a->cgroups >= 0)
		close(a->cgroups);
	if (a->folded >= 0)
		close(a->folded);
	a->state = NULL;
	a->state_fd = a->cgroups = a->folded = -1;
}

int account_state(const struct account *a, struct state *state)
{
	return fail(bpf_map_lookup_elem(a->state_fd, &first, state));
}

int account_cgroup_name(const struct account *a, __u64 id, struct cgroup_name *name)
{
	int err = bpf_map_lookup_elem(a->cgroups, &id, name);

	if (err < 0)
		return fail(err);
	name->parent[sizeof(name->parent) - 1] = '\0';
	name->name[sizeof(name->name) - 1] = '\0';
	return 0;
}

int account_turn(const struct account *a, int seconds)
{
	struct stat locked, now;
	int fd;

	fd = pin_lock(a->pin_dir, seconds);
	if (fd < 0)
		return fd;
	if (fstat(fd, &locked) < 0 || stat(a->pin_dir, &now) < 0 || locked.st_ino != now.st_ino) {
		close(fd);
		return fail(-ENOENT);
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
	while (!err && (entry = readdir(dir))) {
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
	*missed = 0;
	return account_hooks(a, add_missed, missed);
}
