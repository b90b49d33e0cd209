/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kprobes that stay without us, and away from their limits. Errors as in
 * account.h.
 *
 * The kernel's own way to a kretprobe (perf_event_open, as libbpf goes it) has
 * room for as many calls at once as the machine has CPUs: ten blocked senders
 * would be too many. The way through tracefs takes the number. Its definitions
 * are text, named for the account, and outlive its pins: whoever removes those
 * removes them too. Before Linux 5.15 there is no link to pin; what keeps a
 * probe is its perf event, which stands in a pinned map.
 */
#ifndef NETACCT_PROBES_H
#define NETACCT_PROBES_H

#include <stddef.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "abi.h"

/* -ENOTSUP: this kernel has no kprobes (CONFIG_KPROBE_EVENTS). -EPERM, -EACCES. */
int probes_check(void);

/*
 * Attaches those programs that an object has to all functions they are for; btf
 * has the kernel's. On failure `what` says what failed.
 */
int probes_attach(const char *pin_dir, const struct bpf_object *obj, const struct btf *btf,
		  char *what, size_t size);

/* Takes back the definitions, once the pins are gone. */
int probes_remove(const char *pin_dir);

/* How often the kernel had no room for a call, or could not run a program. -EPERM, -EACCES. */
int probes_missed(const char *pin_dir, __u64 *missed);

#endif
