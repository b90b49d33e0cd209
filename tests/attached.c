// SPDX-License-Identifier: GPL-2.0-only
/*
 * attached - keeps pinned programs of type tracepoint attached until stdin ends
 *
 * What a tool has loaded can so be put on and off its tracepoints many times a
 * minute, when the tool itself takes seconds to start.
 */
#include <err.h>
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

static void attach(const char *pin, const char *tracepoint)
{
	union bpf_attr get = { .pathname = (uintptr_t)pin };
	struct perf_event_attr event = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(event),
		.config = number_of(tracepoint),
	};
	long prog, fd;

	prog = syscall(SYS_bpf, BPF_OBJ_GET, &get, sizeof(get));
	if (prog < 0)
		err(EXIT_FAILURE, "%s", pin);
	/* The program runs on every processor, whichever the event is of. */
	fd = syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "perf_event_open %s", tracepoint);
	if (ioctl((int)fd, PERF_EVENT_IOC_SET_BPF, prog) < 0)
		err(EXIT_FAILURE, "attach %s to %s", pin, tracepoint);
}

int main(int argc, char **argv)
{
	char byte;

	if (argc < 3 || argc % 2 == 0) {
		fputs("Usage: attached PIN TRACEPOINT [PIN TRACEPOINT]...\n", stderr);
		return 2;
	}
	for (int i = 1; i < argc; i += 2)
		attach(argv[i], argv[i + 1]);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return EXIT_SUCCESS;
}
