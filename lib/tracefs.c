// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "detached.h"
#include "pins.h"
#include "tracefs.h"

int tracefs_open(void)
{
	return detached_open("tracefs");
}

static int event_id(int tracefs, const char *group, const char *name, __u64 *id)
{
	char path[192], text[32] = "";
	int fd, err = 0;

	snprintf(path, sizeof(path), "events/%s/%s/id", group, name);
	fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		err = -errno;
	close(fd);
	*id = strtoull(text, NULL, 10);
	return err;
}

int tracefs_event(int tracefs, const char *group, const char *name)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.sample_period = 1 };
	__u64 id = 0;
	int fd, err;

	err = event_id(tracefs, group, name, &id);
	if (err < 0)
		return fail(err);
	attr.config = id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, sched_getcpu(), -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? fail(-errno) : fd;
}

struct bpf_link *tracefs_attach(const struct bpf_program *prog)
{
	const char *group = strchr(bpf_program__section_name(prog), '/') + 1;
	const char *name = strchr(group, '/') + 1;
	char category[64];
	struct bpf_link *link = NULL;
	int tracefs, event;

	snprintf(category, sizeof(category), "%.*s", (int)strcspn(group, "/"), group);
	tracefs = tracefs_open();
	if (tracefs < 0)
		return NULL;
	event = tracefs_event(tracefs, category, name);
	if (event >= 0)
		link = bpf_program__attach_perf_event(prog, event);
	close(tracefs);
	return link;
}
