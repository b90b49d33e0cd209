// SPDX-License-Identifier: GPL-2.0-only
/* netacct-top - who uses the network, on a screen */
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <stdlib.h>

#include "cli.h"
#include "clock.h"
#include "columns.h"
#include "screen.h"
#include "top.h"

#define MEMORY (32 << 20) /* the most that mallopt() takes */

static const char usage[] =
	"Usage: netacct-top [options] [interval]\n"
	"\n"
	"Show who uses the network, and how much, on the whole screen, anew every\n"
	"second or so many. The key h shows all keys.\n"
	"\n"
	"      --by KEY       what rows are of, as netacct-show has it: process, user ...\n"
	"      --sort COLUMN  numbers of bytes, calls and times: highest first\n"
	"      --totals       totals instead of rates\n"
	"  -b, --bytes        exact numbers of bytes\n"
	"  -n, --numeric      numbers for users\n"
	"      --count N      end after N readings\n"
	"\n" CLI_ROWS_USAGE "\n" CLI_USAGE;

enum { BY = CLI_OWN, SORT, TOTALS, COUNT };

static const struct option options[] = {
	{ "by", required_argument, NULL, BY },
	{ "sort", required_argument, NULL, SORT },
	{ "totals", no_argument, NULL, TOTALS },
	{ "bytes", no_argument, NULL, 'b' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "count", required_argument, NULL, COUNT },
	CLI_ROWS_LONG,
	CLI_LONG,
	{},
};

static struct top top;
static const char *sort;
static __u64 interval_ns;
static unsigned long long count; /* 0: without end */

static void parse_option(struct cli *cli, int c)
{
	struct view *view = &top.view;

	switch (c) {
	case BY:
		view->by = cli_grouping(optarg);
		return;
	case SORT:
		sort = optarg;
		return;
	case TOTALS:
		top.rates = false;
		return;
	case 'b':
		view->bytes = true;
		return;
	case 'n':
		view->numeric = true;
		return;
	case COUNT:
		count = cli_number("--count", optarg, 1, UINT32_MAX);
		return;
	default:
		if (!cli_filter(&view->filter, c))
			cli_option(cli, c);
	}
}

static void parse(struct cli *cli, int argc, char **argv)
{
	struct view *view = &top.view;
	int c;

	top = (struct top){ .rates = true };
	sort = NULL;
	interval_ns = NS_PER_S;
	count = 0;
	while ((c = getopt_long(argc, argv, CLI_SHORT CLI_ROWS_SHORT "bn", options, NULL)) != -1)
		parse_option(cli, c);
	if (optind < argc)
		interval_ns = (__u64)(cli_interval(argv[optind++]) * NS_PER_S);
	cli_no_arguments(argc, argv);
	if (sort) {
		view->sort = column_find(view->by, sort);
		if (!view->sort)
			cli_misuse("--by %s has no column '%s'", grouping_name(view->by), sort);
	}
}

/* What keeps it from being read is told before the screen is taken. */
static void check(const struct cli *cli)
{
	struct account a;
	bool flows;

	cli_open(cli, &a, false);
	flows = a.meta.flags & META_FLOWS;
	account_close(&a);
	if (view_needs_flows(&top.view) && !flows)
		cli_fail(0, "no flows are kept: loaded with netacct-load --no-flows");
}

static void open_screen(void)
{
	const char *term = getenv("TERM");
	int error = screen_open();

	if (error == -ENOTTY)
		cli_fail(0, "it needs a terminal; netacct-show prints to files and pipes");
	if (error == -ENODEV)
		cli_fail(0,
			 "cannot draw on this terminal: TERM is '%s'; set it to one that is known",
			 term ?: "");
	if (error)
		cli_fail(error, "cannot open the terminal");
}

/* Of an account that was unloaded the last reading stays, until there is one again. */
static void take(const struct cli *cli)
{
	int error = top_take(&top);

	top.gone = error == -ENOENT && top.live.now->taken;
	if (!error || top.gone || (error == -EAGAIN && top.live.now->taken))
		return;
	screen_close();
	check(cli);
	cli_failed_on(cli, error, "cannot read");
}

/* Keys that wait already are all done before the next picture. */
static int take_keys(__u64 until_ns)
{
	int key = screen_key(until_ns), error = 0;

	for (; key >= 0 && !error && !top.quit; key = screen_key(0))
		error = top_key(&top, key);
	if (key == SCREEN_END)
		top.quit = true;
	return error;
}

static int run(const struct cli *cli)
{
	__u64 next = 0, now;
	int error = 0;

	for (unsigned long long n = 0; !error && !top.quit;) {
		now = clock_ns(CLOCK_MONOTONIC);
		if (now >= next && !top.paused) {
			take(cli);
			n++;
			next += interval_ns;
			if (next <= now)
				next = now + interval_ns;
		}
		error = top_draw(&top);
		if (n == count && count)
			break;
		if (!error)
			error = take_keys(top.paused ? now + interval_ns : next);
	}
	return error;
}

int main(int argc, char **argv)
{
	struct cli cli;
	int error;

	cli_init(&cli, usage);
	parse(&cli, argc, argv);
	setlocale(LC_CTYPE, "");
	/* Memory of each reading is that of the one before: no faults, nothing given back. */
	mallopt(M_MMAP_THRESHOLD, MEMORY);
	mallopt(M_TRIM_THRESHOLD, MEMORY);

	check(&cli);
	open_screen();
	error = top_init(&top, cli.pin_dir);
	if (!error)
		error = run(&cli);
	screen_close();
	top_free(&top);
	if (error)
		cli_fail(error, "cannot show the reading");
	return EXIT_SUCCESS;
}
