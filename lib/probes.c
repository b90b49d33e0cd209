// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "pins.h"
#include "probes.h"
#include "tracefs.h"

/* KRETPROBE_MAXACTIVE_MAX, kernel/trace/trace_kprobe.c */
#define MAXACTIVE 4096

#define REMOVE_SECONDS 30

/*
 * A function that this kernel has neither built in nor in a module is passed
 * over, unless something is moved through it on every kernel. A probe on a module
 * that is not loaded waits for it.
 */
static const struct probe {
	const char *function;
	const char *module;
	const char *entered; /* the programs */
	const char *returned;
	const char *moves;
} probes[] = {
	{ "inet_sendmsg", NULL, "sending", "sent", "what is sent over IPv4" },
	{ "inet6_sendmsg", NULL, "sending", "sent", "what is sent over IPv6" },
	{ "inet_sendpage", NULL, "sending_page", "sent", NULL },
	{ "packet_sendmsg", "af_packet", "sending", "sent", NULL },
	{ "packet_sendmsg_spkt", "af_packet", "sending", "sent", NULL },
	{ "inet_recvmsg", NULL, "receiving", "received", "what is received over IPv4" },
	{ "inet6_recvmsg", NULL, "receiving", "received", "what is received over IPv6" },
	{ "sock_common_recvmsg", NULL, "receiving", "received", "what raw IPv6 sockets receive" },
	{ "packet_recvmsg", "af_packet", "receiving", "received", NULL },
	{ "mptcp_splice_read", NULL, "splicing", "spliced", NULL },
	{ "tls_sw_splice_read", "tls", "splicing", "spliced", NULL },
	{ "skb_consume_udp", NULL, "consumed", NULL, "what is received by UDP" },
	{ "tcp_rcv_space_adjust", NULL, "copied", NULL, "what is received by TCP" },
};
#define N_PROBES (sizeof(probes) / sizeof(*probes))

/* The group of an account's definitions: FNV-1a of where it is pinned. */
static void group_name(char name[32], const char *pin_dir)
{
	__u32 hash = 2166136261U;

	for (; *pin_dir; pin_dir++)
		hash = (hash ^ (unsigned char)*pin_dir) * 16777619U;
	snprintf(name, 32, "netacct_%08x", hash);
}

static int define(int tracefs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int define(int tracefs, const char *fmt, ...)
{
	char line[256];
	int fd, n, err = 0;
	va_list ap;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fd = openat(tracefs, "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* A definition that is there is another's: no account was found to be there. */
	if (write(fd, line, n) < 0)
		err = errno == EEXIST ? -EBUSY : -errno;
	close(fd);
	return err;
}

/* What it is attached to stays as long as the element of the map. */
static int attach_event(int map, __u32 place, int event, int prog)
{
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) < 0 ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	return bpf_map_update_elem(map, &place, &event, BPF_ANY);
}

struct attaching {
	int tracefs;
	char group[32];
	const struct bpf_object *obj;
	const struct btf *btf;
	int map;
	__u32 n;
};

static const struct bpf_program *hook_of(const struct bpf_object *obj, const char *program)
{
	char hook[64];

	snprintf(hook, sizeof(hook), "%s_hook", program);
	return bpf_object__find_program_by_name(obj, hook);
}

static int attach_one(struct attaching *a, const struct probe *p, const char *module, bool returned)
{
	const char *program = returned ? p->returned : p->entered;
	const struct bpf_program *prog = hook_of(a->obj, program);
	char event[96], kind[16] = "p";
	int fd, err;

	snprintf(event, sizeof(event), "%s_%s%s", a->group, p->function,
		 returned ? "_returned" : "");
	if (returned)
		snprintf(kind, sizeof(kind), "r%d", MAXACTIVE);
	err = define(a->tracefs, "%s:%s/%s %s%s%s\n", kind, a->group, event, module ?: "",
		     module ? ":" : "", p->function);
	if (err < 0)
		return err;
	err = fd = tracefs_event(a->tracefs, a->group, event);
	if (fd < 0)
		return err;
	err = attach_event(a->map, a->n++, fd, bpf_program__fd(prog));
	close(fd);
	return err;
}

/* Both or none: the return is worth nothing without the entry. */
static int attach(struct attaching *a, const struct probe *p)
{
	bool built_in = btf__find_by_name_kind(a->btf, p->function, BTF_KIND_FUNC) > 0;
	const char *module = built_in ? NULL : p->module;
	int err = 0;

	if (!built_in && !module && !p->moves)
		return 0;
	if (p->returned)
		err = attach_one(a, p, module, true);
	if (!err)
		err = attach_one(a, p, module, false);
	return err;
}

int probes_check(void)
{
	int tracefs = tracefs_open(), err = 0;

	if (tracefs < 0)
		return tracefs == -ENODEV ? fail(-ENOTSUP) : tracefs;
	if (faccessat(tracefs, "kprobe_events", F_OK, 0) < 0)
		err = errno == ENOENT ? -ENOTSUP : -errno;
	close(tracefs);
	return fail(err);
}

int probes_attach(const char *pin_dir, const struct bpf_object *obj, const struct btf *btf,
		  char *what, size_t size)
{
	struct attaching a = { .obj = obj, .btf = btf };
	int err = 0;

	a.map = bpf_object__find_map_fd_by_name(obj, PIN_PROBES);
	group_name(a.group, pin_dir);
	a.tracefs = tracefs_open();
	if (a.tracefs < 0) {
		snprintf(what, size, "cannot open tracefs, where kprobes are made");
		return fail(a.tracefs);
	}
	for (size_t i = 0; !err && i < N_PROBES; i++) {
		if (!hook_of(obj, probes[i].entered))
			continue;
		err = attach(&a, &probes[i]);
		if (err < 0 && probes[i].moves)
			snprintf(what, size, "cannot probe %s: %s would go uncounted",
				 probes[i].function, probes[i].moves);
		else if (err < 0)
			snprintf(what, size, "cannot probe %s", probes[i].function);
	}
	close(a.tracefs);
	return fail(err);
}

/* Hands out each line of a file of tracefs that names the account's group. */
static int each_line(const char *pin_dir, const char *name,
		     int (*each)(int tracefs, const char *group, char *line, void *arg), void *arg)
{
	char group[32], *line = NULL;
	size_t size = 0;
	int tracefs, fd, err = 0;
	FILE *f;

	group_name(group, pin_dir);
	tracefs = tracefs_open();
	if (tracefs < 0)
		return tracefs;
	fd = openat(tracefs, name, O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		close(tracefs);
		return err;
	}
	while (!err && getline(&line, &size, f) > 0)
		if (strstr(line, group))
			err = each(tracefs, group, line, arg);
	free(line);
	fclose(f);
	close(tracefs);
	return err;
}

/* "p:GROUP/EVENT FUNCTION"; it is busy until the kernel has let go of the perf event. */
static int remove_one(int tracefs, const char *group, char *line, void *arg)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	time_t end = time(NULL) + REMOVE_SECONDS;
	char *event = strchr(line, '/');
	int err;

	(void)arg;
	if (!event)
		return 0;
	event[strcspn(event, " \n")] = '\0';
	while ((err = define(tracefs, "-:%s%s\n", group, event)) == -EBUSY && time(NULL) < end)
		nanosleep(&nap, NULL);
	return err == -ENOENT ? 0 : err;
}

int probes_remove(const char *pin_dir)
{
	int err = each_line(pin_dir, "kprobe_events", remove_one, NULL);

	/* No kprobes, so none of ours. */
	return err == -ENOENT || err == -ENODEV || err == -EPERM ? 0 : fail(err);
}

/* EVENT HITS MISSES: the event has the group's name in its own, as the group is not told here. */
static int add_missed(int tracefs, const char *group, char *line, void *arg)
{
	unsigned long long n;
	__u64 *missed = arg;

	(void)tracefs;
	(void)group;
	if (sscanf(line, "%*s %*u %llu", &n) == 1)
		*missed += n;
	return 0;
}

int probes_missed(const char *pin_dir, __u64 *missed)
{
	return fail(each_line(pin_dir, "kprobe_profile", add_missed, missed));
}
