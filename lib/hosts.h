/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of addresses, looked up beside the work, for as long as one is willing
 * to wait. Errors as in account.h.
 */
#ifndef NETACCT_HOSTS_H
#define NETACCT_HOSTS_H

#include "abi.h"

struct hosts;

/*
 * Goes on until the command ends, and is never freed: a resolver that waits for
 * its answer cannot be stopped. NULL: no memory.
 */
struct hosts *hosts_new(void);

/* Begins to look up an address of struct flow, once. -ENOMEM. */
int hosts_want(struct hosts *h, const __u8 address[16]);

/* Until all that was wanted is known, or so many milliseconds have passed. */
void hosts_wait(struct hosts *h, int milliseconds);

/* The name as far as it is known now, or NULL; it stays. */
const char *hosts_name(struct hosts *h, const __u8 address[16]);

#endif
