# SPDX-License-Identifier: GPL-2.0-only
# Nothing lost: the sums agree, whatever happened before.
load helpers

# MPTCP where the kernel has it (5.10 has not).
stream() {
	[ -e /proc/sys/net/mptcp ] && echo mptcp || echo tcp
}

@test "sums agree after traffic of several processes, users and namespaces, and after a reset" {
	netacct-load
	invariants
	for ((round = 0; round < 2; round++)); do
		traffic tcp --uid 65534 --bytes 1000003 >/dev/null
		traffic udp --uid 1 --unconnected --tx sendto >/dev/null
		traffic tcp --shared 3 --threads 2 >/dev/null
		traffic raw >/dev/null
		traffic icmp --family 6 >/dev/null
		traffic packet >/dev/null
		namespaces_add "$NS"
		ip netns exec "$NS-a" traffic tcp --connections 101 >/dev/null
		ip netns exec "$NS-b" traffic "$(stream)" --address "$A4" --peer-netns "$NS-a" >/dev/null
		invariants
		netacct-reset
		invariants
	done
}

@test "20,000 short-lived processes in 1,000 rows: no byte is lost" {
	processes=$(scaled 20000)
	rows=1000
	# Slow machines need fewer. A fast one ends some hundreds before the kernel frees the first, and its row: for whom
	# none is left is added up like others, but not counted.
	[ -z "${NETACCT_TEST_GUEST:-}" ] || rows=$(scaled 1000)
	netacct-load --max-processes "$rows"
	truth=$(traffic udp --comm swarm --swarm "$processes" --bytes 101 --chunk 101)
	invariants
	netacct-show --json >"$BATS_TEST_TMPDIR/show"
	is "$(jq '.no_row.tx_bytes' "$BATS_TEST_TMPDIR/show")" 0
	for key in tx_bytes rx_bytes tx_calls rx_calls; do
		is "$(jq "[.processes[] | select(.comm == \"swarm\").$key] | add" "$BATS_TEST_TMPDIR/show")" \
			"$(jq -s "map(.$key) | add" <<<"$truth")"
	done
	jq -e "[.processes[] | select(.merged == null)] | length <= $rows" "$BATS_TEST_TMPDIR/show"
	# Each of them and the receiver: the parent only made them.
	is "$(jq '[.processes[] | select(.comm == "swarm") | .merged // 1] | add' "$BATS_TEST_TMPDIR/show")" $((processes + 1))
	netacct-reset
	traffic udp --comm swarm --swarm "$((rows * 3))" --bytes 101 --chunk 101 >/dev/null
	invariants
	is "$(rows swarm tx_bytes)" $((rows * 303))
}

@test "short-lived processes on every CPU at once: each name keeps its bytes" {
	netacct-load --max-processes 256
	for comm in one two three four; do
		traffic udp --comm $comm --swarm "$(scaled 4000)" --bytes 101 --chunk 101 >/dev/null &
		pids+=" $!"
	done
	for pid in $pids; do
		wait "$pid"
	done
	invariants
	is "$(netacct-show --json | jq -c .no_row)" '{"tx_bytes":0,"rx_bytes":0,"tx_calls":0,"rx_calls":0}'
	for comm in one two three four; do
		is "$(rows $comm tx_bytes)" $(($(scaled 4000) * 101))
	done
}

@test "names without end: each keeps its bytes" {
	netacct-load --max-processes 64
	for ((round = 0; round < 300; round++)); do
		traffic udp --comm "n$round" --bytes 101 --chunk 101 >/dev/null
	done
	invariants
	netacct-show --json >"$BATS_TEST_TMPDIR/show"
	is "$(jq '[.processes[] | select(.comm | test("^n[0-9]+$")).tx_bytes] | add' "$BATS_TEST_TMPDIR/show")" 30300
}

@test "200,000 short connections in 1,000 rows: no byte is lost" {
	rows=$(scaled 1000)
	netacct-load --max-flows "$rows"
	truth=$(traffic tcp --connections "$(scaled 200000)" --bytes 101 --chunk 101)
	exact "$truth"
	invariants
	jq -e ".flows | length <= $rows" "$BATS_TEST_TMPDIR/flows"
	truth=$(traffic tcp)
	exact "$truth"
	pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
	# The dead go first, so a new connection has its row.
	is "$(row "$pid" .other_flows.tx_bytes)" 0
}

# bats test_tags=anywhere
@test "more live processes than rows: each name keeps its bytes" {
	netacct-load --max-processes 8
	for ((round = 0; round < 20; round++)); do
		busy_start "live$round" udp --chunk 101 --comm "live$round"
	done
	for ((round = 0; round < 20; round++)); do
		busy_stop "live$round"
		echo "${TRUTH//'{"role"'/"{\"comm\":\"live$round\",\"role\""}" >>"$BATS_TEST_TMPDIR/truth"
	done
	invariants
	by_name='map(select(.comm | startswith("live"))) | group_by(.comm)
		| map([.[0].comm, (map(.tx_bytes, .rx_bytes) | add), (map(.tx_calls, .rx_calls) | add)] | select(.[1] > 0))'
	netacct-show --json >"$BATS_TEST_TMPDIR/show"
	is "$(jq -c ".processes | $by_name" "$BATS_TEST_TMPDIR/show")" "$(jq -s -c "$by_name" "$BATS_TEST_TMPDIR/truth")"
	is "$(jq -c .no_row "$BATS_TEST_TMPDIR/show")" '{"tx_bytes":0,"rx_bytes":0,"tx_calls":0,"rx_calls":0}'
	netacct-unload --to "$BATS_TEST_TMPDIR/last.json"
	netacct-load --restore "$BATS_TEST_TMPDIR/last.json"
	is "$(netacct-show --json | jq -c ".processes | $by_name")" "$(jq -s -c "$by_name" "$BATS_TEST_TMPDIR/truth")"
}

@test "more live connections than rows" {
	truth=
	netacct-load --max-flows 8
	for ((round = 0; round < 20; round++)); do
		busy_start "live$round" udp --chunk 101
	done
	for ((round = 0; round < 20; round++)); do
		busy_stop "live$round"
		truth+=$TRUTH$'\n'
	done
	# Rows of flows go from one to the other until all have stopped.
	exact "$truth"
	invariants
}

@test "a connection older than the load, in another network namespace, is exact from then on" {
	namespaces_add "$NS"
	for protocol in tcp udp $(stream | grep mptcp); do
		for rx in recv splice; do
			hold_open "$NS-a" -- "$protocol" --bytes 5000011 --chunk 50000 --rx "$rx"
			hold_move
			netacct-load
			hold_move
			exact "$TRUTH"
			netacct-unload
			hold_close
		done
	done
}

@test "100 loads beside busy old connections never add their history" {
	busy_start one tcp --chunk 60000
	busy_start two tcp --chunk 1009 --rx splice --family 6
	eventually "there is a long history" much_came
	for ((round = 0; round < $(scaled 100); round++)); do
		before=$(received)
		# Without flows the load is quicker; the base lines are the same.
		netacct-load --no-flows
		rows=$(netacct-show --json | jq -r '.processes[] | select(.comm == "traffic") | "\(.pid) \(.rx_bytes)"')
		netacct-unload
		after=$(received)
		# Until the load, what had come may not have been read yet.
		awk -v room=$((32 << 20)) '
			FILENAME == ARGV[1] { before[$1] = $2; next }
			FILENAME == ARGV[2] { after[$1] = $2; next }
			$2 > after[$1] - before[$1] + room {
				print "pid " $1 ": " $2 " counted, " after[$1] - before[$1] " came"
				bad = 1
			}
			END { exit bad }' <(echo "$before") <(echo "$after") <(echo "$rows")
	done
	busy_stop one
	busy_stop two
}

# Much more than what may not have been read yet.
much_came() {
	received | awk '$2 > 2 * 32 * 1048576 { much = 1 } END { exit !much }'
}

# "PID BYTES" for each TCP connection of traffic: what came since it opened.
received() {
	ss -Htinp | awk '/users:/ { match($0, /pid=[0-9]+/); pid = substr($0, RSTART + 4, RLENGTH - 4)
				    traffic = /"traffic"/ }
		traffic && match($0, /bytes_received:[0-9]+/) {
			print pid, substr($0, RSTART + 15, RLENGTH - 15) }'
}
