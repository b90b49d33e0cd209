// SPDX-License-Identifier: GPL-2.0-only
/* netacct-show - who used the network since counting began */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "clock.h"
#include "columns.h"
#include "json.h"
#include "table.h"

static const char usage[] =
	"Usage: netacct-show [options] [interval [count]]\n"
	"\n"
	"Show what each process sent and received since counting began, or since the\n"
	"last reset. With an interval, in seconds, then show what moves in each, until\n"
	"count readings or Ctrl-C, and in the end the totals of the run.\n"
	"\n"
	"      --by KEY       process, comm, user, flow or protocol\n"
	"      --format NAME  table, json or jsonl\n"
	"  -j, --json         the same as --format json: one document, on one line\n"
	"      --pretty       JSON on many lines\n"
	"      --to FILE      write to a file, which is replaced only when all is written\n"
	"      --sort COLUMN  numbers of bytes, calls and times: highest first\n"
	"  -r, --rows N       show N rows, or all (of tables 1000)\n"
	"  -o, --output LIST  show these columns; help lists them\n"
	"  -b, --bytes        exact numbers of bytes\n"
	"  -H, --no-header    leave out the opening line and the names of columns\n"
	"  -n, --numeric      numbers for users\n"
	"  -a, --all          with an interval, rows that do not move too\n"
	"\n"
	"Filters; a list or repeats mean any of them, and ! in front all others:\n"
	"  -p, --pid LIST     process ids\n"
	"      --comm LIST    names of commands, may hold * and ?\n"
	"      --user LIST    names or ids of users\n"
	"      --no-loopback  leave out what stays on this machine\n"
	"      --live         processes that run\n"
	"      --exited       processes that have ended\n"
	"\n" CLI_USAGE "\n"
	"Columns:\n";

enum { BY = CLI_OWN, FORMAT, PRETTY, TO, SORT, COMM, USER, NO_LOOPBACK, LIVE, EXITED };

static const struct option options[] = {
	{ "by", required_argument, NULL, BY },
	{ "format", required_argument, NULL, FORMAT },
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, PRETTY },
	{ "to", required_argument, NULL, TO },
	{ "sort", required_argument, NULL, SORT },
	{ "rows", required_argument, NULL, 'r' },
	{ "output", required_argument, NULL, 'o' },
	{ "bytes", no_argument, NULL, 'b' },
	{ "no-header", no_argument, NULL, 'H' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "all", no_argument, NULL, 'a' },
	{ "pid", required_argument, NULL, 'p' },
	{ "comm", required_argument, NULL, COMM },
	{ "user", required_argument, NULL, USER },
	{ "no-loopback", no_argument, NULL, NO_LOOPBACK },
	{ "live", no_argument, NULL, LIVE },
	{ "exited", no_argument, NULL, EXITED },
	CLI_LONG,
	{},
};

enum format { TABLE, JSON, JSONL };

struct show {
	struct view view;
	enum format format;
	const char *to;
	const char *output; /* the names of columns: what they mean depends on --by */
	const char *sort;
	double interval; /* seconds; 0: one reading */
	unsigned long long count;
};

/* One of the readings of a run. */
struct taken {
	struct account account;
	struct reading reading;
	struct past_flows flows;
	struct timespec at;
};

static struct output *out;

/* The usage text goes on with the table of columns. */
static const char *whole_usage(void)
{
	static char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return usage;
	fputs(usage, f);
	columns_help(f);
	fclose(f);
	return text;
}

static void add_filter(struct show *s, enum filter_list list)
{
	const char *bad;
	int error = filter_add(&s->view.filter, list, optarg, &bad);

	if (error == -ENOENT)
		cli_misuse("no such user: '%s'", bad);
	if (error == -EINVAL)
		cli_misuse("--%s does not understand '%s'", filter_name(list), bad);
	if (error)
		cli_fail(error, "cannot filter");
}

static enum format parse_format(const char *name)
{
	static const char *const names[] = { "table", "json", "jsonl" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(name, names[i]))
			return i;
	cli_misuse("--format takes table, json or jsonl, not '%s'", name);
}

static enum grouping parse_by(const char *name)
{
	int by = grouping_find(name);

	if (by < 0)
		cli_misuse("--by takes process, comm, user, flow or protocol, not '%s'", name);
	return by;
}

static void set_rows(struct view *view, const char *text)
{
	view->rows = ALL_ROWS;
	if (strcmp(text, "all") != 0)
		view->rows = cli_number("--rows", text, 0, UINT32_MAX);
	view->sorted = true;
}

static double parse_interval(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.01 && seconds <= 1e9))
		cli_misuse("the interval is a number of seconds, not '%s'", text);
	return seconds;
}

static void parse_option(struct show *s, struct cli *cli, int c)
{
	switch (c) {
	case BY:
		s->view.by = parse_by(optarg);
		return;
	case FORMAT:
		s->format = parse_format(optarg);
		return;
	case 'j':
		s->format = JSON;
		return;
	case PRETTY:
		s->view.pretty = true;
		return;
	case TO:
		s->to = optarg;
		return;
	case SORT:
		s->sort = optarg;
		return;
	case 'r':
		set_rows(&s->view, optarg);
		return;
	case 'o':
		s->output = optarg;
		return;
	case 'b':
		s->view.bytes = true;
		return;
	case 'H':
		s->view.no_header = true;
		return;
	case 'n':
		s->view.numeric = true;
		return;
	case 'a':
		s->view.all = true;
		return;
	case 'p':
		add_filter(s, FILTER_PID);
		return;
	case COMM:
		add_filter(s, FILTER_COMM);
		return;
	case USER:
		add_filter(s, FILTER_USER);
		return;
	case NO_LOOPBACK:
		s->view.filter.no_loopback = true;
		return;
	case LIVE:
		s->view.filter.live = true;
		return;
	case EXITED:
		s->view.filter.exited = true;
		return;
	default:
		cli_option(cli, c);
	}
}

/* What can only be judged when all options are known. */
static void settle(struct show *s)
{
	struct view *view = &s->view;
	char *bad = NULL;

	if (s->output && !strcmp(s->output, "help")) {
		columns_help(stdout);
		exit(cli_finish());
	}
	if (s->output && columns_choose(view, s->output, &bad) < 0)
		cli_misuse("--by %s has no column '%s'", grouping_name(view->by), bad ?: "");
	if (s->sort) {
		view->sort = column_find(view->by, s->sort);
		view->sorted = true;
		if (!view->sort)
			cli_misuse("--by %s has no column '%s'", grouping_name(view->by), s->sort);
	}
	if (view->pretty && s->format == JSONL)
		cli_misuse("--pretty and --format jsonl exclude each other");
	if (view->pretty)
		s->format = JSON;
	if (view->filter.live && view->filter.exited)
		cli_misuse("--live and --exited exclude each other");
	if (view->by == BY_PROTOCOL && view->filter.no_loopback)
		cli_misuse("loopback is not counted by protocol: no --by protocol --no-loopback");
}

static void parse(struct show *s, struct cli *cli, int argc, char **argv)
{
	int c;

	*s = (struct show){ .view.rows = ALL_ROWS };
	while ((c = getopt_long(argc, argv, CLI_SHORT "jr:o:bHnap:", options, NULL)) != -1)
		parse_option(s, cli, c);
	if (optind < argc)
		s->interval = parse_interval(argv[optind++]);
	if (optind < argc)
		s->count = cli_number("the count", argv[optind++], 1, UINT32_MAX);
	cli_no_arguments(argc, argv);
	settle(s);
	if (s->format == TABLE && !s->view.sorted)
		s->view.rows = DEFAULT_ROWS;
}

/* The account is opened each time: it may have been unloaded and loaded again. */
static void take(struct taken *t, const struct cli *cli)
{
	int error;

	cli_open(cli, &t->account, false);
	error = reading_take(&t->reading, &t->account);
	if (error < 0)
		cli_failed_on(cli, error, "cannot read");
	clock_gettime(CLOCK_MONOTONIC, &t->at);
	t->flows = (struct past_flows){};
}

static void drop(struct taken *t)
{
	past_flows_free(&t->flows);
	reading_free(&t->reading);
	account_close(&t->account);
}

static int print(const struct show *s, struct report *report)
{
	switch (s->format) {
	case JSON:
		return json_document(out->file, report);
	case JSONL:
		return json_lines(out->file, report);
	default:
		return table_print(out->file, report);
	}
}

/* Prints now; with what moved since before, if that is given. */
static void show(const struct show *s, struct taken *now, const struct taken *before, bool summary)
{
	struct names names;
	struct connections connections = { .account = &now->account };
	struct report report = { .view = &s->view,
				 .reading = &now->reading,
				 .names = &names,
				 .connections = &connections };
	struct change change = {};
	double seconds;
	int error = 0;

	if (s->view.by == BY_FLOW && !(now->account.meta.flags & META_FLOWS))
		cli_fail(0, "no flows are kept: loaded with netacct-load --no-flows");
	names_init(&names, &now->account);
	if (before) {
		seconds = now->at.tv_sec - before->at.tv_sec +
			  (now->at.tv_nsec - before->at.tv_nsec) / 1e9;
		error = change_init(&change, &before->reading, &before->flows, &now->reading,
				    seconds);
		report.change = &change;
		report.summary = summary;
	}
	if (!error && summary)
		change_subtract(&change, &now->reading);
	else if (s->interval)
		report.flows = &now->flows;
	if (!error)
		error = report_init(&report);
	if (!error)
		error = print(s, &report);
	if (!error && fflush(out->file))
		error = -errno;
	past_flows_sort(&now->flows);
	report_free(&report);
	connections_free(&connections);
	change_free(&change);
	names_free(&names);
	if (error && ferror(out->file))
		cli_fail(error, "cannot write to %s", out->to);
	if (error)
		cli_fail(error, "cannot show the reading");
}

/* Ctrl-C ends the run and not the command. True if it came before the time. */
static bool interrupted(const struct timespec *until)
{
	struct timespec now, left = {};
	sigset_t signals;
	long long ns;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (until->tv_sec - now.tv_sec) * (long long)NS_PER_S + until->tv_nsec - now.tv_nsec;
	if (ns > 0) {
		left.tv_sec = ns / NS_PER_S;
		left.tv_nsec = ns % NS_PER_S;
	}
	return sigtimedwait(&signals, NULL, &left) > 0;
}

static void add_seconds(struct timespec *t, double seconds)
{
	long long ns = t->tv_nsec + (long long)(seconds * 1e9);

	t->tv_sec += ns / NS_PER_S;
	t->tv_nsec = ns % NS_PER_S;
}

static void run(const struct show *s, const struct cli *cli)
{
	struct taken taken[3], *first = &taken[0], *before = first, *now;
	struct timespec next;
	bool end = false;

	take(first, cli);
	show(s, first, NULL, false);
	next = first->at;
	for (unsigned long long n = 1; !end && n != s->count; n++) {
		add_seconds(&next, s->interval);
		end = interrupted(&next);
		now = &taken[1 + n % 2];
		take(now, cli);
		if (!end)
			show(s, now, before, false);
		if (before != first)
			drop(before);
		before = now;
	}
	show(s, before, first, true);
	if (before != first)
		drop(before);
	drop(first);
}

static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

int main(int argc, char **argv)
{
	struct taken once;
	struct show s;
	struct cli cli;
	int error;

	cli_init(&cli, whole_usage());
	parse(&s, &cli, argc, argv);
	setlocale(LC_CTYPE, "");

	out = cli_output(s.to);
	if (s.interval) {
		block_signals();
		run(&s, &cli);
	} else {
		take(&once, &cli);
		show(&s, &once, NULL, false);
		drop(&once);
	}
	error = output_commit(out);
	if (error < 0)
		cli_fail(error, "cannot write to %s", out->to);
	filter_free(&s.view.filter);
	return EXIT_SUCCESS;
}
