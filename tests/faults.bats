# SPDX-License-Identifier: GPL-2.0-only
# A bounded choice of what make check-faults does: of each system call one error, and one kill.
# bats file_tags=anywhere
load helpers

@test "system calls fail, and the command is killed there: all or nothing, and no byte is missing" {
	needs strace
	said=$(BUILD=$BUILD "$BATS_TEST_DIRNAME/faults" --every 9999 "load --no-flows" "load --restore" "load --replace" \
		reset "reset --to" "reset --json, pending" "unload --to" "show --to" 2>&1) || { echo "$said" >&2; return 1; }
	echo "# ${said//$'\n'/$'\n'# }" >&3
}
