// SPDX-License-Identifier: GPL-2.0-only
/*
 * turns - does one small thing over and over, for tests/bench to measure
 *
 * For each line on stdin it prints the time, how many turns it has made so far,
 * and the longest turn since the line before, both times in ns. It ends when
 * stdin does. Both ends of a connection are in one thread, bulk excepted: so no
 * scheduling is in what is measured, and what a hook costs shows most.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256
#define BULK	    (64 << 10)

static const char usage[] =
	"Usage: turns [-t THREADS] KIND\n"
	"  udp, tcp   a byte there and back, each thread on a processor of its own\n"
	"  stalls     as udp; a turn that another program interrupted is no long one\n"
	"  connect    the same, and a connection for it\n"
	"  bulk       64 KiB of a stream, from a thread to another\n"
	"  run COMMAND...  a process for the command\n"
	"  open N     opens, uses and closes N sockets, once, and ends\n";

extern char **environ;

struct worker {
	pthread_t thread;
	int number;
	uint64_t turns, longest;
} __attribute__((aligned(128)));

static struct worker workers[MAX_THREADS];
static char **command;

static int need(int r, const char *what)
{
	if (r < 0)
		err(EXIT_FAILURE, "%s", what);
	return r;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* On the nth of those processors that we may use. */
static void settle(int n)
{
	cpu_set_t all, one;

	need(sched_getaffinity(0, sizeof(all), &all), "sched_getaffinity");
	n %= CPU_COUNT(&all);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && n-- == 0)
			CPU_SET(cpu, &one);
	need(pthread_setaffinity_np(pthread_self(), sizeof(one), &one), "set the affinity");
}

/* Only the worker writes turns, and only the reader takes longest away. */
static void turned(struct worker *w, uint64_t *before)
{
	uint64_t after = now();

	if (after - *before > __atomic_load_n(&w->longest, __ATOMIC_RELAXED))
		__atomic_store_n(&w->longest, after - *before, __ATOMIC_RELAXED);
	__atomic_store_n(&w->turns, w->turns + 1, __ATOMIC_RELAXED);
	*before = after;
}

/* A socket on a port of the loopback address that was free; sets where. */
static int open_bound(int type, struct sockaddr_in *where)
{
	socklen_t len = sizeof(*where);
	int fd = need(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");

	*where = (struct sockaddr_in){ .sin_family = AF_INET };
	where->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(bind(fd, (struct sockaddr *)where, sizeof(*where)), "bind");
	need(getsockname(fd, (struct sockaddr *)where, &len), "getsockname");
	if (type == SOCK_STREAM)
		need(listen(fd, 16), "listen");
	return fd;
}

static int open_connected(int type, const struct sockaddr_in *where)
{
	int fd = need(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");

	need(connect(fd, (const struct sockaddr *)where, sizeof(*where)), "connect");
	return fd;
}

static void set_option(int fd, int level, int name, int value)
{
	need(setsockopt(fd, level, name, &value, sizeof(value)), "setsockopt");
}

/* Two ends that are connected with each other. */
static void open_pair(int type, int ends[2])
{
	struct sockaddr_in first, second;
	int fd;

	if (type == SOCK_DGRAM) {
		ends[0] = open_bound(type, &first);
		ends[1] = open_bound(type, &second);
		need(connect(ends[0], (struct sockaddr *)&second, sizeof(second)), "connect");
		need(connect(ends[1], (struct sockaddr *)&first, sizeof(first)), "connect");
		return;
	}
	fd = open_bound(type, &first);
	ends[0] = open_connected(type, &first);
	ends[1] = need(accept4(fd, NULL, NULL, SOCK_CLOEXEC), "accept");
	set_option(ends[0], IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(ends[1], IPPROTO_TCP, TCP_NODELAY, 1);
	close(fd);
}

static void pass(int from, int to)
{
	char byte = 'x';

	if (send(from, &byte, 1, 0) != 1 || recv(to, &byte, 1, 0) != 1)
		err(EXIT_FAILURE, "a byte was not passed on");
}

static void there_and_back(struct worker *w, int type)
{
	uint64_t before = now();
	int ends[2];

	open_pair(type, ends);
	while (true) {
		pass(ends[0], ends[1]);
		pass(ends[1], ends[0]);
		turned(w, &before);
	}
}

static void *udp(void *arg)
{
	struct worker *w = arg;

	settle(w->number);
	there_and_back(w, SOCK_DGRAM);
	return NULL;
}

static long switches(void)
{
	struct rusage used;

	need(getrusage(RUSAGE_THREAD, &used), "getrusage");
	return used.ru_nivcsw + used.ru_nvcsw;
}

static void *stalls(void *arg)
{
	struct worker *w = arg;
	uint64_t before;
	int ends[2];
	long n;

	settle(w->number);
	open_pair(SOCK_DGRAM, ends);
	while (true) {
		n = switches();
		before = now();
		pass(ends[0], ends[1]);
		pass(ends[1], ends[0]);
		if (switches() == n)
			turned(w, &before);
	}
	return NULL;
}

static void *tcp(void *arg)
{
	struct worker *w = arg;

	settle(w->number);
	there_and_back(w, SOCK_STREAM);
	return NULL;
}

/* Reset in the end: else the ports would soon be used up by connections in TIME_WAIT. */
static void *connects(void *arg)
{
	struct linger reset = { .l_onoff = 1 };
	struct worker *w = arg;
	struct sockaddr_in where;
	uint64_t before;
	int fd, ends[2];

	settle(w->number);
	fd = open_bound(SOCK_STREAM, &where);
	before = now();
	while (true) {
		ends[0] = open_connected(SOCK_STREAM, &where);
		ends[1] = need(accept4(fd, NULL, NULL, SOCK_CLOEXEC), "accept");
		pass(ends[0], ends[1]);
		pass(ends[1], ends[0]);
		need(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
		     "SO_LINGER");
		close(ends[0]);
		close(ends[1]);
		turned(w, &before);
	}
	return NULL;
}

static void *sink(void *arg)
{
	static char buf[BULK];
	int fd = *(int *)arg;

	settle(1);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	err(EXIT_FAILURE, "recv");
}

static void *bulk(void *arg)
{
	static char buf[BULK];
	struct worker *w = arg;
	pthread_t receiver;
	uint64_t before;
	int ends[2];

	open_pair(SOCK_STREAM, ends);
	if (pthread_create(&receiver, NULL, sink, &ends[1]) != 0)
		errx(EXIT_FAILURE, "cannot make a thread");
	settle(0);
	before = now();
	while (true) {
		if (send(ends[0], buf, sizeof(buf), 0) != sizeof(buf))
			err(EXIT_FAILURE, "send");
		turned(w, &before);
	}
	return NULL;
}

static void *runs(void *arg)
{
	posix_spawn_file_actions_t quiet;
	struct worker *w = arg;
	uint64_t before = now();
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	while (true) {
		errno = posix_spawnp(&pid, command[0], &quiet, NULL, command, environ);
		if (errno)
			err(EXIT_FAILURE, "%s", command[0]);
		need(waitpid(pid, &status, 0), "waitpid");
		if (status != 0)
			errx(EXIT_FAILURE, "%s failed", command[0]);
		turned(w, &before);
	}
	return NULL;
}

/* Each to a port where nobody reads: what finds no room there is lost, which is no error. */
static void open_many(unsigned long n)
{
	struct sockaddr_in where;
	int fd;

	open_bound(SOCK_DGRAM, &where);
	for (unsigned long i = 0; i < n; i++) {
		fd = open_connected(SOCK_DGRAM, &where);
		if (send(fd, "x", 1, 0) != 1)
			err(EXIT_FAILURE, "send");
		close(fd);
	}
}

static const struct {
	const char *name;
	void *(*function)(void *worker);
} kinds[] = {
	{ "udp", udp },		 { "stalls", stalls }, { "tcp", tcp },
	{ "connect", connects }, { "bulk", bulk },     { "run", runs },
};

static void *function_of(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].function;
	fputs(usage, stderr);
	exit(2);
}

static void tell(int threads)
{
	uint64_t turns = 0, longest = 0, one;

	for (int i = 0; i < threads; i++) {
		turns += __atomic_load_n(&workers[i].turns, __ATOMIC_RELAXED);
		one = __atomic_exchange_n(&workers[i].longest, 0, __ATOMIC_RELAXED);
		longest = one > longest ? one : longest;
	}
	printf("%llu %llu %llu\n", (unsigned long long)now(), (unsigned long long)turns,
	       (unsigned long long)longest);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	void *(*function)(void *);
	int c, threads = 1;
	char line[16];

	while ((c = getopt(argc, argv, "+t:")) == 't')
		threads = atoi(optarg);
	if (c != -1 || optind >= argc || threads < 1 || threads > MAX_THREADS) {
		fputs(usage, stderr);
		return 2;
	}
	if (strcmp(argv[optind], "open") == 0 && optind + 2 == argc) {
		open_many(strtoul(argv[optind + 1], NULL, 10));
		return EXIT_SUCCESS;
	}
	function = function_of(argv[optind]);
	command = argv + optind + 1;
	for (int i = 0; i < threads; i++) {
		workers[i].number = i;
		if (pthread_create(&workers[i].thread, NULL, function, &workers[i]) != 0)
			errx(EXIT_FAILURE, "cannot make a thread");
	}
	while (fgets(line, sizeof(line), stdin))
		tell(threads);
	return EXIT_SUCCESS;
}
