// SPDX-License-Identifier: GPL-2.0-only
/* netacct-reset - start from zero, without losing a byte */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "generation.h"
#include "take.h"

static const char usage[] =
	"Usage: netacct-reset [options]\n"
	"\n"
	"Start from zero. Counting goes on, and what is counted meanwhile is in the\n"
	"old reading or in the new one, never in both or in none.\n"
	"\n"
	"  -j, --json         print what was counted since the reset before\n"
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

/*
 * What an earlier reset left is out before anything is switched: there is never
 * more than one generation that waits, however many resets are killed. Returns
 * what has to be said of it if anything fails later.
 */
static const char *print_pending(const struct account *a, struct output *out, bool lines)
{
	int err, found;

	err = found = take_pending(a, out->file, lines);
	if (err > 0)
		err = output_continue(out);
	if (err < 0)
		cli_fail(err, "cannot write to %s what an earlier reset left; nothing is reset",
			 out->to);
	return found ? "what an earlier reset left is written, but " : "";
}

static void print_generation(const struct account *a, struct output *out, __u64 number, bool lines,
			     const char *but)
{
	int err;

	err = take_generation(a, number, out->file, lines);
	if (!err)
		err = output_commit(out);
	if (err < 0)
		cli_fail(err, "cannot write to %s; %sthe next reset prints it again", out->to, but);
}

/* out: where the old generation goes, or NULL; lines: how. */
static void reset(const struct cli *cli, const struct account *a, struct output *out, bool lines)
{
	__u64 old = a->state->generation;
	const char *but = "";
	int err;

	if (out)
		but = print_pending(a, out, lines);
	err = generation_drop_others(a);
	if (!err)
		err = generation_prepare(a);
	if (err < 0) {
		cli_check_damage(cli);
		cli_fail(err, "cannot make new tables; %snothing is reset%s", but,
			 err == -EPERM || err == -EACCES ? "; it needs root with all capabilities"
							 : "");
	}
	err = generation_switch(a, !out);
	if (err < 0 && a->state->generation == old)
		cli_fail(err, "cannot switch to the new tables; %snothing is reset", but);
	if (err < 0)
		cli_fail(err, "cannot finish the switch to the new tables; %s%s", but,
			 out ? "the next reset prints what was in the old ones"
			     : "all is reset, and the next reset puts it right");
	if (out)
		print_generation(a, out, old, lines, but);
	/* No failure: who throws away what failed commands wrote would have nothing. */
	err = generation_drop_others(a);
	if (err < 0)
		cli_warn(err, "all is reset, but the old tables stay until the next reset");
}

int main(int argc, char **argv)
{
	const char *to = NULL;
	bool print = false, lines = false;
	struct account a;
	struct cli cli;
	int c, turn;

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

	cli_open(&cli, &a, true);
	turn = cli_turn(&cli, &a);
	reset(&cli, &a, print ? cli_output(to) : NULL, lines);
	close(turn);
	account_close(&a);
	return EXIT_SUCCESS;
}
