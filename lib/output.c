// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "pins.h"

static int open_folder(struct output *o)
{
	char *copy = strdup(o->path);
	int error = 0;

	if (!copy)
		return -ENOMEM;
	o->folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->folder < 0)
		error = -errno;
	free(copy);
	if (error < 0)
		return error;

	if (asprintf(&o->temporary, ".%s.%ld", basename(o->path), (long)getpid()) < 0) {
		o->temporary = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Nameless where the file system allows it, so that a killed command leaves nothing. */
static int open_temporary(struct output *o)
{
	int fd = openat(o->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP)
		return -errno;
	o->named = true;
	unlinkat(o->folder, o->temporary, 0);
	fd = openat(o->folder, o->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int open_file(struct output *o, const char *to)
{
	struct stat old;
	bool replaces = stat(to, &old) == 0;
	int error, fd;

	if (!replaces && errno != ENOENT)
		return -errno;
	if (replaces && !S_ISREG(old.st_mode))
		return -EINVAL;
	/* A link stays a link: what it points to is replaced. */
	o->replaces = replaces;
	o->path = replaces ? realpath(to, NULL) : strdup(to);
	if (!o->path)
		return -errno;
	error = open_folder(o);
	if (error < 0)
		return error;
	fd = open_temporary(o);
	if (fd < 0)
		return fd;
	/* A file of somebody else's stays theirs if we may give files away. */
	if (replaces && fchown(fd, old.st_uid, old.st_gid) < 0 && errno == EIO)
		goto fail;
	if (replaces && fchmod(fd, old.st_mode & 07777) < 0)
		goto fail;
	o->file = fdopen(fd, "w");
	if (o->file)
		return 0;
fail:
	error = -errno;
	close(fd);
	return error;
}

int output_open(struct output *o, const char *to)
{
	int error;

	memset(o, 0, sizeof(*o));
	o->to = to ? to : "standard output";
	o->folder = -1;
	if (!to) {
		o->file = stdout;
		return 0;
	}
	error = open_file(o, to);
	if (error < 0)
		output_abort(o);
	return fail(error);
}

int output_share(struct output *o)
{
	if (!o->path || o->replaces)
		return 0;
	return fchmod(fileno(o->file), 0644) < 0 ? fail(-errno) : 0;
}

static int name_temporary(struct output *o)
{
	char self[64];

	if (o->named)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fileno(o->file));
	unlinkat(o->folder, o->temporary, 0);
	if (linkat(AT_FDCWD, self, o->folder, o->temporary, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	o->named = true;
	return 0;
}

static int replace(struct output *o)
{
	int error;

	if (fsync(fileno(o->file)) < 0)
		return -errno;
	error = name_temporary(o);
	if (error < 0)
		return error;
	if (renameat(o->folder, o->temporary, o->folder, basename(o->path)) < 0)
		return -errno;
	o->named = false;
	return fsync(o->folder) < 0 ? -errno : 0;
}

/* Some file systems report a failed write only to close(2). */
static int close_copy(FILE *f)
{
	int fd = dup(fileno(f));

	return fd < 0 || close(fd) < 0 ? -errno : 0;
}

int output_commit(struct output *o)
{
	int error = 0;

	errno = 0;
	if (fflush(o->file) || ferror(o->file))
		error = -(errno ?: EIO);
	if (!error)
		error = close_copy(o->file);
	if (!error && o->path)
		error = replace(o);
	output_abort(o);
	return fail(error);
}

static int copy_from(FILE *to, const char *path)
{
	FILE *from = fopen(path, "re");
	char buf[BUFSIZ];
	size_t n;
	int error;

	if (!from)
		return -errno;
	while ((n = fread(buf, 1, sizeof(buf), from)) > 0)
		fwrite(buf, 1, n, to);
	error = ferror(from) || ferror(to) ? -EIO : 0;
	fclose(from);
	return error;
}

int output_continue(struct output *o)
{
	const char *to = o->path ? o->to : NULL;
	int error;

	error = output_commit(o);
	if (!error)
		error = output_open(o, to);
	if (!error && to)
		error = copy_from(o->file, to);
	return fail(error);
}

void output_abort(struct output *o)
{
	int saved = errno;

	if (o->file && o->file != stdout)
		fclose(o->file);
	if (o->temporary && o->named)
		unlinkat(o->folder, o->temporary, 0);
	if (o->folder >= 0)
		close(o->folder);
	free(o->temporary);
	free(o->path);
	o->file = NULL;
	o->temporary = o->path = NULL;
	o->folder = -1;
	o->named = o->replaces = false;
	errno = saved;
}
