// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "event.h"
#include "text.h"
#include "writer.h"

const char *event_name(const struct watch_event *e)
{
	static const char *const names[] = {
		[WATCH_OPEN] = "open",
		[WATCH_ACCEPT] = "accept",
		[WATCH_FAILED] = "failed",
		[WATCH_CLOSE] = "close",
	};

	return names[e->what];
}

static bool is_loopback(const struct watch_event *e)
{
	static const __u8 one[16] = { [15] = 1 };

	if (memcmp(e->local_address, e->remote_address, 16) == 0)
		return true;
	return e->family == AF_INET ? e->remote_address[12] == 127
				    : memcmp(e->remote_address, one, 16) == 0;
}

/* As a row of a process and one of a connection: the filters are those of netacct-show. */
bool event_matches(const struct watch_event *e, const struct filter *f, struct names *names)
{
	struct process_row row = { .key.pid = e->pid, .p.uid = e->uid };
	struct flow flow = { .family = e->family, .netns = e->netns, .flags = FLOW_CONNECTED };

	if (!(e->flags & WATCH_OWNED))
		row.p.uid = UINT32_MAX;
	memcpy(row.p.comm, e->comm, sizeof(row.p.comm));
	memcpy(flow.local_address, e->local_address, sizeof(flow.local_address));
	memcpy(flow.remote_address, e->remote_address, sizeof(flow.remote_address));
	flow.local_port = e->local_port;
	flow.remote_port = e->remote_port;
	if (is_loopback(e))
		flow.flags |= FLOW_LOOPBACK;
	return filter_flow(f, names, &flow, &row);
}

/*
 * By the clock as it is set now: it may have been set since we began. If we do not get to read both
 * clocks within a millisecond, once more.
 */
__u64 event_time(const struct watch_event *e)
{
	__u64 before, now, after;
	int tries = 10;

	do {
		before = clock_ns(CLOCK_BOOTTIME);
		now = clock_ns(CLOCK_REALTIME);
		after = clock_ns(CLOCK_BOOTTIME);
	} while (after - before > NS_PER_S / 1000 && --tries);
	return now - before + e->time_ns;
}

static json_t *number_if(bool known, __u64 number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *who_json(const struct watch_event *e, struct names *names)
{
	bool owned = e->flags & WATCH_OWNED;
	char comm[WATCH_COMM_LEN + 1] = {};

	memcpy(comm, e->comm, WATCH_COMM_LEN);
	return json_pack("{so so so so}", "pid", number_if(owned, e->pid), "comm",
			 writer_text(owned ? comm : NULL), "uid", number_if(owned, e->uid), "user",
			 writer_text(owned ? names_user(names, e->uid) : NULL));
}

static json_t *ends_json(const struct watch_event *e)
{
	char local[TEXT_ADDRESS_LEN], remote[TEXT_ADDRESS_LEN];
	bool bound = e->flags & WATCH_BOUND;

	text_address(local, e->local_address, e->family);
	text_address(remote, e->remote_address, e->family);
	return json_pack("{ss ss so so ss si sI}", "protocol", "tcp", "family",
			 text_family(e->family), "local_address", writer_text(bound ? local : NULL),
			 "local_port", number_if(bound && e->local_port, e->local_port),
			 "remote_address", remote, "remote_port", e->remote_port, "netns",
			 (json_int_t)e->netns);
}

static json_t *measures_json(const struct watch_event *e)
{
	bool timed = e->flags & WATCH_TIMED, closed = e->what == WATCH_CLOSE;
	const char *direction = e->flags & WATCH_OUT ? "out" : e->flags & WATCH_IN ? "in" : NULL;

	return json_pack("{so so so so so so}", "direction", writer_text(direction), "latency_ns",
			 number_if(timed && !closed, e->took_ns), "duration_ns",
			 number_if(timed && closed, e->took_ns), "tx_bytes",
			 number_if(closed, e->tx_bytes), "rx_bytes", number_if(closed, e->rx_bytes),
			 "error", writer_text(e->error ? strerrorname_np(e->error) : NULL));
}

json_t *event_moment(const char *what, __u64 ns)
{
	char time[TEXT_TIME_LEN];

	return json_pack("{ss ss sI}", "event", what, "time", text_time(time, ns), "time_ns",
			 (json_int_t)ns);
}

/* Takes both over; NULL: no memory. */
static json_t *join(json_t *json, json_t *more)
{
	if (json && more && json_object_update(json, more) == 0) {
		json_decref(more);
		return json;
	}
	json_decref(json);
	json_decref(more);
	return NULL;
}

json_t *event_json(const struct watch_event *e, struct names *names)
{
	json_t *json = event_moment(event_name(e), event_time(e));

	json = join(json, who_json(e, names));
	json = join(json, ends_json(e));
	return join(json, measures_json(e));
}
