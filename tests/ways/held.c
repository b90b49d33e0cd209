// SPDX-License-Identifier: GPL-2.0-only
/* Connections that are open before the account is loaded: what moves after that counts. */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ways.h"

static void idle_left(int fd)
{
	sent(send(fd, payload, 1009, 0));
	received(recv(fd, sink, 503, 0));
	hold();
	sent(send(fd, payload, 1013, 0));
	received(recv(fd, sink, 509, 0));
	await();
}

static void idle_right(int fd)
{
	received(recv(fd, sink, 1009, 0));
	sent(send(fd, payload, 503, 0));
	hold();
	received(recv(fd, sink, 1013, 0));
	sent(send(fd, payload, 509, 0));
	pass();
}

static void unread_left(int fd)
{
	sent(send(fd, payload, 10007, 0));
	hold();
	sent(send(fd, payload, 503, 0));
	need(shutdown(fd, SHUT_WR));
	await();
}

static void unread_right(int fd)
{
	take(fd, 1009);
	hold();
	drain(fd);
	pass();
}

static void unread_spliced_right(int fd)
{
	take(fd, 1009);
	hold();
	take_pipe(fd, 10007 - 1009 + 503);
	pass();
}

/* The stream has ended, but nobody knows yet. */
static void ended_left(int fd)
{
	sent(send(fd, payload, 10007, 0));
	need(shutdown(fd, SHUT_WR));
	hold();
	await();
}

static void urgent_left(int fd)
{
	sent(send(fd, payload, 1009, 0));
	sent(send(fd, payload, 1, MSG_OOB));
	sent(send(fd, payload, 503, 0));
	hold();
	sent(send(fd, payload, 101, 0));
	need(shutdown(fd, SHUT_WR));
	await();
}

static void urgent_right(int fd)
{
	wait_for(fd, POLLPRI);
	hold();
	drain(fd);
	pass();
}

static void messages_left(int fd)
{
	for (int i = 0; i < 3; i++)
		sent(send(fd, payload, 1009, 0));
	hold();
	await();
}

static void messages_right(int fd)
{
	received(recv(fd, sink, sizeof(sink), 0));
	hold();
	received(recv(fd, sink, sizeof(sink), 0));
	received(recv(fd, sink, sizeof(sink), 0));
	pass();
}

/* No process has a descriptor of its other end. */
static void not_accepted(int unused)
{
	int listening = listener(), fd = open_socket(), conn;

	(void)unused;
	dial(fd, listening);
	sent(send(fd, payload, 1009, 0));
	hold();
	conn = (int)need(accept(listening, NULL, NULL));
	take(conn, 1009);
	sent(send(fd, payload, 503, 0));
	take(conn, 503);
	sent(send(conn, payload, 101, 0));
	take(fd, 101);
}

static struct {
	int fd;
	pid_t tid;
} blocked;

static void *receive_one(void *unused)
{
	__atomic_store_n(&blocked.tid, gettid(), __ATOMIC_SEQ_CST);
	received(recv(blocked.fd, sink, sizeof(sink), 0));
	return unused;
}

static void blocked_receive(int unused)
{
	pthread_t thread;
	int ends[2];

	(void)unused;
	connect_pair(ends);
	sent(send(ends[0], payload, 101, 0));
	received(recv(ends[1], sink, sizeof(sink), 0));
	blocked.fd = ends[1];
	if (pthread_create(&thread, NULL, receive_one, NULL) != 0)
		fail("no more threads");
	while (!__atomic_load_n(&blocked.tid, __ATOMIC_SEQ_CST))
		usleep(1000);
	wait_asleep(blocked.tid);
	hold();
	sent(send(ends[0], payload, 1009, 0));
	pthread_join(thread, NULL);
	sent(send(ends[0], payload, 503, 0));
	received(recv(ends[1], sink, sizeof(sink), 0));
}

static void again(int unused)
{
	int listening = listener(), fd = open_socket(), conn;

	(void)unused;
	dial(fd, listening);
	conn = (int)need(accept(listening, NULL, NULL));
	sent(send(conn, payload, 503, 0));
	take(fd, 101);
	hold();
	hang_up(fd);
	dial(fd, listening);
	conn = (int)need(accept(listening, NULL, NULL));
	sent(send(conn, payload, 503, 0));
	take(fd, 503);
	sent(send(fd, payload, 1009, 0));
	take(conn, 1009);
}

const struct way held_ways[] = {
	{ "held", TCP " mptcp4 mptcp6 sctp4 udp4 udp6 udp46 udplite4 raw4", idle_left, idle_right,
	  HELD },
	{ "held unread", TCP " mptcp4", unread_left, unread_right, HELD },
	{ "held unread, spliced", ENDS, unread_left, unread_spliced_right, HELD },
	{ "held unread, ended", ENDS " mptcp4", ended_left, unread_right, HELD },
	{ "held unread messages", "udp4 udp6 raw4", messages_left, messages_right, HELD },
	{ "held urgent", "tcp4", urgent_left, urgent_right, HELD },
	{ "held in the accept queue", ENDS " mptcp4", not_accepted, NULL, HELD },
	{ "held in a receive", ENDS " mptcp4 udp4 udp6 raw4", blocked_receive, NULL, HELD },
	{ "held again", ENDS, again, NULL, HELD },
	{},
};
