// SPDX-License-Identifier: GPL-2.0-only
/* netacct-unload - stop counting and remove every trace */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "hooks.h"
#include "generation.h"
#include "take.h"

static const char usage[] =
	"Usage: netacct-unload [options]\n"
	"\n"
	"Stop counting and remove all that netacct-load has pinned, and what a command\n"
	"that was killed has left.\n"
	"\n"
	"  -j, --json         print a last reading\n"
	"      --format NAME  the same as json: one document, on one line; or as jsonl:\n"
	"                     each process on a line of its own\n"
	"      --to FILE      the same, to a file; as JSON unless --format says "
	"otherwise\n" CLI_USAGE;

enum { FORMAT = CLI_OWN, TO };

static const struct option options[] = {
	{ "format", required_argument, NULL, FORMAT },
	{ "json", no_argument, NULL, 'j' },
	{ "to", required_argument, NULL, TO },
	CLI_LONG,
	{},
};

/* Prints what is left to print, after counting has stopped. */
static int print_last(const struct account *a, struct output *out, bool lines)
{
	int err;

	err = generation_set_counting(a, false);
	if (!err)
		err = take_pending(a, out->file, lines);
	if (err >= 0)
		err = take_generation(a, a->state->generation, out->file, lines);
	if (!err)
		err = output_commit(out);
	if (err < 0)
		(void)generation_set_counting(a, true);
	return err;
}

static void output_last(const struct cli *cli, const struct account *a, const char *to, bool lines)
{
	struct output *out = cli_output(to);
	int err = print_last(a, out, lines);

	if (err == -ENOENT || err == -EPROTO)
		cli_check_damage(cli);
	if (err < 0)
		cli_fail(err, "cannot write to %s; nothing is unloaded, and counting goes on",
			 out->to);
}

/*
 * Readings are told apart by the second in which their account was loaded: the
 * next one is not to be loaded in that of this one, which has given out some.
 */
static void outlive_second(const struct account *a)
{
	__u64 loaded = a->meta.loaded_at_ns, now;

	while ((now = clock_ns(CLOCK_REALTIME)) / NS_PER_S == loaded / NS_PER_S)
		(void)nanosleep(&(struct timespec){ .tv_nsec = NS_PER_S - now % NS_PER_S - 1 },
				NULL);
}

/*
 * The turn stays ours until the end: nobody else changes the account any more.
 * False: there is none, but leftovers may be there.
 */
static bool take_last(const struct cli *cli, bool print, const char *to, bool lines)
{
	struct account a;
	int err;

	err = account_open(&a, cli->pin_dir, true);
	if (err == -ENOENT)
		return false;
	/* What cannot be read can be removed all the same. */
	if (!print && (err == -EPROTO || err == -EUCLEAN))
		return true;
	if (err < 0)
		cli_open(cli, &a, true);
	cli_turn(cli, &a);
	if (print || a.state->generation > 0)
		outlive_second(&a);
	if (print)
		output_last(cli, &a, to, lines);
	account_close(&a);
	return true;
}

int main(int argc, char **argv)
{
	const char *to = NULL;
	bool print = false, lines = false, there;
	struct cli cli;
	int c, lock, err;

	cli_init(&cli, usage);
	while ((c = getopt_long(argc, argv, CLI_SHORT "j", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			print = true;
			lines = false;
			break;
		case FORMAT:
			lines = cli_lines(optarg);
			print = true;
			break;
		case TO:
			to = optarg;
			print = true;
			break;
		default:
			cli_option(&cli, c);
		}
	}
	cli_no_arguments(argc, argv);

	lock = hooks_lock(cli.pin_dir);
	if (lock == -ENOENT)
		cli_not_loaded(&cli);
	if (lock == -ELOOP)
		cli_link(&cli);
	if (lock == -EACCES && geteuid())
		cli_fail(lock, "cannot unload %s: it needs root", cli.pin_dir);
	if (lock < 0)
		cli_fail(lock, "cannot lock the folder of %s", cli.pin_dir);
	there = take_last(&cli, print, to, lines);
	err = hooks_unload(cli.pin_dir);
	/* Leftovers have nothing to print: what was to be printed was, or was not wanted. */
	if (err == -ENOENT || (!err && print && !there))
		cli_not_loaded(&cli);
	if (err == -EPROTO)
		cli_fail(0, "%s was not made by netacct-load; it is left alone", cli.pin_dir);
	if ((err == -EPERM || err == -EACCES) && geteuid())
		cli_fail(err, "cannot unload %s: it needs root", cli.pin_dir);
	/* Counting on would make the reading wrong that was given out. */
	if (err < 0)
		cli_fail(err, "cannot remove %s%s; run netacct-unload again", cli.pin_dir,
			 print && there ? ", which has stopped, and its last reading is written"
					: "");
	return EXIT_SUCCESS;
}
