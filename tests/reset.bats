# SPDX-License-Identifier: GPL-2.0-only
load helpers

# The sums of a reset's or an unload's JSON, $1, for each line of truth, $2.
took() {
	echo "$1" >"$BATS_TEST_TMPDIR/taken"
	echo "$2" | jq -c --slurpfile taken "$BATS_TEST_TMPDIR/taken" '. as $t | $taken[0]
		| [(.processes[] | select(.pid == $t.pid) | .tx_bytes, .rx_bytes),
		   ([.flows[] | select(.pid == $t.pid).tx_bytes] | add),
		   ([.flows[] | select(.pid == $t.pid).rx_bytes] | add)]'
}

@test "reset starts from zero, and counting goes on" {
	netacct-load
	traffic tcp >/dev/null
	run -0 netacct-reset
	is "$output" ""
	is "$(netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic")]')" "[]"
	is "$(netacct-show --json | jq '.generation, (.reset_at | type)' | paste -sd,)" '1,"string"'
	truth=$(traffic tcp --bytes 23)
	exact "$truth"
	invariants
}

# bats test_tags=anywhere
@test "reset --json prints what it took: processes and flows, on one line" {
	netacct-load
	truth=$(traffic tcp)
	run -0 --separate-stderr netacct-reset --json
	is "${#lines[@]}" 1
	is "$(took "$output" "$truth" | sort -u)" "$(printf '%s\n' '[0,10007,0,10007]' '[10007,0,10007,0]')"
	is "$(jq .generation <<<"$output")" 0
	is "$(netacct-reset --json | jq .generation)" 1
}

# bats test_tags=anywhere
@test "reset --to writes the same into a file" {
	netacct-load
	truth=$(traffic tcp)
	file=$BATS_TEST_TMPDIR/out.json
	run -0 netacct-reset --to "$file"
	is "$output" ""
	is "$(took "$(cat "$file")" "$truth" | sort -u)" "$(printf '%s\n' '[0,10007,0,10007]' '[10007,0,10007,0]')"
	is "$(find "$BATS_TEST_TMPDIR" -name 'out*')" "$file"
}

# bats test_tags=anywhere
@test "reset that cannot write loses nothing: the next prints it first" {
	netacct-load
	truth=$(traffic tcp)
	run -1 bash -c 'netacct-reset --json >/dev/full'
	one_line
	exact "$truth"
	traffic udp >/dev/null
	run -0 --separate-stderr netacct-reset --json
	is "${#lines[@]}" 2
	is "$(took "${lines[0]}" "$truth" | sort -u)" "$(printf '%s\n' '[0,10007,0,10007]' '[10007,0,10007,0]')"
	is "$(jq .generation <<<"$output" | paste -sd,)" 0,1

	run -1 netacct-reset --to "$BATS_TEST_TMPDIR/no/such/folder"
	one_line
}

@test "reset: a connection that stays open is counted from zero" {
	netacct-load
	hold_open -- tcp
	hold_move
	exact "$TRUTH"
	netacct-reset
	hold_move
	exact "$TRUTH"
	netacct-reset
	netacct-reset
	hold_move
	exact "$TRUTH"
}

@test "readings beside a reset have all that was counted, or nothing of it" {
	local n shows

	netacct-load --no-flows
	for ((n = 0; n < $(scaled 40); n++)); do
		traffic tcp --comm aaa --bytes 10007 >/dev/null
		shows=()
		for ((i = 0; i < 6; i++)); do
			netacct-show --json --comm aaa >"$BATS_TEST_TMPDIR/show.$i" 3>&- &
			shows+=($!)
			[ "$i" -ne 1 ] || { netacct-reset --to "$BATS_TEST_TMPDIR/reset" 3>&- & shows+=($!); }
		done
		for pid in "${shows[@]}"; do
			wait "$pid"
		done
		is "$(jq -c '[.totals, ([.processes[] | {tx_bytes, rx_bytes, tx_calls, rx_calls}]
			| if . == [] then {tx_bytes: 0, rx_bytes: 0, tx_calls: 0, rx_calls: 0} else
			reduce .[] as $p ({}; reduce ($p | keys[]) as $k (.; .[$k] += $p[$k])) end)] | .[0] == .[1]' \
			"$BATS_TEST_TMPDIR"/show.* | sort -u)" true
		is "$(jq -c 'select(.processes != []) | [.totals.tx_bytes, .totals.rx_bytes]' \
			"$BATS_TEST_TMPDIR"/show.* | sort -u | sed 's/^\[10007,10007\]$//')" ""
		is "$(jq -c '[.processes[] | select(.comm == "aaa") | .tx_bytes, .rx_bytes] | add' "$BATS_TEST_TMPDIR/reset")" 20014
	done
}

@test "reset: bpftool's view is of the new generation only" {
	netacct-load
	traffic tcp >/dev/null
	netacct-reset
	traffic tcp --bytes 29 >/dev/null
	is "$(bpftool -j map dump pinned "$NETACCT_PIN_DIR/processes" |
		jq -c '[.[].formatted.value | select(.comm == "traffic").traffic.tcp_loopback
			| .tx_bytes + .rx_bytes] | add')" 58
}

# bats test_tags=anywhere
@test "reset that is stuck blocks no reader; a second names its pid" {
	netacct-load
	traffic udp --swarm 1000 --bytes 10 --chunk 10 >/dev/null
	# A pipe that nobody reads holds 4096 bytes.
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	exec {pipe}<>"$BATS_TEST_TMPDIR/pipe"
	netacct-reset --json >"$BATS_TEST_TMPDIR/pipe" 3>&- &
	stuck=$!
	eventually "the reset has its turn" bash -c 'netacct-status -j | jq -e ".generation == 1"'
	truth=$(traffic tcp)
	exact "$truth"
	run -1 netacct-reset
	one_line
	has "$output" "$stuck"
	kill -KILL "$stuck"
	wait "$stuck" || true
	exec {pipe}<&-
	exact "$truth"
	is "$(netacct-reset --json | jq .generation | paste -sd,)" 0,1
}

# bats test_tags=anywhere
@test "reset: what cannot be meant is misuse" {
	run -2 netacct-reset everything
	has "$output" "netacct-reset --help"
	run -2 netacct-reset --nonsense
}

# of KEY FILE...: the sum over the rows of the files, and what found no row, each generation once.
of() {
	jq -s "([.[].$1 // 0] | add) + ([group_by([.boot_id, .loaded_at, .generation])[][0].no_row.$1] | add)" "${@:2}"
}

# bats test_tags=anywhere
@test "reset --format jsonl: a row on a line, as show has it; files add up to the traffic" {
	local dir=$BATS_TEST_TMPDIR

	netacct-load --max-processes 16
	traffic tcp --comm aaa >/dev/null
	netacct-show --format jsonl >"$dir/show"
	netacct-reset --format jsonl --to "$dir/1.jsonl"
	is "$(jq -c 'select(.comm == "aaa") | keys' "$dir/1.jsonl" | sort -u)" "$(jq -c 'select(.comm == "aaa") | keys' "$dir/show" | sort -u)"
	is "$(of tx_bytes "$dir/1.jsonl")" "$(jq -s '.[0].totals.tx_bytes' "$dir/1.jsonl")"
	is "$(jq -s 'map(select(.comm == "aaa").tx_bytes) | add' "$dir/1.jsonl")" 10007
	traffic udp --comm bbb --swarm 100 --bytes 13 --chunk 13 >/dev/null
	netacct-reset --format jsonl >"$dir/2.jsonl"
	is "$(of rx_bytes "$dir/2.jsonl")" "$(jq -s '.[0].totals.rx_bytes' "$dir/2.jsonl")"
	is "$(jq -s 'map(select(.comm == "bbb").tx_bytes) | add' "$dir/2.jsonl")" 1300
	traffic tcp --comm ccc >/dev/null
	netacct-unload --format jsonl --to "$dir/3.jsonl"
	is "$(of tx_bytes "$dir"/[123].jsonl)" "$(jq -s 'group_by(.generation) | map(.[0].totals.tx_bytes) | add' "$dir"/[123].jsonl)"
	is "$(jq -s 'map(.generation) | unique' "$dir"/[123].jsonl | jq -c .)" "[0,1,2]"
}

# bats test_tags=anywhere
@test "reset --format jsonl: an interval of nothing is a line too, and one that waits comes again" {
	netacct-load --user 54321
	netacct-reset
	run -0 --separate-stderr netacct-reset --format jsonl
	is "${#lines[@]}" 1
	is "$(jq -c '[.generation, .totals.tx_bytes, .no_row.rx_bytes, .pid]' <<<"$output")" "[1,0,0,null]"
	traffic tcp --uid 54321 --comm aaa >/dev/null
	run -1 bash -c 'netacct-reset --format jsonl >/dev/full'
	traffic tcp --uid 54321 --comm aaa --bytes 23 >/dev/null
	run -0 --separate-stderr netacct-reset --format jsonl
	is "$(jq -s -c 'map(select(.comm == "aaa")) | group_by(.generation) | map([.[0].generation, (map(.tx_bytes) | add)])' <<<"$output")" \
		"[[2,10007],[3,23]]"
}

# bats test_tags=anywhere
@test "reset: --format takes json or jsonl" {
	netacct-load
	is "$(netacct-reset --format json | jq -r .by)" process
	for format in table prometheus ""; do
		run -2 netacct-reset --format "$format"
		run -2 netacct-unload --format "$format"
	done
}
