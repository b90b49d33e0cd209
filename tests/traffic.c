// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic - moves bytes through sockets, and says how many
 *
 * Two processes, a sender and a receiver, move bytes over one protocol, each by
 * one path of the socket interface. Each prints a line of JSON with the sums of
 * what its own calls returned: what netacct has to say about it, to the byte.
 * What a number cannot be known of (the calls inside sendfile) is null.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CHUNK (1 << 20)
#define PATIENCE  60000 /* ms; only a test that fails waits so long */
#define DELIVERY  1000	/* ms; a busy kernel delivers datagrams later, or never */
#define UNKNOWN	  UINT64_MAX
#define RAW_PROTO 253 /* for experiments, says RFC 3692 */

static const char usage[] =
	"Usage: traffic PROTOCOL [options]\n"
	"tcp, mptcp, udp, udplite, raw, unix: from a sender to a receiver\n"
	"ping, icmp, packet: one process, which hears itself or the kernel\n"
	"  --family 4|6|mapped     --address A   --peer-netns NAME (the receiver's)\n"
	"  --bytes N --chunk N     in all, and a call\n"
	"  --tx write|writev|send|sendto|sendmsg|sendmmsg|sendfile|splice|zerocopy|nonblock\n"
	"  --rx "
	"read|readv|recv|recvfrom|recvmsg|recvmmsg|splice|peek|trunc|waitall|zerocopy|nonblock\n"
	"  --unconnected           sendto and its kind name the receiver\n"
	"  --connections N         one after the other, each of so many bytes\n"
	"  --elsewhere A           datagrams: all from one socket, with as many to A after each\n"
	"  --threads N --shared N  send as N threads; also from N more processes\n"
	"  --swarm N               send from N short-lived processes, one after the other\n"
	"  --hold                  move the bytes once more for each line on stdin\n"
	"  --busy                  send until stdin ends\n"
	"  --comm NAME --uid N     who both of them are\n";

enum protocol { TCP, MPTCP, UDP, UDPLITE, RAW, UNIX, PING, ICMP, PACKET };
static const struct {
	const char *name;
	int type, number;
	bool stream, alone;
} protocols[] = {
	[TCP] = { "tcp", SOCK_STREAM, IPPROTO_TCP, true, false },
	[MPTCP] = { "mptcp", SOCK_STREAM, IPPROTO_MPTCP, true, false },
	[UDP] = { "udp", SOCK_DGRAM, IPPROTO_UDP, false, false },
	[UDPLITE] = { "udplite", SOCK_DGRAM, IPPROTO_UDPLITE, false, false },
	[RAW] = { "raw", SOCK_RAW, RAW_PROTO, false, false },
	[UNIX] = { "unix", SOCK_STREAM, 0, true, false },
	[PING] = { "ping", SOCK_DGRAM, 0, false, true },
	[ICMP] = { "icmp", SOCK_RAW, 0, false, true },
	[PACKET] = { "packet", SOCK_DGRAM, 0, false, true },
};

static enum protocol protocol;
static int family = AF_INET;
static const char *address, *elsewhere, *peer_netns;
static const char *tx = "send", *rx = "recv";
static size_t chunk = 1009;
static uint64_t bytes = 10007;
static unsigned long connections = 1, threads = 1, shared, swarm;
static bool unconnected, hold, busy;

struct tally {
	uint64_t tx_bytes, rx_bytes, tx_calls, rx_calls, mapped, elsewhere;
};
static struct tally *tally; /* shared with the children of a swarm */
static struct sockaddr_storage peer;
static socklen_t peer_len;
static int unix_ends[2];
static char payload[MAX_CHUNK];

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* What a system call returned, which cannot be an error here. */
static long need(long r, const char *what)
{
	if (r < 0)
		err(EXIT_FAILURE, "%s", what);
	return r;
}

static void add(uint64_t *sum, uint64_t n)
{
	__atomic_add_fetch(sum, n, __ATOMIC_RELAXED);
}

/* Waits until fd can be read or written. */
static void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (need(poll(&p, 1, PATIENCE), "poll") == 0)
		errx(EXIT_FAILURE, "nothing moved for %d ms", PATIENCE);
}

static void pass_on(int ctl, uint64_t value)
{
	need(write(ctl, &value, sizeof(value)), "write to the other side");
}

/* False: the other side has ended. */
static bool hear(int ctl, uint64_t *value)
{
	return need(read(ctl, value, sizeof(*value)), "read from the other side") > 0;
}

/* Ends with 77 where the kernel has no such protocol. */
static int open_socket(void)
{
	int number = protocols[protocol].number, fd;

	if (protocols[protocol].alone)
		number = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	fd = socket(family, protocols[protocol].type, number);
	if (fd < 0 && (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT))
		err(77, "socket");
	return (int)need(fd, "socket");
}

static void make_address(const char *address, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	bool v4 = family == AF_INET;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	*len = v4 ? sizeof(*in) : sizeof(*in6);
	if (inet_pton(family, address, v4 ? (void *)&in->sin_addr : &in6->sin6_addr) != 1)
		errx(EXIT_FAILURE, "not an address: %s", address);
}

/* A pipe that holds n bytes of payload, or none; per thread. */
static int *pipe_with(size_t n)
{
	static __thread int ends[2] = { -1, -1 };

	if (ends[0] < 0) {
		need(pipe(ends), "pipe");
		need(fcntl(ends[1], F_SETPIPE_SZ, MAX_CHUNK), "F_SETPIPE_SZ");
	}
	if (n)
		need(write(ends[1], payload, n), "write to a pipe");
	return ends;
}

static long put_file(int fd, size_t n)
{
	static __thread int file = -1;
	off_t off = 0;

	if (file < 0) {
		file = (int)need(memfd_create("payload", 0), "memfd_create");
		need(write(file, payload, sizeof(payload)), "write");
	}
	return sendfile(fd, file, &off, n);
}

static long put_spliced(int fd, size_t n)
{
	int *ends = pipe_with(n);
	size_t done = 0;

	while (done < n)
		done += (size_t)need(splice(ends[0], NULL, fd, NULL, n - done, 0), "splice");
	return (long)n;
}

/* Two messages of half the size. */
static long put_mmsg(int fd, struct msghdr *msg, size_t n)
{
	struct iovec halves[2] = { { payload, n / 2 }, { payload, n - n / 2 } };
	struct mmsghdr two[2] = {};
	long sent, sum = 0;

	for (int i = 0; i < 2; i++) {
		two[i].msg_hdr = *msg;
		two[i].msg_hdr.msg_iov = &halves[i];
		two[i].msg_hdr.msg_iovlen = 1;
	}
	sent = need(sendmmsg(fd, two, 2, 0), "sendmmsg");
	for (long i = 0; i < sent; i++)
		sum += two[i].msg_len;
	add(&tally->tx_calls, (uint64_t)sent - 1);
	return sum;
}

/* The notices of zero-copy sends come back from the error queue: no receive. */
static void drain_errors(int fd)
{
	char control[256];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };

	wait_for(fd, 0);
	while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		msg.msg_controllen = sizeof(control);
}

static long put_nonblock(int fd, size_t n)
{
	long r = send(fd, payload, n, MSG_DONTWAIT);

	while (r < 0 && errno == EAGAIN) {
		wait_for(fd, POLLOUT);
		r = send(fd, payload, n, MSG_DONTWAIT);
	}
	return r;
}

static long put(int fd, size_t n)
{
	struct sockaddr *to = unconnected ? (struct sockaddr *)&peer : NULL;
	socklen_t to_len = unconnected ? peer_len : 0;
	struct iovec iov[2] = { { payload, n / 3 }, { payload, n - n / 3 } };
	struct msghdr msg = {
		.msg_name = to, .msg_namelen = to_len, .msg_iov = iov, .msg_iovlen = 2
	};
	long r;

	if (is(tx, "write"))
		r = write(fd, payload, n);
	else if (is(tx, "writev"))
		r = writev(fd, iov, 2);
	else if (is(tx, "sendmsg"))
		r = sendmsg(fd, &msg, 0);
	else if (is(tx, "sendmmsg"))
		r = put_mmsg(fd, &msg, n);
	else if (is(tx, "sendfile"))
		r = put_file(fd, n);
	else if (is(tx, "splice"))
		r = put_spliced(fd, n);
	else if (is(tx, "zerocopy"))
		r = send(fd, payload, n, MSG_ZEROCOPY);
	else if (is(tx, "nonblock"))
		r = put_nonblock(fd, n);
	else
		r = sendto(fd, payload, n, 0, to, to_len);
	/* A datagram to nobody comes back as an error of the next send. */
	if (r < 0 && errno == ECONNREFUSED)
		return 0;
	need(r, tx);
	add(&tally->tx_bytes, (uint64_t)r);
	add(&tally->tx_calls, r > 0);
	return r;
}

static void put_all(int fd, uint64_t total)
{
	uint64_t left = total;

	if (is(tx, "zerocopy"))
		need(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &(int){ 1 }, sizeof(int)),
		     "SO_ZEROCOPY");
	while (left)
		left -= (uint64_t)put(fd, left < chunk ? left : chunk);
	if (is(tx, "zerocopy") && total)
		drain_errors(fd);
}

/* The pages themselves where they can be mapped; what cannot is copied. */
static long take_mapped(int fd)
{
	static char *window;
	static char copied[4096];
	struct tcp_zerocopy_receive zc = {};
	socklen_t len = sizeof(zc);
	long r;

	if (!window)
		window = mmap(NULL, MAX_CHUNK, PROT_READ, MAP_SHARED, fd, 0);
	if (window == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	zc.address = (uintptr_t)window;
	zc.length = MAX_CHUNK;
	zc.copybuf_address = (uintptr_t)copied;
	zc.copybuf_len = sizeof(copied);
	r = getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len);
	if (r < 0 && errno == EIO) /* the end of the stream */
		return 0;
	need(r, "TCP_ZEROCOPY_RECEIVE");
	tally->mapped += zc.length;
	r = zc.length + (zc.copybuf_len > 0 ? zc.copybuf_len : 0);
	if (r == 0) {
		size_t n = zc.recv_skip_hint ? zc.recv_skip_hint : sizeof(copied);

		r = need(recv(fd, copied, n < sizeof(copied) ? n : sizeof(copied), 0), "recv");
		add(&tally->rx_calls, r > 0);
	}
	return r;
}

static long take_spliced(int fd)
{
	static char sink[MAX_CHUNK];
	int *ends = pipe_with(0);
	long r = need(splice(fd, NULL, ends[1], NULL, chunk, 0), "splice");

	if (r > 0)
		need(read(ends[0], sink, (size_t)r), "read from a pipe");
	return r;
}

static long take_mmsg(int fd, char *buf)
{
	struct iovec iov[4];
	struct mmsghdr four[4] = {};
	long n, sum = 0;

	for (size_t i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ buf + i * (chunk / 4), chunk / 4 };
		four[i].msg_hdr.msg_iov = &iov[i];
		four[i].msg_hdr.msg_iovlen = 1;
	}
	n = need(recvmmsg(fd, four, 4, MSG_WAITFORONE, NULL), "recvmmsg");
	for (long i = 0; i < n; i++) {
		sum += four[i].msg_len;
		add(&tally->rx_calls, four[i].msg_len > 0);
	}
	return sum;
}

/* One receive; 0 at the end of a stream. */
static long take_flat(int fd)
{
	static char buf[MAX_CHUNK];
	struct iovec iov[2] = { { buf, chunk / 3 }, { buf + chunk / 3, chunk - chunk / 3 } };
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	long r;

	if (is(rx, "nonblock") && recv(fd, buf, chunk, MSG_DONTWAIT | MSG_PEEK) < 0)
		wait_for(fd, POLLIN);
	if (is(rx, "peek"))
		need(recv(fd, buf, chunk, MSG_PEEK), "recv MSG_PEEK");

	if (is(rx, "read"))
		r = read(fd, buf, chunk);
	else if (is(rx, "readv"))
		r = readv(fd, iov, 2);
	else if (is(rx, "recvfrom"))
		r = recvfrom(fd, buf, chunk, 0, (struct sockaddr *)&from, &from_len);
	else if (is(rx, "recvmsg"))
		r = recvmsg(fd, &msg, 0);
	else if (is(rx, "trunc"))
		r = recv(fd, buf, chunk, MSG_TRUNC);
	else if (is(rx, "waitall"))
		r = recv(fd, buf, chunk, MSG_WAITALL);
	else if (is(rx, "nonblock"))
		r = recv(fd, buf, chunk, MSG_DONTWAIT);
	else
		r = recv(fd, buf, chunk, 0);
	need(r, rx);
	add(&tally->rx_calls, r > 0);
	return r;
}

static long take(int fd)
{
	static char buf[MAX_CHUNK];
	long r;

	if (is(rx, "splice"))
		r = take_spliced(fd);
	else if (is(rx, "zerocopy"))
		r = take_mapped(fd);
	else if (is(rx, "recvmmsg"))
		r = take_mmsg(fd, buf);
	else
		r = take_flat(fd);
	tally->rx_bytes += (uint64_t)r;
	return r;
}

/* Receives until the sender has said how much it sent and that is here. */
static void take_all(int fd, int ctl)
{
	bool stream = protocols[protocol].stream, told = false;
	uint64_t total = 0, got = 0;

	while (!(stream && told && got == total)) {
		struct pollfd p[2] = { { fd, POLLIN, 0 }, { told ? -1 : ctl, POLLIN, 0 } };
		int late = got < total && !busy ? DELIVERY : 0;

		if (need(poll(p, 2, told && !stream ? late : PATIENCE), "poll") == 0) {
			if (!stream && told)
				return;
			errx(EXIT_FAILURE, "nothing came for %d ms", PATIENCE);
		}
		if (p[1].revents)
			told = hear(ctl, &total);
		if (p[0].revents)
			got += (uint64_t)take(fd);
		if (p[1].revents && !told)
			return;
	}
}

static void print_count(char *line, size_t size, const char *key, uint64_t value)
{
	size_t n = strlen(line);

	if (value == UNKNOWN)
		snprintf(line + n, size - n, ",\"%s\":null", key);
	else
		snprintf(line + n, size - n, ",\"%s\":%llu", key, (unsigned long long)value);
}

/* sin_port has the same place. */
static uint64_t port_of(const struct sockaddr_storage *ss)
{
	struct sockaddr_in6 in6;

	memcpy(&in6, ss, sizeof(in6));
	return ntohs(in6.sin6_port);
}

/* Prints the sums, and starts again from zero. */
static void tell(const char *role, int fd)
{
	bool inside = is(tx, "sendfile") || is(tx, "splice"), alone = protocols[protocol].alone;
	struct sockaddr_storage ss = {};
	socklen_t len = sizeof(ss);
	const char *name = protocols[protocol].name;
	char line[512] = "";

	if (alone && protocol != PACKET)
		name = family == AF_INET ? "icmp" : "icmp6";
	snprintf(line, sizeof(line), "{\"role\":\"%s\",\"pid\":%d,\"protocol\":\"%s\"", role,
		 getpid(), name);
	print_count(line, sizeof(line), "tx_bytes", tally->tx_bytes);
	print_count(line, sizeof(line), "rx_bytes", tally->rx_bytes);
	print_count(line, sizeof(line), "tx_calls",
		    inside && tally->tx_bytes ? UNKNOWN : tally->tx_calls);
	print_count(line, sizeof(line), "rx_calls",
		    is(rx, "splice") && protocol != TCP ? UNKNOWN : tally->rx_calls);
	print_count(line, sizeof(line), "mapped", tally->mapped);
	print_count(line, sizeof(line), "elsewhere_bytes", tally->elsewhere);
	if (fd >= 0 && protocol <= UDPLITE && getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		print_count(line, sizeof(line), "local_port", port_of(&ss));
	if (protocol <= UDPLITE && !is(role, "receiver"))
		print_count(line, sizeof(line), "remote_port", port_of(&peer));
	dprintf(STDOUT_FILENO, "%s}\n", line);
	memset(tally, 0, sizeof(*tally));
}

static void enter(const char *netns)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = (int)need(open(path, O_RDONLY | O_CLOEXEC), path);
	need(setns(fd, CLONE_NEWNET), "setns");
	close(fd);
}

static struct tally *new_tally(void)
{
	void *p = mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE,
		       (swarm ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	return p;
}

static void receive(int ctl)
{
	bool stream = protocols[protocol].stream && protocol != UNIX;
	uint64_t round;
	int fd, conn;

	tally = new_tally();
	if (peer_netns)
		enter(peer_netns);
	if (protocol == UNIX) {
		fd = unix_ends[1];
	} else {
		fd = open_socket();
		make_address(address, &peer, &peer_len);
		need(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 4 << 20 }, sizeof(int)),
		     "SO_RCVBUF");
		/* Datagrams that find no room are lost; only root may have more of it. */
		if (!protocols[protocol].stream)
			(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 16 << 20 },
					 sizeof(int));
		need(bind(fd, (struct sockaddr *)&peer, peer_len), "bind");
		if (stream)
			need(listen(fd, 128), "listen");
		need(getsockname(fd, (struct sockaddr *)&peer, &peer_len), "getsockname");
	}
	need(write(ctl, &peer, sizeof(peer)), "write to the sender");

	for (unsigned long i = 0; i < connections; i++) {
		conn = stream ? (int)need(accept(fd, NULL, NULL), "accept") : fd;
		while (hear(ctl, &round) && round) {
			take_all(conn, ctl);
			if (hold)
				tell("receiver", conn);
			pass_on(ctl, 1);
		}
		if (connections == 1 && stream && take(conn) != 0)
			errx(EXIT_FAILURE, "more came than was sent");
		if (i + 1 == connections && !hold)
			tell("receiver", conn);
		if (conn != fd)
			close(conn);
	}
	exit(EXIT_SUCCESS);
}

static void *put_share(void *arg)
{
	put_all(*(int *)arg, bytes / threads);
	return NULL;
}

static void put_threaded(int fd)
{
	pthread_t thread[64];

	for (unsigned long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, put_share, &fd) != 0)
			errx(EXIT_FAILURE, "cannot make a thread");
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

static int connect_socket(void)
{
	int fd = protocol == UNIX ? unix_ends[0] : open_socket();

	if (protocol != UNIX && !unconnected)
		need(connect(fd, (struct sockaddr *)&peer, peer_len), "connect");
	return fd;
}

/* Each of many processes opens a socket of its own, sends, and ends. */
static uint64_t put_swarm(void)
{
	for (unsigned long i = 0; i < swarm; i++) {
		pid_t pid = (pid_t)need(fork(), "fork");

		if (pid == 0) {
			put_all(connect_socket(), bytes);
			_exit(EXIT_SUCCESS);
		}
		need(waitpid(pid, NULL, 0), "waitpid");
	}
	return swarm * bytes;
}

static uint64_t put_until_stdin_ends(int fd)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t sent = 0;

	/* At least once: on a busy machine its end may come before it has begun. */
	do {
		for (int i = 0; i < 64; i++)
			sent += (uint64_t)put(fd, chunk);
	} while (poll(&p, 1, 0) == 0);
	return sent;
}

static uint64_t put_some(int fd)
{
	if (busy)
		return put_until_stdin_ends(fd);
	put_all(fd, bytes);
	return bytes;
}

/* N more processes send as much on the same socket, and tell it themselves. */
static uint64_t put_shared(int fd)
{
	uint64_t sent, all;
	int sums[2];

	need(pipe(sums), "pipe");
	for (unsigned long i = 0; i < shared; i++) {
		if (need(fork(), "fork") == 0) {
			pass_on(sums[1], put_some(fd));
			tell("sharer", fd);
			_exit(EXIT_SUCCESS);
		}
	}
	close(sums[1]);
	all = put_some(fd);
	for (unsigned long i = 0; i < shared; i++) {
		if (!hear(sums[0], &sent))
			errx(EXIT_FAILURE, "a sharer is gone");
		all += sent;
		need(wait(NULL), "wait");
	}
	close(sums[0]);
	return all;
}

/* Half of it while the socket has no other end; then it is connected as it was. */
static void put_elsewhere(int fd)
{
	struct sockaddr_storage back = peer, none = { .ss_family = AF_UNSPEC };
	uint64_t before = tally->tx_bytes;

	make_address(elsewhere, &peer, &peer_len);
	((struct sockaddr_in *)&peer)->sin_port = htons(9);
	need(connect(fd, (struct sockaddr *)&none, sizeof(none)), "disconnect");
	unconnected = true;
	put_all(fd, bytes / 2);
	unconnected = false;
	need(connect(fd, (struct sockaddr *)&peer, peer_len), "connect");
	put_all(fd, bytes - bytes / 2);
	tally->elsewhere += tally->tx_bytes - before;
	peer = back;
	need(connect(fd, (struct sockaddr *)&none, sizeof(none)), "disconnect");
	need(connect(fd, (struct sockaddr *)&peer, peer_len), "connect");
}

static void send_round(int fd, int ctl)
{
	uint64_t sent = bytes, ok;

	pass_on(ctl, 1);
	if (swarm)
		sent = put_swarm();
	else if (shared)
		sent = put_shared(fd);
	else if (threads > 1)
		put_threaded(fd);
	else
		sent = put_some(fd);
	pass_on(ctl, sent);
	if (!hear(ctl, &ok))
		errx(EXIT_FAILURE, "the receiver is gone");
	if (hold)
		tell("sender", fd);
}

static void send_all(int ctl)
{
	struct linger reset = { .l_onoff = 1 };
	char line[64];
	int fd = -1;

	need(read(ctl, &peer, sizeof(peer)), "read from the receiver");
	peer_len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	for (unsigned long i = 0; i < connections; i++) {
		if (!elsewhere || fd < 0)
			fd = connect_socket();
		if (hold) {
			dprintf(STDOUT_FILENO, "ready\n");
			while (fgets(line, sizeof(line), stdin))
				send_round(fd, ctl);
		} else {
			send_round(fd, ctl);
		}
		if (elsewhere)
			put_elsewhere(fd);
		pass_on(ctl, 0);
		if (connections == 1 && protocols[protocol].stream)
			need(shutdown(fd, SHUT_WR), "shutdown");
		if (i + 1 == connections && !hold)
			tell(swarm ? "swarm" : "sender", fd);
		/* Else the ports would soon be used up by connections in TIME_WAIT. */
		if (connections > 1 && protocols[protocol].stream)
			need(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
			     "SO_LINGER");
		if (connections > 1 && !elsewhere)
			close(fd);
	}
}

/* A packet socket on the loopback interface, or one that is pinged by itself. */
static int open_alone(void)
{
	struct sockaddr_ll *ll = (struct sockaddr_ll *)&peer;
	int fd;

	if (protocol != PACKET) {
		fd = open_socket();
		make_address(address, &peer, &peer_len);
		need(connect(fd, (struct sockaddr *)&peer, peer_len), "connect");
		return fd;
	}
	fd = (int)need(socket(AF_PACKET, SOCK_DGRAM, htons(0x88b5)), "socket");
	ll->sll_family = AF_PACKET;
	ll->sll_protocol = htons(0x88b5); /* for local experiments, says IEEE 802 */
	ll->sll_ifindex = (int)if_nametoindex("lo");
	ll->sll_halen = 6;
	peer_len = sizeof(*ll);
	need(bind(fd, (struct sockaddr *)ll, peer_len), "bind");
	unconnected = true;
	return fd;
}

static void send_alone(void)
{
	int fd = open_alone();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	payload[0] = family == AF_INET ? 8 : (char)128; /* echo request */
	payload[1] = 0;
	for (uint64_t left = bytes; left;) {
		size_t n = left < chunk ? left : chunk;

		if (n < 8)
			errx(EXIT_FAILURE, "the last message would be shorter than a header");
		left -= (uint64_t)put(fd, n);
		wait_for(fd, POLLIN);
		while (poll(&p, 1, 0) > 0)
			take(fd);
	}
	tell("alone", fd);
}

enum {
	FAMILY = 256,
	ADDRESS,
	NETNS,
	BYTES,
	CHUNK,
	TX,
	RX,
	UNCONNECTED,
	CONNECTIONS,
	ELSEWHERE,
	THREADS,
	SHARED,
	SWARM,
	HOLD,
	BUSY,
	COMM,
	UID
};
static const struct option options[] = {
	{ "family", required_argument, NULL, FAMILY },
	{ "address", required_argument, NULL, ADDRESS },
	{ "peer-netns", required_argument, NULL, NETNS },
	{ "bytes", required_argument, NULL, BYTES },
	{ "chunk", required_argument, NULL, CHUNK },
	{ "tx", required_argument, NULL, TX },
	{ "rx", required_argument, NULL, RX },
	{ "unconnected", no_argument, NULL, UNCONNECTED },
	{ "connections", required_argument, NULL, CONNECTIONS },
	{ "elsewhere", required_argument, NULL, ELSEWHERE },
	{ "threads", required_argument, NULL, THREADS },
	{ "shared", required_argument, NULL, SHARED },
	{ "swarm", required_argument, NULL, SWARM },
	{ "hold", no_argument, NULL, HOLD },
	{ "busy", no_argument, NULL, BUSY },
	{ "comm", required_argument, NULL, COMM },
	{ "uid", required_argument, NULL, UID },
	{},
};

static void set_option(int c)
{
	switch (c) {
	case FAMILY:
		family = is(optarg, "4") ? AF_INET : AF_INET6;
		address = is(optarg, "mapped") ? "::ffff:127.0.0.1" : address;
		break;
	case ADDRESS:
		address = optarg;
		break;
	case NETNS:
		peer_netns = optarg;
		break;
	case BYTES:
		bytes = strtoull(optarg, NULL, 10);
		break;
	case CHUNK:
		chunk = strtoul(optarg, NULL, 10);
		break;
	case TX:
		tx = optarg;
		break;
	case RX:
		rx = optarg;
		break;
	case UNCONNECTED:
		unconnected = true;
		break;
	case CONNECTIONS:
		connections = strtoul(optarg, NULL, 10);
		break;
	case ELSEWHERE:
		elsewhere = optarg;
		break;
	case THREADS:
		threads = strtoul(optarg, NULL, 10);
		break;
	case SHARED:
		shared = strtoul(optarg, NULL, 10);
		break;
	case SWARM:
		swarm = strtoul(optarg, NULL, 10);
		break;
	case HOLD:
		hold = true;
		break;
	case BUSY:
		busy = true;
		break;
	case COMM:
		need(prctl(PR_SET_NAME, optarg), "PR_SET_NAME");
		break;
	case UID:
		need(setuid((uid_t)strtoul(optarg, NULL, 10)), "setuid");
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void parse(int argc, char **argv)
{
	size_t n = sizeof(protocols) / sizeof(*protocols);
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(c);
	while (optind < argc && protocol < n && !is(argv[optind], protocols[protocol].name))
		protocol++;
	if (optind != argc - 1 || protocol == n || chunk > MAX_CHUNK || threads > 64) {
		fputs(usage, stderr);
		exit(2);
	}
	if (!address)
		address = family == AF_INET ? "127.0.0.1" : "::1";
}

int main(int argc, char **argv)
{
	int ctl[2], status;

	parse(argc, argv);
	memset(payload, 'x', sizeof(payload));
	tally = new_tally();
	if (protocols[protocol].alone) {
		send_alone();
		return EXIT_SUCCESS;
	}

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ctl), "socketpair");
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, unix_ends), "socketpair");
	if (need(fork(), "fork") == 0) {
		/* Some tests kill the one that they know of. */
		need(prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
		close(ctl[0]);
		receive(ctl[1]);
	}
	close(ctl[1]);
	send_all(ctl[0]);
	close(ctl[0]);
	need(wait(&status), "wait");
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
