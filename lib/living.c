// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "living.h"

/* As much as fits, with a NUL after it; -1 if it cannot be read. */
static ssize_t read_file(int folder, const char *name, char *buf, size_t size)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	if (length >= 0)
		buf[length] = 0;
	return length;
}

/* Field 22 of stat, in ticks; what is in parentheses before may hold anything. */
static bool began_at(int folder, __u64 start_ns)
{
	char stat[1024], *s;
	int field = 2;

	if (read_file(folder, "stat", stat, sizeof(stat)) < 0)
		return false;
	for (s = strrchr(stat, ')'); s && field < 22; field++)
		s = strchr(s + 1, ' ');
	return s && strtoull(s, NULL, 10) == start_ns / (NS_PER_S / sysconf(_SC_CLK_TCK));
}

/* Its folder, which never becomes that of another process. */
static int open_folder(const struct process_key *key)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u", key->pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !began_at(fd, key->start_ns)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool living_exe(const struct process_key *key, char *buf, size_t size)
{
	int folder = open_folder(key);
	ssize_t length = folder < 0 ? -1 : readlinkat(folder, "exe", buf, size - 1);

	if (folder >= 0)
		close(folder);
	if (length > 0)
		buf[length] = 0;
	return length > 0;
}

bool living_cmdline(const struct process_key *key, char *buf, size_t size)
{
	int folder = open_folder(key);
	ssize_t length = folder < 0 ? -1 : read_file(folder, "cmdline", buf, size);

	if (folder >= 0)
		close(folder);
	while (length > 0 && !buf[length - 1])
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (!buf[i])
			buf[i] = ' ';
	return length > 0;
}
