// SPDX-License-Identifier: GPL-2.0-only
/* Many at once, and sockets that several processes use. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ways.h"

#define WORKERS 4
#define BLOCKED 40
#define SENDERS 8
#define ROUNDS	3000
#define MANY	1500

static struct blocked {
	pthread_t thread;
	int ends[2];
	pid_t tid; /* once it has begun */
} blocked[BLOCKED];

static void start(struct blocked *b, void *(*job)(void *))
{
	if (pthread_create(&b->thread, NULL, job, b) != 0)
		fail("no more threads");
}

static void finish(int n)
{
	for (int i = 0; i < n; i++)
		pthread_join(blocked[i].thread, NULL);
}

static void *send_some(void *arg)
{
	struct blocked *b = arg;

	for (int i = 0; i < 11; i++)
		sent(send(b->ends[0], payload, 1009, 0));
	return NULL;
}

static void *drain_it(void *arg)
{
	struct blocked *b = arg;

	drain(b->ends[0]);
	return NULL;
}

static void of_threads(int fd, void *(*job)(void *))
{
	for (int i = 0; i < WORKERS; i++) {
		blocked[i].ends[0] = fd;
		start(&blocked[i], job);
	}
	finish(WORKERS);
}

static void threads_left(int fd)
{
	of_threads(fd, send_some);
	need(shutdown(fd, SHUT_WR));
	of_threads(fd, drain_it);
}

static void threads_right(int fd)
{
	of_threads(fd, drain_it);
	of_threads(fd, send_some);
	need(shutdown(fd, SHUT_WR));
}

static void of_workers(int fd, void *(*job)(void *))
{
	struct blocked b = { .ends = { fd } };

	for (int i = 0; i < WORKERS; i++) {
		if (branch() == 0) {
			job(&b);
			leave();
		}
	}
	join(WORKERS);
}

static void workers_left(int fd)
{
	of_workers(fd, send_some);
	need(shutdown(fd, SHUT_WR));
	of_workers(fd, drain_it);
}

static void workers_right(int fd)
{
	of_workers(fd, drain_it);
	of_workers(fd, send_some);
	need(shutdown(fd, SHUT_WR));
}

static void much_left(int fd)
{
	for (int i = 0; i < 500; i++)
		sent(send(fd, payload, 20011, 0));
	need(shutdown(fd, SHUT_WR));
	drain(fd);
}

static long read_some(int fd)
{
	return received(read(fd, sink, 30011));
}

static long readv_some(int fd)
{
	struct iovec iov = { sink, 3001 };

	/* cppcheck-suppress invalidFunctionArg; -1: as readv() */
	return received(preadv2(fd, &iov, 1, -1, 0));
}

static long drop_some(int fd)
{
	return received(recv(fd, NULL, 7001, MSG_TRUNC));
}

static long splice_some(int fd)
{
	static int ends[2] = { -1, -1 };
	long n;

	if (ends[0] < 0)
		need(pipe(ends));
	n = received_inside(splice(fd, NULL, ends[1], NULL, 10007, 0));
	return n ? need(read(ends[0], sink, (size_t)n)) : 0;
}

/* Each takes what it gets of the one stream, by a call that netacct hears of in its own way. */
static void each_way_right(int fd)
{
	long (*const some[])(int fd) = { read_some, readv_some, drop_some, splice_some };
	const int n = sizeof(some) / sizeof(*some);

	for (int i = 0; i < n; i++) {
		if (branch() == 0) {
			while (some[i](fd))
				;
			leave();
		}
	}
	join(n);
	need(shutdown(fd, SHUT_WR));
}

static void messages_left(int fd)
{
	of_workers(fd, send_some);
	of_threads(fd, send_some);
	pass();
	await();
}

static void *receive_some(void *arg)
{
	struct blocked *b = arg;

	for (int i = 0; i < 11; i++)
		received(recv(b->ends[0], sink, sizeof(sink), 0));
	return NULL;
}

static void messages_right(int fd)
{
	of_workers(fd, receive_some);
	of_threads(fd, receive_some);
	await();
	pass();
}

/* Until a connection brings nothing. */
static void serve(int listening)
{
	long n;
	int fd;

	do {
		fd = (int)need(accept(listening, NULL, NULL));
		n = received(recv(fd, sink, sizeof(sink), 0));
		sent(send(fd, payload, (size_t)n / 2, 0));
		close(fd);
	} while (n);
}

static void prefork(int unused)
{
	int listening = listener(), fd;

	(void)unused;
	for (int i = 0; i < WORKERS; i++) {
		if (branch() == 0) {
			serve(listening);
			leave();
		}
	}
	for (size_t n = 11 + WORKERS; n--;) {
		fd = open_socket();
		dial(fd, listening);
		if (n >= WORKERS)
			sent(send(fd, payload, n * 101, 0));
		need(shutdown(fd, SHUT_WR));
		drain(fd);
		close(fd);
	}
	join(WORKERS);
}

static void pass_socket(int over, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { payload, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	need(sendmsg(over, &msg, 0));
}

static int await_socket(int over)
{
	char control[CMSG_SPACE(sizeof(int))], c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	if (need(recvmsg(over, &msg, 0)) == 0 || !CMSG_FIRSTHDR(&msg))
		fail("no socket came");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* Whoever moves the bytes is charged. */
static void passed(int unused)
{
	int ends[2], over[2];

	(void)unused;
	connect_pair(ends);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	sent(send(ends[0], payload, 1009, 0));
	pass_socket(over[0], ends[0]);
	pass_socket(over[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
	if (branch() == 0) {
		ends[0] = await_socket(over[1]);
		ends[1] = await_socket(over[1]);
		sent(send(ends[0], payload, 503, 0));
		take(ends[1], 1009);
		sent(send(ends[1], payload, 101, 0));
		pass_socket(over[1], ends[0]);
		pass_socket(over[1], ends[1]);
		leave();
	}
	join(1);
	ends[0] = await_socket(over[0]);
	ends[1] = await_socket(over[0]);
	take(ends[0], 101);
	take(ends[1], 503);
}

/* No process has it while the account is loaded. */
static void held_passed(int unused)
{
	int ends[2], over[2];

	(void)unused;
	connect_pair(ends);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	sent(send(ends[0], payload, 10007, 0));
	take(ends[1], 1009);
	pass_socket(over[0], ends[1]);
	close(ends[1]);
	hold();
	ends[1] = await_socket(over[1]);
	take(ends[1], 8998);
	sent(send(ends[0], payload, 1009, 0));
	take(ends[1], 1009);
	sent(send(ends[1], payload, 1009, 0));
	take(ends[0], 1009);
}

static void *send_much(void *arg)
{
	struct blocked *b = arg;

	__atomic_store_n(&b->tid, gettid(), __ATOMIC_SEQ_CST);
	for (size_t left = 400009; left;)
		left -= (size_t)sent(send(b->ends[0], payload, left, 0));
	return NULL;
}

static void *receive_one(void *arg)
{
	struct blocked *b = arg;

	__atomic_store_n(&b->tid, gettid(), __ATOMIC_SEQ_CST);
	received(recv(b->ends[1], sink, sizeof(sink), 0));
	return NULL;
}

/* All sleep at the same time in a call of their own. */
static void block_all(void *(*job)(void *))
{
	for (int i = 0; i < BLOCKED; i++) {
		connect_pair(blocked[i].ends);
		if (job == send_much)
			set(blocked[i].ends[0], SOL_SOCKET, SO_SNDBUF, 20000);
		start(&blocked[i], job);
	}
	for (int i = 0; i < BLOCKED; i++) {
		while (!__atomic_load_n(&blocked[i].tid, __ATOMIC_SEQ_CST))
			usleep(1000);
		wait_asleep(blocked[i].tid);
	}
}

static void blocked_senders(int unused)
{
	(void)unused;
	block_all(send_much);
	for (int i = 0; i < BLOCKED; i++)
		take(blocked[i].ends[1], 400009);
	finish(BLOCKED);
}

static void blocked_receivers(int unused)
{
	(void)unused;
	block_all(receive_one);
	for (int i = 0; i < BLOCKED; i++)
		sent(send(blocked[i].ends[0], payload, 1009, 0));
	finish(BLOCKED);
}

static struct sockaddr_storage places[2];
static socklen_t place_size;

static void *send_anywhere(void *arg)
{
	struct blocked *b = arg;

	for (int n = 0; n < 500; n++) {
		if (n % 10 == 0)
			need(connect(b->ends[0], (struct sockaddr *)&places[n / 10 % 2],
				     place_size));
		sent(send(b->ends[0], payload, 101, 0));
	}
	return NULL;
}

/* Each thread of each worker connects the one socket anew again and again; nobody reads. */
static void wanderers(int unused)
{
	int fd;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		fd = open_socket();
		bind_local(fd);
		memcpy(&places[i], address_of(fd, &place_size), sizeof(places[i]));
	}
	fd = open_socket();
	for (int i = 0; i < WORKERS; i++) {
		if (branch() == 0) {
			of_threads(fd, send_anywhere);
			leave();
		}
	}
	join(WORKERS);
}

/* So many that what is known of a socket by a hash of its address two share. */
static void many_at_once(int unused)
{
	static int ends[MANY][2];
	struct rlimit limit;

	(void)unused;
	need(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	need(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < MANY; i++)
		connect_pair(ends[i]);
	for (int n = 0; n < 6; n++) {
		for (int i = 0; i < MANY; i++) {
			sent(send(ends[i][0], payload, 1009, 0));
			if ((n + i) % 3)
				take(ends[i][1], 1009);
			else
				take_pipe(ends[i][1], 1009);
		}
	}
}

/* While tests/paths pins all of it to one processor, and reads and resets there. */
static void senders(int unused)
{
	int ends[2];

	(void)unused;
	for (int i = 0; i < SENDERS; i++) {
		if (branch() == 0) {
			connect_pair(ends);
			for (int n = 0; n < ROUNDS; n++) {
				sent(send(ends[0], payload, 101, 0));
				received(recv(ends[1], sink, sizeof(sink), 0));
			}
			leave();
		}
	}
	join(SENDERS);
}

const struct way crowd_ways[] = {
	{ "threads", ENDS " mptcp4", threads_left, threads_right, PLAIN },
	{ "shared", ENDS " mptcp4", workers_left, workers_right, PLAIN },
	{ "shared", "udp4 udp6", messages_left, messages_right, PLAIN },
	{ "shared, each its way", ENDS, much_left, each_way_right, PLAIN },
	{ "shared, connected anew by each", "udp4 udp6", wanderers, NULL, PLAIN },
	{ "prefork", ENDS " mptcp4", prefork, NULL, PLAIN },
	{ "passed", ENDS " udp4", passed, NULL, PLAIN },
	{ "held in flight", ENDS, held_passed, NULL, HELD },
	{ "1500 at once, received and spliced by turns", ENDS, many_at_once, NULL, PLAIN },
	{ "40 blocked senders", ENDS, blocked_senders, NULL, PLAIN },
	{ "40 blocked receivers", "tcp4 mptcp4 udp4 udp6 raw4", blocked_receivers, NULL, PLAIN },
	{ "8 senders on one processor, a reader and a resetter", "tcp4 udp4", senders, NULL,
	  RESETS },
	{},
};
