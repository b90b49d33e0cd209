// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "abi.h"
#include "rows.h"

#define BATCH	 1024
#define BUFFER	 262144
#define RECENT	 64
#define LONG_KEY sizeof(struct finished_key)

/* The keys that were handed out last. */
struct recent {
	char keys[RECENT][LONG_KEY];
	size_t n;
};

static bool is_recent(const struct recent *r, const void *key, size_t size)
{
	for (size_t i = 0; i < RECENT && i < r->n; i++)
		if (memcmp(r->keys[i], key, size) == 0)
			return true;
	return false;
}

int rows_open_file(struct rows *r, const char *dir, const struct pin_shape *shape)
{
	char name[64], path[PATH_MAX];
	int err;

	*r = (struct rows){ .shape = shape, .fd = -1 };
	snprintf(name, sizeof(name), "%s" PIN_ROWS, shape->name);
	err = path_join(path, dir, name);
	if (err < 0)
		return err;
	/* The kernel reads a file only once after it was opened: this is for opening it. */
	r->fd = open(path, O_PATH | O_CLOEXEC);
	return r->fd < 0 ? fail(-errno) : 0;
}

int rows_open(struct rows *r, const char *dir, const struct pin_shape *shape, bool batch)
{
	int fd;

	*r = (struct rows){ .shape = shape, .fd = -1 };
	fd = pin_open(dir, shape, false);
	if (fd >= 0 && batch) {
		r->batch = true;
		r->fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	/* Before Linux 6.0 only root can look at a map; files go by their mode. */
	else if (fd != -EPERM)
		return fd;
	return rows_open_file(r, dir, shape);
}

void rows_close(struct rows *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* A bucket that is longer than our room asks for more room (ENOSPC). */
static int each_of_map(const struct rows *r,
		       int (*each)(void *arg, const void *key, const void *value), void *arg)
{
	size_t key_size = r->shape->key_size, value_size = r->shape->value_size;
	char *keys = NULL, *values = NULL;
	__u32 position, *in = NULL, room = BATCH, n;
	int err = 0, last = 0;

	while (!last && !err) {
		if (!keys) {
			/* Zeroed for valgrind, which does not see the kernel fill them. */
			keys = calloc(room, key_size);
			values = calloc(room, value_size);
			if (!keys || !values) {
				err = -ENOMEM;
				break;
			}
		}
		n = room;
		err = bpf_map_lookup_batch(r->fd, in, &position, keys, values, &n, NULL);
		if (err == -ENOSPC) {
			free(keys);
			free(values);
			keys = values = NULL;
			room *= 2;
			err = 0;
			continue;
		}
		last = err == -ENOENT;
		if (err == -ENOENT || err == -EINTR)
			err = 0;
		for (__u32 i = 0; !err && i < n; i++)
			err = each(arg, keys + i * key_size, values + i * value_size);
		in = &position;
	}
	free(keys);
	free(values);
	return err;
}

/*
 * The kernel takes a buffer full of rows at a time. Where it stopped within a
 * bucket it goes on by counting from the bucket's head, and if rows were put
 * there meanwhile it hands out again those that came last.
 */
static int each_of_file(const struct rows *r, int fd, char *buf,
			int (*each)(void *arg, const void *key, const void *value), void *arg)
{
	size_t key_size = r->shape->key_size, size = key_size + r->shape->value_size;
	size_t have = 0, at;
	struct recent recent = {};
	bool again;
	ssize_t n;
	int err;

	if (size > BUFFER || key_size > LONG_KEY)
		return -EPROTO;
	for (;;) {
		n = read(fd, buf + have, BUFFER - have);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		have += n;
		again = true;
		for (at = 0; have - at >= size; at += size) {
			again = again && is_recent(&recent, buf + at, key_size);
			if (again)
				continue;
			err = each(arg, buf + at, buf + at + key_size);
			if (err < 0)
				return err;
			memcpy(recent.keys[recent.n++ % RECENT], buf + at, key_size);
		}
		have -= at;
		memmove(buf, buf + at, have);
	}
	return n < 0 ? -errno : have ? -EPROTO : 0;
}

int rows_each(const struct rows *r, int (*each)(void *arg, const void *key, const void *value),
	      void *arg)
{
	char path[64], *buf;
	int fd, err;

	if (r->batch)
		return fail(each_of_map(r, each, arg));
	/* By its name it could not be found again after a reset. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(errno == ENOENT ? -ENODEV : -errno);
	buf = malloc(BUFFER);
	err = buf ? each_of_file(r, fd, buf, each, arg) : -ENOMEM;
	free(buf);
	close(fd);
	return fail(err);
}

struct one {
	void *value;
	size_t size;
	bool found;
};

static int copy_one(void *arg, const void *key, const void *value)
{
	struct one *one = arg;

	(void)key;
	memcpy(one->value, value, one->size);
	one->found = true;
	return 0;
}

int rows_value(const struct rows *r, void *value)
{
	struct one one = { .value = value, .size = r->shape->value_size };
	int err = rows_each(r, copy_one, &one);

	return fail(err < 0 ? err : one.found ? 0 : -EPROTO);
}

int rows_run(int fd)
{
	char nothing;
	ssize_t n;
	int err;

	if (fd < 0)
		return fail(-errno);
	/* The kernel looks at a million at a time. */
	do
		n = read(fd, &nothing, sizeof(nothing));
	while (n < 0 && (errno == EAGAIN || errno == EINTR));
	err = n < 0 ? -errno : n ? -EPROTO : 0;
	close(fd);
	return fail(err);
}

int rows_run_pin(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int err = path_join(path, dir, name);

	return err < 0 ? err : rows_run(open(path, O_RDONLY | O_CLOEXEC));
}

int rows_pin(int prog_fd, int map_fd, const char *path)
{
	union bpf_iter_link_info info = { .map.map_fd = map_fd };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	int fd, err;

	fd = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &opts);
	if (fd < 0)
		return fail(fd);
	err = bpf_obj_pin(fd, path);
	close(fd);
	return fail(err);
}
