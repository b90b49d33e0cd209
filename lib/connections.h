/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel knows of the TCP connections that live now: asked of their
 * sockets when it is read, so that counting has no part in it. Errors as in account.h.
 */
#ifndef NETACCT_CONNECTIONS_H
#define NETACCT_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "account.h"

struct connection_row {
	__u64 flow;
	struct connection c;
};

/* Zeroed but for the account; read when it is first asked for. connections_free() it. */
struct connections {
	const struct account *account; /* borrowed */
	bool taken;
	struct connection_row *rows; /* by flow */
	size_t n, room;
	const struct connection_row *last; /* that was found */
};

/* NULL: it is gone, or no TCP connection, or what an older version loaded cannot tell. */
const struct connection *connections_find(struct connections *c, __u64 flow);
void connections_free(struct connections *c);

#endif
