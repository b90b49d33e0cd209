// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detached.h"
#include "hierarchy.h"
#include "pins.h"

int hierarchy_open(void)
{
	return detached_open("cgroup2");
}

int hierarchy_cgroup(const char *path, __u64 *id)
{
	struct stat st;
	int root, fd, err = 0;

	/* PROC_CGROUP_INIT_INO, include/linux/proc_ns.h: the same on every kernel */
	if (stat("/proc/self/ns/cgroup", &st) == 0 && st.st_ino != 0xEFFFFFFBU)
		return fail(-EXDEV);
	root = hierarchy_open();
	if (root < 0)
		return root;
	fd = openat(root, path[1] ? path + 1 : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		err = errno == ENOTDIR ? -ENOENT : -errno;
	/* The number of its folder is its id. */
	else
		*id = st.st_ino;
	if (fd >= 0)
		close(fd);
	close(root);
	return fail(err);
}
