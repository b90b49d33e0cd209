// SPDX-License-Identifier: GPL-2.0-only
/* Messages: UDP, raw IP, and SCTP among many. */
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ways.h"

static void calls_left(int fd)
{
	struct iovec two[2] = { { payload, 101 }, { payload, 997 } };
	struct msghdr msg = { .msg_iov = two, .msg_iovlen = 2 };

	sent(write(fd, payload, 1009));
	/* cppcheck-suppress invalidFunctionArg; -1: as writev() */
	sent(pwritev2(fd, two, 2, -1, 0));
	sent(sendmsg(fd, &msg, 0));
	received(recv(fd, sink, sizeof(sink), 0));
}

static void calls_right(int fd)
{
	struct iovec two[2] = { { sink, 101 }, { sink, 10007 } };
	struct msghdr msg = { .msg_iov = two, .msg_iovlen = 2 };

	received(read(fd, sink, sizeof(sink)));
	/* cppcheck-suppress invalidFunctionArg */
	received(preadv2(fd, two, 2, -1, 0));
	received(recvmsg(fd, &msg, 0));
	sent(send(fd, payload, 503, 0));
}

/* Several sends make one message. */
static void more_left(int fd)
{
	for (int i = 0; i < 3; i++) {
		sent(send(fd, payload, 1009, MSG_MORE));
		sent(write(fd, payload, 0));
		sent(send(fd, payload, 101, MSG_MORE));
		sent(send(fd, payload, 503, 0));
	}
	await();
}

static void cork_left(int fd)
{
	for (int i = 0; i < 3; i++) {
		set(fd, IPPROTO_UDP, UDP_CORK, 1);
		sent(send(fd, payload, 1009, 0));
		sent(write(fd, payload, 604));
		set(fd, IPPROTO_UDP, UDP_CORK, 0);
	}
	await();
}

static void take_messages(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	wait_for(fd, POLLIN);
	while (poll(&p, 1, 50) > 0)
		received(recv(fd, sink, sizeof(sink), 0));
	pass();
}

static void segments_left(int fd)
{
	char control[CMSG_SPACE(sizeof(uint16_t))] = {};
	struct iovec iov = { payload, 30011 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
	memcpy(CMSG_DATA(c), &(uint16_t){ 1009 }, sizeof(uint16_t));
	sent(sendmsg(fd, &msg, 0));
	set(fd, IPPROTO_UDP, UDP_SEGMENT, 1013);
	sent(send(fd, payload, 20011, 0));
	sent(write(fd, payload, 1));
	await();
}

static void offload_right(int fd)
{
	set(fd, IPPROTO_UDP, UDP_GRO, 1);
	pass();
	take_messages(fd);
}

static void offload_left(int fd)
{
	await();
	segments_left(fd);
}

static void peek_left(int fd)
{
	sent(send(fd, payload, 1009, 0));
	sent(send(fd, payload, 503, 0));
	await();
}

static void peek_right(int fd)
{
	set(fd, SOL_SOCKET, SO_PEEK_OFF, 0);
	for (int i = 0; i < 5; i++)
		recv(fd, sink, 307, MSG_PEEK | MSG_DONTWAIT);
	take_messages(fd);
}

/* A message that does not fit, and an empty one. */
static void cut_left(int fd)
{
	sent(send(fd, payload, 10007, 0));
	sent(send(fd, payload, 0, 0));
	sent(send(fd, payload, 10007, 0));
	if (send(fd, payload, 70000, 0) >= 0 || errno != EMSGSIZE)
		fail("a message too long is no EMSGSIZE");
	await();
}

static void cut_right(int fd)
{
	received(recv(fd, sink, 101, 0));
	received(recv(fd, sink, 101, 0));
	received(recv(fd, sink, 101, MSG_TRUNC));
	if (recv(fd, sink, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		fail("a receive of nothing is no EAGAIN");
	pass();
}

static void fault_left(int fd)
{
	char *half = half_a_buffer(4096);

	if (send(fd, half, 8192, 0) >= 0)
		fail("a send from nowhere is no error");
	sent(send(fd, payload, 8192, 0));
	sent(send(fd, payload, 8192, 0));
	sent(send(fd, payload, 1009, 0));
	await();
}

static void fault_right(int fd)
{
	char *half = half_a_buffer(4096);

	if (recv(fd, half, 8192, 0) >= 0)
		fail("a receive to nowhere is no error");
	wait_for(fd, POLLIN);
	if (recv(fd, half, 8192, MSG_PEEK) >= 0)
		fail("a peek to nowhere is no error");
	take_messages(fd);
}

static void vmsplice_left(int fd)
{
	struct iovec iov = { payload, 12011 };
	int ends[2], file = (int)need(memfd_create("payload", 0));
	off_t off = 0;

	need(write(file, payload, 10007));
	sent_inside(sendfile(fd, file, &off, 10007));
	need(pipe(ends));
	need(vmsplice(ends[1], &iov, 1, 0));
	for (long left = 12011; left;)
		left -= sent_inside(splice(ends[0], NULL, fd, NULL, (size_t)left, 0));
	await();
}

/* One socket, and a remote end after the other. */
static void again(int unused)
{
	int fd = open_socket(), others[2] = { open_socket(), open_socket() };
	struct sockaddr *to;
	socklen_t len;

	(void)unused;
	bind_local(others[0]);
	bind_local(others[1]);
	for (int i = 0; i < 4; i++) {
		int other = others[i & 1];

		dial(fd, other);
		sent(send(fd, payload, 1009, 0));
		received(recv(other, sink, sizeof(sink), 0));
		to = address_of(fd, &len);
		sent(sendto(other, payload, 503, 0, to, len));
		received(recv(fd, sink, sizeof(sink), 0));
		hang_up(fd);
		to = address_of(other, &len);
		sent(sendto(fd, payload, 101, 0, to, len));
		received(recv(other, sink, sizeof(sink), 0));
	}
}

/* What was sent comes back with an error: no receive. */
static void take_error(int fd)
{
	char control[512];
	struct iovec iov = { sink, sizeof(sink) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };

	wait_for(fd, POLLERR);
	if (need(recvmsg(fd, &msg, MSG_ERRQUEUE)) == 0)
		fail("nothing came with the error");
}

static void refused(int unused)
{
	int fd = open_socket(), ends[2], family = 0;
	socklen_t len = sizeof(family);
	long r;

	(void)unused;
	connect_pair(ends);
	need(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len));
	set(fd, IPPROTO_IP, IP_RECVERR, 1);
	if (family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	dial(fd, ends[1]);
	close(ends[1]);
	for (int i = 0; i < 3; i++) {
		do
			r = send(fd, payload, 503, 0);
		while (r < 0 && errno == ECONNREFUSED);
		sent(r);
		take_error(fd);
	}
}

/* With the time a packet was sent comes the packet. */
static void stamped(int unused)
{
	int ends[2];

	(void)unused;
	connect_pair(ends);
	set(ends[0], SOL_SOCKET, SO_TIMESTAMPING,
	    SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE);
	for (int i = 0; i < 3; i++) {
		sent(send(ends[0], payload, 1009, 0));
		take_error(ends[0]);
		take(ends[1], 1009);
	}
}

/* As the call reports it, which is with the header. */
static void with_header(int unused)
{
	struct iphdr *ip = (struct iphdr *)payload;
	int ends[2];
	socklen_t len;

	(void)unused;
	connect_pair(ends);
	set(ends[0], IPPROTO_IP, IP_HDRINCL, 1);
	*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = 253 };
	ip->saddr = ((struct sockaddr_in *)address_of(ends[0], &len))->sin_addr.s_addr;
	ip->daddr = ((struct sockaddr_in *)address_of(ends[1], &len))->sin_addr.s_addr;
	for (int i = 0; i < 3; i++) {
		sent(send(ends[0], payload, 1009, 0));
		received(recv(ends[1], sink, sizeof(sink), 0));
	}
}

/* One socket for many connections. */
static void among_many(int unused)
{
	struct sockaddr_storage from;
	int ends[2];
	socklen_t len;
	struct sockaddr *to;

	(void)unused;
	connect_pair(ends);
	for (int i = 0; i < 3; i++) {
		to = address_of(ends[1], &len);
		sent(sendto(ends[0], payload, 1009, 0, to, len));
		len = sizeof(from);
		received(recvfrom(ends[1], sink, sizeof(sink), 0, (struct sockaddr *)&from, &len));
		sent(sendto(ends[1], payload, 503, 0, (struct sockaddr *)&from, len));
		received(recv(ends[0], sink, sizeof(sink), 0));
	}
}

const struct way datagram_ways[] = {
	{ "calls", UDP " udplite4 udplite6 raw4 unixgram", calls_left, calls_right, PLAIN },
	{ "more", UDP, more_left, take_messages, PLAIN },
	{ "cork", UDP, cork_left, take_messages, PLAIN },
	{ "segments", UDP, segments_left, take_messages, PLAIN },
	{ "segments offloaded", UDP, offload_left, offload_right, PLAIN },
	{ "peek offset", UDP, peek_left, peek_right, PLAIN },
	{ "cut", UDP " udplite4 udplite6 raw4", cut_left, cut_right, PLAIN },
	{ "fault", UDP, fault_left, fault_right, PLAIN },
	{ "vmsplice", UDP, vmsplice_left, take_messages, PLAIN },
	{ "again", UDP, again, NULL, PLAIN },
	{ "refused", UDP, refused, NULL, PLAIN },
	{ "stamped", UDP " tcp4", stamped, NULL, PLAIN },
	{ "with header", "raw4", with_header, NULL, PLAIN },
	{ "among many", "sctpm4 sctpm6", among_many, NULL, PLAIN },
	{},
};
