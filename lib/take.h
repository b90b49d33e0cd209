/* SPDX-License-Identifier: GPL-2.0-only */
/* What reset and unload take out of an account, and print. Errors as in account.h. */
#ifndef NETACCT_TAKE_H
#define NETACCT_TAKE_H

#include <stdbool.h>
#include <stdio.h>

#include "account.h"

/*
 * Prints one generation, that nobody writes to any more: a line of JSON, or of
 * each of its rows one.
 */
int take_generation(const struct account *a, __u64 number, FILE *out, bool lines);

/* The same for what an earlier reset did not get to print: 1, or 0 if there is none. */
int take_pending(const struct account *a, FILE *out, bool lines);

#endif
