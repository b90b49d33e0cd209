/* SPDX-License-Identifier: GPL-2.0-only */
/* What only a process that lives can tell: it is read from /proc. */
#ifndef NETACCT_LIVING_H
#define NETACCT_LIVING_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

/*
 * The path of its program, and its command line with a space after each
 * argument, cut off at size. False: it is gone (another process may have its
 * pid), it has none, or we may not know.
 */
bool living_exe(const struct process_key *key, char *buf, size_t size);
bool living_cmdline(const struct process_key *key, char *buf, size_t size);

#endif
