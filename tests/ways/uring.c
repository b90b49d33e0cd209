// SPDX-License-Identifier: GPL-2.0-only
/* Calls that others make for us: io_uring, by its system calls, and Linux AIO. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ways.h"

#define ENTRIES 16

static struct ring {
	int fd;
	unsigned int features, *sq_tail, *sq_flags, *cq_head, *cq_tail;
	unsigned int mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned int submitted;
} ring;

static void *map_ring(size_t size, long offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
		       offset);

	if (p == MAP_FAILED)
		fail("io_uring: mmap: %s", strerror(errno));
	return p;
}

static void open_ring(unsigned int flags)
{
	struct io_uring_params p = { .flags = flags, .sq_thread_idle = 100 };
	char *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring.fd < 0)
		lack("io_uring: %s", strerror(errno));
	sq = map_ring(p.sq_off.array + p.sq_entries * sizeof(int), IORING_OFF_SQ_RING);
	cq = map_ring(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring.sqes = map_ring(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.features = p.features;
	ring.sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	ring.sq_flags = (unsigned int *)(sq + p.sq_off.flags);
	ring.cq_head = (unsigned int *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	ring.mask = *(unsigned int *)(cq + p.cq_off.ring_mask);
	ring.submitted = 0;
	/* An entry stays where it is. */
	for (unsigned int i = 0; i < p.sq_entries; i++)
		((unsigned int *)(sq + p.sq_off.array))[i] = i;
}

static void needs_op(int op, const char *name)
{
	struct {
		struct io_uring_probe probe;
		struct io_uring_probe_op ops[256];
	} p = {};

	need(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PROBE, &p, 256));
	if (op > p.probe.last_op || !(p.ops[op].flags & IO_URING_OP_SUPPORTED))
		lack("io_uring: no %s", name);
}

static struct io_uring_sqe *prepare(int op, int fd, const void *at, unsigned int len, int flags)
{
	struct io_uring_sqe *sqe = &ring.sqes[ring.submitted++ % ENTRIES];

	*sqe = (struct io_uring_sqe){
		.opcode = (unsigned char)op,
		.fd = fd,
		.flags = (unsigned char)flags,
		.addr = (uintptr_t)at,
		.len = len,
		.user_data = (unsigned long)op,
	};
	return sqe;
}

static void submit(unsigned int n)
{
	__atomic_store_n(ring.sq_tail, ring.submitted, __ATOMIC_SEQ_CST);
	need(syscall(SYS_io_uring_enter, ring.fd, n, 0,
		     __atomic_load_n(ring.sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP
			     ? IORING_ENTER_SQ_WAKEUP
			     : 0,
		     NULL, 0));
}

struct completion {
	unsigned long op;
	int result;
	unsigned int flags;
};

static struct completion complete(void)
{
	struct io_uring_cqe *cqe;
	struct completion c;
	unsigned int head = *ring.cq_head;

	while (head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE))
		need(syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	cqe = &ring.cqes[head & ring.mask];
	c = (struct completion){ cqe->user_data, cqe->res, cqe->flags };
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	return c;
}

static bool sends(unsigned long op)
{
	return op == IORING_OP_SEND || op == IORING_OP_SENDMSG || op == IORING_OP_WRITE ||
	       op == IORING_OP_WRITEV || op == IORING_OP_WRITE_FIXED || op == IORING_OP_SEND_ZC ||
	       op == IORING_OP_SENDMSG_ZC;
}

static void count(struct completion c)
{
	if (c.result < 0)
		fail("io_uring: operation %lu: %s", c.op, strerror(-c.result));
	if (sends(c.op))
		sent(c.result);
	else
		received(c.result);
}

static struct iovec out = { payload, 1009 }, in = { sink, 1009 };
static struct msghdr out_msg = { .msg_iov = &out, .msg_iovlen = 1 };
static struct msghdr in_msg = { .msg_iov = &in, .msg_iovlen = 1 };

static const struct {
	void *at;
	int op;
	unsigned int len;
} sending[] = {
	{ payload, IORING_OP_SEND, 1009 },	  { &out_msg, IORING_OP_SENDMSG, 1 },
	{ payload, IORING_OP_WRITE, 1009 },	  { &out, IORING_OP_WRITEV, 1 },
	{ payload, IORING_OP_WRITE_FIXED, 1009 },
}, receiving[] = {
	{ sink, IORING_OP_RECV, 1009 },	      { &in_msg, IORING_OP_RECVMSG, 1 },
	{ sink, IORING_OP_READ, 1009 },	      { &in, IORING_OP_READV, 1 },
	{ sink, IORING_OP_READ_FIXED, 1009 },
};

static void prepare_receive(int i, int fd, int flags)
{
	struct io_uring_sqe *sqe;

	sqe = prepare(receiving[i].op, fd, receiving[i].at, receiving[i].len, flags);
	if (receiving[i].op == IORING_OP_READ_FIXED)
		sqe->buf_index = 1;
	submit(1);
}

/* Each receive waits for the send that comes after it, or finds what came before. */
static void all_calls(int from, int to, int flags, bool waits)
{
	struct iovec buffers[2] = { { payload, 1009 }, { sink, 1009 } };

	need(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, buffers, 2));
	for (int i = 0; i < 5; i++) {
		if (waits) {
			prepare_receive(i, to, flags);
		}
		prepare(sending[i].op, from, sending[i].at, sending[i].len, flags);
		submit(1);
		count(complete());
		if (!waits) {
			prepare_receive(i, to, flags);
		}
		count(complete());
	}
}

static void plain(int unused)
{
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	all_calls(ends[0], ends[1], 0, false);
}

static void waiting(int unused)
{
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	all_calls(ends[0], ends[1], 0, true);
}

/* By threads of the kernel that work for this process. */
static void by_workers(int unused)
{
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	all_calls(ends[0], ends[1], IOSQE_ASYNC, false);
}

static void by_waiting_workers(int unused)
{
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	all_calls(ends[0], ends[1], IOSQE_ASYNC, true);
}

/* By a thread of the kernel that watches the ring; up to 5.10 it knows only registered files. */
static void polled(int unused)
{
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(IORING_SETUP_SQPOLL);
	need(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, ends, 2));
	all_calls(0, 1, IOSQE_FIXED_FILE, false);
}

/* Two completions each: what was sent, and that the pages are free again. */
static void zero_copy(int unused)
{
	struct completion c;
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	needs_op(IORING_OP_SEND_ZC, "IORING_OP_SEND_ZC");
	for (int i = 0; i < 5; i++) {
		prepare(IORING_OP_SEND_ZC, ends[0], payload, 10007, i & 1 ? IOSQE_ASYNC : 0);
		submit(1);
		for (unsigned int more = 2; more; more--) {
			c = complete();
			if (c.flags & IORING_CQE_F_NOTIF)
				continue;
			count(c);
			if (!(c.flags & IORING_CQE_F_MORE))
				more--;
			received(recv(ends[1], sink, 10007, MSG_WAITALL));
		}
	}
}

static void zero_copy_message(int unused)
{
	struct completion c;
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	needs_op(IORING_OP_SENDMSG_ZC, "IORING_OP_SENDMSG_ZC");
	prepare(IORING_OP_SENDMSG_ZC, ends[0], &out_msg, 1, 0);
	submit(1);
	do {
		c = complete();
		if (!(c.flags & IORING_CQE_F_NOTIF))
			count(c);
	} while (c.flags & IORING_CQE_F_MORE);
	take(ends[1], 1009);
}

static long splice_by_ring(int from, int to, unsigned int n)
{
	struct io_uring_sqe *sqe = prepare(IORING_OP_SPLICE, to, NULL, n, 0);
	struct completion c;

	sqe->off = ~0ULL;
	sqe->splice_off_in = ~0ULL;
	sqe->splice_fd_in = from;
	submit(1);
	c = complete();
	errno = -c.result;
	return c.result < 0 ? -1 : c.result;
}

static void spliced(int unused)
{
	int ends[2], out_pipe[2], in_pipe[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	needs_op(IORING_OP_SPLICE, "IORING_OP_SPLICE");
	need(pipe(out_pipe));
	need(pipe(in_pipe));
	need(write(out_pipe[1], payload, 30011));
	for (long left = 30011; left;)
		left -= sent_inside(splice_by_ring(out_pipe[0], ends[0], (unsigned int)left));
	need(shutdown(ends[0], SHUT_WR));
	while (received_inside(splice_by_ring(ends[1], in_pipe[1], 10007)))
		need(read(in_pipe[0], sink, sizeof(sink)));
}

/* One request, and a completion and a buffer for each receive. */
static void multishot(int unused)
{
	struct io_uring_sqe *sqe;
	int ends[2];

	(void)unused;
	connect_pair(ends);
	open_ring(0);
	needs_op(IORING_OP_SEND_ZC, "multishot receive"); /* of the same version */
	sqe = prepare(IORING_OP_PROVIDE_BUFFERS, 8, sink, 1009, 0);
	sqe->buf_group = 1;
	submit(1);
	if (complete().result < 0)
		fail("io_uring: buffers cannot be provided");
	sqe = prepare(IORING_OP_RECV, ends[1], NULL, 0, IOSQE_BUFFER_SELECT);
	sqe->buf_group = 1;
	sqe->ioprio = IORING_RECV_MULTISHOT;
	submit(1);
	for (int i = 0; i < 5; i++) {
		sent(send(ends[0], payload, 1009, 0));
		count(complete());
	}
}

/* Descriptors that only the ring has. */
static void registered(int unused)
{
	int ends[2];

	(void)unused;
	connect_pair(ends);
	sent(send(ends[0], payload, 1009, 0));
	received(recv(ends[1], sink, sizeof(sink), 0));
	open_ring(0);
	need(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, ends, 2));
	close(ends[0]);
	close(ends[1]);
	hold();
	all_calls(0, 1, IOSQE_FIXED_FILE, false);
}

static long aio_call(aio_context_t context, int op, int fd, void *at, size_t len)
{
	struct iocb cb = { .aio_lio_opcode = (unsigned short)op,
			   .aio_fildes = (unsigned int)fd,
			   .aio_buf = (uintptr_t)at,
			   .aio_nbytes = len };
	struct iocb *one = &cb;
	struct io_event event;

	need(syscall(SYS_io_submit, context, 1, &one));
	need(syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
	errno = (int)-event.res;
	return event.res < 0 ? -1 : (long)event.res;
}

static void aio(int unused)
{
	aio_context_t context = 0;
	int ends[2];

	(void)unused;
	connect_pair(ends);
	if (syscall(SYS_io_setup, 4, &context) != 0)
		lack("io_setup: %s", strerror(errno));
	sent(aio_call(context, IOCB_CMD_PWRITE, ends[0], payload, 1009));
	received(aio_call(context, IOCB_CMD_PREAD, ends[1], sink, 1009));
	sent(aio_call(context, IOCB_CMD_PWRITEV, ends[0], &out, 1));
	received(aio_call(context, IOCB_CMD_PREADV, ends[1], &in, 1));
}

const struct way uring_ways[] = {
	{ "aio", ENDS " udp4 mptcp4", aio, NULL, PLAIN },
	{ "io_uring", ENDS " udp4 udp6 mptcp4", plain, NULL, PLAIN },
	{ "io_uring waiting", ENDS " udp4 mptcp4", waiting, NULL, PLAIN },
	{ "io_uring workers", ENDS " udp4 mptcp4", by_workers, NULL, PLAIN },
	{ "io_uring waiting workers", ENDS " udp4 mptcp4", by_waiting_workers, NULL, PLAIN },
	{ "io_uring polled", ENDS " udp4", polled, NULL, PLAIN },
	{ "io_uring zero-copy", ENDS " udp4", zero_copy, NULL, PLAIN },
	{ "io_uring zero-copy message", ENDS " udp4", zero_copy_message, NULL, PLAIN },
	{ "io_uring splice", ENDS " mptcp4", spliced, NULL, PLAIN },
	{ "io_uring multishot", ENDS " udp4", multishot, NULL, PLAIN },
	{ "held by io_uring", "tcp4 udp4", registered, NULL, HELD },
	{},
};
