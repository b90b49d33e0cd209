# SPDX-License-Identifier: GPL-2.0-only
load helpers

@test "unload leaves no pin, no program, no map, no link" {
	before=$(bpf_objects)
	netacct-load
	[ "$(bpf_objects)" != "$before" ]
	traffic tcp >/dev/null
	netacct-reset
	run -0 netacct-unload
	is "$output" ""
	nothing_since "$before"
}

@test "unload --json prints a last reading" {
	netacct-load
	truth=$(traffic tcp)
	run -0 --separate-stderr netacct-unload --json
	is "${#lines[@]}" 1
	for pid in $(jq .pid <<<"$truth"); do
		is "$(jq ".processes[] | select(.pid == $pid) | .tx_bytes + .rx_bytes" <<<"$output")" 10007
		is "$(jq ".flows[] | select(.pid == $pid) | .tx_bytes + .rx_bytes" <<<"$output")" 10007
	done
	[ ! -e "$NETACCT_PIN_DIR" ]
}

# bats test_tags=anywhere
@test "unload --to writes it into a file" {
	netacct-load
	traffic tcp >/dev/null
	netacct-unload --to "$BATS_TEST_TMPDIR/last.json"
	jq -e '.processes | length > 1' "$BATS_TEST_TMPDIR/last.json"
	[ ! -e "$NETACCT_PIN_DIR" ]
}

# bats test_tags=anywhere
@test "unload that cannot write leaves everything, and counting goes on" {
	netacct-load
	first=$(traffic tcp)
	run -1 bash -c 'netacct-unload --json >/dev/full'
	one_line
	second=$(traffic tcp)
	exact "$first"
	exact "$second"
	run -1 netacct-unload --to "$BATS_TEST_TMPDIR/no/such/folder"
	exact "$first"
}

# bats test_tags=anywhere
@test "unload prints first what a reset did not get to print" {
	netacct-load
	traffic tcp >/dev/null
	run -1 bash -c 'netacct-reset --json >/dev/full'
	traffic tcp >/dev/null
	is "$(netacct-unload --json | jq -c '[.generation, ([.processes[].tx_bytes] | add)]' | paste -sd' ')" \
		"[0,10007] [1,10007]"
}

# bats test_tags=anywhere
@test "not loaded: exit 3, with the command to run" {
	for command in show status reset unload; do
		run -3 "netacct-$command"
		one_line
		has "$output" "not loaded"
		has "$output" netacct-load
		run -3 --separate-stderr "netacct-$command" --json
		is "$output" ""
	done
}

# bats test_tags=anywhere
@test "unload: what cannot be meant is misuse" {
	run -2 netacct-unload everything
	has "$output" "netacct-unload --help"
}

# bats test_tags=anywhere
@test "accounts that were read are never loaded in one second" {
	for ((n = 0; n < 3; n++)); do
		netacct-load --no-flows
		netacct-unload --json
	done >"$BATS_TEST_TMPDIR/read"
	netacct-load --no-flows
	netacct-reset
	netacct-unload
	netacct-load --no-flows
	netacct-show --json >>"$BATS_TEST_TMPDIR/read"
	is "$(jq -r .loaded_at "$BATS_TEST_TMPDIR/read" | uniq -d)" ""
}
