/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Putting the kernel half in place, and taking it away. The only file of lib/
 * that knows the programs. Errors as in account.h.
 */
#ifndef NETACCT_HOOKS_H
#define NETACCT_HOOKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "scope.h"

#define LOAD_WHAT 1024

struct load_options {
	enum hook_set hooks; /* HOOKS_NONE: the first that counts exactly here */
	__u32 max_processes;
	__u32 max_flows;
	bool no_flows;
	const struct scope *scope; /* whose traffic is counted */
	gid_t gid;		   /* who may read; 0: root alone */
	bool group_traverse;
	bool force;	     /* outside the initial pid namespace too */
	const char *restore; /* a file of saved readings to begin with, or NULL */
};

/*
 * Loads, attaches and pins; all or nothing. What is restored is marked in its
 * file, so that it is not restored twice. On failure `what` says what failed,
 * and what to do if anything is known to help.
 *
 * -EEXIST: there is an account already. -EBUSY: another command is at it.
 */
int hooks_load(const char *pin_dir, const struct load_options *o, char what[LOAD_WHAT]);

/*
 * A lock against another load or unload of any account beside this one; waits a
 * few seconds. A descriptor to close, -EBUSY, -ENOENT: the parent is not there,
 * -ELOOP: pin_dir is a symbolic link, that would be removed instead of the account.
 */
int hooks_lock(const char *pin_dir);

/*
 * Removes the account and whatever a command that was killed left of one; the
 * caller has hooks_lock(). -ENOENT: there was nothing.
 */
int hooks_unload(const char *pin_dir);

#endif
