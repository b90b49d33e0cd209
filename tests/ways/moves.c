// SPDX-License-Identifier: GPL-2.0-only
/* What many ways do. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ways.h"

void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) == 0)
		return;
	if (errno == ENOPROTOOPT || errno == EOPNOTSUPP)
		lack("socket option %d of level %d: %s", option, level, strerror(errno));
	fail("socket option %d of level %d: %s", option, level, strerror(errno));
}

void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	need(poll(&p, 1, -1));
}

/* Until the thread sleeps in whatever call it is in. */
void wait_asleep(pid_t tid)
{
	char name[64], text[256], *state;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/stat", tid);
	do {
		usleep(1000);
		fd = (int)need(open(name, O_RDONLY | O_CLOEXEC));
		text[need(read(fd, text, sizeof(text) - 1))] = 0;
		close(fd);
		state = strrchr(text, ')');
	} while (!state || state[2] != 'S');
}

void take(int fd, size_t n)
{
	long r;

	while (n) {
		r = received(recv(fd, sink, n < sizeof(sink) ? n : sizeof(sink), 0));
		if (r == 0)
			fail("the stream ended %zu bytes early", n);
		n -= (size_t)r;
	}
}

void drain(int fd)
{
	while (received(recv(fd, sink, sizeof(sink), 0)))
		;
}

static int *a_pipe(void)
{
	static __thread int ends[2] = { -1, -1 };

	if (ends[0] < 0) {
		need(pipe(ends));
		need(fcntl(ends[1], F_SETPIPE_SZ, sizeof(payload)));
	}
	return ends;
}

long put_pipe(int fd, size_t n)
{
	int *ends = a_pipe();
	size_t done = 0;

	need(write(ends[1], payload, n));
	while (done < n)
		done += (size_t)sent_inside(splice(ends[0], NULL, fd, NULL, n - done, 0));
	return (long)n;
}

long take_pipe(int fd, size_t n)
{
	int *ends = a_pipe();
	size_t done = 0;
	long r;

	while (done < n) {
		r = received_inside(splice(fd, NULL, ends[1], NULL, n - done, 0));
		if (r == 0)
			fail("the stream ended %zu bytes early", n - done);
		need(read(ends[0], sink, (size_t)r));
		done += (size_t)r;
	}
	return (long)n;
}

void own_netns(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) != 0)
		lack("a network namespace: %s", strerror(errno));
	fd = (int)need(socket(AF_INET, SOCK_DGRAM, 0));
	need(ioctl(fd, SIOCSIFFLAGS, &up));
	close(fd);
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		lack("%s: %s", path, strerror(errno));
	need(write(fd, text, strlen(text)));
	close(fd);
}

char *half_a_buffer(size_t n)
{
	char *p = mmap(NULL, sizeof(payload), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED || mprotect(p + n, sizeof(payload) - n, PROT_NONE))
		fail("half a buffer: %s", strerror(errno));
	return p;
}
