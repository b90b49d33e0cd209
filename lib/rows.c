// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <unistd.h>
#include "pins.h"
#include "rows.h"
int rows_pin(int prog_fd, int map_fd, const char *path)
{
	union bpf_iter_link_info info = { .map.map_fd = map_fd };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	int fd, err;

	fd = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &opts);
	if (fd < 0)
		return fail(fd);
	err = bpf_obj_pin(fd, path);
	close(fd);
	return fail(err);
}
