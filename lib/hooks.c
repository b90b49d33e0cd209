// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "account.h"
#include "bpffs.h"
#include "hooks.h"
#include "generation.h"
#include "pins.h"
#include "probes.h"
#include "rows.h"
#include "sets.h"
#include "tracefs.h"

/* A loader takes a second, and twenty where the processor is emulated. */
#define LOCK_SECONDS 60

/* Beside the account, so that one rename makes it appear or disappear as a whole. */
#define LOADING	  "~loading"
#define UNLOADING "~unloading"

/* In the order in which they are tried. */
static const struct {
	enum hook_set id;
	const char *name;
} sets[] = {
	{ HOOKS_TP_BTF, "tp_btf" },
	{ HOOKS_TRACEPOINT, "tracepoint" },
	{ HOOKS_KPROBE, "kprobe" },
};
#define N_SETS (sizeof(sets) / sizeof(*sets))

struct loader {
	const char *pin_dir;
	const struct load_options *o;
	char dir[PATH_MAX]; /* where pins are made, until it is renamed */
	struct btf *btf;    /* of the kernel */
	struct set set;
	struct set splice; /* its obj is NULL where there is none */
	struct state *state;
	int sockets[2];
	bool traverse; /* the group needs the file system's root to be opened for it */
	bool refused;  /* it was the kernel that would not have this set: another may do */
	char passed_over[N_SETS][128];
	char *what;
};

static int failed(struct loader *l, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int failed(struct loader *l, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->what, LOAD_WHAT, fmt, ap);
	va_end(ap);
	return err;
}

/* What is attached is called NAME_hook, and pinned by the name of its hook. */
static bool is_entry(const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog), *end = strstr(name, "_hook");

	return end && strcmp(end, "_hook") == 0;
}

static bool is_of(const struct bpf_program *prog, const char *type)
{
	return strncmp(bpf_program__section_name(prog), type, strlen(type)) == 0;
}

/* A program for kprobes has many hooks, and is called by its own name. */
static const char *hook_name(const struct bpf_program *prog, char name[64])
{
	const char *slash = strrchr(bpf_program__section_name(prog), '/');

	snprintf(name, 64, "%s", slash ? slash + 1 : bpf_program__name(prog));
	if (!slash)
		*strstr(name, "_hook") = '\0';
	return name;
}

static bool is_reader(const struct bpf_program *prog)
{
	return is_of(prog, "iter/bpf_map_elem");
}

static struct bpf_map *map_of(const struct loader *l, const char *name)
{
	return bpf_object__find_map_by_name(l->set.obj, name);
}

/* A socket's recvmsg can only be compared with that of sockets known to be plain TCP. */
static int open_sockets(struct loader *l)
{
	l->sockets[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	l->sockets[1] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->sockets[0] < 0)
		return failed(l, -errno, "cannot open a TCP socket");
	return 0;
}

/* Calls one() for each program that is attached, until it fails. */
static int each_entry(struct loader *l, int (*one)(struct loader *l, struct bpf_program *prog))
{
	const struct set *const both[] = { &l->set, &l->splice, NULL };
	struct bpf_program *prog;
	int err = 0;

	for (const struct set *const *set = both; *set && (*set)->obj; set++)
		bpf_object__for_each_program (prog, (*set)->obj)
			if (!err && is_entry(prog))
				err = one(l, prog);
	return err;
}

static int attach_probes(struct loader *l, const struct set *set)
{
	return probes_attach(l->pin_dir, set->obj, l->btf, l->what, LOAD_WHAT);
}

/*
 * The probes of what passes by the other sets. They use its maps, and are left
 * out where the kernel does not let us: set_holes() says what that means.
 */
static void load_splice(struct loader *l, const struct set_options *options)
{
	struct bpf_map *map, *same;
	int err;

	if (probes_check() < 0 || set_open(&l->splice, HOOKS_SPLICE, options) < 0)
		return;
	err = 0;
	bpf_object__for_each_map (map, l->splice.obj) {
		same = bpf_map__is_internal(map) ? NULL : map_of(l, bpf_map__name(map));
		if (!err && same)
			err = bpf_map__reuse_fd(map, bpf_map__fd(same));
	}
	if (!err)
		err = bpf_object__load(l->splice.obj);
	if (!err)
		err = attach_probes(l, &l->splice);
	if (err < 0) {
		set_close(&l->splice);
		(void)probes_remove(l->pin_dir);
	}
}

static int load(struct loader *l, enum hook_set id)
{
	const struct load_options *o = l->o;
	__u32 max_flows = o->no_flows ? 1 : o->max_flows;
	struct set_options options = { .keep_flows = !o->no_flows,
				       .sockets = { l->sockets[0], l->sockets[1] } };
	int err;

	err = set_open(&l->set, id, &options);
	if (err < 0)
		return failed(l, err, "cannot open the programs");
	l->refused = true;
	err = set_check(&l->set, l->btf, l->what, LOAD_WHAT);
	if (err < 0)
		return err;
	bpf_map__set_max_entries(map_of(l, "processes_0"), o->max_processes);
	bpf_map__set_max_entries(map_of(l, "ended_0"), o->max_processes);
	bpf_map__set_max_entries(map_of(l, "flows_0"), max_flows);
	bpf_map__set_max_entries(map_of(l, "closed_0"), max_flows);
	if (max_flows > SOCKETS && id != HOOKS_TP_BTF)
		bpf_map__set_max_entries(map_of(l, PIN_SOCKETS), max_flows);
	err = bpf_object__load(l->set.obj);
	if (err < 0)
		return failed(l, err, "the kernel refuses the programs or their maps");
	if (id == HOOKS_KPROBE)
		return attach_probes(l, &l->set);
	load_splice(l, &options);
	return 0;
}

static __u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static int read_boot_id(char *id, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f)
		return -errno;
	if (!fgets(id, size, f))
		*id = '\0';
	id[strcspn(id, "\n")] = '\0';
	fclose(f);
	return 0;
}

static int write_meta(struct loader *l)
{
	const struct load_options *o = l->o;
	struct generation g = { .phase = GENERATION_READY };
	struct meta m = { .schema = NETACCT_SCHEMA,
			  .hooks = l->set.id,
			  .version = NETACCT_VERSION,
			  .max_processes = o->max_processes,
			  .max_flows = o->max_flows,
			  .flags = (o->no_flows ? 0 : META_FLOWS) |
				   (l->traverse ? META_TRAVERSE : 0),
			  .gid = o->gid,
			  .holes = set_holes(l->set.id, l->btf, l->splice.obj) };
	__u32 zero = 0;
	int err;

	err = read_boot_id(m.boot_id, sizeof(m.boot_id));
	if (err < 0)
		return failed(l, err, "cannot read /proc/sys/kernel/random/boot_id");
	g.began_at_ns = m.loaded_at_ns = clock_ns(CLOCK_REALTIME);
	m.clock_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
	/* Once the last set is passed over there is no account. */
	memcpy(m.passed_over, l->passed_over, sizeof(m.passed_over));
	err = bpf_map_update_elem(bpf_map__fd(map_of(l, PIN_META)), &zero, &m, BPF_ANY);
	if (!err)
		err = bpf_map_update_elem(bpf_map__fd(map_of(l, "generation_0")), &zero, &g,
					  BPF_ANY);
	return err < 0 ? failed(l, err, "cannot write down the options") : 0;
}

static int make_folder(struct loader *l, const char *name)
{
	char path[PATH_MAX];
	int err;

	err = path_join(path, l->dir, name);
	if (!err && mkdir(path, 0700) < 0)
		err = -errno;
	return err < 0 ? failed(l, err, "cannot make %s/%s", l->dir, name) : 0;
}

/* Where a map is pinned is told by its kind; see abi.h. */
static void pin_name(const struct bpf_map *map, char pin[64])
{
	const char *name = bpf_map__name(map), *folder = "", *end = name + strlen(name);

	if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
		folder = PIN_SWITCHES "/";
	} else if (bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY) {
		folder = PIN_SLOTS "/";
		end -= strlen("_slot");
	} else if (strcmp(end - 2, "_0") == 0) {
		folder = "0/";
		end -= 2;
	}
	snprintf(pin, 64, "%s%.*s", folder, (int)(end - name), name);
}

/* The file with its rows, for a map that readers want. */
static int pin_rows(struct loader *l, const struct bpf_map *map, const char *pin)
{
	const char *name = strrchr(pin, '/') ? strrchr(pin, '/') + 1 : pin;
	const struct bpf_program *reader;
	char rows[128], path[PATH_MAX];
	int err;

	snprintf(rows, sizeof(rows), "%s" PIN_ROWS, name);
	reader = bpf_object__find_program_by_name(l->set.obj, rows);
	if (!reader || bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		return 0;
	snprintf(rows, sizeof(rows), "%s" PIN_ROWS, pin);
	err = path_join(path, l->dir, rows);
	if (!err)
		err = rows_pin(bpf_program__fd(reader), bpf_map__fd(map), path);
	return err < 0 ? failed(l, err, "cannot pin %s/%s", l->dir, rows) : 0;
}

static int pin_map(struct loader *l, const struct bpf_map *map)
{
	char pin[64], path[PATH_MAX];
	int err;

	if (bpf_map__is_internal(map))
		return 0;
	pin_name(map, pin);
	err = path_join(path, l->dir, pin);
	if (!err)
		err = bpf_obj_pin(bpf_map__fd(map), path);
	return err < 0 ? failed(l, err, "cannot pin %s/%s", l->dir, pin) : pin_rows(l, map, pin);
}

static int pin_program(struct loader *l, struct bpf_program *prog, const char *folder,
		       const char *name)
{
	char pin[128], path[PATH_MAX];
	int err;

	snprintf(pin, sizeof(pin), "%s/%s", folder, name);
	err = path_join(path, l->dir, pin);
	if (!err)
		err = bpf_program__pin(prog, path);
	return err < 0 ? failed(l, err, "cannot pin %s/%s", l->dir, pin) : 0;
}

static int make_link(struct loader *l, const char *table)
{
	char path[PATH_MAX], target[64];
	int err;

	snprintf(target, sizeof(target), PIN_CURRENT "/%s", table);
	err = path_join(path, l->dir, table);
	if (!err && symlink(target, path) < 0)
		err = -errno;
	return err < 0 ? failed(l, err, "cannot make the link %s", path) : 0;
}

static int pin_maps(struct loader *l)
{
	static const char *const folders[] = { "0",	  PIN_SWITCHES, PIN_SLOTS,
					       PIN_LINKS, PIN_PROGS,	PIN_READERS };
	static const char *const tables[] = { PIN_PROCESSES, PIN_FLOWS, PIN_FINISHED, PIN_TOTALS };
	struct bpf_program *prog;
	struct bpf_map *map;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(folders) / sizeof(*folders); i++)
		err = make_folder(l, folders[i]);
	bpf_object__for_each_map (map, l->set.obj)
		if (!err)
			err = pin_map(l, map);
	if (l->splice.obj)
		bpf_object__for_each_map (map, l->splice.obj)
			if (!err && !map_of(l, bpf_map__name(map)))
				err = pin_map(l, map);
	bpf_object__for_each_program (prog, l->set.obj)
		if (!err && is_reader(prog))
			err = pin_program(l, prog, PIN_READERS, bpf_program__name(prog));
	if (!err && (err = generation_point(l->dir, 0)) < 0)
		return failed(l, err, "cannot make a link in %s", l->dir);
	for (size_t i = 0; !err && i < sizeof(tables) / sizeof(*tables); i++)
		err = make_link(l, tables[i]);
	return err;
}

static int set_access(struct loader *l, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int err;

	err = path_join(path, l->dir, name);
	if (!err && (chown(path, -1, l->o->gid) < 0 || chmod(path, mode) < 0))
		err = -errno;
	return err < 0 ? failed(l, err, "cannot give %s to the group", path) : 0;
}

static int let_group_read_program(struct loader *l, struct bpf_program *prog)
{
	char name[128], hook[64];

	snprintf(name, sizeof(name), PIN_PROGS "/%s", hook_name(prog, hook));
	return set_access(l, name, 0640);
}

static int let_group_read(struct loader *l)
{
	static const char *const maps[] = { PIN_META,	 PIN_META PIN_ROWS,
					    PIN_STATE,	 PIN_STATE PIN_ROWS,
					    PIN_CGROUPS, PIN_CGROUPS PIN_ROWS,
					    PIN_FOLDED,	 PIN_FOLDED PIN_ROWS };
	char name[128];
	int err;

	if (!l->o->gid)
		return 0;
	err = set_access(l, ".", 0750);
	if (!err)
		err = set_access(l, "0", 0750);
	if (!err)
		err = set_access(l, PIN_PROGS, 0750);
	for (size_t i = 0; !err && i < sizeof(maps) / sizeof(*maps); i++)
		err = set_access(l, maps[i], 0640);
	for (const char *const *table = generation_readable; !err && *table; table++) {
		snprintf(name, sizeof(name), "0/%s", *table);
		err = set_access(l, name, 0640);
	}
	return err < 0 ? err : each_entry(l, let_group_read_program);
}

/*
 * The root of the unified hierarchy. A mount of its own is as good as the
 * system's, that may be anywhere, and is never seen by anybody.
 */
static int open_cgroup_root(void)
{
	int fs, fd = -1, err;

	fs = fsopen("cgroup2", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	err = fd < 0 ? -errno : fd;
	close(fs);
	return err;
}

/* libbpf would look for tracefs where it is usually mounted. */
static struct bpf_link *attach_tracepoint(const struct bpf_program *prog, const char *name)
{
	const char *group = strchr(bpf_program__section_name(prog), '/') + 1;
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

static int attach(struct loader *l, struct bpf_program *prog)
{
	char name[64], pin[128], path[PATH_MAX];
	struct bpf_link *link;
	int cgroup, err;

	err = pin_program(l, prog, PIN_PROGS, hook_name(prog, name));
	if (err < 0 || is_of(prog, "kprobe") || is_of(prog, "kretprobe"))
		return err;
	if (is_of(prog, "cgroup/")) {
		cgroup = open_cgroup_root();
		if (cgroup < 0)
			return failed(l, cgroup, "cannot open the root of the cgroup2 hierarchy");
		link = bpf_program__attach_cgroup(prog, cgroup);
		err = -errno;
		close(cgroup);
	} else if (is_of(prog, "tracepoint/")) {
		link = attach_tracepoint(prog, name);
		err = -errno;
	} else {
		link = bpf_program__attach(prog);
		err = -errno;
	}
	if (!link)
		return failed(l, err, "cannot attach to %s", name);
	snprintf(pin, sizeof(pin), PIN_LINKS "/%s", name);
	err = path_join(path, l->dir, pin);
	if (!err)
		err = bpf_link__pin(link, path);
	/* The pin keeps it. */
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return err < 0 ? failed(l, err, "cannot pin %s/%s", l->dir, pin) : 0;
}

/* Reading the iterator runs seed() for every open file of the machine. */
static int seed(struct loader *l)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(l->set.obj, "seed");
	struct bpf_link *link;
	char buf[64];
	ssize_t n;
	int fd, err;

	link = bpf_program__attach_iter(prog, NULL);
	if (!link)
		return failed(l, -errno, "cannot make the iterator task_file");
	err = fd = bpf_iter_create(bpf_link__fd(link));
	if (fd >= 0) {
		do
			n = read(fd, buf, sizeof(buf));
		while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
		err = n < 0 ? -errno : 0;
		close(fd);
	}
	bpf_link__destroy(link);
	if (err < 0)
		return failed(l, err, "cannot look at the sockets that are open");
	if (!l->state->tcp_recvmsg[0])
		return failed(l, -ENOTSUP,
			      "what this kernel calls to receive from TCP cannot be found; "
			      "received bytes would be counted wrong");
	return 0;
}

/*
 * Attach, then note how far the open connections are, then count. Until it
 * counts, every receive renews its connection's note, so that none is missed
 * and none brings its history into the account.
 */
static int start(struct loader *l)
{
	int err;

	l->state = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(map_of(l, PIN_STATE)), 0);
	if (l->state == MAP_FAILED) {
		l->state = NULL;
		return failed(l, -errno, "cannot map the state");
	}
	err = each_entry(l, attach);
	if (!err)
		err = seed(l);
	l->refused = l->refused && err < 0;
	if (!err)
		err = let_group_read(l);
	if (!err)
		err = write_meta(l);
	if (!err)
		__atomic_store_n(&l->state->counting, 1, __ATOMIC_RELEASE);
	return err;
}

static int check_group(struct loader *l)
{
	char where[PATH_MAX], root[PATH_MAX];
	int passable;

	if (!l->o->gid)
		return 0;
	passable = bpffs_passable(l->pin_dir, l->o->gid, where);
	if (passable < 0)
		return failed(l, passable, "cannot look at the folders above %s", l->pin_dir);
	if (passable)
		return 0;
	bpffs_root(l->pin_dir, root);
	if (strcmp(where, root) != 0)
		return failed(l, -ENOTSUP, "the group could not get through %.128s", where);
	l->traverse = l->o->group_traverse;
	if (l->traverse)
		return 0;
	return failed(
		l, -ENOTSUP,
		"the group could not get through %.128s; --group-traverse opens it (chmod o+x)",
		where);
}

static int check_namespace(struct loader *l)
{
	struct stat st;

	/* PROC_PID_INIT_INO, include/linux/proc_ns.h: the same on every kernel */
	if (l->o->force || (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == 0xEFFFFFFCU))
		return 0;
	return failed(
		l, -ENOTSUP,
		"this is not the initial pid namespace: open connections of processes outside "
		"could not be found; --force loads all the same");
}

static int sibling(char path[PATH_MAX], const char *pin_dir, const char *suffix)
{
	int n = snprintf(path, PATH_MAX, "%s%s", pin_dir, suffix);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* What commands that were killed have left beside pin_dir; 1 if there was any. */
static int remove_leftovers(const char *pin_dir)
{
	static const char *const suffixes[] = { LOADING, UNLOADING };
	char path[PATH_MAX];
	int err, found = 0;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		err = sibling(path, pin_dir, suffixes[i]);
		if (!err)
			err = pin_remove_and_wait(path);
		if (!err)
			found = 1;
		else if (err != -ENOENT)
			return err;
	}
	return found;
}

static void let_go(struct loader *l)
{
	if (l->state)
		munmap(l->state, sizeof(*l->state));
	l->state = NULL;
	set_close(&l->set);
	set_close(&l->splice);
	if (access(l->dir, F_OK) == 0)
		(void)pin_remove_and_wait(l->dir);
	(void)probes_remove(l->pin_dir);
}

static int load_set(struct loader *l, enum hook_set id)
{
	int err;

	l->refused = false;
	err = load(l, id);
	if (err < 0)
		return err;
	if (mkdir(l->dir, 0700) < 0) {
		l->refused = false;
		return failed(l, -errno, "cannot make %s", l->dir);
	}
	err = pin_maps(l);
	if (!err)
		err = start(l);
	if (!err && l->traverse && bpffs_traverse(l->pin_dir, true) < 0)
		err = failed(l, -errno, "cannot open the way for the group");
	if (!err && rename(l->dir, l->pin_dir) < 0)
		err = failed(l, -errno, "cannot make %s", l->pin_dir);
	return err;
}

/* What a kernel says to what it will not have, rather than to what it cannot do just now. */
static bool is_refusal(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
	case EINVAL:
	case ENOTSUP:
	case ENOENT:
	case ENODEV:
	case ENOSYS:
	case ESRCH:
		return true;
	default:
		return false;
	}
}

static void pass_over(struct loader *l, size_t i, int err)
{
	size_t n = strlen(l->what);

	if (err != -ENOTSUP)
		snprintf(l->what + n, LOAD_WHAT - n, ": %s", strerror(-err));
	snprintf(l->passed_over[i], sizeof(*l->passed_over), "%s: %.100s", sets[i].name, l->what);
}

/* The first set that this kernel lets count exactly. */
static int load_any(struct loader *l)
{
	bool forbidden = false;
	int err;

	for (size_t i = 0; i < N_SETS; i++) {
		if (l->o->hooks != HOOKS_NONE && l->o->hooks != sets[i].id)
			continue;
		err = load_set(l, sets[i].id);
		if (!err)
			return 0;
		let_go(l);
		if (!l->refused || !is_refusal(err) || l->o->hooks != HOOKS_NONE)
			return err;
		forbidden |= err == -EPERM;
		pass_over(l, i, err);
	}
	return failed(l, forbidden ? -EPERM : -ENOTSUP,
		      "this kernel has no hooks that would count exactly (%s; %s; %s)",
		      l->passed_over[0], l->passed_over[1], l->passed_over[2]);
}

static int load_locked(struct loader *l)
{
	int err;

	if (access(l->pin_dir, F_OK) == 0)
		return failed(l, -EEXIST, "%s is there already", l->pin_dir);
	err = remove_leftovers(l->pin_dir);
	if (err >= 0)
		err = probes_remove(l->pin_dir);
	if (err < 0)
		return failed(l, err, "cannot remove what is left beside %s", l->pin_dir);
	err = check_group(l);
	if (err < 0)
		return err;
	l->btf = btf__load_vmlinux_btf();
	if (!l->btf)
		return failed(l, -ENOTSUP,
			      "this kernel has no BTF (/sys/kernel/btf/vmlinux); "
			      "it has to be built with CONFIG_DEBUG_INFO_BTF");
	err = open_sockets(l);
	return err < 0 ? err : load_any(l);
}

int hooks_lock(const char *pin_dir)
{
	char dir[PATH_MAX], *slash;

	snprintf(dir, sizeof(dir), "%s", pin_dir);
	slash = strrchr(dir, '/');
	if (!slash)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	return pin_lock(dir, LOCK_SECONDS);
}

static int prepare(struct loader *l)
{
	int err = bpffs_prepare(l->pin_dir);

	switch (err) {
	case -EXDEV:
		return failed(l, -ENOTSUP, "%.200s is not on a BPF file system", l->pin_dir);
	case -EINVAL:
		return failed(l, -ENOTSUP,
			      BPFFS " is not mounted, and a mount made here would not outlive this "
				    "mount namespace; mount it first");
	default:
		return err < 0 ? failed(l, err, "cannot pin in %.200s", l->pin_dir) : err;
	}
}

int hooks_load(const char *pin_dir, const struct load_options *o, char what[LOAD_WHAT])
{
	struct loader l = { .pin_dir = pin_dir, .o = o, .sockets = { -1, -1 }, .what = what };
	int err, lock = -1, mounted = 0;

	err = check_namespace(&l);
	if (err < 0)
		return fail(err);
	err = sibling(l.dir, pin_dir, LOADING);
	if (!err)
		err = mounted = prepare(&l);
	if (err < 0)
		return fail(err);
	err = lock = hooks_lock(pin_dir);
	if (lock < 0)
		err = failed(&l, err, "cannot lock the folder of %s", pin_dir);
	else
		err = load_locked(&l);
	if (l.state)
		munmap(l.state, sizeof(*l.state));
	set_close(&l.set);
	set_close(&l.splice);
	btf__free(l.btf);
	for (int i = 0; i < 2; i++)
		if (l.sockets[i] >= 0)
			close(l.sockets[i]);
	if (lock >= 0)
		close(lock);
	if (err < 0 && mounted)
		(void)umount(BPFFS);
	return fail(err);
}

/* Whether it looks like an account, of whatever schema. */
static bool is_account(const char *dir)
{
	static const char *const pins[] = { PIN_META, PIN_STATE, PIN_LINKS, PIN_SLOTS };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++)
		if (path_join(path, dir, pins[i]) < 0 || access(path, F_OK) < 0)
			return false;
	return true;
}

int hooks_unload(const char *pin_dir)
{
	char gone[PATH_MAX];
	struct account a;
	int err, found;

	err = sibling(gone, pin_dir, UNLOADING);
	if (!err)
		err = found = remove_leftovers(pin_dir);
	if (err < 0)
		return fail(err);
	if (access(pin_dir, F_OK) < 0) {
		(void)probes_remove(pin_dir);
		return found ? 0 : fail(-ENOENT);
	}
	if (!is_account(pin_dir))
		return fail(-EPROTO);
	if (account_open(&a, pin_dir, false) == 0) {
		if (a.meta.flags & META_TRAVERSE)
			(void)bpffs_traverse(pin_dir, false);
		account_close(&a);
	}
	if (rename(pin_dir, gone) < 0)
		return fail(-errno);
	err = pin_remove_and_wait(gone);
	return err < 0 ? err : probes_remove(pin_dir);
}
