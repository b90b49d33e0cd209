// SPDX-License-Identifier: GPL-2.0-only
/* What only TCP has: urgent data, corks, fast open, and sockets that are used again. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ways.h"

/* The last byte of a send with MSG_OOB is the urgent one. */
static void urgent_left(int fd)
{
	sent(send(fd, payload, 1009, 0));
	sent(send(fd, payload, 7, MSG_OOB));
	sent(send(fd, payload, 503, 0));
	need(shutdown(fd, SHUT_WR));
	drain(fd);
}

static void urgent_last_left(int fd)
{
	sent(send(fd, payload, 1009, 0));
	sent(send(fd, payload, 1, MSG_OOB));
	need(shutdown(fd, SHUT_WR));
	drain(fd);
}

static void urgent_right(int fd)
{
	wait_for(fd, POLLPRI);
	received(recv(fd, sink, 1, MSG_OOB));
	drain(fd);
}

static void urgent_late_right(int fd)
{
	take(fd, 1009 + 6);
	wait_for(fd, POLLPRI);
	received(recv(fd, sink, 1, MSG_OOB));
	drain(fd);
}

static void urgent_inline_right(int fd)
{
	set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	drain(fd);
}

static void urgent_peeked_right(int fd)
{
	wait_for(fd, POLLPRI);
	need(recv(fd, sink, 1, MSG_OOB | MSG_PEEK));
	need(recv(fd, sink, sizeof(sink), MSG_PEEK));
	drain(fd);
}

static void urgent_spliced_right(int fd)
{
	int ends[2];

	need(pipe(ends));
	while (received_pages(splice(fd, NULL, ends[1], NULL, sizeof(sink), 0)))
		need(read(ends[0], sink, sizeof(sink)));
	/* It stops at the urgent byte. */
	drain(fd);
}

/* The first urgent byte is the next to be read as the second comes: the kernel drops it. */
static void urgent_twice_left(int fd)
{
	sent(send(fd, payload, 101, 0));
	await();
	sent(send(fd, payload, 1, MSG_OOB));
	sent(send(fd, payload, 1, MSG_OOB));
	sent(send(fd, payload, 503, 0));
	need(shutdown(fd, SHUT_WR));
	drain(fd);
}

static void urgent_twice_right(int fd)
{
	take(fd, 101);
	pass();
	wait_for(fd, POLLRDHUP);
	drain(fd);
}

static void cork_left(int fd)
{
	set(fd, IPPROTO_TCP, TCP_CORK, 1);
	for (int i = 0; i < 11; i++)
		sent(send(fd, payload, 101, 0));
	set(fd, IPPROTO_TCP, TCP_CORK, 0);
	for (int i = 0; i < 11; i++)
		sent(send(fd, payload, 103, MSG_MORE));
	sent(send(fd, payload, 1, 0));
	drain(fd);
}

static void cork_right(int fd)
{
	take(fd, 11 * 101 + 11 * 103 + 1);
}

static int fastopen_listener(void)
{
	int fd;

	own_netns();
	/* For clients and servers, cookies or not. */
	write_file("/proc/sys/net/ipv4/tcp_fastopen", "1543");
	fd = listener();
	set(fd, IPPROTO_TCP, TCP_FASTOPEN, 5);
	return fd;
}

static void check_syn_data(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	need(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	if (!(info.tcpi_options & TCPI_OPT_SYN_DATA))
		fail("the SYN carried no data");
}

static void answer(int fd, int listening, size_t n)
{
	int conn = (int)need(accept(listening, NULL, NULL));

	take(conn, n);
	sent(send(conn, payload, 503, 0));
	take(fd, 503);
	sent(send(fd, payload, 101, 0));
	take(conn, 101);
	close(conn);
	close(fd);
}

static void fastopen(int unused)
{
	static const size_t sizes[] = { 101, 1009, 100003 };
	int listening = fastopen_listener(), fd;
	socklen_t len;
	struct sockaddr *to = address_of(listening, &len);

	(void)unused;
	for (int i = 0; i < 3; i++) {
		fd = open_socket();
		sent(sendto(fd, payload, sizes[i], MSG_FASTOPEN, to, len));
		check_syn_data(fd);
		answer(fd, listening, sizes[i]);
	}
	/* Not waiting for the connection, only what the SYN carried is sent. */
	fd = open_socket();
	answer(fd, listening,
	       (size_t)sent(sendto(fd, payload, 30011, MSG_FASTOPEN | MSG_DONTWAIT, to, len)));
}

static void fastopen_connect(int unused)
{
	int listening = fastopen_listener(), fd;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		fd = open_socket();
		set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
		dial(fd, listening);
		sent(write(fd, payload, 1009));
		check_syn_data(fd);
		answer(fd, listening, 1009);
	}
}

/* A socket that is hung up has other sequence numbers in its next life. */
static void again(int unused)
{
	int listening = listener(), fd = open_socket(), conn;

	(void)unused;
	for (int i = 0; i < 6; i++) {
		dial(fd, listening);
		conn = (int)need(accept(listening, NULL, NULL));
		sent(send(fd, payload, 1009, 0));
		take(conn, 1009);
		sent(send(conn, payload, 503, 0));
		/* Some lives begin or end with a splice, after one that ended with a receive. */
		if (i % 3 == 1)
			take_pipe(fd, 101);
		/* Something is left unread in some lives, and nothing is read in one. */
		if (i != 2) {
			take(fd, 101);
			take(fd, i % 2 ? 301 : 101);
		}
		if (i == 3 || i == 5)
			take_pipe(fd, 101);
		hang_up(fd);
		close(conn);
	}
}

static void again_from_listening(int unused)
{
	int listening = listener(), fd = listener(), conn;

	(void)unused;
	conn = open_socket();
	dial(conn, fd);
	sent(send(conn, payload, 101, 0));
	take((int)need(accept(fd, NULL, NULL)), 101);
	hang_up(fd);
	dial(fd, listening);
	conn = (int)need(accept(listening, NULL, NULL));
	sent(send(fd, payload, 1009, 0));
	take(conn, 1009);
	sent(send(conn, payload, 503, 0));
	take(fd, 503);
}

/* The one end that it has sends and receives. */
static void to_itself(int unused)
{
	int fd = open_socket();

	(void)unused;
	bind_local(fd);
	dial(fd, fd);
	for (int i = 0; i < 3; i++) {
		sent(send(fd, payload, 1009, 0));
		take(fd, 1009);
	}
}

#ifndef MAP_32BIT
#define MAP_32BIT 0 /* but for x86 */
#endif

/* As programs of 32 bits call: by other numbers. */
static long call_i386(long number, long a, long b, long c)
{
#ifdef __x86_64__
	__asm__ volatile("int $0x80"
			 : "+a"(number)
			 : "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
#endif
	if (number >= 0)
		return number;
	errno = (int)-number;
	return -1;
}

#define I386_READ   3
#define I386_GETPID 20

static void i386_left(int fd)
{
	sent(send(fd, payload, 10007, 0));
	await();
}

static void i386_right(int fd)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int status;

	if (low == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	/* Where there are no such calls it is killed. */
	if (!need(fork()))
		_exit(call_i386(I386_GETPID, 0, 0, 0) != getpid());
	need(wait(&status));
	if (status)
		lack("calls of 32 bits");
	received(call_i386(I386_READ, fd, (long)low, 503));
	take(fd, 1009);
	received(call_i386(I386_READ, fd, (long)low, 1013));
	take_pipe(fd, 2003);
	received(call_i386(I386_READ, fd, (long)low, 101));
	take(fd, 10007 - 503 - 1009 - 1013 - 2003 - 101);
	pass();
}

const struct way tcp_ways[] = {
	{ "urgent", TCP, urgent_left, urgent_right, PLAIN },
	{ "urgent late", "tcp4", urgent_left, urgent_late_right, PLAIN },
	{ "urgent inline", ENDS, urgent_left, urgent_inline_right, PLAIN },
	{ "urgent skipped", ENDS, urgent_left, drain, PLAIN },
	{ "urgent peeked", "tcp4", urgent_left, urgent_peeked_right, PLAIN },
	{ "urgent spliced", "tcp4", urgent_left, urgent_spliced_right, PLAIN },
	{ "urgent last", ENDS, urgent_last_left, urgent_right, PLAIN },
	{ "urgent last skipped", ENDS, urgent_last_left, drain, PLAIN },
	{ "urgent twice", ENDS, urgent_twice_left, urgent_twice_right, PLAIN },
	{ "cork", TCP, cork_left, cork_right, PLAIN },
	{ "fastopen", ENDS, fastopen, NULL, PLAIN },
	{ "fastopen connect", ENDS, fastopen_connect, NULL, PLAIN },
	{ "again", TCP, again, NULL, PLAIN },
	{ "again from listening", "tcp4", again_from_listening, NULL, PLAIN },
	{ "i386 calls", ENDS, i386_left, i386_right, PLAIN },
	{ "to itself", "tcp4", to_itself, NULL, PLAIN },
	{},
};
