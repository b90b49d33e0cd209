# SPDX-License-Identifier: GPL-2.0-only
# A bounded choice of what make check-faults does: of each system call one error, and one kill.
# bats file_tags=anywhere
load helpers

# faults SCENARIO...: prints how many were injected.
faults() {
	local said

	needs strace
	said=$(BUILD=$BUILD "$BATS_TEST_DIRNAME/faults" --every 9999 "$@" 2>&1) || { echo "$said" >&2; return 1; }
	echo "# ${said//$'\n'/$'\n'# }" >&3
}

@test "system calls of load fail, and it is killed there: all or nothing" {
	faults "load --no-flows"
}

@test "system calls of load --restore fail, and it is killed there: restored once, or the file is as it was" {
	faults "load --restore"
}

@test "system calls of load --replace fail, and it is killed there: counting goes on" {
	faults "load --replace"
}

@test "system calls of reset fail, and it is killed there: nothing is lost" {
	faults reset "reset --to" "reset --json, pending"
}

@test "system calls of unload fail, and it is killed there: the next one ends it" {
	faults "unload --to"
}

@test "system calls of show --to fail, and it is killed there: the file is the old one or the new one" {
	faults "show --to"
}
