// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the command lines of all commands, up to where they would open an
 * account. Nothing is loaded, unloaded or written: the linker puts what is below
 * in place of what would (--wrap).
 *
 * An input is the number of a command, what opening and loading come to, and
 * words that end in NUL; NAME=VALUE in front goes to the environment.
 */
#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "cli.h"
#include "fuzz.h"
#include "hooks.h"
#include "watch.h"

#define WORDS 32

int load_main(int argc, char **argv);
int reset_main(int argc, char **argv);
int show_main(int argc, char **argv);
int status_main(int argc, char **argv);
int top_main(int argc, char **argv);
int unload_main(int argc, char **argv);
int watch_main(int argc, char **argv);

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "netacct-load", load_main },	 { "netacct-reset", reset_main },
	{ "netacct-show", show_main },	 { "netacct-status", status_main },
	{ "netacct-top", top_main },	 { "netacct-unload", unload_main },
	{ "netacct-watch", watch_main },
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static const int results[] = {
	-ENOENT, -EPROTO, -EACCES, -EPERM, -EEXIST, -ENOTSUP, -EIO, -EBUSY, 0
};
#define N_RESULTS (sizeof(results) / sizeof(*results))

static sigjmp_buf end;
static bool inside;
static int result;

void __wrap_exit(int status) __attribute__((noreturn));
void __real_exit(int status) __attribute__((noreturn));

void __wrap_exit(int status)
{
	if (inside)
		siglongjmp(end, status + 1);
	__real_exit(status);
}

int __wrap_atexit(void (*function)(void));
int __real_atexit(void (*function)(void));

int __wrap_atexit(void (*function)(void))
{
	return inside ? 0 : __real_atexit(function);
}

int __wrap_account_open(struct account *a, const char *pin_dir, bool writable);
int __wrap_hooks_load(const char *pin_dir, const struct load_options *o, char what[LOAD_WHAT]);
int __wrap_hooks_lock(const char *pin_dir);
int __wrap_hooks_unload(const char *pin_dir);
int __wrap_output_open(struct output *o, const char *to);
int __wrap_watcher_start(struct watcher **w, const struct watcher_limits *limits,
			 watcher_each *each, void *arg, char what[WATCHER_WHAT]);

/* No account is there, whatever is wrong with it. */
int __wrap_account_open(struct account *a, const char *pin_dir, bool writable)
{
	*a = (struct account){ .pin_dir = pin_dir, .writable = writable };
	errno = -result;
	return result == 0 || result == -EEXIST ? -ENOENT : result;
}

int __wrap_hooks_load(const char *pin_dir, const struct load_options *o, char what[LOAD_WHAT])
{
	MUST(*pin_dir);
	MUST(o->max_processes && o->max_processes <= 1 << 24);
	MUST(o->max_flows && o->max_flows <= 1 << 24);
	snprintf(what, LOAD_WHAT, "it is a test");
	errno = -result;
	return result;
}

int __wrap_hooks_lock(const char *pin_dir)
{
	MUST(*pin_dir);
	errno = -result;
	return result;
}

int __wrap_hooks_unload(const char *pin_dir)
{
	MUST(*pin_dir);
	errno = -result;
	return result;
}

int __wrap_output_open(struct output *o, const char *to)
{
	*o = (struct output){ .file = stdout, .to = to ? to : "standard output", .folder = -1 };
	return to && result == -EIO ? -EIO : 0;
}

int __wrap_watcher_start(struct watcher **w, const struct watcher_limits *limits,
			 watcher_each *each, void *arg, char what[WATCHER_WHAT])
{
	(void)each;
	(void)arg;
	*w = NULL;
	MUST(limits->ring_bytes >= 4096 && !(limits->ring_bytes & (limits->ring_bytes - 1)));
	MUST(limits->connections);
	snprintf(what, WATCHER_WHAT, "it is a test");
	errno = result ? -result : ENOENT;
	return -errno;
}

/*
 * A command frees nothing that its end would free. What it has left here is
 * freed when it has ended.
 */
static void *left[1024];

void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__real_strdup(const char *s);
void __wrap_free(void *p);
void __real_free(void *p);

static void note(void *old, void *new)
{
	for (size_t i = 0; inside && i < sizeof(left) / sizeof(*left); i++) {
		if (left[i] != old)
			continue;
		left[i] = new;
		return;
	}
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	void *q = __real_reallocarray(p, n, size);

	if (q)
		note(p, q);
	return q;
}

char *__wrap_strdup(const char *s)
{
	char *copy = __real_strdup(s);

	note(NULL, copy);
	return copy;
}

void __wrap_free(void *p)
{
	if (p)
		note(p, NULL);
	__real_free(p);
}

static void free_left(void)
{
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
		__real_free(left[i]);
		left[i] = NULL;
	}
}

/* The one that netacct-show makes its usage text with, which it never frees. */
FILE *__wrap_open_memstream(char **text, size_t *size);

FILE *__wrap_open_memstream(char **text, size_t *size)
{
	static char room[65536];

	*text = room;
	*size = sizeof(room);
	return fmemopen(room, sizeof(room), "w");
}

static FILE *real_stderr;
static char said[65536];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	real_stderr = stderr;
	stdout = fopen("/dev/null", "we");
	MUST(stdout);
	return 0;
}

static void run(int command, int argc, char **argv, int *status)
{
	int jumped;

	program_invocation_short_name = argv[0];
	optind = 0;
	jumped = sigsetjmp(end, 1);
	if (jumped) {
		*status = jumped - 1;
		return;
	}
	inside = true;
	*status = commands[command].main(argc, argv);
}

/* Misuse is explained in one line, and help is offered; a failure has a reason. */
static void check(const char *name, int status)
{
	size_t length = strlen(name);

	MUST(status >= 0 && status <= EXIT_NOT_LOADED);
	if (status != 0) {
		MUST(strncmp(said, name, length) == 0 && said[length] == ':');
		MUST(said[strlen(said) - 1] == '\n');
	}
	MUST(status != EXIT_USAGE || strstr(said, "--help'.\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words, *word, *argv[WORDS + 2];
	int command, argc = 1, status;

	if (size < 2)
		return 0;
	command = data[0] % N_COMMANDS;
	result = results[data[1] % N_RESULTS];
	words = calloc(1, size - 1);
	memcpy(words, data + 2, size - 2);
	unsetenv("NETACCT_PIN_DIR");
	unsetenv("NETACCT_HOOKS");
	argv[0] = (char *)commands[command].name;
	for (word = words; word < words + size - 2 && argc <= WORDS; word += strlen(word) + 1) {
		if (argc == 1 && strncmp(word, "NETACCT_PIN_DIR=", 16) == 0)
			setenv("NETACCT_PIN_DIR", word + 16, 1);
		else if (argc == 1 && strncmp(word, "NETACCT_HOOKS=", 14) == 0)
			setenv("NETACCT_HOOKS", word + 14, 1);
		else
			argv[argc++] = word;
	}
	argv[argc] = NULL;

	memset(said, 0, sizeof(said));
	stderr = fmemopen(said, sizeof(said) - 1, "w");
	run(command, argc, argv, &status);
	inside = false;
	fclose(stderr);
	stderr = real_stderr;
	clearerr(stdout);
	free_left();
	check(argv[0], status);
	free(words);
	return 0;
}
