# SPDX-License-Identifier: GPL-2.0-only
# No byte is used before it is written, or after it is freed, and none is left behind.
# bats file_tags=anywhere
load helpers

# clean COMMAND...: valgrind finds nothing to complain about. Debian 12's does not know fsopen(2), so
# that load fails under it, and unload at its end.
clean() {
	local status=0

	valgrind -q --error-exitcode=99 --leak-check=full --track-fds=no --suppressions="$BATS_TEST_TMPDIR/known" \
		--log-file="$BATS_TEST_TMPDIR/log" "$@" >"$BATS_TEST_TMPDIR/out" || status=$?
	[ $status -ne 99 ] && return
	echo "$*:" >&2
	grep '^==' "$BATS_TEST_TMPDIR/log" >&2
	return 1
}

@test "every command is clean under valgrind" {
	needs valgrind
	sanitized && skip "these programs look after themselves"
	# libbpf asks the kernel what it can do with structures that it fills in part.
	for field in expected_attach_type prog_ifindex; do
		printf '{\nlibbpf\nMemcheck:Param\nbpf(attr->%s)\nfun:syscall\nobj:*/libbpf.so*\n}\n' $field
	done >"$BATS_TEST_TMPDIR/known"
	clean netacct-load
	netacct-unload || true
	netacct-load
	traffic tcp >/dev/null
	traffic udp --family 6 --comm other >/dev/null
	clean netacct-show --json --by flow
	clean netacct-show --comm 't*,!x' --user root --no-loopback --sort comm --rows 1
	clean netacct-show 0.1 2
	clean netacct-status
	clean netacct-status --json
	clean netacct-reset --to "$BATS_TEST_TMPDIR/taken"
	run bash -c 'netacct-reset --json >/dev/full'
	traffic tcp >/dev/null
	clean netacct-show --json
	clean netacct-reset --json
	clean netacct-load
	clean netacct-unload --json
	is "$(jq -c '[.processes[] | select(.comm == "traffic")]' "$BATS_TEST_TMPDIR/out")" "[]"
}
