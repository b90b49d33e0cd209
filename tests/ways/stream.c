// SPDX-License-Identifier: GPL-2.0-only
/* What works on many kinds of streams. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ways.h"

#define MULTIPATH "mptcp4 mptcp6 mptcp46 mptcp-tcp4 tcp-mptcp4"
#define BYTES	  TCP " " MULTIPATH " smc4"
#define ANY	  BYTES " sctp4 sctp6 unix"

#define CALLS 4213

static void send_calls(int fd)
{
	struct iovec two[2] = { { payload, 101 }, { payload, 997 } };
	struct msghdr msg = { .msg_iov = two, .msg_iovlen = 2 };

	sent(write(fd, payload, 1009));
	sent(send(fd, payload, 1008, 0));
	sent(sendmsg(fd, &msg, 0));
	/* cppcheck-suppress invalidFunctionArg; -1: as writev() */
	sent(pwritev2(fd, two, 2, -1, 0));
}

static void take_calls(int fd)
{
	struct iovec two[2] = { { sink, 101 }, { sink, 10007 } };
	struct msghdr msg = { .msg_iov = two, .msg_iovlen = 2 };
	long n = received(read(fd, sink, 503));

	/* cppcheck-suppress invalidFunctionArg */
	n += received(preadv2(fd, two, 1, -1, 0));
	n += received(recvmsg(fd, &msg, 0));
	if (n < CALLS)
		take(fd, (size_t)(CALLS - n));
}

static void calls_left(int fd)
{
	send_calls(fd);
	take_calls(fd);
}

static void calls_right(int fd)
{
	take_calls(fd);
	send_calls(fd);
}

static void put_file(int fd)
{
	int file = (int)need(memfd_create("payload", 0));
	off_t off = 0;

	need(write(file, payload, 30011));
	sent_inside(sendfile(fd, file, &off, 10007));
	sent_inside(sendfile(fd, file, &off, 20004));
}

static void sendfile_left(int fd)
{
	put_file(fd);
	take(fd, 30011);
}

static void sendfile_right(int fd)
{
	take(fd, 30011);
	put_file(fd);
}

static void splice_left(int fd)
{
	put_pipe(fd, 30011);
	take_pipe(fd, 30011);
}

static void splice_right(int fd)
{
	take_pipe(fd, 30011);
	put_pipe(fd, 30011);
}

/* Pages of the process itself go out, and what comes in goes into them. */
static void vmsplice_left(int fd)
{
	struct iovec iov = { payload, 20011 };
	int ends[2];

	need(pipe(ends));
	need(vmsplice(ends[1], &iov, 1, 0));
	while (iov.iov_len)
		iov.iov_len -= (size_t)sent_inside(
			splice(ends[0], NULL, fd, NULL, iov.iov_len, SPLICE_F_MORE));
	need(shutdown(fd, SHUT_WR));
	drain(fd);
}

static void vmsplice_right(int fd)
{
	struct iovec iov = { sink, sizeof(sink) };
	int ends[2];

	need(pipe(ends));
	while (received_inside(splice(fd, NULL, ends[1], NULL, sizeof(sink), SPLICE_F_MOVE)))
		need(vmsplice(ends[0], &iov, 1, 0));
}

static void peek_left(int fd)
{
	sent(send(fd, payload, 10007, 0));
	await();
}

static void peek_right(int fd)
{
	set(fd, SOL_SOCKET, SO_PEEK_OFF, 0);
	for (int i = 0; i < 3; i++)
		need(recv(fd, sink, 1009, MSG_PEEK));
	take(fd, 503);
	need(recv(fd, sink, 1009, MSG_PEEK));
	take(fd, 10007 - 503);
	pass();
}

static void shutdown_left(int fd)
{
	sent(send(fd, payload, 10007, 0));
	need(shutdown(fd, SHUT_WR));
	if (send(fd, payload, 1, MSG_NOSIGNAL) >= 0 || errno != EPIPE)
		fail("a send after shutdown is no EPIPE");
	drain(fd);
}

static void shutdown_right(int fd)
{
	drain(fd);
	sent(send(fd, payload, 1009, 0));
	need(shutdown(fd, SHUT_RD));
	if (recv(fd, sink, 1, 0) != 0)
		fail("a receive after shutdown is not the end");
}

/* Until the other side is known to have gone. */
static void unread_left(int fd)
{
	sent(send(fd, payload, 10007, 0));
	await();
	while (recv(fd, sink, 1, 0) >= 0)
		;
	if (send(fd, payload, 1009, MSG_NOSIGNAL) >= 0)
		fail("a send after a reset is no error");
}

static void unread_right(int fd)
{
	take(fd, 1009);
	close(fd);
	pass();
}

static void blocked_left(int fd)
{
	set(fd, SOL_SOCKET, SO_SNDBUF, 20000);
	pass();
	if (sent(send(fd, payload, sizeof(payload), MSG_NOSIGNAL)) == sizeof(payload))
		fail("all was sent");
}

/* The send of the other side ends half-way. */
static void blocked_right(int fd)
{
	await();
	take(fd, 1009);
	usleep(20000);
	close(fd);
}

static void on_alarm(int number)
{
	(void)number;
}

/* Again and again: the first may come before the call. */
static void start_alarms(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 30000 }, { 0, 30000 } };

	need(sigaction(SIGALRM, &action, NULL));
	need(setitimer(ITIMER_REAL, &often, NULL));
}

static void stop_alarms(void)
{
	struct itimerval never = {};

	need(setitimer(ITIMER_REAL, &never, NULL));
}

static void interrupted_left(int fd)
{
	long r;

	set(fd, SOL_SOCKET, SO_SNDBUF, 20000);
	start_alarms();
	do
		r = send(fd, payload, sizeof(payload), 0);
	while (r < 0 && errno == EINTR);
	stop_alarms();
	if (sent(r) == sizeof(payload))
		fail("no signal came");
	need(shutdown(fd, SHUT_WR));
	pass();
	await();
}

static void interrupted_right(int fd)
{
	await();
	drain(fd);
	pass();
}

static void waitall_left(int fd)
{
	sent(send(fd, payload, 1009, 0));
	await();
	sent(send(fd, payload, 503, 0));
	pass();
	await();
}

static void waitall_right(int fd)
{
	long r;

	wait_for(fd, POLLIN);
	start_alarms();
	if (received(recv(fd, sink, 1512, MSG_WAITALL)) != 1009)
		fail("no signal came");
	do
		r = recv(fd, sink, 1512, MSG_WAITALL);
	while (r >= 0);
	if (errno != EINTR)
		fail("no signal came");
	stop_alarms();
	pass();
	await();
	received(recv(fd, sink, 503, MSG_WAITALL));
	pass();
}

static void nonblock_left(int fd)
{
	long r;

	set(fd, SOL_SOCKET, SO_SNDBUF, 20000);
	if (recv(fd, sink, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		fail("a receive of nothing is no EAGAIN");
	do {
		r = send(fd, payload, sizeof(payload), MSG_DONTWAIT);
		if (r > 0)
			sent(r);
	} while (r >= 0);
	if (errno != EAGAIN)
		fail("a send to a full socket is no EAGAIN");
	need(shutdown(fd, SHUT_WR));
	pass();
	await();
}

static void fault_left(int fd)
{
	char *half = half_a_buffer(196608);
	long r;

	await();
	r = send(fd, half, 300007, 0);
	if (r >= 0)
		sent(r);
	else if (errno != EFAULT)
		need(r);
	if (send(fd, half + 196608, 1009, 0) >= 0)
		fail("a send from nowhere is no error");
	sent(send(fd, half, 196608, 0));
	need(shutdown(fd, SHUT_WR));
	await();
}

static void fault_right(int fd)
{
	char *half = half_a_buffer(98304);
	long r;

	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 2 << 20);
	pass();
	/* Until there is more than fits. */
	while (need(recv(fd, sink, sizeof(sink), MSG_PEEK)) < 150000)
		usleep(1000);
	for (int i = 0; i < 5; i++) {
		r = recv(fd, half, 196608, 0);
		if (r >= 0)
			received(r);
		else if (errno != EFAULT)
			need(r);
	}
	drain(fd);
	pass();
}

const struct way stream_ways[] = {
	{ "calls", ANY, calls_left, calls_right, PLAIN },
	{ "sendfile", BYTES, sendfile_left, sendfile_right, PLAIN },
	{ "splice", BYTES, splice_left, splice_right, PLAIN },
	{ "vmsplice", TCP " mptcp4", vmsplice_left, vmsplice_right, PLAIN },
	{ "peek offset", TCP, peek_left, peek_right, PLAIN },
	{ "shutdown", ENDS " mptcp4", shutdown_left, shutdown_right, PLAIN },
	{ "unread", ENDS, unread_left, unread_right, PLAIN },
	{ "reset while sending", ENDS, blocked_left, blocked_right, PLAIN },
	{ "interrupted send", ENDS " mptcp4", interrupted_left, interrupted_right, PLAIN },
	{ "interrupted waitall", ENDS " mptcp4", waitall_left, waitall_right, PLAIN },
	{ "nonblock", ENDS " mptcp4", nonblock_left, interrupted_right, PLAIN },
	{ "fault", ENDS, fault_left, fault_right, PLAIN },
	{},
};
