# SPDX-License-Identifier: GPL-2.0-only
# What the well-known tools show, netacct shows: each on real traffic, with the numbers.
# bats file_tags=anywhere
load helpers

# The lines of a run in JSON, one for each reading: jq FILTER over all of them.
readings() {
	jq -s -c "$1" "$BATS_TEST_TMPDIR/run"
}

# run_begins ARGUMENTS: netacct-show in the background; it has taken its first reading.
run_begins() {
	netacct-show --json "$@" >"$BATS_TEST_TMPDIR/run" 3>&- &
	RUN=$!
	eventually "the first reading is there" test -s "$BATS_TEST_TMPDIR/run"
}

@test "the per-process monitor: what moves each second, and the totals when Ctrl-C ends it" {
	netacct-load
	hold_open -- tcp --comm monitored --bytes 100003
	hold_move
	run_begins 1
	for ((round = 0; round < 3; round++)); do
		hold_move
		sleep 1.1
	done
	kill -INT $RUN
	wait $RUN
	is "$(readings '.[-1].summary')" true
	is "$(readings '[.[-1].processes[] | select(.comm == "monitored") | .tx_bytes, .rx_bytes] | sort')" \
		"[0,0,300009,300009]"
	# Each reading has the sum so far: that of the last but one is all that ever moved.
	is "$(readings '[.[-2].processes[], .[-3].processes[] | select(.comm == "monitored").tx_bytes] | max')" 400012
	# It is a table, too.
	netacct-show 0.2 2 >"$BATS_TEST_TMPDIR/table"
	has "$(cat "$BATS_TEST_TMPDIR/table")" "whole run of"
}

@test "the per-pid flow tool: one pid, receive and send, rates and sums, interval and count" {
	netacct-load
	hold_open -- tcp --comm one --bytes 100003
	hold_move
	pid=$(netacct-show --json --comm one | jq '.processes[] | select(.tx_bytes > 0).pid')
	run_begins --pid "$pid" -o pid,rx_bytes,tx_bytes,rx_rate,tx_rate 1 3
	hold_move
	traffic udp --bytes 1009 >/dev/null
	wait $RUN
	is "$(readings length)" 4
	is "$(readings '[.[].processes[].pid] | unique')" "[$pid]"
	is "$(readings '.[0].processes[0] | .rx_bytes, .tx_bytes' | paste -sd,)" 0,100003
	is "$(readings '[.[1:3][].processes[].tx_bytes] | max')" 200006
	is "$(readings '.[-1].processes[0].tx_bytes')" 100003
	is "$(readings '[.[1:3][] | .processes[] | select(.tx_rate > 0)] | length')" 1
	is "$(readings '.[-1].processes[0] | .tx_rate > 0 and .tx_rate <= 100003')" true
}

@test "tcptop: each connection with its process, addresses, ports and what it moved" {
	netacct-load
	hold_open -- tcp --bytes 100003 --comm top4
	traffic udp >/dev/null
	run_begins --by flow --tcp 1 2
	hold_move
	wait $RUN
	port=$(netacct-show --json --by flow --comm top4 | jq '.flows[] | select(.tx_bytes > 0).remote_port')
	is "$(readings '[.[-1].flows[] | select(.comm == "top4" and .tx_bytes > 0)
		| .remote_address, .remote_port, .protocol, .tx_bytes, .rx_bytes]')" "[\"127.0.0.1\",$port,\"tcp\",100003,0]"
	is "$(readings '[.[].flows[].protocol] | unique')" '["tcp"]'
	has "$(netacct-show --by flow -t -4)" 127.0.0.1
}

@test "execution and exit: a process that lived 50 ms has its row, its exit and its duration" {
	netacct-load
	bash -c 'echo -n 12345 >/dev/udp/127.0.0.1/9; sleep 0.05; :'
	row=$(netacct-show --json --comm bash | jq -c '[.processes[] | select(.tx_bytes == 5)][0]')
	is "$(jq -c '[.comm, .tx_bytes, .exited, .parent_comm != null]' <<<"$row")" '["bash",5,true,true]'
	is "$(jq '.lived_ns >= 50000000 and .lived_ns < 30000000000' <<<"$row")" true
	is "$(jq '.exited_at != null and .start_time != null' <<<"$row")" true
	# One that lives has none yet.
	is "$(netacct-show --json --comm netacct-show -o exited,lived_ns | jq -c '[.processes[]]')" '[]'
}

@test "per user: what each of them moved" {
	netacct-load
	traffic tcp --uid 1 --bytes 300007 >/dev/null
	traffic udp --uid 1 --bytes 100003 >/dev/null
	traffic tcp --uid 65534 --bytes 200003 >/dev/null
	is "$(netacct-show --json --by user | jq -c '[.users[] | select(.uid > 0) | [.user, .tx_bytes, .rx_bytes, .processes]] | sort')" \
		"[[\"daemon\",400010,400010,4],[\"nobody\",200003,200003,2]]"
}

@test "pid namespace: the pid outside, and inside" {
	netacct-load
	unshare --pid --fork --mount-proc traffic tcp --comm inside --bytes 10007 >/dev/null
	is "$(netacct-show --json --comm inside | jq -c '[.processes[] | [.ns_pid < 10, .pid > 10, .tx_bytes + .rx_bytes]] | unique')" \
		"[[true,true,10007]]"
}
