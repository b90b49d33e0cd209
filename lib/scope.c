// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter.h"
#include "hierarchy.h"
#include "pins.h"
#include "scope.h"
#include "text.h"

static const char *const names[] = { [SCOPE_USER] = "user", [SCOPE_CGROUP] = "cgroup" };

const char *scope_name(enum scope_kind kind)
{
	return names[kind];
}

/* "a//b/" is "/a/b". NULL with errno set; EINVAL: it leads back up. */
static char *clean_path(const char *text)
{
	char *copy = strdup(text), *path = malloc(strlen(text) + 2), *rest = copy, *part,
	     *end = path;

	if (!copy || !path)
		goto failed;
	while ((part = strsep(&rest, "/"))) {
		if (!*part)
			continue;
		if (!strcmp(part, ".") || !strcmp(part, "..")) {
			errno = EINVAL;
			goto failed;
		}
		*end++ = '/';
		end = stpcpy(end, part);
	}
	if (end == path)
		*end++ = '/';
	*end = '\0';
	free(copy);
	return path;
failed:
	free(copy);
	free(path);
	return NULL;
}

static const struct scope_item *find(const struct scope *s, enum scope_kind kind, __u64 number)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].kind == kind && s->items[i].number == number)
			return &s->items[i];
	return NULL;
}

static size_t count(const struct scope *s, enum scope_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->items[i].kind == kind;
	return n;
}

/* Takes text over. The same again changes nothing. */
static int add(struct scope *s, enum scope_kind kind, __u64 number, char *text)
{
	int err = 0;

	if (!text)
		err = -errno;
	else if (!find(s, kind, number) && count(s, kind) == MAX_FILTERS)
		err = -E2BIG;
	if (err || find(s, kind, number)) {
		free(text);
		return err;
	}
	s->items[s->n++] = (struct scope_item){ kind, number, text };
	return 0;
}

static int add_cgroup(struct scope *s, const char *text)
{
	char *path = clean_path(text);
	__u64 id;
	int err;

	if (!path)
		return -errno;
	err = hierarchy_cgroup(path, &id);
	if (!err)
		err = add(s, SCOPE_CGROUP, id, strdup(path));
	free(path);
	return err;
}

static int add_part(struct scope *s, enum scope_kind kind, const char *text)
{
	__u32 uid;
	int err;

	if (!*text || *text == '!')
		return -EINVAL;
	if (kind == SCOPE_CGROUP)
		return add_cgroup(s, text);
	err = filter_parse_user(text, &uid);
	return err < 0 ? err : add(s, SCOPE_USER, uid, strdup(text));
}

int scope_add(struct scope *s, enum scope_kind kind, const char *list, const char **bad)
{
	char *copy = strdup(list), *rest = copy, *part;
	int err;

	*bad = list;
	if (!copy)
		return fail(-ENOMEM);
	while ((part = strsep(&rest, ","))) {
		*bad = part;
		err = add_part(s, kind, part);
		/* The copy stays: it has what is *bad. */
		if (err < 0)
			return fail(err);
	}
	free(copy);
	return 0;
}

void scope_free(struct scope *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].text);
	*s = (struct scope){};
}

bool scope_has(const struct scope *s, enum scope_kind kind)
{
	return count(s, kind);
}

bool scope_same(const struct scope *a, const struct scope *b, enum scope_kind kind)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].kind == kind && !find(b, kind, a->items[i].number))
			return false;
	return count(a, kind) == count(b, kind);
}

/* FNV-1a */
static __u64 hash(__u64 sum, const char *s)
{
	for (; *s; s++)
		sum = (sum ^ (unsigned char)*s) * 0x100000001b3;
	return sum;
}

__u64 scope_item_sum(const char *name, const char *text)
{
	return hash(hash(hash(0xcbf29ce484222325, name), "="), text);
}

__u64 scope_sum(const struct scope *s)
{
	__u64 sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += scope_item_sum(scope_name(s->items[i].kind), s->items[i].text);
	return sum;
}

__u32 scope_level(const struct scope_item *cgroup)
{
	__u32 level = 0;

	for (const char *c = cgroup->text; c[1]; c++)
		level += *c == '/';
	return level;
}

bool scope_gone(const struct scope_item *item)
{
	__u64 id;
	int err;

	if (item->kind != SCOPE_CGROUP)
		return false;
	err = hierarchy_cgroup(item->text, &id);
	return err == -ENOENT || (!err && id != item->number);
}

int scope_write(const struct scope *s, const char *dir)
{
	char folder[PATH_MAX], path[PATH_MAX], name[64];
	int err;

	err = path_join(folder, dir, PIN_FILTERS);
	if (!err && mkdir(folder, 0700) < 0)
		err = -errno;
	for (size_t i = 0; !err && i < s->n; i++) {
		const struct scope_item *item = &s->items[i];

		snprintf(name, sizeof(name), "%s-%" PRIu64, scope_name(item->kind),
			 (uint64_t)item->number);
		err = path_join(path, folder, name);
		if (!err && symlink(item->text, path) < 0)
			err = -errno;
	}
	return fail(err);
}

char *scope_text(const struct scope *s)
{
	char *text = NULL;
	const char *between = "only ";
	char *plain;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (int kind = 0; kind < SCOPE_KINDS; kind++) {
		const char *before = NULL;

		for (size_t i = 0; i < s->n; i++) {
			if ((int)s->items[i].kind != kind)
				continue;
			if (!before)
				fprintf(out, "%s%s ", between, scope_name(kind));
			fputs(before ?: "", out);
			plain = text_plain(s->items[i].text);
			fputs(plain ?: "?", out);
			free(plain);
			before = ",";
			between = " and ";
		}
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int read_link(struct scope *s, int folder, const char *name)
{
	char text[PATH_MAX] = "", kind[16];
	uint64_t number;
	int end = 0;

	if (sscanf(name, "%15[a-z]-%" SCNu64 "%n", kind, &number, &end) != 2 || name[end] ||
	    readlinkat(folder, name, text, sizeof(text) - 1) < 1)
		return -EUCLEAN;
	for (int k = 0; k < SCOPE_KINDS; k++)
		if (strcmp(kind, names[k]) == 0)
			return add(s, k, number, strdup(text));
	return -EUCLEAN;
}

static int compare(const void *a, const void *b)
{
	const struct scope_item *x = a, *y = b;

	return (int)x->kind - (int)y->kind ?: strcmp(x->text, y->text);
}

int scope_read(struct scope *s, const char *dir, __u32 n)
{
	char folder[PATH_MAX];
	struct dirent *entry;
	int err;
	DIR *d;

	*s = (struct scope){};
	if (!n)
		return 0;
	err = path_join(folder, dir, PIN_FILTERS);
	if (err < 0)
		return err;
	d = opendir(folder);
	if (!d)
		return fail(errno == ENOENT ? -EUCLEAN : -errno);
	while ((entry = pin_next(d, &err)))
		if (entry->d_name[0] != '.')
			err = read_link(s, dirfd(d), entry->d_name);
	closedir(d);
	qsort(s->items, s->n, sizeof(*s->items), compare);
	if (!err && s->n != n)
		err = -EUCLEAN;
	if (err < 0)
		scope_free(s);
	return fail(err);
}
