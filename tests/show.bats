# SPDX-License-Identifier: GPL-2.0-only
load helpers

# Three users and names: a sends 3 MB, b 2 MB, c 1 MB.
three() {
	netacct-load
	traffic tcp --comm aaa --bytes 3000003 >/dev/null
	traffic udp --comm bbb --bytes 2000003 --uid 1 >/dev/null
	traffic tcp --comm ccc --bytes 1000003 --family 6 --uid 2 >/dev/null
}

# From the JSON of "netacct-show $1...".
show() {
	netacct-show --json "${@:2}" | jq -c "$1"
}

# bats test_tags=anywhere
@test "show: the table has the columns of the contract, most bytes first" {
	three
	run -0 --separate-stderr netacct-show
	has "${lines[0]}" since
	has "${lines[0]}" "$(netacct-status -j | jq -r .hooks)"
	is "$(tr -s ' ' <<<"${lines[1]}" | sed 's/^ *//; s/ *$//')" "PID USER COMM TX_BYTES RX_BYTES LAST_SEEN"
	is "$(grep -oE 'aaa|bbb|ccc' <<<"$output" | paste -sd,)" "aaa,aaa,bbb,bbb,ccc,ccc"
	has "$output" 2.9M
	is "$stderr" ""
	has "$(netacct-show --bytes)" 3000003
}

# bats test_tags=anywhere
@test "show --no-header, --output, --numeric, --rows" {
	three
	is "$(netacct-show -H -o comm,tx_bytes,uid -b -r 1 | head -n 1 | tr -s ' ' | sed 's/^ *//')" "aaa (exited) 3000003 0"
	is "$(netacct-show -H -o COMM -r all | grep -c bbb)" 2
	is "$(netacct-show -H -n -o user,comm | grep bbb | tr -s ' ' | sed 's/^ *//' | sort -u)" "1 bbb (exited)"
	is "$(netacct-show -H -o user,comm | grep bbb | tr -s ' ' | sed 's/^ *//' | sort -u)" "daemon bbb (exited)"
	is "$(show '.processes | length' --rows 2)" 2
	run -2 netacct-show -o nonsense
	run -2 netacct-show --rows many
}

# bats test_tags=anywhere
@test "show --sort" {
	three
	is "$(show '[.processes[].comm] | unique | length > 2' --sort tx_bytes)" true
	is "$(show '[.processes[].tx_bytes] | . == (sort | reverse)' --sort tx_bytes)" true
	is "$(show '[.processes[].comm] | . == sort' --sort comm)" true
	is "$(show '[.processes[].pid] | . == sort' --sort PID)" true
	run -2 netacct-show --sort nonsense
}

# bats test_tags=anywhere
@test "show --json: every key of the contract, on one line" {
	three
	run -0 --separate-stderr netacct-show --json
	is "${#lines[@]}" 1
	is "$(jq -c 'keys_unsorted[:13]' <<<"$output")" "$(jq -nc '["schema", "version", "hostname", "boot_id",
		"loaded_at", "generation", "reset_at", "taken_at", "hooks", "by", "filters",
		"flows_enabled", "missed_events"]')"
	is "$(jq -c '.totals, .no_row | keys' <<<"$output" | sort -u)" '["rx_bytes","rx_calls","tx_bytes","tx_calls"]'
	is "$(jq -c '.processes[0] | keys' <<<"$output")" "$(jq -nc '["pid", "start_time", "start_ns", "comm", "uid",
		"user", "cgroup_id", "cgroup", "service", "container_id", "netns", "netns_name", "ns_pid", "ppid", "parent_comm", "exited", "exited_at",
		"lived_ns", "merged", "first_seen", "last_seen", "tx_bytes", "rx_bytes", "tx_calls", "rx_calls",
		"other_flows", "protocols", "loopback"] | sort')"
	is "$(jq '.schema' <<<"$output")" 1
	is "$(jq -r '.boot_id' <<<"$output")" "$(cat /proc/sys/kernel/random/boot_id)"
	is "$(jq -r '.hostname' <<<"$output")" "$(uname -n)"
	is "$(jq '[.loaded_at, .taken_at, .processes[].start_time, .processes[].last_seen] |
		all(test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"))' <<<"$output")" true
	is "$(jq '.processes | map(select(.comm == "bbb").protocols | keys) | unique == [["udp"]]' <<<"$output")" true
	is "$(netacct-show --pretty | jq -S 'del(.taken_at)')" "$(jq -S 'del(.taken_at)' <<<"$output")"
	[ "$(netacct-show --pretty | wc -l)" -gt 50 ]
}

# bats test_tags=anywhere
@test "show --by comm, user, flow, protocol" {
	three
	is "$(show '[.comms[] | select(.comm == "aaa") | .tx_bytes, .rx_bytes, .processes]' --by comm)" \
		"[3000003,3000003,2]"
	is "$(show '[.users[] | select(.uid == 1) | .user, .tx_bytes, .processes]' --by user)" '["daemon",2000003,2]'
	is "$(show '[.protocols[] | select(.protocol == "udp") | .tx_bytes] | add >= 2000003' --by protocol)" true
	is "$(show '[.flows[] | select(.comm == "ccc" and .tx_bytes > 0)
		| .protocol, .family, .local_address, .tx_bytes]' --by flow)" '["tcp","ipv6","::1",1000003]'
	is "$(show .by --by comm)" '"comm"'
	is "$(show '[.protocols[].tx_bytes] | add' --by protocol)" "$(show .totals.tx_bytes)"
	for by in comm user flow protocol; do
		netacct-show --by $by | grep -q .
	done
	run -2 netacct-show --by nonsense
}

# bats test_tags=anywhere
@test "show --format jsonl: a row a line" {
	three
	is "$(netacct-show --format jsonl | jq -s length)" "$(show '.processes | length')"
	is "$(netacct-show --format jsonl | wc -l)" "$(show '.processes | length')"
	is "$(netacct-show --format jsonl | jq -c 'select(.comm == "aaa" and .tx_bytes > 0) | [.schema, .tx_bytes, .hooks]')" \
		"[1,3000003,$(netacct-status -j | jq .hooks)]"
	run -2 netacct-show --format nonsense
}

# bats test_tags=anywhere
@test "show: a column that is asked for twice is one key, and so is one that the header has, too" {
	three
	is "$(netacct-show --json --comm aaa -o comm,uid,comm | grep -o '"processes":.*')" \
		'"processes":[{"comm":"aaa","uid":0},{"comm":"aaa","uid":0}]}'
	line=$(netacct-show --format jsonl --comm aaa --remote 127.0.0.0/8 -o comm,other_flows | head -n 1)
	is "$(grep -o '"no_row".*' <<<"$line")" '"no_row":null,"other_flows":null,"comm":"aaa"}'
}

# bats test_tags=anywhere
@test "show --to writes a file, whole or not at all" {
	three
	file=$BATS_TEST_TMPDIR/out.json
	run -0 netacct-show --json --to "$file"
	is "$output" ""
	jq -e '.processes | length >= 6' "$file"
	run -1 netacct-show --json --to "$BATS_TEST_TMPDIR/no/such/folder"
	one_line
	echo before >"$file"
	run -2 netacct-show --by nonsense --to "$file"
	is "$(cat "$file")" before
}

# bats test_tags=anywhere
@test "show: filters" {
	three
	pids=$(show '[.processes[] | select(.comm == "aaa").pid] | join(",")' | tr -d '"')
	is "$(show '[.processes[].comm] | unique' --pid "$pids")" '["aaa"]'
	is "$(show '[.processes[].comm] | unique' --comm 'a*,bb?')" '["aaa","bbb"]'
	is "$(show '[.processes[].comm] | unique' --comm aaa --comm ccc)" '["aaa","ccc"]'
	is "$(show '[.processes[].comm] | unique' --comm '!aaa' --comm '[a-c]*' | tr -d ' ')" '["bbb","ccc"]'
	is "$(show '[.processes[].comm] | unique' --user daemon,2)" '["bbb","ccc"]'
	is "$(show '[.processes[].comm] | unique' --user daemon --comm 'c*')" '[]'
	is "$(show '.processes' --comm nonsense)" '[]'
	is "$(show '.processes' --live --comm 'aaa,bbb,ccc')" '[]'
	is "$(show '[.processes[].comm] | unique' --exited --comm 'aaa,bbb,ccc')" '["aaa","bbb","ccc"]'
	is "$(show '[.processes[] | .tx_bytes + .rx_bytes] | add // 0' --no-loopback --comm 'aaa,bbb,ccc')" 0
	run -0 netacct-show --comm nonsense
	run -2 netacct-show --pid nonsense
	run ! netacct-show --user no-such-user
}

# bats test_tags=anywhere
@test "show: --live and --exited" {
	netacct-load
	hold_open -- tcp --comm holder
	hold_move
	is "$(show '[.processes[] | select(.comm == "holder").exited]' --live)" '[false,false]'
	is "$(show '[.processes[] | select(.comm == "holder")]' --exited)" '[]'
	hold_close
	is "$(show '[.processes[] | select(.comm == "holder").exited]')" '[true,true]'
	is "$(show '[.processes[] | select(.comm == "holder")]' --live)" '[]'
}

# bats test_tags=anywhere
@test "show: from another shell, from cron, and later: the same" {
	three
	first=$(show '[.processes[] | select(.comm | test("^(aaa|bbb|ccc)$"))]')
	is "$(bash -lc "PATH=$PATH NETACCT_PIN_DIR=$NETACCT_PIN_DIR netacct-show --json" |
		jq -c '[.processes[] | select(.comm | test("^(aaa|bbb|ccc)$"))]')" "$first"
	is "$(env -i "$BUILD/netacct-show" --pin-dir "$NETACCT_PIN_DIR" --json |
		jq -c '[.processes[] | select(.comm | test("^(aaa|bbb|ccc)$"))]')" "$first"
	env -i "$BUILD/netacct-show" --pin-dir "$NETACCT_PIN_DIR" </dev/null | grep -q aaa
	sleep 2
	is "$(show '[.processes[] | select(.comm | test("^(aaa|bbb|ccc)$"))]')" "$first"
}

# bats test_tags=anywhere
@test "show with an interval: a reading each, and the run's totals at the end" {
	netacct-load
	run -0 --separate-stderr netacct-show --json 1 2
	is "${#lines[@]}" 3
	is "$(jq -c '.summary // false' <<<"$output" | paste -sd,)" false,false,true
	is "$(jq 'has("tx_rate")' <<<"$(jq -c .totals <<<"${lines[1]}")")" true
	run -0 netacct-show 1 1
	run -2 netacct-show 0
	run -2 netacct-show 1 0
	run -2 netacct-show 1 2 3
}

# bats test_tags=anywhere
@test "show with an interval: rows that moved, then those of the whole run" {
	netacct-load
	hold_open -- tcp --comm holder
	hold_move
	netacct-show --json 1 3 >"$BATS_TEST_TMPDIR/out" 3>&- &
	eventually "the first reading is there" test -s "$BATS_TEST_TMPDIR/out"
	hold_move
	wait $!
	is "$(jq -s '.[-1].summary' "$BATS_TEST_TMPDIR/out")" true
	is "$(jq -s '[.[-1].processes[] | select(.comm == "holder" and .tx_bytes > 0).tx_bytes] | add' \
		"$BATS_TEST_TMPDIR/out")" 10007
}

# bats test_tags=anywhere
@test "show fails when its output cannot be written" {
	three
	run -1 bash -c 'netacct-show --json >/dev/full'
	run -1 bash -c 'netacct-show >/dev/full'
	run -1 bash -c 'netacct-show --format jsonl >/dev/full'
}

# bats test_tags=anywhere
@test "show will not read what is not an account" {
	run -1 netacct-show --pin-dir "$BATS_TEST_TMPDIR"
	one_line
	mkdir "$NETACCT_PIN_DIR"
	bpftool map create "$NETACCT_PIN_DIR/meta" type array key 4 value 8 entries 1 name meta
	run ! netacct-show
	one_line
	rm -r "$NETACCT_PIN_DIR"
}
