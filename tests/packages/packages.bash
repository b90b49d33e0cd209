# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
bats_require_minimum_version 1.5.0

CACHE=$BATS_TEST_DIRNAME/../../build/packages
# shellcheck disable=SC2034 # the tests read it
NEW=$(make -s -C "$BATS_TEST_DIRNAME/../.." version)
# shellcheck disable=SC2034 # the tests read it
OLD=0.0.9
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# is ACTUAL EXPECTED: like [ = ], but a failure shows both.
is() {
	[ "$1" = "$2" ] && return
	printf 'expected: %s\n  actual: %s\n' "$2" "$1" >&2
	return 1
}

# root SUITE KIND: a new root of that Debian in $ROOT.
root() {
	local tar

	tar=$("$BATS_TEST_DIRNAME/root" "$@") || return
	ROOT=$CACHE/run-$1-$2
	rm -rf "$ROOT" && mkdir "$ROOT" && tar -C "$ROOT" -xf "$tar"
}

# inside COMMAND: in that root, with a /proc of its own, and without a network, a terminal or the machine's /sys.
inside() {
	# shellcheck disable=SC2016 # the inner shell's
	timeout 900 unshare --mount --pid --net --uts --ipc --fork sh -c \
		'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh -c "$1"' \
		"$ROOT" "$1" </dev/null
}
