// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <pwd.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "names.h"
#include "service.h"

struct name {
	__u64 id;
	char *text; /* NULL: looked up in vain */
};

static int by_id(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void free_name(void *p)
{
	struct name *name = p;

	free(name->text);
	free(name);
}

static const struct name *find(void *const *tree, __u64 id)
{
	struct name key = { .id = id };
	struct name *const *found = tfind(&key, tree, by_id);

	return found ? *found : NULL;
}

/* Takes text over. Without memory the name is only looked up again. */
static const char *remember(void **tree, __u64 id, char *text)
{
	struct name *name = malloc(sizeof(*name)), *const *found = NULL;

	if (name) {
		*name = (struct name){ id, text };
		found = tsearch(name, tree, by_id);
	}
	if (found && *found == name)
		return text;
	free(name);
	free(text);
	return found ? (*found)->text : NULL;
}

void names_init(struct names *n, const struct account *account)
{
	*n = (struct names){ .account = account };
}

void names_free(struct names *n)
{
	tdestroy(n->users, free_name);
	tdestroy(n->cgroups, free_name);
	tdestroy(n->services, free_name);
	tdestroy(n->netns, free_name);
	names_init(n, NULL);
}

const char *names_user(struct names *n, uid_t uid)
{
	const struct name *known = find(&n->users, uid);
	struct passwd pw, *found = NULL;
	char *buf = NULL, *bigger;
	size_t size = 1024;
	int error;

	if (known)
		return known->text;
	do {
		bigger = realloc(buf, size);
		if (!bigger)
			break;
		buf = bigger;
		error = getpwuid_r(uid, &pw, buf, size, &found);
		size *= 2;
	} while (error == ERANGE);
	known = NULL;
	bigger = found ? strdup(found->pw_name) : NULL;
	free(buf);
	return remember(&n->users, uid, bigger);
}

/* The id of a cgroup is the inode number of its folder. */
static void walk(struct names *n, const char *mount, const char *path)
{
	struct dirent *entry;
	char *full, *child;
	DIR *dir;

	if (asprintf(&full, "%s%s", mount, path) < 0)
		return;
	dir = opendir(full);
	free(full);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0)
			break;
		walk(n, mount, child);
		remember(&n->cgroups, entry->d_ino, child);
	}
	closedir(dir);
}

static void walk_mounted(struct names *n)
{
	struct mntent *mount = NULL;
	struct stat root;
	FILE *mounts;

	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return;
	do
		mount = getmntent(mounts);
	while (mount && strcmp(mount->mnt_type, "cgroup2") != 0);
	if (mount && stat(mount->mnt_dir, &root) == 0) {
		remember(&n->cgroups, root.st_ino, strdup("/"));
		walk(n, mount->mnt_dir, "");
	}
	endmntent(mounts);
}

/* What was noted of it when it was alive. */
static int noted(void *arg, __u64 id, const struct cgroup_name *name)
{
	struct names *n = arg;
	char *text;
	int length;

	if (find(&n->cgroups, id))
		return 0;
	if (!name->level)
		length = asprintf(&text, "/");
	else
		length = asprintf(&text, "%s%.*s%s%.*s", name->level <= 2 ? "/" : "",
				  name->level > 1 ? CGROUP_NAME_LEN : 0, name->parent,
				  name->level > 1 ? "/" : "", CGROUP_NAME_LEN, name->name);
	if (length >= 0)
		remember(&n->cgroups, id, text);
	return 0;
}

const char *names_cgroup(struct names *n, __u64 id)
{
	const struct name *known;

	if (!n->walked) {
		n->walked = true;
		walk_mounted(n);
		(void)account_cgroups(n->account, noted, n);
	}
	known = find(&n->cgroups, id);
	return known ? known->text : NULL;
}

const char *names_service(struct names *n, __u64 id)
{
	const struct name *known = find(&n->services, id);
	const char *cgroup;

	if (known)
		return known->text;
	cgroup = names_cgroup(n, id);
	return remember(&n->services, id, cgroup ? service_name(cgroup) : NULL);
}

static void walk_netns(struct names *n)
{
	DIR *dir = opendir(NETNS_FOLDER);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.' && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
			remember(&n->netns, st.st_ino, strdup(entry->d_name));
	if (dir)
		closedir(dir);
}

const char *names_netns(struct names *n, __u32 inode)
{
	const struct name *known;

	if (!n->netns_walked) {
		n->netns_walked = true;
		walk_netns(n);
	}
	known = find(&n->netns, inode);
	return known ? known->text : NULL;
}

const char *names_host(struct names *n, const __u8 address[16])
{
	return n->hosts ? hosts_name(n->hosts, address) : NULL;
}
