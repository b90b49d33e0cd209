/* SPDX-License-Identifier: GPL-2.0-only */
/* A file system of the kernel's, mounted for oneself. Errors as in account.h. */
#ifndef NETACCT_DETACHED_H
#define NETACCT_DETACHED_H

/*
 * Its root: a mount of one's own is as good as the system's, that may be
 * anywhere, and is never seen by anybody. It goes with the last descriptor.
 */
int detached_open(const char *type);

#endif
