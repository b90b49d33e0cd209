// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "account.h"
#include "bpffs.h"
#include "hooks.h"
#include "mark.h"
#include "pins.h"
#include "placement.h"
#include "probes.h"

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

/* A socket's recvmsg can only be compared with that of sockets known to be plain TCP. */
static int open_sockets(struct placement *p)
{
	p->sockets[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->sockets[1] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->sockets[0] < 0)
		return placement_failed(p, -errno, "cannot open a TCP socket");
	return 0;
}

static int check_group(struct placement *p)
{
	char where[PATH_MAX], root[PATH_MAX];
	int passable;

	if (!p->o->gid)
		return 0;
	passable = bpffs_passable(p->pin_dir, p->o->gid, where);
	if (passable < 0)
		return placement_failed(p, passable, "cannot look at the folders above %s",
					p->pin_dir);
	if (passable)
		return 0;
	bpffs_root(p->pin_dir, root);
	if (strcmp(where, root) != 0)
		return placement_failed(p, -ENOTSUP, "the group could not get through %.128s",
					where);
	p->traverse = p->o->group_traverse;
	if (p->traverse)
		return 0;
	return placement_failed(
		p, -ENOTSUP,
		"the group could not get through %.128s; --group-traverse opens it (chmod o+x)",
		where);
}

static int check_namespace(struct placement *p)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return placement_failed(p, -ENOTSUP, "/proc is not mounted");
	/* PROC_PID_INIT_INO, include/linux/proc_ns.h: the same on every kernel */
	if (p->o->force || st.st_ino == 0xEFFFFFFCU)
		return 0;
	return placement_failed(
		p, -ENOTSUP,
		"this is not the initial pid namespace: open connections of processes outside "
		"could not be found; --force loads all the same");
}

/* It may be that programs load, and read nothing, where this is not looked at. */
static int check_lockdown(struct placement *p)
{
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char modes[64] = "";

	if (!f)
		return 0;
	if (!fgets(modes, sizeof(modes), f))
		*modes = '\0';
	fclose(f);
	if (!strstr(modes, "[confidentiality]"))
		return 0;
	return placement_failed(
		p, -ENOTSUP,
		"the kernel is locked down (confidentiality): no program may read its "
		"memory, as the hooks have to");
}

static int sibling(char path[PATH_MAX], const char *pin_dir, const char *suffix)
{
	int n = snprintf(path, PATH_MAX, "%s%s", pin_dir, suffix);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/*
 * A load that does not come to its end takes back that it marked a file as
 * restored: the account that it went to was never there for anybody.
 */
static int take_back_mark(const char *loading)
{
	char link[PATH_MAX], file[PATH_MAX] = "";
	struct account a;
	struct mark m;
	int err;

	err = path_join(link, loading, PIN_RESTORED);
	if (!err && readlink(link, file, sizeof(file) - 1) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (err < 0)
		return err;
	err = account_open(&a, loading, false);
	if (err < 0)
		return err == -EPROTO ? 0 : err;
	m.loaded_at_ns = a.meta.loaded_at_ns;
	memcpy(m.boot_id, a.meta.boot_id, sizeof(m.boot_id));
	account_close(&a);
	err = mark_take_away(file, &m);
	return err == -ENOENT ? 0 : err;
}

static int remove_loading(const char *path)
{
	int err = take_back_mark(path);

	return err < 0 ? err : pin_remove_and_wait(path);
}

/* What commands that were killed have left beside pin_dir; 1 if there was any. */
static int remove_leftovers(const char *pin_dir)
{
	int (*const remove[])(const char *path) = { remove_loading, pin_remove_and_wait };
	static const char *const suffixes[] = { LOADING, UNLOADING };
	char path[PATH_MAX];
	int err, found = 0;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		err = sibling(path, pin_dir, suffixes[i]);
		if (!err)
			err = remove[i](path);
		if (!err)
			found = 1;
		else if (err != -ENOENT)
			return err;
	}
	return found;
}

static void let_go(struct placement *p)
{
	placement_free(p);
	(void)remove_loading(p->dir);
	(void)probes_remove(p->pin_dir);
}

/* Why, for which errno has no words. */
static int cannot_restore(struct placement *p, const char *why)
{
	return placement_failed(p, -ENOTSUP, "cannot restore %.200s: %s", p->o->restore, why);
}

/* The link comes first: whoever finds it without the account knows of the mark. */
static int mark_restored(struct placement *p)
{
	char link[PATH_MAX], file[PATH_MAX];
	struct mark m = { .loaded_at_ns = p->meta.loaded_at_ns };
	int err;

	memcpy(m.boot_id, p->meta.boot_id, sizeof(m.boot_id));
	err = path_join(link, p->dir, PIN_RESTORED);
	if (!err && (!realpath(p->o->restore, file) || symlink(file, link) < 0))
		err = -errno;
	if (!err)
		err = mark_put(file, &m);
	return err < 0 ? cannot_restore(p, strerror(-err)) : 0;
}

/* From here on it counts, and one rename makes all of it appear. */
static int publish(struct placement *p)
{
	int err = p->saved ? mark_restored(p) : 0;

	if (err < 0)
		return err;
	placement_start(p);
	if (p->traverse && bpffs_traverse(p->pin_dir, true) < 0)
		return placement_failed(p, -errno, "cannot open the way for the group");
	if (rename(p->dir, p->pin_dir) < 0) {
		err = placement_failed(p, -errno, "cannot make %s", p->pin_dir);
		if (p->traverse)
			(void)bpffs_traverse(p->pin_dir, false);
	}
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

static void pass_over(struct placement *p, size_t i, int err)
{
	size_t n = strlen(p->what);

	if (err != -ENOTSUP)
		snprintf(p->what + n, LOAD_WHAT - n, ": %s", strerror(-err));
	snprintf(p->passed_over[i], sizeof(*p->passed_over), "%s: %.100s", sets[i].name, p->what);
}

/* The first set that this kernel lets count exactly. */
static int load_any(struct placement *p)
{
	bool forbidden = false;
	int err;

	for (size_t i = 0; i < N_SETS; i++) {
		if (p->o->hooks != HOOKS_NONE && p->o->hooks != sets[i].id)
			continue;
		err = placement_set(p, sets[i].id);
		if (!err)
			err = publish(p);
		if (!err)
			return 0;
		let_go(p);
		if (!p->refused || !is_refusal(err) || p->o->hooks != HOOKS_NONE)
			return err;
		forbidden |= err == -EPERM;
		pass_over(p, i, err);
	}
	return placement_failed(p, forbidden ? -EPERM : -ENOTSUP,
				"this kernel has no hooks that would count exactly (%s; %s; %s)",
				p->passed_over[0], p->passed_over[1], p->passed_over[2]);
}

static int read_saved(struct placement *p, struct saved *s)
{
	char why[SAVED_WHAT];
	FILE *f;
	int err;

	if (!p->o->restore)
		return 0;
	f = fopen(p->o->restore, "re");
	if (!f)
		return cannot_restore(p, strerror(errno));
	err = saved_read(s, f, why);
	fclose(f);
	if (err < 0)
		return cannot_restore(p, why);
	if (s->scope != scope_sum(p->o->scope))
		return cannot_restore(p, "it was counted with other --user and --cgroup, that its "
					 "load_filters name, than the account would be");
	p->saved = s;
	return 0;
}

static int load_locked(struct placement *p, struct saved *s)
{
	int err;

	if (access(p->pin_dir, F_OK) == 0)
		return placement_failed(p, -EEXIST, "%s is there already", p->pin_dir);
	err = remove_leftovers(p->pin_dir);
	if (err >= 0)
		err = probes_remove(p->pin_dir);
	if (err < 0)
		return placement_failed(p, err, "cannot remove what is left beside %s", p->pin_dir);
	err = check_group(p);
	if (!err)
		err = check_lockdown(p);
	if (!err)
		err = read_saved(p, s);
	if (err < 0)
		return err;
	p->btf = btf__load_vmlinux_btf();
	if (!p->btf && access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		return placement_failed(p, -ENOTSUP, "cannot read /sys/kernel/btf/vmlinux");
	if (!p->btf)
		return placement_failed(p, -ENOTSUP,
					"this kernel has no BTF (/sys/kernel/btf/vmlinux); "
					"it has to be built with CONFIG_DEBUG_INFO_BTF");
	err = open_sockets(p);
	return err < 0 ? err : load_any(p);
}

int hooks_lock(const char *pin_dir)
{
	char dir[PATH_MAX], *slash;
	struct stat st;

	if (lstat(pin_dir, &st) == 0 && S_ISLNK(st.st_mode))
		return fail(-ELOOP);
	snprintf(dir, sizeof(dir), "%s", pin_dir);
	slash = strrchr(dir, '/');
	if (!slash)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	return pin_lock(dir, LOCK_SECONDS);
}

static int prepare(struct placement *p)
{
	int err = bpffs_prepare(p->pin_dir);

	switch (err) {
	case -EXDEV:
		return placement_failed(p, -ENOTSUP, "%.200s is not on a BPF file system",
					p->pin_dir);
	case -EINVAL:
		return placement_failed(
			p, -ENOTSUP,
			BPFFS " is not mounted, and a mount made here would not outlive this "
			      "mount namespace; mount it first");
	default:
		return err < 0 ? placement_failed(p, err, "cannot pin in %.200s", p->pin_dir) : err;
	}
}

int hooks_load(const char *pin_dir, const struct load_options *o, char what[LOAD_WHAT])
{
	struct placement p = { .pin_dir = pin_dir, .o = o, .sockets = { -1, -1 }, .what = what };
	struct saved saved = {};
	int err, lock = -1, mounted = 0;

	err = check_namespace(&p);
	if (err < 0)
		return fail(err);
	err = sibling(p.dir, pin_dir, LOADING);
	if (!err)
		err = mounted = prepare(&p);
	if (err < 0)
		return fail(err);
	err = lock = hooks_lock(pin_dir);
	if (lock < 0)
		err = placement_failed(&p, err, "cannot lock the folder of %s", pin_dir);
	else
		err = load_locked(&p, &saved);
	placement_free(&p);
	saved_free(&saved);
	btf__free(p.btf);
	for (int i = 0; i < 2; i++)
		if (p.sockets[i] >= 0)
			close(p.sockets[i]);
	if (lock >= 0)
		close(lock);
	if (err < 0 && mounted)
		(void)umount(BPFFS);
	return fail(err);
}

/* Who writes it is about to put something into a folder that is to be removed. */
static void wait_for_ledger(const char *dir)
{
	char folder[PATH_MAX];
	int lock = -1;

	if (path_join(folder, dir, PIN_METRICS) == 0)
		lock = pin_lock(folder, LOCK_SECONDS);
	if (lock >= 0)
		close(lock);
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
		if (errno != ENOENT)
			return fail(-errno);
		(void)probes_remove(pin_dir);
		return found ? 0 : fail(-ENOENT);
	}
	if (!account_was_here(pin_dir))
		return fail(-EPROTO);
	err = account_open(&a, pin_dir, false);
	if ((!err || err == -EUCLEAN) && a.meta.flags & META_TRAVERSE)
		(void)bpffs_traverse(pin_dir, false);
	account_close(&a);
	if (rename(pin_dir, gone) < 0)
		return fail(-errno);
	wait_for_ledger(gone);
	err = pin_remove_and_wait(gone);
	return err < 0 ? err : probes_remove(pin_dir);
}
