// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stage: makes the connections and the processes, and prints lines of JSON:
 * for each process what its own calls returned, or why there is nothing to say.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ways.h"

#define PATIENCE 60 /* seconds; only what fails waits so long */
#define LACKS	 77

static const char usage[] =
	"Usage: ways plain|held|resets [PATTERN]\n"
	"held: prints ready where an account is to be loaded, and goes on after a line of stdin\n";

static const struct kind {
	const char *name;
	int family, type, left, right; /* the protocols of both ends */
} kinds[] = {
	{ "tcp4", AF_INET, SOCK_STREAM, 0, 0 },
	{ "tcp6", AF_INET6, SOCK_STREAM, 0, 0 },
	{ "tcp46", AF_INET6, SOCK_STREAM, 0, 0 },
	{ "mptcp4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, IPPROTO_MPTCP },
	{ "mptcp6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP, IPPROTO_MPTCP },
	{ "mptcp46", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP, IPPROTO_MPTCP },
	{ "mptcp-tcp4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, 0 },
	{ "tcp-mptcp4", AF_INET, SOCK_STREAM, 0, IPPROTO_MPTCP },
	{ "sctp4", AF_INET, SOCK_STREAM, IPPROTO_SCTP, IPPROTO_SCTP },
	{ "sctp6", AF_INET6, SOCK_STREAM, IPPROTO_SCTP, IPPROTO_SCTP },
	{ "sctpm4", AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, IPPROTO_SCTP },
	{ "sctpm6", AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP, IPPROTO_SCTP },
	{ "smc4", AF_SMC, SOCK_STREAM, 0, 0 },
	{ "udp4", AF_INET, SOCK_DGRAM, 0, 0 },
	{ "udp6", AF_INET6, SOCK_DGRAM, 0, 0 },
	{ "udp46", AF_INET6, SOCK_DGRAM, 0, 0 },
	{ "udplite4", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, IPPROTO_UDPLITE },
	{ "udplite6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, IPPROTO_UDPLITE },
	{ "raw4", AF_INET, SOCK_RAW, 253, 253 }, /* for experiments, says RFC 3692 */
	{ "unix", AF_UNIX, SOCK_STREAM, 0, 0 },
	{ "unixgram", AF_UNIX, SOCK_DGRAM, 0, 0 },
};

static const struct way *const all[] = { stream_ways, tcp_ways,	 datagram_ways,
					 uring_ways,  tls_ways,	 sockmap_ways,
					 crowd_ways,  held_ways, NULL };

char payload[1 << 20];
char sink[1 << 20];

static const struct kind *kind;
static char path[64];
static const char *role;
static const char *protocol;
static struct {
	uint64_t tx_bytes, rx_bytes, tx_calls, rx_calls;
	bool tx_inside, rx_inside;
} tally;
static int turn;
static int ready[2] = { -1, -1 }, go[2] = { -1, -1 };

/* One line on stdout, with the path and a text. */
static void say(const char *key, const char *format, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, ap);
	for (char *p = text; *p; p++)
		if (*p == '"' || *p == '\\' || *p < ' ')
			*p = '\'';
	dprintf(STDOUT_FILENO, "{\"path\":\"%s\",\"%s\":\"%s\"}\n", path, key, text);
}

static void complain(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("fails", format, ap);
	va_end(ap);
}

void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("fails", format, ap);
	va_end(ap);
	_exit(EXIT_FAILURE);
}

void lack(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("lacks", format, ap);
	va_end(ap);
	_exit(LACKS);
}

long need_of(long r, const char *call)
{
	if (r < 0)
		fail("%s: %s: %s", role, call, strerror(errno));
	return r;
}

static void count(uint64_t *bytes, uint64_t *calls, bool *inside, long r, int n)
{
	if (r <= 0)
		return;
	__atomic_add_fetch(bytes, (uint64_t)r, __ATOMIC_RELAXED);
	if (n < 0)
		*inside = true;
	else
		__atomic_add_fetch(calls, (uint64_t)n, __ATOMIC_RELAXED);
}

long sent_of(long r, int calls, const char *call)
{
	count(&tally.tx_bytes, &tally.tx_calls, &tally.tx_inside, need_of(r, call), calls);
	return r;
}

long received_of(long r, int calls, const char *call)
{
	count(&tally.rx_bytes, &tally.rx_calls, &tally.rx_inside, need_of(r, call), calls);
	return r;
}

/* It may be another than was asked for: what MPTCP accepts from plain TCP is TCP. */
static const char *protocol_of(int fd)
{
	int family = 0, type = 0, number = 0;
	socklen_t len = sizeof(int);

	need(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len));
	need(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len));
	need(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &number, &len));
	if (family == AF_UNIX)
		return "unix";
	if (type == SOCK_RAW)
		return "raw";
	switch (number) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_UDPLITE:
		return "udplite";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_MPTCP:
		return "mptcp";
	}
	return "other";
}

static void print_calls(char *line, size_t size, const char *key, bool inside, uint64_t calls)
{
	size_t n = strlen(line);

	if (inside)
		snprintf(line + n, size - n, ",\"%s\":null", key);
	else
		snprintf(line + n, size - n, ",\"%s\":%llu", key, (unsigned long long)calls);
}

static void tell(void)
{
	char line[512];

	snprintf(line, sizeof(line),
		 "{\"path\":\"%s\",\"role\":\"%s\",\"pid\":%d,\"protocol\":\"%s\","
		 "\"tx_bytes\":%llu,\"rx_bytes\":%llu",
		 path, role, getpid(), protocol, (unsigned long long)tally.tx_bytes,
		 (unsigned long long)tally.rx_bytes);
	print_calls(line, sizeof(line), "tx_calls", tally.tx_inside, tally.tx_calls);
	print_calls(line, sizeof(line), "rx_calls", tally.rx_inside, tally.rx_calls);
	dprintf(STDOUT_FILENO, "%s}\n", line);
}

void leave(void)
{
	tell();
	_exit(EXIT_SUCCESS);
}

int branch(void)
{
	int pid = (int)need(fork());

	if (pid == 0) {
		alarm(PATIENCE);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		memset(&tally, 0, sizeof(tally));
		role = "worker";
	}
	return pid;
}

void join(int n)
{
	int status;

	while (n--) {
		need(wait(&status));
		if (!WIFEXITED(status) || WEXITSTATUS(status) == EXIT_FAILURE)
			fail("%s: a worker failed", role);
	}
}

void pass(void)
{
	need(write(turn, "", 1));
}

void await(void)
{
	char c;

	/* If it has ended, it has said why. */
	if (need(read(turn, &c, 1)) == 0)
		_exit(EXIT_FAILURE);
}

void hold(void)
{
	char c;

	memset(&tally, 0, sizeof(tally));
	close(ready[1]);
	need(read(go[0], &c, 1));
}

static int socket_of(int protocol)
{
	int fd = socket(kind->family, kind->type, protocol);

	if (fd < 0 && (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ||
		       errno == ESOCKTNOSUPPORT || errno == ENOPROTOOPT))
		lack("socket: %s", strerror(errno));
	return (int)need(fd);
}

int open_socket(void)
{
	return socket_of(kind->left);
}

/* Each end has an IPv4 address of its own: raw sockets hear all that is sent to theirs. */
static void bind_to(int fd, bool right)
{
	uint32_t net = INADDR_LOOPBACK | (uint32_t)(getpid() & 0xffff) << 8;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(net + right) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (kind->family != AF_INET6) {
		need(bind(fd, (struct sockaddr *)&in, sizeof(in)));
		return;
	}
	if (strstr(kind->name, "46"))
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &in6.sin6_addr);
	need(bind(fd, (struct sockaddr *)&in6, sizeof(in6)));
}

void bind_local(int fd)
{
	bind_to(fd, false);
}

struct sockaddr *address_of(int fd, socklen_t *len)
{
	static struct sockaddr_storage address;

	*len = sizeof(address);
	need(getsockname(fd, (struct sockaddr *)&address, len));
	return (struct sockaddr *)&address;
}

int listener(void)
{
	int fd = socket_of(kind->right);

	bind_to(fd, true);
	need(listen(fd, 128));
	return fd;
}

void dial(int fd, int to)
{
	socklen_t len;
	struct sockaddr *address = address_of(to, &len);

	need(connect(fd, address, len));
}

void hang_up(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	need(connect(fd, &none, sizeof(none)));
}

void connect_pair(int ends[2])
{
	int fd;

	if (kind->family == AF_UNIX) {
		need(socketpair(AF_UNIX, kind->type, 0, ends));
	} else if (kind->type == SOCK_STREAM) {
		fd = listener();
		ends[0] = open_socket();
		dial(ends[0], fd);
		ends[1] = (int)need(accept(fd, NULL, NULL));
		close(fd);
	} else {
		for (int i = 0; i < 2; i++) {
			ends[i] = open_socket();
			bind_to(ends[i], i);
		}
		/* These connect as they send, each knowing all the others. */
		if (kind->type == SOCK_SEQPACKET) {
			need(listen(ends[0], 8));
			need(listen(ends[1], 8));
			return;
		}
		dial(ends[0], ends[1]);
		dial(ends[1], ends[0]);
	}
}

static _Noreturn void play(const char *as, void (*side)(int), int fd)
{
	role = as;
	alarm(PATIENCE);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (fd >= 0)
		protocol = protocol_of(fd);
	side(fd);
	leave();
}

/* What became of both, if they did not say it themselves. */
static void watch(pid_t left, pid_t right)
{
	pid_t pid, other;
	int status;

	/* For hold() of the others. */
	if (ready[1] >= 0)
		close(ready[1]);
	for (pid = wait(&status); pid > 0; pid = wait(&status)) {
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			complain("%s ended by signal %d", pid == left ? "left" : "right",
				 WTERMSIG(status));
		other = pid == left ? right : left;
		if (status && other > 0)
			kill(other, SIGKILL);
	}
}

static void perform(const struct way *way)
{
	int turns[2], ends[2];
	pid_t left, right;

	role = "stage";
	/* Until it is bound and connected a raw socket hears what is sent to any other. */
	if (kind->type == SOCK_RAW)
		own_netns();
	if (!way->right) {
		left = (pid_t)need(fork());
		if (left == 0) {
			ends[0] = kind->type == SOCK_SEQPACKET ? -1 : open_socket();
			protocol = ends[0] < 0 ? "sctp" : protocol_of(ends[0]);
			close(ends[0]);
			play("alone", way->left, -1);
		}
		watch(left, -1);
		return;
	}
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, turns));
	connect_pair(ends);
	left = (pid_t)need(fork());
	if (left == 0) {
		turn = turns[0];
		close(turns[1]);
		close(ends[1]);
		play("left", way->left, ends[0]);
	}
	right = (pid_t)need(fork());
	if (right == 0) {
		turn = turns[1];
		close(turns[0]);
		close(ends[0]);
		play("right", way->right, ends[1]);
	}
	close(turns[0]);
	close(turns[1]);
	close(ends[0]);
	close(ends[1]);
	watch(left, right);
}

/* On a stage of its own, which a way may furnish anew. */
static pid_t stage(const struct way *way)
{
	pid_t pid = fork();

	if (pid < 0)
		err(EXIT_FAILURE, "fork");
	if (pid == 0) {
		if (go[1] >= 0)
			close(go[1]);
		perform(way);
		_exit(EXIT_SUCCESS);
	}
	if (way->when != HELD)
		waitpid(pid, NULL, 0);
	return pid;
}

static const struct kind *find_kind(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strlen(kinds[i].name) == len && strncmp(kinds[i].name, name, len) == 0)
			return &kinds[i];
	errx(EXIT_FAILURE, "no such kind: %s", name);
}

static void run(const struct way *way, const char *pattern)
{
	size_t len;

	for (const char *k = way->kinds; *k; k += len + (k[len] == ' ')) {
		len = strcspn(k, " ");
		kind = find_kind(k, len);
		snprintf(path, sizeof(path), "%s %s", kind->name, way->name);
		if (fnmatch(pattern, path, 0) == 0)
			stage(way);
	}
}

static void release(void)
{
	char c;

	/* The last to hold, or to end, closes it. */
	close(ready[1]);
	while (read(ready[0], &c, 1) > 0)
		;
	printf("ready\n");
	fflush(stdout);
	if (read(STDIN_FILENO, &c, 1) < 0)
		err(EXIT_FAILURE, "stdin");
	close(go[1]);
	while (wait(NULL) > 0)
		;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		[PLAIN] = "plain", [HELD] = "held", [RESETS] = "resets"
	};
	const char *pattern = argc > 2 ? argv[2] : "*";
	enum when when = PLAIN;

	while (argc > 1 && when <= RESETS && strcmp(argv[1], names[when]) != 0)
		when++;
	if (argc < 2 || argc > 3 || when > RESETS) {
		fputs(usage, stderr);
		return 2;
	}
	memset(payload, 'x', sizeof(payload));
	if (when == HELD && (pipe(ready) || pipe(go)))
		err(EXIT_FAILURE, "pipe");
	for (const struct way *const *some = all; *some; some++)
		for (const struct way *way = *some; way->name; way++)
			if (way->when == when)
				run(way, pattern);
	if (when == HELD)
		release();
	return EXIT_SUCCESS;
}
