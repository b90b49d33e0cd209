// SPDX-License-Identifier: GPL-2.0-only
/*
 * attached - keeps pinned programs attached until stdin ends
 *
 * What a tool has loaded can so be put on and off its tracepoints many times a
 * minute, when the tool itself takes seconds to start.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The number of a tracepoint, which is named as tracefs has it: sock/sock_send_length. */
static uint64_t number_of(const char *tracepoint)
{
	unsigned long long number;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", tracepoint);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &number) != 1)
		err(EXIT_FAILURE, "%s", path);
	fclose(f);
	return number;
}

/* Of type tracepoint. */
static void attach(int prog, const char *tracepoint)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(event),
		.config = number_of(tracepoint),
	};
	long fd;

	/* The program runs on every processor, whichever the event is of. */
	fd = syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "perf_event_open %s", tracepoint);
	if (ioctl((int)fd, PERF_EVENT_IOC_SET_BPF, prog) < 0)
		err(EXIT_FAILURE, "attach to %s", tracepoint);
}

/* Of type cgroup/sock_release. */
static void attach_cgroup(int prog, const char *cgroup)
{
	union bpf_attr create = {
		.link_create.prog_fd = (__u32)prog,
		.link_create.attach_type = BPF_CGROUP_INET_SOCK_RELEASE,
	};
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err(EXIT_FAILURE, "%s", cgroup);
	create.link_create.target_fd = (__u32)fd;
	if (syscall(SYS_bpf, BPF_LINK_CREATE, &create, sizeof(create)) < 0)
		err(EXIT_FAILURE, "attach to %s", cgroup);
}

/* Of type tp_btf: it knows where it belongs. */
static void attach_btf(int prog)
{
	union bpf_attr open = { .raw_tracepoint.prog_fd = (__u32)prog };

	if (syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &open, sizeof(open)) < 0)
		err(EXIT_FAILURE, "BPF_RAW_TRACEPOINT_OPEN");
}

static int open_pinned(const char *pin)
{
	union bpf_attr get = { .pathname = (uintptr_t)pin };
	long fd = syscall(SYS_bpf, BPF_OBJ_GET, &get, sizeof(get));

	if (fd < 0)
		err(EXIT_FAILURE, "%s", pin);
	return (int)fd;
}

int main(int argc, char **argv)
{
	char byte;

	if (argc < 3 || argc % 2 == 0) {
		fputs("Usage: attached PIN TRACEPOINT|CGROUP|btf [PIN TRACEPOINT|CGROUP|btf]...\n",
		      stderr);
		return 2;
	}
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i + 1], "btf") == 0)
			attach_btf(open_pinned(argv[i]));
		else if (argv[i + 1][0] == '/')
			attach_cgroup(open_pinned(argv[i]), argv[i + 1]);
		else
			attach(open_pinned(argv[i]), argv[i + 1]);
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return EXIT_SUCCESS;
}
