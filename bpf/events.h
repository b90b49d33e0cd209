/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a watcher's programs tell it. Both halves are of one build and nothing is
 * pinned: no ABI.
 */
#ifndef NETACCT_EVENTS_H
#define NETACCT_EVENTS_H

#include <linux/types.h>

#define WATCH_CONNECTIONS 65536 /* that are remembered, from opening to closing */
#define WATCH_CALLS	  16384 /* of connect that are inside the kernel at once */
#define WATCH_COMM_LEN	  16

enum watch_what {
	WATCH_OPEN,
	WATCH_ACCEPT,
	WATCH_FAILED,
	WATCH_CLOSE,
};

#define WATCH_OWNED 1  /* pid, uid and comm are known: of who connected or accepted */
#define WATCH_OUT   2  /* it was opened from here */
#define WATCH_IN    4  /* it was opened from the other end */
#define WATCH_TIMED 8  /* took_ns is known */
#define WATCH_BOUND 16 /* the local end is known */

struct watch_event {
	__u64 time_ns; /* since boot */
	/*
	 * From the call of connect on, if it opened or failed; from when it was
	 * open until it was accepted; how long it was open, if it closed.
	 */
	__u64 took_ns;
	__u64 tx_bytes; /* of what closed */
	__u64 rx_bytes;
	__u32 pid;
	__u32 uid;
	char comm[WATCH_COMM_LEN];
	__u8 local_address[16]; /* IPv4 in the last four bytes */
	__u8 remote_address[16];
	__u16 local_port;
	__u16 remote_port;
	__u16 family;
	__u8 what;  /* enum watch_what */
	__u8 flags; /* WATCH_* */
	__u32 netns;
	__u32 error; /* errno, or 0 */
};
_Static_assert(sizeof(struct watch_event) == 104, "both halves know the same events");

#endif
