/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names that numbers have now: users, cgroups and network namespaces, looked
 * up when asked for.
 */
#ifndef NETACCT_NAMES_H
#define NETACCT_NAMES_H

#include <stdbool.h>
#include <sys/types.h>

#include "account.h"
#include "hosts.h"

struct names {
	const struct account *account; /* borrowed */
	void *users;		       /* trees of what was looked up */
	void *cgroups;
	void *services;
	void *netns;
	struct hosts *hosts; /* borrowed; NULL: nobody asks for names of addresses */
	bool walked;
	bool netns_walked;
};

/* Needs no privileges and cannot fail. names_free() it. */
void names_init(struct names *n, const struct account *account);
void names_free(struct names *n);

/* The user's name, or NULL. It is the tree's own, as are those below. */
const char *names_user(struct names *n, uid_t uid);

/*
 * The path of a cgroup: "/" for the root, "/a/b". Of a cgroup that is gone only
 * the last two components were noted; without a leading slash there may be
 * more before them. NULL: not known.
 */
const char *names_cgroup(struct names *n, __u64 id);

/* What people call it, as service_name(). */
const char *names_service(struct names *n, __u64 id);

/* Where `ip netns` keeps its names. */
#define NETNS_FOLDER "/run/netns"

/* The name there of the network namespace with this inode, or NULL. */
const char *names_netns(struct names *n, __u32 inode);

/* The name of an address of struct flow, as far as it was looked up, or NULL. */
const char *names_host(struct names *n, const __u8 address[16]);

#endif
