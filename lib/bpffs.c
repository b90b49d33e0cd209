// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bpffs.h"
#include "pins.h"

#define LOCK_SECONDS 10

/* The folder that holds path, in buf. */
static char *parent_of(char buf[PATH_MAX], const char *path)
{
	snprintf(buf, PATH_MAX, "%s", path);
	return dirname(buf);
}

static int is_bpffs(const char *dir)
{
	struct statfs fs;

	if (statfs(dir, &fs) < 0)
		return -errno;
	return fs.f_type == BPF_FS_MAGIC;
}

/*
 * A mount made in another namespace than that of pid 1 goes when the command ends.
 * 1, 0, or -EACCES: who is not root may not know, and may not mount either. Where pid 1
 * shows nobody its namespaces (it is not dumpable), kthreadd is asked, which has the first.
 */
static int mounts_stay(void)
{
	struct stat ours, first;

	if (stat("/proc/self/ns/mnt", &ours) < 0 ||
	    (stat("/proc/1/ns/mnt", &first) < 0 && stat("/proc/2/ns/mnt", &first) < 0))
		return geteuid() ? -EACCES : 0;
	return ours.st_ino == first.st_ino;
}

int bpffs_prepare(const char *pin_dir)
{
	char buf[PATH_MAX], *dir = parent_of(buf, pin_dir);
	int is, stay, lock;

	is = is_bpffs(dir);
	if (is == 1)
		return 0;
	/* /sys/fs/bpf is a folder of sysfs as long as nothing is mounted on it. */
	if (strcmp(dir, BPFFS) != 0)
		return fail(is < 0 ? is : -EXDEV);
	stay = mounts_stay();
	if (stay != 1)
		return fail(stay < 0 ? stay : -EINVAL);
	/* Another loader may be about to mount it too: the one that comes second looks again. */
	lock = pin_lock(BPFFS, LOCK_SECONDS);
	if (lock < 0)
		return lock;
	is = is_bpffs(dir);
	if (is == 0 &&
	    mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		is = -errno;
	close(lock);
	return is < 0 ? fail(is) : !is;
}

int bpffs_passable(const char *pin_dir, gid_t gid, char where[PATH_MAX])
{
	char buf[PATH_MAX], *dir = parent_of(buf, pin_dir);
	struct stat st;

	for (;; dir = dirname(dir)) {
		if (stat(dir, &st) < 0)
			return fail(-errno);
		if (!(st.st_mode & (st.st_gid == gid ? S_IXGRP : S_IXOTH))) {
			snprintf(where, PATH_MAX, "%s", dir);
			return 0;
		}
		if (strcmp(dir, "/") == 0 || strcmp(dir, ".") == 0)
			return 1;
	}
}

void bpffs_root(const char *pin_dir, char root[PATH_MAX])
{
	char up[PATH_MAX], buf[PATH_MAX], *parent;

	snprintf(root, PATH_MAX, "%s", parent_of(buf, pin_dir));
	for (;;) {
		parent = parent_of(up, root);
		if (strcmp(root, parent) == 0 || is_bpffs(parent) != 1)
			return;
		snprintf(root, PATH_MAX, "%s", parent);
	}
}

int bpffs_traverse(const char *pin_dir, bool yes)
{
	char root[PATH_MAX];
	struct stat st;

	bpffs_root(pin_dir, root);
	if (stat(root, &st) < 0)
		return fail(-errno);
	if (chmod(root, yes ? st.st_mode | S_IXOTH : st.st_mode & ~S_IXOTH) < 0)
		return fail(-errno);
	return 0;
}
