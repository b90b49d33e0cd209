# SPDX-License-Identifier: GPL-2.0-only
# What systemd's units run, line by line as it stands in them, where no systemd runs.
# bats file_tags=anywhere
load helpers

setup() {
	clean_up
	STATE=$BATS_TEST_TMPDIR/state
	METRICS=$BATS_TEST_TMPDIR/metrics
	mkdir "$STATE" "$STATE/records" "$METRICS"
	make -s -C "$BATS_TEST_DIRNAME/.." units sbindir="$(realpath "$BUILD")" bindir="$(realpath "$BUILD")" \
		build="$BATS_TEST_TMPDIR" >/dev/null
	sed -i "s|/var/lib/netacct|$STATE|g; s|/var/lib/prometheus/node-exporter|$METRICS|g; s|%i|records|g
		s|/sys/fs/bpf/netacct-records|$OTHER_PIN_DIR|" "$BATS_TEST_TMPDIR"/systemd/*
}

# lines UNIT KEY: what follows KEY=, one command a line.
lines() {
	sed -e ':again' -e '/\\$/{N;s/\\\n//;b again' -e '}' "$BATS_TEST_TMPDIR/systemd/$1" | sed -n "s/^$2=//p"
}

# unit UNIT ExecSomething: as systemd would, but for its sandbox. In these lines a shell understands the
# quotes and the words as systemd does.
unit() {
	local line environment

	# But for the options, which a file may set later.
	environment=$(lines "$1" Environment | grep -o 'NETACCT_PIN_DIR=[^ ]*' || true)
	while read -r line; do
		line=${line//'$$'/'$'}
		(
			[ -z "$environment" ] || export "${environment?}"
			eval "${line//%%/%}"
		) || return
	done < <(lines "$1" "$2")
}

# The bytes of all processes of this name, of a file of JSON or of rows.
sent() {
	jq -s --arg comm "$1" '[.[] | (.processes // [.])[] | select(.comm == $comm) | .tx_bytes // 0] | add // 0' "${@:2}"
}

needs_format() {
	"$1" --help | grep -q "$2" || skip "needs $1 --format $2"
}

@test "netacct.service: start, stop, start: the bytes go on, to the last" {
	unit netacct.service ExecStart
	[ ! -e "$STATE/saved" ]
	traffic tcp --comm aaa --bytes 3000017 >/dev/null
	for ((round = 1; round <= 3; round++)); do
		unit netacct.service ExecStop
		run -3 netacct-status
		[ -s "$STATE/saved" ]
		unit netacct.service ExecStart
		[ ! -e "$STATE/saved" ]
		traffic tcp --comm aaa --bytes 10007 >/dev/null
		is "$(rows aaa tx_bytes),$(rows aaa rx_bytes)" "$((3000017 + round * 10007)),$((3000017 + round * 10007))"
	done
}

@test "netacct.service: options are those of the file" {
	NETACCT_OPTIONS="--max-processes 512 --no-flows" unit netacct.service ExecStart
	run -1 netacct-load --max-processes 513
	netacct-load --max-processes 512 --no-flows
	NETACCT_OPTIONS="--max-processes 512 --no-flows" unit netacct.service ExecReload
}

@test "netacct.service: reload puts other programs in place, and what was counted stays" {
	unit netacct.service ExecStart
	traffic tcp --comm aaa --bytes 10007 >/dev/null
	before=$(bpftool -j map dump pinned "$NETACCT_PIN_DIR/slots/sent")
	unit netacct.service ExecReload
	[ "$(bpftool -j map dump pinned "$NETACCT_PIN_DIR/slots/sent")" != "$before" ]
	is "$(rows aaa tx_bytes)" 10007
}

@test "netacct.service: after a crash it starts, and restores nothing twice" {
	unit netacct.service ExecStart
	traffic tcp --comm aaa --bytes 10007 >/dev/null
	unit netacct.service ExecStop
	# Killed before it could move the file away.
	netacct-load --restore "$STATE/saved"
	netacct-unload
	unit netacct.service ExecStart
	is "$(rows aaa tx_bytes)" 0
	# And with nothing saved at all.
	netacct-unload
	unit netacct.service ExecStart
	netacct-status
}

@test "netacct.service: what cannot be restored is put aside, each time, and counting begins" {
	for _ in 1 2; do
		echo garbage >"$STATE/saved"
		unit netacct.service ExecStart
		[ ! -e "$STATE/saved" ]
		netacct-status
		netacct-unload
	done
	is "$(cd "$STATE" && echo saved*)" "saved.refused saved.refused.~1~"
}

@test "netacct.service: where loading fails, what was saved stays" {
	unit netacct.service ExecStart
	unit netacct.service ExecStop
	cp "$STATE/saved" "$STATE/copy"
	NETACCT_OPTIONS="--hooks nonsense" run ! unit netacct.service ExecStart
	cmp "$STATE/saved" "$STATE/copy"
}

@test "netacct.service: what somebody else loaded or unloaded is no failure" {
	netacct-load
	unit netacct.service ExecStart
	netacct-unload
	status=0
	unit netacct.service ExecStop || status=$?
	has " $(lines netacct.service SuccessExitStatus) " " $status "
	[ ! -e "$STATE/saved" ]
}

@test "netacct.service: what cannot be saved is not unloaded" {
	unit netacct.service ExecStart
	rmdir "$STATE/records" "$STATE"
	run -1 unit netacct.service ExecStop
	netacct-status
}

@test "netacct-metrics.service: a file for everybody, and none where nothing counts" {
	needs_format netacct-show prometheus
	unit netacct.service ExecStart
	traffic tcp --comm aaa --bytes 10007 >/dev/null
	for _ in 1 2; do
		unit netacct-metrics.service ExecStart
		EXIT_STATUS=0 unit netacct-metrics.service ExecStopPost
		is "$(stat -c %a "$METRICS"/*)" 644
	done
	grep '"aaa"' "$METRICS/netacct.prom" | grep -q 10007
	is "$(ls -A "$METRICS")" netacct.prom
	netacct-unload
	status=0
	unit netacct-metrics.service ExecStart || status=$?
	has " $(lines netacct-metrics.service SuccessExitStatus) " " $status "
	EXIT_STATUS=$status unit netacct-metrics.service ExecStopPost
	is "$(ls -A "$METRICS")" ""
}

@test "netacct-records.service: the records add up to what was moved, across a reboot too" {
	needs_format netacct-reset jsonl
	total=0
	unit netacct@.service ExecStart
	for ((round = 1; round <= 6; round++)); do
		traffic tcp --comm aaa --bytes 10007 >/dev/null
		total=$((total + 10007))
		if ((round % 3 == 2)); then
			unit netacct@.service ExecStop
			[ -e "$STATE/saved-records" ]
			unit netacct@.service ExecStart
		else
			unit netacct-records.service ExecStart
		fi
	done
	is "$(find "$STATE/records" -name '*.jsonl' | wc -l)" 4
	is "$(sent aaa "$STATE"/records/*.jsonl)" "$total"
}
