// SPDX-License-Identifier: GPL-2.0-only
/*
 * objects - the ids of all BPF programs, maps and links, one a line
 *
 * bpftool opens what it lists. A PROG_ARRAY whose last user is gone is emptied
 * by a work item; if it is opened and closed again before that has run, the
 * kernel takes a reference for it twice and gives back one, and the map stays
 * for ever. So who waits for objects to go must not open them.
 */
#include <err.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void list(const char *kind, enum bpf_cmd next_id)
{
	union bpf_attr attr = { .start_id = 0 };

	while (syscall(SYS_bpf, next_id, &attr, sizeof(attr)) == 0) {
		printf("%s %u\n", kind, attr.next_id);
		attr = (union bpf_attr){ .start_id = attr.next_id };
	}
	if (errno != ENOENT)
		err(EXIT_FAILURE, "%s", kind);
}

int main(void)
{
	list("prog", BPF_PROG_GET_NEXT_ID);
	list("map", BPF_MAP_GET_NEXT_ID);
	list("link", BPF_LINK_GET_NEXT_ID);
	return EXIT_SUCCESS;
}
