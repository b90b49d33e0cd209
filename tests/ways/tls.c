// SPDX-License-Identifier: GPL-2.0-only
/* kTLS: the kernel encrypts and decrypts; what counts is what the process sees. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ways.h"

#define BYTES 30011

static void use_key(int fd, int direction, unsigned short version, unsigned char key)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info = { .version = version, .cipher_type = TLS_CIPHER_AES_GCM_128 },
	};

	memset(info.key, key, sizeof(info.key));
	memset(info.iv, key, sizeof(info.iv));
	memset(info.salt, key, sizeof(info.salt));
	if (setsockopt(fd, SOL_TLS, direction, &info, sizeof(info)) != 0)
		lack("kTLS: a key: %s", strerror(errno));
}

static void use_tls(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) != 0)
		lack("kTLS: %s", strerror(errno));
}

static void tls_left(int fd)
{
	use_tls(fd);
	use_key(fd, TLS_TX, TLS_1_2_VERSION, 1);
	use_key(fd, TLS_RX, TLS_1_2_VERSION, 2);
	pass();
	await();
}

static void tls_right(int fd)
{
	use_tls(fd);
	use_key(fd, TLS_TX, TLS_1_2_VERSION, 2);
	use_key(fd, TLS_RX, TLS_1_2_VERSION, 1);
	pass();
	await();
}

static void send_calls(int fd)
{
	struct iovec two[2] = { { payload, 101 }, { payload, 997 } };
	struct msghdr msg = { .msg_iov = two, .msg_iovlen = 2 };

	sent(write(fd, payload, 1009));
	sent(send(fd, payload, BYTES - 1009 - 1098, MSG_MORE));
	sent(sendmsg(fd, &msg, 0));
}

static void take_calls(int fd)
{
	received(read(fd, sink, 503));
	need(recv(fd, sink, 1009, MSG_PEEK));
	received(recv(fd, sink, 20011, MSG_WAITALL));
	take(fd, BYTES - 503 - 20011);
}

static void calls_left(int fd)
{
	tls_left(fd);
	send_calls(fd);
	take_calls(fd);
}

static void calls_right(int fd)
{
	tls_right(fd);
	take_calls(fd);
	send_calls(fd);
}

static void newer_left(int fd)
{
	use_tls(fd);
	use_key(fd, TLS_TX, TLS_1_3_VERSION, 1);
	use_key(fd, TLS_RX, TLS_1_3_VERSION, 2);
	send_calls(fd);
	take_calls(fd);
}

static void newer_right(int fd)
{
	/* What comes before the keys are there is not lost. */
	wait_for(fd, POLLIN);
	use_tls(fd);
	use_key(fd, TLS_TX, TLS_1_3_VERSION, 2);
	use_key(fd, TLS_RX, TLS_1_3_VERSION, 1);
	take_calls(fd);
	send_calls(fd);
}

static void put_file(int fd)
{
	int file = (int)need(memfd_create("payload", 0));
	off_t off = 0;

	need(write(file, payload, BYTES));
	while (off < BYTES)
		sent_inside(sendfile(fd, file, &off, (size_t)(BYTES - off)));
}

static void sendfile_left(int fd)
{
	tls_left(fd);
	put_file(fd);
	take(fd, BYTES);
}

static void sendfile_right(int fd)
{
	tls_right(fd);
	take(fd, BYTES);
	put_file(fd);
}

static void splice_in_left(int fd)
{
	tls_left(fd);
	put_pipe(fd, BYTES);
	take(fd, BYTES);
}

static void splice_in_right(int fd)
{
	tls_right(fd);
	take(fd, BYTES);
	put_pipe(fd, BYTES);
}

static void splice_out_left(int fd)
{
	tls_left(fd);
	sent(send(fd, payload, BYTES, 0));
	take_pipe(fd, BYTES);
}

static void splice_out_right(int fd)
{
	tls_right(fd);
	take_pipe(fd, BYTES);
	sent(send(fd, payload, BYTES, 0));
}

static void control_left(int fd)
{
	char control[CMSG_SPACE(1)] = {};
	struct iovec iov = { payload, 101 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	tls_left(fd);
	sent(send(fd, payload, 1009, 0));
	c->cmsg_level = SOL_TLS;
	c->cmsg_type = TLS_SET_RECORD_TYPE;
	c->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(c) = 21; /* an alert */
	sent(sendmsg(fd, &msg, 0));
	await();
}

static void control_right(int fd)
{
	char control[CMSG_SPACE(1)] = {};
	struct iovec iov = { sink, sizeof(sink) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };

	tls_right(fd);
	take(fd, 1009);
	received(recvmsg(fd, &msg, 0));
	pass();
}

/* What the right side receives is cipher text, and so is what it sends. */
static void one_side_left(int fd)
{
	use_tls(fd);
	use_key(fd, TLS_TX, TLS_1_2_VERSION, 1);
	sent(send(fd, payload, BYTES, 0));
	put_file(fd);
	need(shutdown(fd, SHUT_WR));
	take(fd, 1009);
}

static void one_side_right(int fd)
{
	drain(fd);
	sent(send(fd, payload, 1009, 0));
}

static void held_left(int fd)
{
	tls_left(fd);
	hold();
	send_calls(fd);
	take_calls(fd);
}

static void held_right(int fd)
{
	tls_right(fd);
	hold();
	take_calls(fd);
	send_calls(fd);
}

const struct way tls_ways[] = {
	{ "ktls", TCP, calls_left, calls_right, PLAIN },
	{ "ktls 1.3", ENDS, newer_left, newer_right, PLAIN },
	{ "ktls sendfile", ENDS, sendfile_left, sendfile_right, PLAIN },
	{ "ktls splice in", ENDS, splice_in_left, splice_in_right, PLAIN },
	{ "ktls splice out", ENDS, splice_out_left, splice_out_right, PLAIN },
	{ "ktls control", "tcp4", control_left, control_right, PLAIN },
	{ "ktls one side", "tcp4", one_side_left, one_side_right, PLAIN },
	{ "held ktls", "tcp4", held_left, held_right, HELD },
	{},
};
