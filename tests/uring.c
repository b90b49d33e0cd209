// SPDX-License-Identifier: GPL-2.0-only
/*
 * uring - a connection whose both ends are one process's own, and that no system
 * call of the names connect and accept opens: io_uring does
 *
 * Prints the port that was connected to. Exit status 77: there is no io_uring.
 */
#include <err.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES 1009

static struct io_uring_params params = {};
static int ring;
static char *sq, *cq;
static struct io_uring_sqe *sqes;

static long need(long r, const char *what)
{
	if (r < 0)
		err(EXIT_FAILURE, "%s", what);
	return r;
}

static void *map(size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, offset);

	if (p == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	return p;
}

static void open_ring(void)
{
	ring = (int)syscall(SYS_io_uring_setup, 2, &params);
	if (ring < 0)
		err(77, "io_uring_setup");
	sq = map(params.sq_off.array + params.sq_entries * sizeof(int), IORING_OFF_SQ_RING);
	cq = map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
		 IORING_OFF_CQ_RING);
	sqes = map(params.sq_entries * sizeof(*sqes), IORING_OFF_SQES);
}

static void put(unsigned int i, struct io_uring_sqe sqe)
{
	sqe.user_data = i;
	sqes[i] = sqe;
	((unsigned int *)(sq + params.sq_off.array))[i] = i;
	__atomic_store_n((unsigned int *)(sq + params.sq_off.tail), i + 1, __ATOMIC_RELEASE);
}

int main(void)
{
	const struct io_uring_cqe *cqes;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(to);
	char data[BYTES] = {};
	int listening, out, in = -1;

	open_ring();
	listening = (int)need(socket(AF_INET, SOCK_STREAM, 0), "socket");
	out = (int)need(socket(AF_INET, SOCK_STREAM, 0), "socket");
	need(bind(listening, (struct sockaddr *)&to, size), "bind");
	need(listen(listening, 1), "listen");
	need(getsockname(listening, (struct sockaddr *)&to, &size), "getsockname");

	put(0, (struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = listening });
	put(1,
	    (struct io_uring_sqe){
		    .opcode = IORING_OP_CONNECT, .fd = out, .addr = (uintptr_t)&to, .off = size });
	need(syscall(SYS_io_uring_enter, ring, 2, 2, IORING_ENTER_GETEVENTS, NULL, 0), "enter");
	cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
	for (int i = 0; i < 2; i++) {
		if (cqes[i].res < 0)
			errx(EXIT_FAILURE, "operation %d: %s", i, strerror(-cqes[i].res));
		if (cqes[i].user_data == 0)
			in = cqes[i].res;
	}

	need(write(out, data, sizeof(data)), "write");
	need(recv(in, data, sizeof(data), MSG_WAITALL), "recv");
	printf("%d\n", ntohs(to.sin_port));
	return EXIT_SUCCESS;
}
