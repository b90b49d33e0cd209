/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The manners the commands share: help on stdout and exit 0, complaints on
 * stderr, exit 2 for misuse, 1 for failure, 3 for not loaded. Alone in lib/,
 * this file may print and exit.
 */
#ifndef NETACCT_CLI_H
#define NETACCT_CLI_H

#include <getopt.h>
#include <stdbool.h>

#include "account.h"
#include "output.h"
#include "view.h"

#define EXIT_USAGE	2
#define EXIT_NOT_LOADED 3

/* The options that every command has; getopt values of those without a letter. */
#define CLI_SHORT "hVv"
#define CLI_LONG                                                                   \
	{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, \
		{ "verbose", no_argument, NULL, 'v' },                             \
	{                                                                          \
		"pin-dir", required_argument, NULL, CLI_PIN_DIR                    \
	}
enum {
	CLI_PIN_DIR = 0x1000,
	CLI_COMM,
	CLI_USER,
	CLI_CGROUP,
	CLI_NETNS,
	CLI_REMOTE,
	CLI_PORT,
	CLI_NO_LOOPBACK,
	CLI_LIVE,
	CLI_EXITED,
	CLI_OWN
};

/* The filters that whatever has a process and a connection can be asked for; cli_filter() takes
 * them. */
#define CLI_FILTER_SHORT "p:46"
#define CLI_FILTER_LONG                                                                         \
	{ "pid", required_argument, NULL, 'p' }, { "comm", required_argument, NULL, CLI_COMM }, \
		{ "user", required_argument, NULL, CLI_USER },                                  \
		{ "netns", required_argument, NULL, CLI_NETNS },                                \
		{ "remote", required_argument, NULL, CLI_REMOTE },                              \
		{ "port", required_argument, NULL, CLI_PORT },                                  \
	{                                                                                       \
		"no-loopback", no_argument, NULL, CLI_NO_LOOPBACK                               \
	}
#define CLI_FILTER_USAGE                                                            \
	"Filters; a list or repeats mean any of them, and ! in front all others:\n" \
	"  -p, --pid LIST     process ids\n"                                        \
	"      --comm LIST    names of commands, may hold * and ?\n"                \
	"      --user LIST    names or ids of users\n"                              \
	"      --netns LIST   network namespaces: names or inodes\n"                \
	"      --remote LIST  remote addresses or ADDRESS/BITS\n"                   \
	"      --port LIST    ports, of either end\n"                               \
	"  -4, -6             IPv4, IPv6\n"                                         \
	"      --no-loopback  leave out what stays on this machine\n"

/* And those for the rows of an account. */
#define CLI_ROWS_SHORT CLI_FILTER_SHORT "tu"
#define CLI_ROWS_LONG                                                                 \
	CLI_FILTER_LONG, { "cgroup", required_argument, NULL, CLI_CGROUP },           \
		{ "tcp", no_argument, NULL, 't' }, { "udp", no_argument, NULL, 'u' }, \
		{ "live", no_argument, NULL, CLI_LIVE },                              \
	{                                                                             \
		"exited", no_argument, NULL, CLI_EXITED                               \
	}
#define CLI_ROWS_USAGE                                                          \
	CLI_FILTER_USAGE                                                        \
	"      --cgroup LIST  cgroups and those below; a unit's name will do\n" \
	"  -t, --tcp          TCP, MPTCP too\n"                                 \
	"  -u, --udp          UDP, UDP-Lite too\n"                              \
	"      --live         processes that run\n"                             \
	"      --exited       processes that have ended\n"

/* The same in a usage text; the command's own options come before. */
#define CLI_USAGE                                                        \
	"      --pin-dir DIR  where the account is pinned, instead of\n" \
	"                     $NETACCT_PIN_DIR or /sys/fs/bpf/netacct\n" \
	"  -v, --verbose      say more, libbpf's own messages too\n"     \
	"  -h, --help         show this help\n"                          \
	"  -V, --version      show the version\n"

struct cli {
	const char *usage;
	const char *pin_dir;
	bool verbose;
};

/* First of all. */
void cli_init(struct cli *cli, const char *usage);

/* Handles one of CLI_LONG, or exits with status 2 if c is none of them. */
void cli_option(struct cli *cli, int c);

/* Says what is wrong with the command line and exits with status 2. */
void cli_misuse(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void cli_no_arguments(int argc, char **argv);

/* A decimal number from min to max, or misuse of the option called name. */
unsigned long long cli_number(const char *name, const char *text, unsigned long long min,
			      unsigned long long max);

/* Options of those that show rows: --by, a list that filters, and the interval in seconds. */
enum grouping cli_grouping(const char *name);
/* One of CLI_ROWS_LONG or CLI_FILTER_LONG; false if c is none of them. */
bool cli_filter(struct filter *f, int c);
double cli_interval(const char *text);

/* --format of those that take something out: whether it is jsonl, and not json. */
bool cli_lines(const char *format);

/* Says that nothing is loaded, what to run, and exits with status 3. */
void cli_not_loaded(const struct cli *cli) __attribute__((noreturn));

/* Says that the account is not where the pins are to be but elsewhere; exits with status 1. */
void cli_link(const struct cli *cli) __attribute__((noreturn));

/* Exits with status 1, the reason and the remedy if a part of the account is gone. */
void cli_check_damage(const struct cli *cli);

/* How often an account is opened anew that was unloaded as it was read (-EAGAIN). */
#define CLI_TRIES 10

/* "program: what PIN_DIR: why", where why may be damage; exits with status 1. */
void cli_failed_on(const struct cli *cli, int error, const char *what) __attribute__((noreturn));

/* account_open(), or exit with the reason and the remedy. */
void cli_open(const struct cli *cli, struct account *a, bool writable);

/* account_turn(), or exit and name who has it. */
int cli_turn(const struct cli *cli, const struct account *a);

/*
 * output_open(), or exit with status 1. An output that is not committed when the
 * command ends is aborted. One for each command.
 */
struct output *cli_output(const char *to);

/* "program: what: why", with the remedy where one is known; exits with status 1. */
void cli_fail(int error, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* The same message, of what does not keep the command from being done. */
void cli_warn(int error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The exit status of a command whose output matters: did it reach its reader? */
int cli_finish(void);

#endif
