// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "cli.h"
#include "damage.h"
#include "pins.h"

#define TURN_SECONDS 5

/* What names below an account, and those beside it, add to its own. */
#define PIN_MAX	   128
#define BESIDE_MAX 10

static int print_all(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	return vfprintf(stderr, fmt, ap);
}

/* Else what is opened first takes their place, and is written to in their name. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/*
 * An account has one path, whichever leads to it: what load defines outside of its
 * folder is named for that path.
 */
static void set_pin_dir(struct cli *cli, const char *given)
{
	static char path[PATH_MAX];
	char copy[PATH_MAX], parent[PATH_MAX], name[NAME_MAX + 1];
	size_t end = strlen(given);
	char *slash;

	while (end > 1 && given[end - 1] == '/')
		end--;
	if (!end)
		cli_misuse("--pin-dir needs a folder");
	if (end >= PATH_MAX - PIN_MAX)
		cli_misuse("--pin-dir is too long");
	snprintf(path, sizeof(path), "%.*s", (int)end, given);
	cli->pin_dir = path;

	slash = strrchr(path, '/');
	if (strlen(slash ? slash + 1 : path) > NAME_MAX - BESIDE_MAX)
		cli_misuse("--pin-dir: a name takes at most %d bytes", NAME_MAX - BESIDE_MAX);
	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : path);
	if (strchr(name, '.'))
		cli_misuse("--pin-dir: BPF file systems take no name with a dot, like '%s'", name);
	snprintf(copy, sizeof(copy), "%s", path);
	if (*name && realpath(dirname(copy), parent) && strlen(parent) < PATH_MAX - NAME_MAX)
		(void)path_join(path, strcmp(parent, "/") ? parent : "", name);
}

void cli_init(struct cli *cli, const char *usage)
{
	const char *dir = getenv("NETACCT_PIN_DIR");

	*cli = (struct cli){ .usage = usage, .pin_dir = NETACCT_PIN_DIR };
	open_standard_files();
	if (dir && *dir)
		set_pin_dir(cli, dir);
	libbpf_set_print(NULL);
	/* A message is one write, so that what others say meanwhile is not in its midst. */
	setvbuf(stderr, NULL, _IOLBF, 0);
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
		set_pin_dir(cli, optarg);
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

enum grouping cli_grouping(const char *name)
{
	int by = grouping_find(name);

	if (!strcmp(name, "help")) {
		for (by = 0; by < GROUPINGS; by++)
			puts(grouping_name(by));
		exit(cli_finish());
	}
	if (by < 0)
		cli_misuse("--by takes %s, not '%s'", grouping_names(), name);
	return by;
}

static bool add_filter(struct filter *f, enum filter_list list)
{
	const char *bad;
	int error = filter_add(f, list, optarg, &bad);

	if (error == -ENOENT)
		cli_misuse("no such %s: '%s'", filter_name(list), bad);
	if (error == -EINVAL)
		cli_misuse("--%s does not understand '%s'", filter_name(list), bad);
	if (error)
		cli_fail(error, "cannot filter");
	return true;
}

bool cli_filter(struct filter *f, int c)
{
	switch (c) {
	case 'p':
		return add_filter(f, FILTER_PID);
	case CLI_COMM:
		return add_filter(f, FILTER_COMM);
	case CLI_USER:
		return add_filter(f, FILTER_USER);
	case CLI_CGROUP:
		return add_filter(f, FILTER_CGROUP);
	case CLI_NETNS:
		return add_filter(f, FILTER_NETNS);
	case CLI_REMOTE:
		return add_filter(f, FILTER_REMOTE);
	case CLI_PORT:
		return add_filter(f, FILTER_PORT);
	case '4':
		return f->ipv4 = true;
	case '6':
		return f->ipv6 = true;
	case 't':
		return f->protocols |= FILTER_TCP;
	case 'u':
		return f->protocols |= FILTER_UDP;
	case CLI_NO_LOOPBACK:
		return f->no_loopback = true;
	case CLI_LIVE:
	case CLI_EXITED:
		*(c == CLI_LIVE ? &f->live : &f->exited) = true;
		if (f->live && f->exited)
			cli_misuse("--live and --exited exclude each other");
		return true;
	default:
		return false;
	}
}

bool cli_lines(const char *format)
{
	if (strcmp(format, "json") != 0 && strcmp(format, "jsonl") != 0)
		cli_misuse("--format takes json or jsonl, not '%s'", format);
	return format[4];
}

double cli_interval(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.01 && seconds <= 1e9))
		cli_misuse("the interval is a number of seconds, not '%s'", text);
	return seconds;
}

static void complain(int error, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	if (error)
		fprintf(stderr, ": %s", strerror(error < 0 ? -error : error));
	fputc('\n', stderr);
}

void cli_fail(int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(error, fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}

void cli_warn(int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(error, fmt, ap);
	va_end(ap);
}

/* The two words to put behind the name of a command to be run, if it takes any. */
#define WHERE_FMT  "%s%s"
#define WHERE(cli) is_usual(cli) ? "" : " --pin-dir ", is_usual(cli) ? "" : (cli)->pin_dir

static bool is_usual(const struct cli *cli)
{
	return strcmp(cli->pin_dir, NETACCT_PIN_DIR) == 0;
}

void cli_not_loaded(const struct cli *cli)
{
	fprintf(stderr, "%s: not loaded; run netacct-load" WHERE_FMT " first\n",
		program_invocation_short_name, WHERE(cli));
	exit(EXIT_NOT_LOADED);
}

void cli_link(const struct cli *cli)
{
	cli_fail(0, "%s is a symbolic link; name the folder that it points to", cli->pin_dir);
}

void cli_check_damage(const struct cli *cli)
{
	char gone[DAMAGE_LEN];

	if (damage_find(cli->pin_dir, gone) > 0)
		cli_fail(0, "%s is damaged: %s is gone; run netacct-unload" WHERE_FMT, cli->pin_dir,
			 gone, WHERE(cli));
}

void cli_failed_on(const struct cli *cli, int error, const char *what)
{
	cli_check_damage(cli);
	cli_fail(error, "%s %s", what, cli->pin_dir);
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
	case -ENODEV:
		cli_fail(0, "cannot read %s: /proc is not mounted", cli->pin_dir);
	case -EUCLEAN:
		cli_check_damage(cli);
		cli_fail(0,
			 "%s is damaged: a part of it is another program's; run "
			 "netacct-unload" WHERE_FMT,
			 cli->pin_dir, WHERE(cli));
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
