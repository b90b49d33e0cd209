// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "abi.h"
#include "damage.h"
#include "pins.h"

#define WITH_ROWS(pin) pin, pin PIN_ROWS
#define SWITCHED(pin)  PIN_CURRENT "/" pin, PIN_SWITCHES "/" pin

/* What every account has for its hooks, its readers and its resets. */
static const char *const pins[] = {
	WITH_ROWS(PIN_META),
	WITH_ROWS(PIN_STATE),
	WITH_ROWS(PIN_CGROUPS),
	WITH_ROWS(PIN_FOLDED),
	PIN_CURRENT "/" PIN_GENERATION,
	SWITCHED(PIN_PROCESSES),
	SWITCHED(PIN_FLOWS),
	SWITCHED(PIN_FINISHED),
	SWITCHED(PIN_TOTALS),
	SWITCHED(PIN_ENDED),
	SWITCHED(PIN_CLOSED),
	PIN_PROGS,
	PIN_LINKS,
	PIN_SLOTS,
	PIN_READERS,
};

/* 0: it is there. Or that it is not, or why we cannot tell. */
static int look_for(const char *dir, const char *pin)
{
	char path[PATH_MAX];
	int err = path_join(path, dir, pin);

	return err < 0 ? err : access(path, F_OK) < 0 ? -errno : 0;
}

static bool is_gone(const char *dir, const char *pin)
{
	return look_for(dir, pin) == -ENOENT;
}

/* What attaches a program for kprobes stands in a map instead. */
static bool is_for_kprobes(const char *dir, const char *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	char path[PATH_MAX];
	int fd = -1;

	if (path_join(path, dir, prog) == 0)
		fd = bpf_obj_get(path);
	if (fd >= 0) {
		(void)bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	return info.type == BPF_PROG_TYPE_KPROBE;
}

static DIR *open_folder(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return path_join(path, dir, name) < 0 ? NULL : opendir(path);
}

/* Whether each hook has its link, or its perf events, and there are as many slots. */
static int find_hook(const char *dir, char gone[DAMAGE_LEN])
{
	char prog[DAMAGE_LEN];
	struct dirent *entry;
	int links = 0, slots = 0, err = 0;
	bool found = false;
	DIR *d;

	d = open_folder(dir, PIN_PROGS);
	if (!d)
		return 0;
	while (!found && (entry = pin_next(d, &err))) {
		if (entry->d_name[0] == '.')
			continue;
		links++;
		snprintf(gone, DAMAGE_LEN, PIN_LINKS "/%.48s", entry->d_name);
		if (!is_gone(dir, gone))
			continue;
		snprintf(prog, sizeof(prog), PIN_PROGS "/%.48s", entry->d_name);
		if (is_for_kprobes(dir, prog)) {
			links--;
			snprintf(gone, DAMAGE_LEN, "%s", PIN_PROBES);
		}
		found = is_gone(dir, gone);
	}
	closedir(d);
	if (found)
		return 1;
	d = err < 0 ? NULL : open_folder(dir, PIN_SLOTS);
	if (!d)
		return 0;
	while ((entry = pin_next(d, &err)))
		slots += entry->d_name[0] != '.';
	closedir(d);
	if (err < 0)
		return 0;
	snprintf(gone, DAMAGE_LEN, "%s", links ? "a pin in " PIN_SLOTS : "a pin in " PIN_PROGS);
	return !links || slots < links;
}

static int find(const char *dir, char gone[DAMAGE_LEN])
{
	/* Not every account has that, but if it does so in both places. */
	snprintf(gone, DAMAGE_LEN, "%s", PIN_SETTLED);
	if (is_gone(dir, gone) && look_for(dir, PIN_READERS "/" PIN_SETTLED) == 0)
		return 1;
	for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++) {
		if (!is_gone(dir, pins[i]))
			continue;
		snprintf(gone, DAMAGE_LEN, "%s", pins[i]);
		return 1;
	}
	return find_hook(dir, gone);
}

int damage_find(const char *pin_dir, char gone[DAMAGE_LEN])
{
	struct stat before, after;

	/*
	 * An unload takes the folder away as a whole, and a reset a generation
	 * that we may just be looking at: damage stays.
	 */
	for (int i = 0; i < 2; i++) {
		if (stat(pin_dir, &before) < 0)
			return fail(-errno);
		if (!find(pin_dir, gone))
			return 0;
		if (stat(pin_dir, &after) < 0 || before.st_ino != after.st_ino)
			return 0;
	}
	return 1;
}
