/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose traffic an account counts, if not everybody's: the users and cgroups
 * that netacct-load was given. It is kept as links, one for each, that are named
 * for the number and point to the text: "user-1000" -> "alice". Errors as in
 * account.h.
 */
#ifndef NETACCT_SCOPE_H
#define NETACCT_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

/* Each is a list of what may match; if there are both, both have to. */
enum scope_kind { SCOPE_USER, SCOPE_CGROUP, SCOPE_KINDS };

struct scope_item {
	enum scope_kind kind;
	__u64 number; /* uid, or id of the cgroup */
	char *text;   /* the user as it was given, or the path */
};

struct scope {
	struct scope_item items[2 * MAX_FILTERS];
	size_t n;
};

/*
 * Adds "a,b". *bad is then the part with which it fails, and not freed. -EINVAL: it
 * is no such name, or begins with `!`; -ENOENT: there is no such user or cgroup; -E2BIG:
 * there are MAX_FILTERS of them already; -EXDEV, -EPERM: see hierarchy.h.
 */
int scope_add(struct scope *s, enum scope_kind kind, const char *list, const char **bad);

/* Writes it down in the folder of an account that is being made. */
int scope_write(const struct scope *s, const char *dir);

/* What was written down, n items in all. -EUCLEAN: that is not what is there. */
int scope_read(struct scope *s, const char *dir, __u32 n);
void scope_free(struct scope *s);

/* The sum of a number for each item, by which two scopes can be told apart; 0: everybody. */
__u64 scope_sum(const struct scope *s);
__u64 scope_item_sum(const char *name, const char *text);

/* Whether the lists of a kind are the same, and whether there is one. */
bool scope_same(const struct scope *a, const struct scope *b, enum scope_kind kind);
bool scope_has(const struct scope *s, enum scope_kind kind);

/* How deep a cgroup lies; the root is 0. */
__u32 scope_level(const struct scope_item *cgroup);

/* Whether it is a cgroup that was removed, as far as we may look for it. */
bool scope_gone(const struct scope_item *item);

/* The option that fills a list, without dashes. */
const char *scope_name(enum scope_kind kind);

/* "only user alice,bob and cgroup /a", fit for a terminal; the caller frees it. */
char *scope_text(const struct scope *s);

#endif
