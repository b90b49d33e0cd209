// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "counters.h"
#include "living.h"
#include "pins.h"
#include "service.h"

#define MAX_RATE 9e18 /* what JSON can hold */

#define P      (1 << BY_PROCESS)
#define C      (1 << BY_COMM)
#define U      (1 << BY_USER)
#define F      (1 << BY_FLOW)
#define G      (1 << BY_CGROUP)
#define R      (1 << BY_REMOTE)
#define S      (1 << BY_PORT)
#define O      (1 << BY_PROTOCOL)
#define N      (1 << BY_NETNS)
#define GROUPS (C | U | G | R | S | O | N)
#define ALL    (P | F | GROUPS)

static const struct column columns[COLUMNS] = {
#define ASKED(id, name, kind, groupings, asked, help) \
	[COLUMN_##id] = { COLUMN_##id, name, help, COLUMN_##kind, groupings, asked }
#define COLUMN(id, name, kind, groupings, help) ASKED(id, name, kind, groupings, 0, help)
	COLUMN(PID, "pid", NUMBER, P | F, "process id"),
	COLUMN(START_TIME, "start_time", TIME, P | F, "when the process began"),
	COLUMN(START_NS, "start_ns", NUMBER, P | F, "the same, in nanoseconds since boot"),
	COLUMN(COMM, "comm", TEXT, P | C | F, "name of the command"),
	COLUMN(UID, "uid", NUMBER, P | U | F, "user id"),
	COLUMN(USER, "user", TEXT, P | U | F, "user name"),
	ASKED(CGROUP_ID, "cgroup_id", NUMBER, P | G | F, F, "cgroup id"),
	ASKED(CGROUP, "cgroup", TEXT, P | G | F, F,
	      "cgroup; no leading slash: the end of its path"),
	ASKED(SERVICE, "service", TEXT, P | G | F, F, "systemd unit or container"),
	ASKED(CONTAINER_ID, "container_id", TEXT, P | G | F, F, "id of the container"),
	COLUMN(NETNS, "netns", NUMBER, P | F | N, "network namespace, of the process or socket"),
	ASKED(NETNS_NAME, "netns_name", TEXT, P | F | N, F, "its name, as ip netns has it"),
	COLUMN(FLOW, "flow", NUMBER, F, "number of the connection"),
	COLUMN(PORT, "port", NUMBER, S, "the lower port of the connection"),
	COLUMN(PROTOCOL, "protocol", TEXT, F | S | O, "protocol"),
	COLUMN(FAMILY, "family", TEXT, F | R, "ipv4 or ipv6"),
	COLUMN(LOCAL_ADDRESS, "local_address", TEXT, F, "local address"),
	COLUMN(LOCAL_PORT, "local_port", NUMBER, F, "local port"),
	COLUMN(REMOTE_ADDRESS, "remote_address", TEXT, F | R, "remote address, if connected"),
	COLUMN(REMOTE_PORT, "remote_port", NUMBER, F, "remote port, if connected"),
	ASKED(REMOTE_NAME, "remote_name", TEXT, F | R, F | R, "name of the remote address"),
	COLUMN(IS_LOOPBACK, "loopback", BOOL, F, "whether it stays on this machine"),
	COLUMN(STATE, "state", TEXT, F, "of a TCP connection that lives: its state now"),
	COLUMN(RTT_US, "rtt_us", COUNT, F, "the same: round trip time in microseconds"),
	COLUMN(RETRANSMITTED_BYTES, "retransmitted_bytes", BYTES, F, "the same: bytes sent again"),
	COLUMN(NS_PID, "ns_pid", NUMBER, P, "process id in its own pid namespace"),
	COLUMN(PPID, "ppid", NUMBER, P, "process id of the parent at the first traffic"),
	COLUMN(PARENT_COMM, "parent_comm", TEXT, P, "command of that parent"),
	ASKED(EXE, "exe", TEXT, P | F, P | F, "program file, of living processes"),
	ASKED(CMDLINE, "cmdline", TEXT, P | F, P | F, "command line, of living processes"),
	COLUMN(EXITED, "exited", BOOL, P, "whether the process has ended"),
	COLUMN(EXITED_AT, "exited_at", TIME, P, "when it ended"),
	COLUMN(LIVED_NS, "lived_ns", NUMBER, P, "how long it lived, in nanoseconds"),
	COLUMN(MERGED, "merged", NUMBER, P, "how many finished processes the row adds up"),
	COLUMN(PROCESSES, "processes", COUNT, GROUPS, "number of processes"),
	COLUMN(FIRST_SEEN, "first_seen", TIME, ALL, "first traffic"),
	COLUMN(LAST_SEEN, "last_seen", TIME, ALL, "last traffic"),
	COLUMN(TX_BYTES, "tx_bytes", BYTES, ALL, "bytes sent"),
	COLUMN(RX_BYTES, "rx_bytes", BYTES, ALL, "bytes received"),
	COLUMN(TX_CALLS, "tx_calls", COUNT, ALL, "calls that sent"),
	COLUMN(RX_CALLS, "rx_calls", COUNT, ALL, "calls that received"),
	COLUMN(TX_RATE, "tx_rate", BYTES, ALL, "bytes sent per second, with an interval"),
	COLUMN(RX_RATE, "rx_rate", BYTES, ALL, "bytes received per second, with an interval"),
	COLUMN(OTHER_FLOWS, "other_flows", COUNTERS, P | C | U | G | N,
	       "what stands in no flow's row"),
	COLUMN(BY_PROTOCOL, "protocols", PROTOCOLS, P | C | U | G | N, "protocols that were used"),
	COLUMN(LOOPBACK, "loopback", COUNTERS, P | C | U | G | N, "what stayed on this machine"),
#undef ASKED
#undef COLUMN
};

const struct column *column_of(enum grouping by, enum column_id id)
{
	return columns[id].groupings & 1 << by ? &columns[id] : NULL;
}

const struct column *column_find(enum grouping by, const char *name)
{
	for (int id = 0; id < COLUMNS; id++)
		if (column_of(by, id) && !strcasecmp(name, columns[id].name))
			return &columns[id];
	return NULL;
}

int columns_choose(struct view *view, const char *names, char **bad)
{
	char *copy = strdup(names), *rest = copy, *name;
	const struct column *column;
	int error = copy ? 0 : -ENOMEM;

	view->n_columns = 0;
	while (!error && (name = strsep(&rest, ","))) {
		column = column_find(view->by, name);
		if (!column || view->n_columns == MAX_COLUMNS) {
			error = -EINVAL;
			*bad = strdup(name);
		} else {
			view->columns[view->n_columns++] = column;
		}
	}
	free(copy);
	return fail(error);
}

static bool is_known(const struct report *r, const struct column *column)
{
	if (column->id == COLUMN_TX_RATE || column->id == COLUMN_RX_RATE)
		return r->change;
	return r->connections || !column_of_connection(column);
}

void columns_all(struct view *view, const struct report *r)
{
	for (int id = 0; id < COLUMNS; id++) {
		bool resolved = id == COLUMN_REMOTE_NAME && view->resolve;

		if (column_of(view->by, id) && is_known(r, &columns[id]) &&
		    (resolved || !(columns[id].asked & 1 << view->by)))
			view->columns[view->n_columns++] = &columns[id];
	}
}

__u64 column_rate(const struct report *r, __u64 bytes)
{
	double seconds = r->change ? r->change->seconds : 0;
	double rate = seconds > 0 ? bytes / seconds : 0;

	/* A clock that was set back may leave next to no time since a reset. */
	return rate < MAX_RATE ? rate + 0.5 : MAX_RATE;
}

static void number(struct value *v, bool known, __u64 n)
{
	v->known = known;
	v->number = n;
}

static void text(struct value *v, const char *s)
{
	v->known = s;
	v->text = s;
}

/* Which the kernel may have cut off without a NUL. */
static void comm(struct value *v, const char *s)
{
	if (s)
		*(char *)mempcpy(v->buf, s, COMM_LEN) = 0;
	text(v, s ? v->buf : NULL);
}

/* Of the boot clock. The offset of the loading makes it the same in every reading. */
static void boot_time(const struct report *r, struct value *v, bool known, __u64 ns)
{
	number(v, known, ns + r->reading->account->meta.clock_offset_ns);
}

static void address(struct value *v, const struct flow *f, bool known, const __u8 a[16])
{
	text(v, known ? text_address(v->buf, a, f->family) : NULL);
}

static void get_exit(const struct report *r, const struct row *row, enum column_id id,
		     struct value *v)
{
	__u64 at = 0;

	if (row->process)
		at = row->process->p.exited_ns;
	else if (row->finished)
		at = row->finished->f.exited_ns;
	if (id == COLUMN_LIVED_NS)
		number(v, row->process && at, at - (row->process ? row->process->key.start_ns : 0));
	else if (id == COLUMN_EXITED)
		number(v, true, !row->process || at);
	else
		boot_time(r, v, at, at);
}

static void get_counters(const struct report *r, const struct row *row, enum column_id id,
			 struct value *v)
{
	if (id == COLUMN_LOOPBACK) {
		v->known = row->traffic;
		v->counters = row->traffic ? traffic_loopback(row->traffic) : v->counters;
		return;
	}
	/* It is not known without loopback, nor how much of it is of flows that were folded since.
	 */
	v->known = row->traffic && !r->view->filter.no_loopback && !r->view->filter.protocols &&
		   !r->summary;
	v->counters = row->other_flows;
}

static void get_container(struct value *v, const char *cgroup)
{
	struct container c;

	if (cgroup && service_container(cgroup, &c))
		text(v, memcpy(v->buf, c.id, sizeof(c.id)));
}

static void get_living(const struct row *row, enum column_id id, struct value *v)
{
	const struct process_row *p = row->process;
	bool lives = p && p->key.pid && !p->p.exited_ns;

	if (!lives)
		return;
	if (id == COLUMN_EXE ? living_exe(&p->key, v->buf, sizeof(v->buf))
			     : living_cmdline(&p->key, v->buf, sizeof(v->buf)))
		text(v, v->buf);
}

static void get_flow(struct report *r, const struct row *row, enum column_id id, struct value *v)
{
	const struct flow *f = &row->flow;
	bool connected = f->flags & FLOW_CONNECTED;

	switch (id) {
	case COLUMN_FLOW:
		return number(v, true, row->flow_key.flow);
	case COLUMN_FAMILY:
		return text(v, r->view->by == BY_FLOW || connected ? text_family(f->family) : NULL);
	case COLUMN_LOCAL_ADDRESS:
		return address(v, f, true, f->local_address);
	case COLUMN_LOCAL_PORT:
		return number(v, true, f->local_port);
	case COLUMN_REMOTE_ADDRESS:
		return address(v, f, connected, f->remote_address);
	case COLUMN_REMOTE_PORT:
		return number(v, connected, f->remote_port);
	case COLUMN_REMOTE_NAME:
		return text(v, connected ? names_host(r->names, f->remote_address) : NULL);
	default:
		return number(v, true, !!(f->flags & FLOW_LOOPBACK));
	}
}

bool column_of_connection(const struct column *column)
{
	return column->id >= COLUMN_STATE && column->id <= COLUMN_RETRANSMITTED_BYTES;
}

static void get_connection(const struct report *r, const struct row *row, enum column_id id,
			   struct value *v)
{
	const struct connection *c = NULL;

	if (r->connections && row->protocol == PROTOCOL_TCP)
		c = connections_find(r->connections, row->flow_key.flow);
	if (id == COLUMN_STATE)
		text(v, c ? text_tcp_state(c->state) : NULL);
	else if (id == COLUMN_RTT_US)
		number(v, c && c->rtt_us, c ? c->rtt_us : 0);
	else
		number(v, c, c ? c->retransmitted_bytes : 0);
}

void column_get(struct report *r, const struct row *row, const struct column *column,
		struct value *v)
{
	const struct process_key *key = row->process ? &row->process->key : NULL;
	const struct process *p = row->process ? &row->process->p : NULL;
	__u64 cgroup = row->cgroup_id;

	/* Not its buffer: that is large, and this is asked for each cell. */
	v->known = false;
	v->number = 0;
	v->text = NULL;
	v->traffic = NULL;
	v->counters = (struct counters){};
	switch (column->id) {
	case COLUMN_PID:
		return number(v, key, key ? key->pid : 0);
	case COLUMN_START_TIME:
		return boot_time(r, v, key, key ? key->start_ns : 0);
	case COLUMN_START_NS:
		return number(v, key, key ? key->start_ns : 0);
	case COLUMN_COMM:
		return comm(v, row->comm);
	case COLUMN_UID:
		return number(v, true, row->uid);
	case COLUMN_USER:
		return text(v, names_user(r->names, row->uid));
	case COLUMN_CGROUP_ID:
		return number(v, cgroup && !(cgroup & CGROUP_OF_THE_PAST), cgroup);
	case COLUMN_CGROUP:
		return text(v, cgroup ? names_cgroup(r->names, cgroup) : NULL);
	case COLUMN_SERVICE:
		return text(v, cgroup ? names_service(r->names, cgroup) : NULL);
	case COLUMN_CONTAINER_ID:
		return get_container(v, cgroup ? names_cgroup(r->names, cgroup) : NULL);
	case COLUMN_NETNS:
		return number(v, row->netns, row->netns);
	case COLUMN_NETNS_NAME:
		return text(v, names_netns(r->names, row->netns));
	case COLUMN_PORT:
		return number(v, row->port, row->port);
	case COLUMN_PROTOCOL:
		return text(v, text_protocol(row->protocol));
	case COLUMN_NS_PID:
		return number(v, p, p ? p->ns_pid : 0);
	case COLUMN_PPID:
		return number(v, p, p ? p->ppid : 0);
	case COLUMN_PARENT_COMM:
		return comm(v, p ? p->parent_comm : NULL);
	case COLUMN_EXE:
	case COLUMN_CMDLINE:
		return get_living(row, column->id, v);
	case COLUMN_EXITED:
	case COLUMN_EXITED_AT:
	case COLUMN_LIVED_NS:
		return get_exit(r, row, column->id, v);
	case COLUMN_MERGED:
		return number(v, row->finished, row->processes);
	case COLUMN_PROCESSES:
		return number(v, true, row->processes);
	case COLUMN_FIRST_SEEN:
		return boot_time(r, v, true, row->first_seen_ns);
	case COLUMN_LAST_SEEN:
		return boot_time(r, v, true, row->last_seen_ns);
	case COLUMN_TX_BYTES:
		return number(v, true, row->counters.tx_bytes);
	case COLUMN_RX_BYTES:
		return number(v, true, row->counters.rx_bytes);
	case COLUMN_TX_CALLS:
		return number(v, true, row->counters.tx_calls);
	case COLUMN_RX_CALLS:
		return number(v, true, row->counters.rx_calls);
	case COLUMN_TX_RATE:
		return number(v, r->change, column_rate(r, row->moved.tx_bytes));
	case COLUMN_RX_RATE:
		return number(v, r->change, column_rate(r, row->moved.rx_bytes));
	case COLUMN_BY_PROTOCOL:
		v->known =
			row->traffic && !r->view->filter.no_loopback && !r->view->filter.protocols;
		v->traffic = row->traffic;
		v->counters = row->counters;
		return;
	case COLUMN_OTHER_FLOWS:
	case COLUMN_LOOPBACK:
		return get_counters(r, row, column->id, v);
	case COLUMN_STATE:
	case COLUMN_RTT_US:
	case COLUMN_RETRANSMITTED_BYTES:
		return get_connection(r, row, column->id, v);
	default:
		return get_flow(r, row, column->id, v);
	}
}

static __u64 weight(const struct value *v, enum column_kind kind)
{
	if (kind == COLUMN_COUNTERS || kind == COLUMN_PROTOCOLS)
		return v->counters.tx_bytes + v->counters.rx_bytes;
	return v->number;
}

int column_compare(struct report *r, const struct column *column, const struct row *a,
		   const struct row *b)
{
	struct value x, y;
	__u64 m, n;

	column_get(r, a, column, &x);
	column_get(r, b, column, &y);
	if (!x.known || !y.known)
		return y.known - x.known;
	if (column->kind == COLUMN_TEXT)
		return strcmp(x.text ?: "", y.text ?: "");
	m = weight(&x, column->kind);
	n = weight(&y, column->kind);
	return column->kind < COLUMN_COUNT ? (m > n) - (m < n) : (m < n) - (m > n);
}

void columns_help(FILE *out)
{
	for (int id = 0; id < COLUMNS; id++) {
		fprintf(out, "  %-15s %s (by", columns[id].name, columns[id].help);
		for (int by = 0; by < GROUPINGS; by++)
			if (column_of(by, id))
				fprintf(out, " %s", grouping_name(by));
		fputs(")\n", out);
	}
}
