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
#include "metrics.h"
#include "table.h"

static const char usage[] =
	"Usage: netacct-show [options] [interval [count]]\n"
	"\n"
	"Show what each process sent and received since counting began, or since the\n"
	"last reset. With an interval, in seconds, then show what moves in each, until\n"
	"count readings or Ctrl-C, and in the end the totals of the run.\n"
	"\n"
	"      --by KEY       process, comm, user, cgroup, flow, remote, port,\n"
	"                     protocol or netns\n"
	"      --format NAME  table, json, jsonl or prometheus\n"
	"  -j, --json         the same as --format json: one document, on one line\n"
	"      --pretty       JSON on many lines\n"
	"      --to FILE      write to a file, which is replaced only when all is written\n"
	"      --sort COLUMN  numbers of bytes, calls and times: highest first\n"
	"  -r, --rows N       show N rows, or all (of tables 1000)\n"
	"  -o, --output LIST  show these columns; help lists them\n"
	"  -b, --bytes        exact numbers of bytes\n"
	"      --bits         rates in bits per second\n"
	"  -H, --no-header    leave out the opening line and the names of columns\n"
	"  -R, --raw          columns and rows only, spaces escaped\n"
	"  -n, --numeric      numbers for users\n"
	"      --resolve      names for remote addresses, where they come in time\n"
	"  -a, --all          with an interval, rows that do not move too\n"
	"\n" CLI_ROWS_USAGE "\n" CLI_USAGE "\n"
	"Columns:\n";

enum {
	BY = CLI_OWN,
	FORMAT,
	PRETTY,
	TO,
	SORT,
	BITS,
	RESOLVE,
};

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
	{ "bits", no_argument, NULL, BITS },
	{ "no-header", no_argument, NULL, 'H' },
	{ "raw", no_argument, NULL, 'R' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "resolve", no_argument, NULL, RESOLVE },
	{ "all", no_argument, NULL, 'a' },
	CLI_ROWS_LONG,
	CLI_LONG,
	{},
};

enum format { TABLE, JSON, JSONL, PROMETHEUS };

struct show {
	struct view view;
	bool rows_given;
	enum format format;
	const char *to;
	const char *output; /* the names of columns: what they mean depends on --by */
	const char *sort;
	double interval; /* seconds; 0: one reading */
	unsigned long long count;
	struct hosts *hosts; /* NULL: no names of addresses */
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

static enum format parse_format(const char *name)
{
	static const char *const names[] = { "table", "json", "jsonl", "prometheus" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return i;
	cli_misuse("--format takes table, json, jsonl or prometheus, not '%s'", name);
}

static void set_rows(struct show *s, const char *text)
{
	s->view.rows = ALL_ROWS;
	if (strcmp(text, "all") != 0)
		s->view.rows = cli_number("--rows", text, 0, UINT32_MAX);
	s->view.sorted = s->rows_given = true;
}

static void parse_option(struct show *s, struct cli *cli, int c)
{
	switch (c) {
	case BY:
		s->view.by = cli_grouping(optarg);
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
		set_rows(s, optarg);
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
	case BITS:
		s->view.bits = true;
		return;
	case 'R':
		s->view.raw = true;
		return;
	case 'n':
		s->view.numeric = true;
		return;
	case RESOLVE:
		s->view.resolve = true;
		return;
	case 'a':
		s->view.all = true;
		return;
	default:
		if (!cli_filter(&s->view.filter, c))
			cli_option(cli, c);
	}
}

/* Its series are all there is, under names that stay. */
static void settle_metrics(const struct show *s)
{
	const struct view *view = &s->view;

	if (!ledger_keeps(view->by))
		cli_misuse("--format prometheus needs --by comm, user, cgroup, protocol or netns");
	if (s->interval)
		cli_misuse("--format prometheus takes no interval: run it from a timer");
	if (filter_active(&view->filter))
		cli_misuse("--format prometheus takes no filters: its series are of everything");
	if (view->sorted || s->output || view->numeric)
		cli_misuse("--format prometheus takes no --sort, --rows, --output, --resolve or "
			   "--numeric");
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
	if (view->raw && s->format != TABLE)
		cli_misuse("--raw is for tables");
	for (size_t i = 0; i < view->n_columns; i++)
		view->resolve |= view->columns[i]->id == COLUMN_REMOTE_NAME;
	/* All rows are gathered first, so that their names are looked up together. */
	view->sorted |= view->resolve;
	if (s->format == PROMETHEUS)
		settle_metrics(s);
}

static void parse(struct show *s, struct cli *cli, int argc, char **argv)
{
	int c;

	*s = (struct show){ .view.rows = ALL_ROWS };
	while ((c = getopt_long(argc, argv, CLI_SHORT CLI_ROWS_SHORT "jr:o:bHRna", options,
				NULL)) != -1)
		parse_option(s, cli, c);
	if (optind < argc)
		s->interval = cli_interval(argv[optind++]);
	if (optind < argc)
		s->count = cli_number("the count", argv[optind++], 1, UINT32_MAX);
	cli_no_arguments(argc, argv);
	settle(s);
	if (s->format == TABLE && !s->rows_given)
		s->view.rows = DEFAULT_ROWS;
}

/* Opened each time: it may be unloaded and loaded again, also as it is read. */
static void take(struct taken *t, const struct cli *cli)
{
	int error, tries = 0;

	do {
		cli_open(cli, &t->account, false);
		error = reading_take(&t->reading, &t->account);
		if (error < 0)
			account_close(&t->account);
	} while (error == -EAGAIN && ++tries < CLI_TRIES);
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

static void __attribute__((noreturn))
ledger_failed(const struct show *s, const struct cli *cli, int error)
{
	const char *by = grouping_name(s->view.by);

	switch (error) {
	case -EPROTO:
		cli_fail(0, "%s/" PIN_METRICS "/%s is not what this version writes; remove it",
			 cli->pin_dir, by);
	case -EBUSY:
		cli_fail(0, "another command is reading %s for Prometheus", cli->pin_dir);
	case -EACCES:
	case -EPERM:
		cli_fail(error,
			 "cannot write down in %s/" PIN_METRICS " what was shown: it needs "
			 "root",
			 cli->pin_dir);
	default:
		cli_failed_on(cli, error, "cannot read");
	}
}

/* Readings of one ledger take turns, so that none is older than what is written down. */
static struct ledger *take_ledger(struct taken *t, const struct show *s, const struct cli *cli)
{
	struct ledger *ledger;
	int error, tries = 0;

	do {
		cli_open(cli, &t->account, false);
		error = ledger_open(&ledger, &t->account, s->view.by);
		if (!error)
			error = reading_take(&t->reading, &t->account);
		if (error < 0) {
			ledger_close(ledger);
			account_close(&t->account);
		}
	} while ((error == -EAGAIN || error == -ENOENT) && ++tries < CLI_TRIES);
	if (error < 0)
		ledger_failed(s, cli, error);
	return ledger;
}

static void show_metrics(const struct show *s, const struct cli *cli)
{
	struct ledger *ledger;
	struct names names;
	struct taken t;
	int error;

	ledger = take_ledger(&t, s, cli);
	names_init(&names, &t.account);
	error = ledger_add(ledger, &t.reading, &names);
	if (error < 0)
		ledger_failed(s, cli, error);
	error = metrics_traffic(out->file, ledger, s->view.by);
	if (!error && !s->view.no_header)
		error = metrics_account(out->file, &t.reading);
	if (!error)
		error = output_share(out);
	if (error && ferror(out->file))
		cli_fail(error, "cannot write to %s", out->to);
	if (error)
		cli_fail(error, "cannot show the reading");
	names_free(&names);
	reading_free(&t.reading);
	ledger_close(ledger);
	account_close(&t.account);
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

	if (view_needs_flows(&s->view) && !(now->account.meta.flags & META_FLOWS))
		cli_fail(0, "no flows are kept: loaded with netacct-load --no-flows");
	names_init(&names, &now->account);
	names.hosts = s->hosts;
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

	if (s.view.resolve) {
		s.hosts = hosts_new();
		if (!s.hosts)
			cli_fail(-ENOMEM, "cannot look up names");
	}
	out = cli_output(s.to);
	if (s.format == PROMETHEUS) {
		show_metrics(&s, &cli);
	} else if (s.interval) {
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
