// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "pins.h"
#include "sets.h"
#include "tracefs.h"
#include "watch.h"
#include "watch.skel.h"

#define LINKS 16

/* Events that are handed out at a time: as they come faster, it would never end. */
#define AT_ONCE 1024

struct watcher {
	struct watch *skel;
	struct ring_buffer *ring;
	watcher_each *each;
	void *arg;
	struct bpf_link *links[LINKS];
	size_t n_links;
	int taken;     /* in this turn */
	__u64 skipped; /* runs that the kernel has skipped */
};

static int failed(char what[WATCHER_WHAT], int err, const char *text)
{
	snprintf(what, WATCHER_WHAT, "%s", text);
	return err;
}

static int hand_out(void *arg, void *data, size_t size)
{
	struct watcher *w = arg;

	int err = w->each(w->arg, data);

	(void)size; /* the programs are ours */
	return err ? err : ++w->taken == AT_ONCE ? -EAGAIN : 0;
}

static int load(struct watcher *w, const struct watcher_limits *limits, char what[WATCHER_WHAT])
{
	bool classic = set_preemptible();
	int err;

	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return failed(what, -ENOTSUP, "this kernel has no BTF (/sys/kernel/btf/vmlinux)");
	w->skel = watch__open();
	if (!w->skel)
		return failed(what, -errno, "cannot open the programs");
	bpf_program__set_autoload(w->skel->progs.state_btf, !classic);
	bpf_program__set_autoload(w->skel->progs.receive_btf, !classic);
	bpf_program__set_autoload(w->skel->progs.state_classic, classic);
	bpf_program__set_autoload(w->skel->progs.receive_classic, classic);
	err = bpf_map__set_max_entries(w->skel->maps.events, limits->ring_bytes);
	if (!err)
		err = bpf_map__set_max_entries(w->skel->maps.connections, limits->connections);
	if (!err)
		err = watch__load(w->skel);
	return err ? failed(what, err, "cannot load the programs") : 0;
}

static int attach(struct watcher *w, const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);
	bool classic = strncmp(section, "tracepoint/", 11) == 0;
	struct bpf_link *link;

	if (!bpf_program__autoload(prog))
		return 0;
	link = classic ? tracefs_attach(prog) : bpf_program__attach(prog);
	if (link) {
		w->links[w->n_links++] = link;
		return 0;
	}
	/* A kernel without CONFIG_FTRACE_SYSCALLS: who accepts is told by who receives. */
	return errno == ENOENT && strstr(section, "/syscalls/") ? 0 : -errno;
}

/* The states come last: what they begin, the others have to go on with. */
static int attach_all(struct watcher *w, char what[WATCHER_WHAT])
{
	struct bpf_program *prog;
	int err = 0;

	bpf_object__for_each_program (prog, w->skel->obj)
		if (!err && !strstr(bpf_program__section_name(prog), "/inet_sock_set_state"))
			err = attach(w, prog);
	if (!err)
		err = attach(w, w->skel->progs.state_btf);
	if (!err)
		err = attach(w, w->skel->progs.state_classic);
	return err ? failed(what, err, "cannot attach the programs") : 0;
}

int watcher_start(struct watcher **watcher, const struct watcher_limits *limits, watcher_each *each,
		  void *arg, char what[WATCHER_WHAT])
{
	struct watcher *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return fail(failed(what, -ENOMEM, "cannot begin"));
	w->each = each;
	w->arg = arg;
	err = load(w, limits, what);
	if (err)
		goto out;
	w->ring = ring_buffer__new(bpf_map__fd(w->skel->maps.events), hand_out, w, NULL);
	err = w->ring ? attach_all(w, what) : failed(what, -errno, "cannot map the ring");
out:
	if (err) {
		watcher_stop(w);
		return fail(err);
	}
	*watcher = w;
	return 0;
}

void watcher_detach(struct watcher *w)
{
	while (w->n_links)
		bpf_link__destroy(w->links[--w->n_links]);
}

void watcher_stop(struct watcher *w)
{
	watcher_detach(w);
	ring_buffer__free(w->ring);
	watch__destroy(w->skel);
	free(w);
}

int watcher_fd(const struct watcher *w)
{
	return ring_buffer__epoll_fd(w->ring);
}

/* How often the kernel did not run it since it ran already on that CPU (from 5.12). */
static __u64 skipped(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (!bpf_program__autoload(prog) ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size) < 0)
		return 0;
	return info.recursion_misses;
}

int watcher_take(struct watcher *w)
{
	struct bpf_program *prog;
	int n;

	w->skipped = 0;
	bpf_object__for_each_program (prog, w->skel->obj) {
		w->skipped += skipped(prog);
	}
	w->taken = 0;
	n = ring_buffer__consume(w->ring);
	if (n == -EAGAIN)
		return 1;
	return n < 0 ? fail(n) : 0;
}

void watcher_count(const struct watcher *w, struct watcher_counts *c)
{
	c->missed = __atomic_load_n(&w->skel->bss->missed, __ATOMIC_RELAXED) + w->skipped;
	c->no_room = __atomic_load_n(&w->skel->bss->no_room, __ATOMIC_RELAXED);
}
