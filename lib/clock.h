/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NETACCT_CLOCK_H
#define NETACCT_CLOCK_H

#include <time.h>
#include <linux/types.h>

#define NS_PER_S 1000000000ULL

/* Nanoseconds by one of the system's clocks, which never fail. */
static inline __u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

#endif
