// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"

static const struct pin_shape shape = { .name = PIN_SOCKETS,
					.key_size = sizeof(__u64),
					.value_size = sizeof(struct connection) };

static int compare(const void *a, const void *b)
{
	const struct connection_row *x = a, *y = b;

	return (x->flow > y->flow) - (x->flow < y->flow);
}

static int add(void *arg, const void *key, const void *value)
{
	struct connections *c = arg;
	struct connection_row *more;

	if (c->n == c->room) {
		more = reallocarray(c->rows, c->room * 2 + 1024, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->rows = more;
		c->room = c->room * 2 + 1024;
	}
	memcpy(&c->rows[c->n].flow, key, sizeof(__u64));
	memcpy(&c->rows[c->n++].c, value, sizeof(struct connection));
	return 0;
}

/* What cannot be had is not known; the sums do not depend on it. */
static void take(struct connections *c)
{
	struct rows rows;

	c->taken = true;
	if (rows_open_file(&rows, c->account->pin_dir, &shape) < 0)
		return;
	if (rows_each(&rows, add, c) < 0)
		c->n = 0;
	rows_close(&rows);
	if (c->n)
		qsort(c->rows, c->n, sizeof(*c->rows), compare);
}

const struct connection *connections_find(struct connections *c, __u64 flow)
{
	const struct connection_row key = { .flow = flow };

	if (!c->taken)
		take(c);
	if (c->n && (!c->last || c->last->flow != flow))
		c->last = bsearch(&key, c->rows, c->n, sizeof(*c->rows), compare);
	return c->last ? &c->last->c : NULL;
}

void connections_free(struct connections *c)
{
	free(c->rows);
	*c = (struct connections){};
}
