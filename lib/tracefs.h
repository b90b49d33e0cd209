/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's list of tracepoints and kprobes. Errors as in account.h. */
#ifndef NETACCT_TRACEFS_H
#define NETACCT_TRACEFS_H

#include <bpf/libbpf.h>

/*
 * A descriptor of its root: of a mount that nobody else sees, and that is there
 * whether tracefs is mounted or not.
 */
int tracefs_open(void);

/* The perf event of a tracepoint or kprobe; what is attached to it runs on all CPUs. */
int tracefs_event(int tracefs, const char *group, const char *name);

/*
 * Attaches a program of section "tracepoint/GROUP/NAME". libbpf would look for
 * tracefs where it is usually mounted. NULL: errno tells.
 */
struct bpf_link *tracefs_attach(const struct bpf_program *prog);

#endif
