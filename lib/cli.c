// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "cli.h"

#define TURN_SECONDS 5

static int print_all(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	return vfprintf(stderr, fmt, ap);
}

void cli_init(struct cli *cli, const char *usage)
{
	const char *dir = getenv("NETACCT_PIN_DIR");

	*cli = (struct cli){ .usage = usage, .pin_dir = dir && *dir ? dir : NETACCT_PIN_DIR };
	libbpf_set_print(NULL);
	/* A reader that has gone shows as a failed write, and is reported as one. */
	signal(SIGPIPE, SIG_IGN);
}

static void try_help(void)
{
	fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
	exit(EXIT_USAGE);
}

void cli_option(struct cli *cli, int c)
{
	size_t end;

	switch (c) {
	case 'h':
		fputs(cli->usage, stdout);
		exit(cli_finish());
	case 'V':
		printf("%s %s\n", program_invocation_short_name, NETACCT_VERSION);
		exit(cli_finish());
	case 'v':
		cli->verbose = true;
		libbpf_set_print(print_all);
		return;
	case CLI_PIN_DIR:
		end = strlen(optarg);
		while (end > 1 && optarg[end - 1] == '/')
			optarg[--end] = '\0';
		if (!end)
			cli_misuse("--pin-dir needs a folder");
		cli->pin_dir = optarg;
		return;
	default:
		try_help();
	}
}

void cli_misuse(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	try_help();
	abort();
}

void cli_no_arguments(int argc, char **argv)
{
	if (optind < argc)
		cli_misuse("unexpected argument '%s'", argv[optind]);
}

unsigned long long cli_number(const char *name, const char *text, unsigned long long min,
			      unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || n < min || n > max)
		cli_misuse("%s takes a number from %llu to %llu, not '%s'", name, min, max, text);
	return n;
}

void cli_fail(int error, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (error)
		fprintf(stderr, ": %s", strerror(error < 0 ? -error : error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void cli_not_loaded(const struct cli *cli)
{
	bool usual = strcmp(cli->pin_dir, NETACCT_PIN_DIR) == 0;

	fprintf(stderr, "%s: not loaded; run netacct-load%s%s first\n",
		program_invocation_short_name, usual ? "" : " --pin-dir ",
		usual ? "" : cli->pin_dir);
	exit(EXIT_NOT_LOADED);
}

void cli_open(const struct cli *cli, struct account *a, bool writable)
{
	int err = account_open(a, cli->pin_dir, writable);

	switch (err) {
	case 0:
		return;
	case -ENOENT:
		cli_not_loaded(cli);
	case -EPROTO:
		cli_fail(0,
			 "%s is not an account that this version can read; see netacct-unload(8)",
			 cli->pin_dir);
	case -EACCES:
	case -EPERM:
		cli_fail(err,
			 writable ? "cannot change %s: it needs root"
				  : "cannot read %s: it needs root, or membership of the group "
				    "that netacct-load --group named",
			 cli->pin_dir);
	default:
		cli_fail(err, "cannot open %s", cli->pin_dir);
	}
}

int cli_turn(const struct cli *cli, const struct account *a)
{
	int turn = account_turn(a, TURN_SECONDS);

	if (turn == -ENOENT)
		cli_not_loaded(cli);
	if (turn == -EBUSY)
		cli_fail(0, "another command is changing %s: pid %llu", cli->pin_dir,
			 (unsigned long long)a->state->resetter);
	if (turn < 0)
		cli_fail(turn, "cannot lock %s", cli->pin_dir);
	return turn;
}

static struct output output;

static void abort_output(void)
{
	output_abort(&output);
}

struct output *cli_output(const char *to)
{
	int err = output_open(&output, to);

	if (err == -EINVAL)
		cli_fail(0, "cannot write to %s: it is there, and is no plain file", to);
	if (err < 0)
		cli_fail(err, "cannot write to %s", output.to);
	atexit(abort_output);
	return &output;
}

int cli_finish(void)
{
	if (fflush(stdout) || ferror(stdout))
		cli_fail(errno, "cannot write the output");
	return EXIT_SUCCESS;
}
