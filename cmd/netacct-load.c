// SPDX-License-Identifier: GPL-2.0-only
/* netacct-load - begin to count */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli.h"
#include "hooks.h"
#include "replace.h"
#include "text.h"

static const char usage[] =
	"Usage: netacct-load [options]\n"
	"\n"
	"Count the traffic of every process and connection until netacct-unload.\n"
	"\n"
	"      --max-processes N  rows for processes (16384)\n"
	"      --max-flows N      rows for connections (65536)\n"
	"      --no-flows         count by process only\n"
	"      --user LIST        count these users only\n"
	"      --cgroup LIST      count these cgroups and what is below them only\n"
	"      --group NAME       let this group read the account\n"
	"      --group-traverse   and let it pass through /sys/fs/bpf (chmod o+x)\n"
	"      --replace          put this version's programs in place of those that count\n"
	"      --restore FILE     begin with what netacct-unload --to FILE saved\n"
	"      --hooks SET        auto (default), tp_btf, tracepoint or kprobe\n"
	"      --force            outside the initial pid namespace too\n" CLI_USAGE;

enum {
	MAX_PROCESSES = CLI_OWN,
	MAX_FLOWS,
	NO_FLOWS,
	USER,
	CGROUP,
	GROUP,
	GROUP_TRAVERSE,
	HOOKS,
	FORCE,
	REPLACE,
	RESTORE
};

static const struct option options[] = {
	{ "max-processes", required_argument, NULL, MAX_PROCESSES },
	{ "max-flows", required_argument, NULL, MAX_FLOWS },
	{ "no-flows", no_argument, NULL, NO_FLOWS },
	{ "user", required_argument, NULL, USER },
	{ "cgroup", required_argument, NULL, CGROUP },
	{ "group", required_argument, NULL, GROUP },
	{ "group-traverse", no_argument, NULL, GROUP_TRAVERSE },
	{ "hooks", required_argument, NULL, HOOKS },
	{ "force", no_argument, NULL, FORCE },
	{ "replace", no_argument, NULL, REPLACE },
	{ "restore", required_argument, NULL, RESTORE },
	CLI_LONG,
	{},
};

static gid_t group_id(const char *name)
{
	struct group *group = getgrnam(name);

	if (!group)
		cli_fail(0, "there is no group '%s'", name);
	if (!group->gr_gid)
		cli_misuse("--group takes another group than root's");
	return group->gr_gid;
}

static void add_to_scope(struct scope *s, enum scope_kind kind, const char *list)
{
	const char *name = scope_name(kind), *bad;
	int err = scope_add(s, kind, list, &bad);

	switch (err) {
	case 0:
		return;
	case -EINVAL:
		if (*bad == '!')
			cli_misuse("--%s takes what is to be counted; it cannot leave out '%s'",
				   name, bad);
		cli_misuse("--%s takes %s, separated by commas, not '%s'", name,
			   kind == SCOPE_USER ? "users" : "paths such as /system.slice", bad);
	case -E2BIG:
		cli_misuse("--%s takes at most %d", name, MAX_FILTERS);
	case -ENOENT:
		cli_fail(0, "there is no %s '%s'%s", name, bad,
			 kind == SCOPE_USER ? "" : "; its path is that in /proc/PID/cgroup");
	case -EXDEV:
		cli_fail(0, "--cgroup: the paths of this cgroup namespace are not the kernel's; "
			    "run netacct-load outside of it");
	case -EPERM:
		cli_fail(err, "--cgroup: it needs root to look for '%s'", bad);
	default:
		cli_fail(err, "--%s: cannot find '%s'", name, bad);
	}
}

static enum hook_set hook_set(const char *name)
{
	static const enum hook_set all[] = { HOOKS_TP_BTF, HOOKS_TRACEPOINT, HOOKS_KPROBE };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(name, text_hooks(all[i])) == 0)
			return all[i];
	if (strcmp(name, "auto") != 0)
		cli_misuse("--hooks takes auto, tp_btf, tracepoint or kprobe, not '%s'", name);
	return HOOKS_NONE;
}

/* An option that is not given agrees with everything. */
static const char *disagreement(const struct account *a, const struct load_options *o)
{
	const struct meta *m = &a->meta;

	if (o->max_processes && o->max_processes != m->max_processes)
		return "--max-processes";
	if (o->max_flows && o->max_flows != m->max_flows)
		return "--max-flows";
	if (o->no_flows && m->flags & META_FLOWS)
		return "--no-flows";
	for (int kind = 0; kind < SCOPE_KINDS; kind++)
		if (scope_has(o->scope, kind) && !scope_same(o->scope, &a->scope, kind))
			return kind == SCOPE_USER ? "--user" : "--cgroup";
	if (o->gid && o->gid != m->gid)
		return "--group";
	if (o->hooks && o->hooks != m->hooks)
		return "--hooks";
	return NULL;
}

/* From here on what it counted goes through a file. */
#define ANEW "netacct-unload --to FILE, then netacct-load --restore FILE"

static void open_loaded(const struct cli *cli, struct account *a, bool writable)
{
	int err = account_open(a, cli->pin_dir, writable);

	if (err == -EPROTO)
		cli_fail(0,
			 "%s is not an account that this version knows; if another version made "
			 "it, use that one's " ANEW,
			 cli->pin_dir);
	if (err < 0)
		cli_open(cli, a, writable);
}

/* What is loaded has to be what was asked for. */
static void check_loaded(const struct cli *cli, const struct account *a,
			 const struct load_options *o)
{
	const char *option = disagreement(a, o);
	struct state state = {};

	cli_check_damage(cli);
	if (option)
		cli_fail(0, "already loaded with another %s; to change it: " ANEW, option);
	if (o->restore)
		cli_fail(0,
			 "already loaded, and a file is restored only as counting begins: %s is "
			 "left as it is",
			 o->restore);
	if (account_state(a, &state) < 0)
		cli_failed_on(cli, errno, "cannot read");
	if (!state.counting)
		cli_fail(0, "already loaded, but an unload that did not finish has stopped it; "
			    "run netacct-unload first");
}

static void say_loaded(const char *version)
{
	int order = strverscmp(version, NETACCT_VERSION);

	fprintf(stderr, "netacct-load: already loaded%s%s%s\n", order ? " by version " : "",
		order ? version : ", with these options",
		order < 0 ? "; --replace puts this version's programs in place" : "");
}

/* Which of the privileges that it takes are not there; empty: it is something else. */
static const char *missing_capabilities(char list[128])
{
	static const struct {
		int number;
		const char *name;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_PERFMON, "CAP_PERFMON" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
		{ CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE" },
	};
	struct utsname kernel;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct has[2] = {};
	size_t n = 0, all = sizeof(needed) / sizeof(*needed);

	list[0] = '\0';
	if (syscall(SYS_capget, &header, has) < 0)
		return list;
	/* The last is for the memory of maps, which counted as locked before Linux 5.11. */
	if (uname(&kernel) < 0 || strverscmp(kernel.release, "5.11") >= 0)
		all--;
	for (size_t i = 0; i < all; i++)
		if (!(has[CAP_TO_INDEX(needed[i].number)].effective &
		      CAP_TO_MASK(needed[i].number)))
			n += snprintf(list + n, 128 - n, "%s%s", n ? ", " : "", needed[i].name);
	return list;
}

static void forbidden(int err, const char *what)
{
	char missing[128];

	if (*missing_capabilities(missing))
		cli_fail(err, "%s: it needs root, or what is missing of it: %s", what, missing);
	cli_fail(err,
		 "%s: the kernel forbids it though all capabilities are there (CAP_BPF, "
		 "CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN): a user namespace, lockdown, or a "
		 "filter on bpf()",
		 what);
}

static void load_failed(int err, const char *what)
{
	if (err == -EPERM || err == -EACCES)
		forbidden(err, what);
	cli_fail(err == -ENOTSUP ? 0 : err, "%s", what);
}

static void replace(const struct cli *cli, struct account *a)
{
	char what[LOAD_WHAT];
	struct replacement *r = replacement_make(a, what);
	int err = r ? 0 : -errno, turn;

	/* If it was unloaded meanwhile, nothing else needs to be said. */
	turn = cli_turn(cli, a);
	if (err == -EPROTO)
		cli_fail(0, "%s; nothing is replaced. To load this version: " ANEW, what);
	if (err < 0)
		load_failed(err, what);
	if (replacement_use(r) < 0)
		load_failed(-errno, what);
	close(turn);
	replacement_free(r);
}

static void already_loaded(const struct cli *cli, const struct load_options *o, bool replacing)
{
	struct account a;

	open_loaded(cli, &a, replacing);
	check_loaded(cli, &a, o);
	if (replacing)
		replace(cli, &a);
	else
		say_loaded(a.meta.version);
	account_close(&a);
}

int main(int argc, char **argv)
{
	struct scope scope = {};
	struct load_options o = { .scope = &scope }, with_defaults;
	const char *hooks = getenv("NETACCT_HOOKS");
	char what[LOAD_WHAT];
	bool replacing = false;
	struct cli cli;
	int c, err;

	cli_init(&cli, usage);
	if (hooks && *hooks)
		o.hooks = hook_set(hooks);
	while ((c = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		switch (c) {
		case MAX_PROCESSES:
			o.max_processes = cli_number("--max-processes", optarg, 1, 1 << 24);
			break;
		case MAX_FLOWS:
			o.max_flows = cli_number("--max-flows", optarg, 1, 1 << 24);
			break;
		case NO_FLOWS:
			o.no_flows = true;
			break;
		case USER:
			add_to_scope(&scope, SCOPE_USER, optarg);
			break;
		case CGROUP:
			add_to_scope(&scope, SCOPE_CGROUP, optarg);
			break;
		case GROUP:
			o.gid = group_id(optarg);
			break;
		case GROUP_TRAVERSE:
			o.group_traverse = true;
			break;
		case HOOKS:
			o.hooks = hook_set(optarg);
			break;
		case FORCE:
			o.force = true;
			break;
		case RESTORE:
			o.restore = optarg;
			break;
		case REPLACE:
			replacing = true;
			break;
		default:
			cli_option(&cli, c);
		}
	}
	cli_no_arguments(argc, argv);
	if (o.no_flows && o.max_flows)
		cli_misuse("--no-flows and --max-flows exclude each other");
	if (o.restore && replacing)
		cli_misuse("--restore and --replace exclude each other");
	if (o.group_traverse && !o.gid)
		cli_misuse("--group-traverse goes with --group");

	with_defaults = o;
	with_defaults.max_processes = o.max_processes ?: DEFAULT_PROCESSES;
	with_defaults.max_flows = o.max_flows ?: DEFAULT_FLOWS;
	err = hooks_load(cli.pin_dir, &with_defaults, what);
	if (err == -EEXIST)
		already_loaded(&cli, &o, replacing);
	else if (err == -ELOOP)
		cli_link(&cli);
	else if (err < 0)
		load_failed(err, what);
	scope_free(&scope);
	return EXIT_SUCCESS;
}
