// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "abi.h"
#include "pins.h"

#define GONE_SECONDS 3

int fail(int r)
{
	if (r < 0)
		errno = -r;
	return r;
}

int path_join(char path[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	return n < 0 || n >= PATH_MAX ? fail(-ENAMETOOLONG) : 0;
}

struct dirent *pin_next(DIR *dir, int *err)
{
	struct dirent *entry;

	if (*err)
		return NULL;
	errno = 0;
	entry = readdir(dir);
	if (!entry)
		*err = -errno;
	return entry;
}

/* Of a clock that nobody sets. */
static time_t seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void nap(void)
{
	const struct timespec t = { .tv_nsec = 5000000 };

	nanosleep(&t, NULL);
}

int pin_open(const char *dir, const struct pin_shape *shape, bool writable)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = writable ? 0 : BPF_F_RDONLY);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	char path[PATH_MAX];
	int fd, err;

	err = path_join(path, dir, shape->name);
	if (err < 0)
		return err;
	fd = bpf_obj_get_opts(path, &opts);
	if (fd < 0)
		return fail(-errno);
	/*
	 * The kernel copies whole values into our buffers, sized by the map and
	 * not by our headers: trusting a stranger's map would overrun them.
	 * Programs and links answer with another structure; their pins are no maps.
	 */
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!err && (info.type != shape->type || info.key_size != shape->key_size ||
		     info.value_size != shape->value_size))
		err = -EPROTO;
	if (err < 0) {
		close(fd);
		return fail(err);
	}
	return fd;
}

int pin_lock(const char *dir, int seconds)
{
	time_t end = seconds_now() + seconds;
	int fd, err;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (err != -EBUSY || seconds_now() >= end) {
			close(fd);
			return fail(err);
		}
		nap();
	}
	return fd;
}

/* One object that a pin held, by the folder it was in. */
struct object {
	int (*next)(__u32 id, __u32 *next);
	__u32 id;
};

/* nftw() has no argument for its function. */
static struct object *objects;
static size_t n_objects;

static bool ends_in(const char *path, const char *end)
{
	size_t length = strlen(path), n = strlen(end);

	return length > n && strcmp(path + length - n, end) == 0;
}

/* How to ask for the next id of the kind of a pin. */
static int (*next_of(const char *path))(__u32 id, __u32 *next)
{
	if (strstr(path, "/" PIN_PROGS "/") || strstr(path, "/" PIN_READERS "/"))
		return bpf_prog_get_next_id;
	if (strstr(path, "/" PIN_LINKS "/") || ends_in(path, PIN_ROWS) ||
	    ends_in(path, "/" PIN_SETTLED))
		return bpf_link_get_next_id;
	return bpf_map_get_next_id;
}

static void note_object(const char *path)
{
	/* The info of maps, programs and links begins alike: type, id. */
	struct {
		__u32 type;
		__u32 id;
	} info = {};
	__u32 len = sizeof(info);
	struct object *more;
	int fd;

	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.id) {
		more = realloc(objects, (n_objects + 1) * sizeof(*objects));
		if (more) {
			objects = more;
			objects[n_objects].id = info.id;
			objects[n_objects++].next = next_of(path);
		}
	}
	close(fd);
}

static int note_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_F)
		note_object(path);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	if (remove(path) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/*
 * It must not be opened: a PROG_ARRAY that is opened and closed as the kernel is
 * about to empty it, after its last user has gone, stays for ever (seen on 6.18:
 * prog_array_map_clear() takes a reference for work that is queued already).
 */
static bool is_there(const struct object *o)
{
	__u32 next;

	return o->next(o->id - 1, &next) == 0 && next == o->id;
}

static void wait_until_gone(void)
{
	time_t end = seconds_now() + GONE_SECONDS;

	for (size_t i = 0; i < n_objects; i++)
		while (is_there(&objects[i]) && seconds_now() < end)
			nap();
}

int pin_remove(const char *dir)
{
	int err;

	err = nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (err == -1)
		err = -errno;
	return fail(err);
}

int pin_remove_and_wait(const char *dir)
{
	int err;

	(void)nftw(dir, note_one, 16, FTW_PHYS | FTW_MOUNT);
	err = pin_remove(dir);
	if (!err)
		wait_until_gone();
	free(objects);
	objects = NULL;
	n_objects = 0;
	return fail(err);
}
