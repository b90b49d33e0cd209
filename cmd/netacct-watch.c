// SPDX-License-Identifier: GPL-2.0-only
/* netacct-watch - connections as they open and close */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>

#include "cli.h"
#include "clock.h"
#include "event.h"
#include "filter.h"
#include "names.h"
#include "text.h"
#include "watch.h"
#include "writer.h"

static const char usage[] =
	"Usage: netacct-watch [options]\n"
	"\n"
	"Show each TCP connection as it opens, fails to open, and closes: who opened it,\n"
	"from where to where, how long it took, and the bytes both ways. Until Ctrl-C.\n"
	"No account needs to be loaded.\n"
	"\n"
	"  -j, --json         print JSON, one object a line\n"
	"  -b, --bytes        exact numbers of bytes\n"
	"  -H, --no-header    leave out the first lines and the last\n"
	"  -n, --numeric      numbers for users\n"
	"      --count N      end after N events are shown\n"
	"      --seconds N    end after N seconds\n"
	"      --max-connections N\n"
	"                     remember so many while they are open (65536)\n"
	"      --buffer KIB   room for events that are not printed yet (4096), a power of 2\n"
	"\n" CLI_FILTER_USAGE "\n" CLI_USAGE;

enum { COUNT = CLI_OWN, SECONDS, MAX_CONNECTIONS, BUFFER };

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "bytes", no_argument, NULL, 'b' },
	{ "no-header", no_argument, NULL, 'H' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "count", required_argument, NULL, COUNT },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "max-connections", required_argument, NULL, MAX_CONNECTIONS },
	{ "buffer", required_argument, NULL, BUFFER },
	CLI_FILTER_LONG,
	CLI_LONG,
	{},
};

#define SCHEMA	1
#define MAX_KIB (1 << 20)

struct watching {
	struct watcher *watcher;
	struct filter filter;
	struct names names;
	struct libscols_table *table;
	unsigned long long count, seconds, shown;
	struct watcher_limits limits;
	bool json, bytes, no_header, numeric;
};

static size_t ring_bytes(const char *text)
{
	size_t bytes = cli_number("--buffer", text, 1, MAX_KIB) * 1024;

	if (bytes & (bytes - 1) || bytes < (size_t)sysconf(_SC_PAGESIZE))
		cli_misuse("--buffer takes a power of 2, and of pages, not '%s'", text);
	return bytes;
}

static void parse_option(struct watching *w, struct cli *cli, int c)
{
	switch (c) {
	case 'j':
		w->json = true;
		return;
	case 'b':
		w->bytes = true;
		return;
	case 'H':
		w->no_header = true;
		return;
	case 'n':
		w->numeric = true;
		return;
	case COUNT:
		w->count = cli_number("--count", optarg, 1, UINT32_MAX);
		return;
	case SECONDS:
		w->seconds = cli_number("--seconds", optarg, 1, 1000000000);
		return;
	case MAX_CONNECTIONS:
		w->limits.connections = cli_number("--max-connections", optarg, 1, 1 << 24);
		return;
	case BUFFER:
		w->limits.ring_bytes = ring_bytes(optarg);
		return;
	default:
		if (!cli_filter(&w->filter, c))
			cli_option(cli, c);
	}
}

static void parse(struct watching *w, struct cli *cli, int argc, char **argv)
{
	int c;

	*w = (struct watching){ .limits = { 4U << 20, WATCH_CONNECTIONS } };
	while ((c = getopt_long(argc, argv, CLI_SHORT CLI_FILTER_SHORT "jbHn", options, NULL)) !=
	       -1)
		parse_option(w, cli, c);
	cli_no_arguments(argc, argv);
}

static void print_json(json_t *json)
{
	if (!json)
		cli_fail(ENOMEM, "cannot print");
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

/* Takes `more` over. */
static void add(json_t *json, json_t *more)
{
	if (!json || !more || json_object_update(json, more) < 0)
		cli_fail(ENOMEM, "cannot print");
	json_decref(more);
}

static json_t *counts_json(const struct watching *w)
{
	struct watcher_counts c;

	watcher_count(w->watcher, &c);
	return json_pack("{sI sI}", "missed_events", (json_int_t)c.missed, "no_room",
			 (json_int_t)c.no_room);
}

static void print_event_json(struct watching *w, const struct watch_event *e)
{
	json_t *json = event_json(e, &w->names);

	add(json, counts_json(w));
	print_json(json);
}

enum { TIME, PID, WHO, NAME, EVENT, LOCAL, REMOTE, TX, RX, MS, ERROR, N_CELLS };

/* Line 0 of the table is not printed: it makes columns as wide as most cells are. */
static const struct {
	const char *title;
	const char *ruler;
	int flags;
} cells[N_CELLS] = {
	[TIME] = { "TIME", "2000-01-01T00:00:00Z", 0 },
	[PID] = { "PID", "1234567", SCOLS_FL_RIGHT },
	[WHO] = { "USER", "username", 0 },
	[NAME] = { "COMM", "fifteen letters", 0 },
	[EVENT] = { "EVENT", "accept", 0 },
	[LOCAL] = { "LOCAL", "192.168.100.100:12345", 0 },
	[REMOTE] = { "REMOTE", "192.168.100.100:12345", 0 },
	[TX] = { "TX_BYTES", "12345678", SCOLS_FL_RIGHT },
	[RX] = { "RX_BYTES", "12345678", SCOLS_FL_RIGHT },
	[MS] = { "MS", "12345.678", SCOLS_FL_RIGHT },
	[ERROR] = { "ERROR", "-", 0 },
};

static struct libscols_line *add_line(const struct watching *w, const char *const text[N_CELLS])
{
	struct libscols_line *line = scols_table_new_line(w->table, NULL);

	for (int i = 0; line && i < N_CELLS; i++)
		if (scols_line_set_data(line, i, text[i]))
			line = NULL;
	if (!line)
		cli_fail(ENOMEM, "cannot print");
	return line;
}

static void make_table(struct watching *w)
{
	const char *rulers[N_CELLS];

	w->table = scols_new_table();
	if (!w->table)
		cli_fail(ENOMEM, "cannot print");
	scols_table_enable_noheadings(w->table, 1);
	scols_table_set_termforce(w->table, SCOLS_TERMFORCE_NEVER);
	for (int i = 0; i < N_CELLS; i++) {
		rulers[i] = cells[i].ruler;
		if (!scols_table_new_column(w->table, cells[i].title, 0, cells[i].flags))
			cli_fail(ENOMEM, "cannot print");
	}
	add_line(w, rulers);
}

/* The library makes names harmless, and knows how wide they are. */
static void print_cells(const struct watching *w, const char *const text[N_CELLS])
{
	struct libscols_line *line = add_line(w, text);
	char *all = NULL;

	if (scols_table_print_range_to_string(w->table, line, line, &all))
		cli_fail(ENOMEM, "cannot print");
	puts(all);
	free(all);
	scols_table_remove_line(w->table, line);
}

static const char *end_text(char text[TEXT_ADDRESS_LEN + 10], const __u8 address[16], __u16 port,
			    __u16 family)
{
	char plain[TEXT_ADDRESS_LEN];

	text_address(plain, address, family);
	snprintf(text, TEXT_ADDRESS_LEN + 10, family == AF_INET6 ? "[%s]:%u" : "%s:%u", plain,
		 port);
	return text;
}

static const char *size_text(const struct watching *w, char text[TEXT_SIZE_LEN], __u64 bytes)
{
	if (!w->bytes)
		return text_size(text, bytes);
	snprintf(text, TEXT_SIZE_LEN, "%" PRIu64, (uint64_t)bytes);
	return text;
}

static const char *error_text(const struct watch_event *e)
{
	if (e->error)
		return strerrordesc_np(e->error) ?: "unknown error";
	return e->what == WATCH_FAILED ? "given up" : "-";
}

static void print_event_text(struct watching *w, const struct watch_event *e)
{
	char time[TEXT_TIME_LEN], pid[16], uid[16],
		comm[WATCH_COMM_LEN + 1] = {}, ms[32], tx[TEXT_SIZE_LEN], rx[TEXT_SIZE_LEN],
				      ends[2][TEXT_ADDRESS_LEN + 10];
	bool owned = e->flags & WATCH_OWNED, closed = e->what == WATCH_CLOSE;
	const char *user = w->numeric || !owned ? NULL : names_user(&w->names, e->uid);

	memcpy(comm, e->comm, WATCH_COMM_LEN);
	snprintf(pid, sizeof(pid), "%" PRIu32, e->pid);
	snprintf(uid, sizeof(uid), "%" PRIu32, e->uid);
	snprintf(ms, sizeof(ms), "%.3f", e->took_ns / 1e6);
	print_cells(w,
		    (const char *const[N_CELLS]){
			    [TIME] = text_time(time, event_time(e)),
			    [PID] = owned ? pid : "-",
			    [WHO] = owned ? user ?: uid : "-",
			    [NAME] = owned ? comm : "-",
			    [EVENT] = event_name(e),
			    [LOCAL] = e->flags & WATCH_BOUND ? end_text(ends[0], e->local_address,
									e->local_port, e->family)
							     : "-",
			    [REMOTE] =
				    end_text(ends[1], e->remote_address, e->remote_port, e->family),
			    [TX] = closed ? size_text(w, tx, e->tx_bytes) : "-",
			    [RX] = closed ? size_text(w, rx, e->rx_bytes) : "-",
			    [MS] = e->flags & WATCH_TIMED ? ms : "-",
			    [ERROR] = error_text(e),
		    });
}

/* Each line reaches its reader at once. */
static int on_event(void *arg, const struct watch_event *e)
{
	struct watching *w = arg;

	if (!event_matches(e, &w->filter, &w->names))
		return 0;
	if (w->json)
		print_event_json(w, e);
	else
		print_event_text(w, e);
	cli_finish();
	return ++w->shown == w->count ? -ECANCELED : 0;
}

static void print_begin(const struct watching *w)
{
	const char *titles[N_CELLS];
	char hostname[256] = "", time[TEXT_TIME_LEN];
	json_t *json;

	if (w->json) {
		gethostname(hostname, sizeof(hostname) - 1);
		json = event_moment("begin", clock_ns(CLOCK_REALTIME));
		add(json, json_pack("{si ss so}", "schema", SCHEMA, "version", NETACCT_VERSION,
				    "hostname", writer_text(hostname)));
		print_json(json);
	} else {
		printf("watching since %s; Ctrl-C ends\n",
		       text_time(time, clock_ns(CLOCK_REALTIME)));
		for (int i = 0; i < N_CELLS; i++)
			titles[i] = cells[i].title;
		print_cells(w, titles);
	}
	cli_finish();
}

static void print_end(const struct watching *w)
{
	struct watcher_counts c;
	json_t *json;

	if (w->json) {
		json = event_moment("end", clock_ns(CLOCK_REALTIME));
		add(json, json_pack("{sI}", "events", (json_int_t)w->shown));
		add(json, counts_json(w));
		print_json(json);
		return;
	}
	watcher_count(w->watcher, &c);
	printf("%llu events shown, %" PRIu64 " missed", w->shown, (uint64_t)c.missed);
	if (c.no_room)
		printf(", %" PRIu64 " connections not remembered", (uint64_t)c.no_room);
	putchar('\n');
}

/* Where no last line is wanted, it is said all the same if it is not 0. */
static void warn_of_missed(const struct watching *w)
{
	struct watcher_counts c;

	watcher_count(w->watcher, &c);
	if (c.missed || c.no_room)
		cli_warn(0, "%" PRIu64 " events missed, %" PRIu64 " connections not remembered",
			 (uint64_t)c.missed, (uint64_t)c.no_room);
}

static void mask_signals(int how, sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigprocmask(how, signals, NULL);
}

static int signal_fd(void)
{
	sigset_t signals;
	int fd;

	mask_signals(SIG_BLOCK, &signals);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		cli_fail(errno, "cannot wait for signals");
	return fd;
}

/* False: the end has come, by a signal or by the clock. */
static bool wait_for_events(const struct watching *w, int signals, __u64 until)
{
	struct pollfd fds[] = {
		{ .fd = watcher_fd(w->watcher), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO }, /* a reader that goes away, though nothing happens */
	};
	__u64 now = clock_ns(CLOCK_MONOTONIC);
	__u64 ms = until > now ? (until - now) / 1000000 + 1 : 0;

	if (poll(fds, 3, !until ? -1 : ms < 3600000 ? (int)ms : 3600000) < 0)
		cli_fail(errno, "cannot wait for events");
	if (fds[2].revents & POLLERR)
		cli_fail(EPIPE, "cannot write the output");
	return !(fds[1].revents & POLLIN) && (!until || clock_ns(CLOCK_MONOTONIC) < until);
}

/* What came before the end is shown, too; another signal ends that at once. */
static int show_rest(struct watching *w, int signals)
{
	struct signalfd_siginfo signal;
	sigset_t set;
	int more;

	(void)!read(signals, &signal, sizeof(signal));
	mask_signals(SIG_UNBLOCK, &set);
	watcher_detach(w->watcher);
	do
		more = watcher_take(w->watcher);
	while (more > 0);
	return more;
}

static void watch(struct watching *w, int signals)
{
	__u64 until = w->seconds ? clock_ns(CLOCK_MONOTONIC) + w->seconds * NS_PER_S : 0;
	int error = 0;

	while (error >= 0 && wait_for_events(w, signals, until))
		error = watcher_take(w->watcher);
	if (error >= 0)
		error = show_rest(w, signals);
	if (error < 0 && error != -ECANCELED)
		cli_fail(error, "cannot read the events");
}

static void start(struct watching *w)
{
	char what[WATCHER_WHAT];
	int error = watcher_start(&w->watcher, &w->limits, on_event, w, what);

	if (error == -EPERM || error == -EACCES)
		cli_fail(error, "%s: it needs root", what);
	if (error)
		cli_fail(error == -ENOTSUP ? 0 : error, "%s", what);
}

int main(int argc, char **argv)
{
	struct watching w;
	struct cli cli;
	int signals;

	cli_init(&cli, usage);
	parse(&w, &cli, argc, argv);
	setlocale(LC_CTYPE, "");

	names_init(&w.names, NULL);
	start(&w);
	signals = signal_fd();
	make_table(&w);
	if (!w.no_header)
		print_begin(&w);
	watch(&w, signals);
	if (w.no_header)
		warn_of_missed(&w);
	else
		print_end(&w);

	watcher_stop(w.watcher);
	close(signals);
	scols_unref_table(w.table);
	names_free(&w.names);
	filter_free(&w.filter);
	return cli_finish();
}
