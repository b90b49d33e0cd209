/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ways - the ways that bytes take through sockets, and how many went each
 *
 * A way is what two processes, left and right, do with the two ends of a
 * connection; or what one process does alone, with ends that it makes itself.
 * Each wraps its calls in sent() or received(), which add up what they return.
 */
#ifndef WAYS_H
#define WAYS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define TCP  "tcp4 tcp6 tcp46"
#define UDP  "udp4 udp6 udp46"
#define ENDS "tcp4 tcp6" /* where the version of IP matters little */

/* Plain ways run under an account; held ones call hold(), where it is loaded; what resets is loops.
 */
enum when { PLAIN, HELD, RESETS };

struct way {
	const char *name;
	const char *kinds; /* of connections: names of main.c */
	void (*left)(int fd);
	void (*right)(int fd); /* NULL: left is alone, and fd is -1 */
	enum when when;
};
extern const struct way stream_ways[], tcp_ways[], datagram_ways[], uring_ways[], tls_ways[],
	sockmap_ways[], crowd_ways[], held_ways[];

extern char payload[1 << 20], sink[1 << 20];

/* What a call returned, which cannot be an error here. */
#define need(call) need_of(call, #call)
long need_of(long r, const char *call);

/* The same of one that sends or receives. */
#define sent(call)     sent_of(call, 1, #call)
#define received(call) received_of(call, 1, #call)
/* Of sendfile, io_uring and their kind: the calls inside cannot be known. */
#define sent_inside(call)     sent_of(call, -1, #call)
#define received_inside(call) received_of(call, -1, #call)
/* Moved pages, which netacct counts no calls for. */
#define received_pages(call) received_of(call, 0, #call)
long sent_of(long r, int calls, const char *call);
long received_of(long r, int calls, const char *call);

/* Ends the process: it went wrong; or this kernel, or this machine, has no such way. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void lack(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A turn for the other side, and one of its turns for this. */
void pass(void);
void await(void);

/* Where the account is loaded. What moved before does not count. */
void hold(void);

/* Another process that does the same job: 0 in it. It ends with leave(); join() awaits n of them.
 */
int branch(void);
_Noreturn void leave(void);
void join(int n);

int open_socket(void); /* of the left end */
void bind_local(int fd);
void connect_pair(int ends[2]); /* a connection: left, right */
struct sockaddr *address_of(int fd, socklen_t *len);
int listener(void);		 /* on a free port */
void dial(int fd, int listener); /* connects to it */
void hang_up(int fd);		 /* connect(AF_UNSPEC) */

void set(int fd, int level, int option, int value);
void wait_for(int fd, short events);
void wait_asleep(pid_t tid);
void take(int fd, size_t n);	 /* receives so much */
void drain(int fd);		 /* until the end */
long put_pipe(int fd, size_t n); /* through a pipe, by splice */
long take_pipe(int fd, size_t n);
void own_netns(void);
void write_file(const char *path, const char *text);
char *half_a_buffer(size_t n); /* what follows cannot be used */

#endif
