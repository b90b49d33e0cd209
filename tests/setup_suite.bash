# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only

# What a run that was killed left behind goes before the first test.
setup_suite() {
	local dir

	[ "$EUID" -eq 0 ] || { echo "the tests need root: they load programs into the kernel" >&2; return 1; }
	BUILD=${BUILD:-$BATS_TEST_DIRNAME/../build}
	for dir in /sys/fs/bpf/netacct-test-*; do
		# What a test made itself, to be a stranger, unload leaves alone.
		[ ! -e "$dir" ] || "$BUILD/netacct-unload" --pin-dir "$dir" || rm -rf "$dir"
	done
	return 0
}
