/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's list of tracepoints and kprobes. Errors as in account.h. */
#ifndef NETACCT_TRACEFS_H
#define NETACCT_TRACEFS_H

/*
 * A descriptor of its root: of a mount that nobody else sees, and that is there
 * whether tracefs is mounted or not.
 */
int tracefs_open(void);

/* The perf event of a tracepoint or kprobe; what is attached to it runs on all CPUs. */
int tracefs_event(int tracefs, const char *group, const char *name);

#endif
