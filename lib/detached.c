// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/mount.h>
#include <unistd.h>

#include "detached.h"
#include "pins.h"

int detached_open(const char *type)
{
	int fs, fd = -1, err;

	fs = fsopen(type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return fail(-errno);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	err = fd < 0 ? -errno : fd;
	close(fs);
	return fail(err);
}
