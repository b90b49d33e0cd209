# SPDX-License-Identifier: GPL-2.0-only
load helpers

# bats test_tags=anywhere
@test "status says since when, with which hooks, and how full the tables are" {
	netacct-load --max-processes 777 --max-flows 888
	traffic tcp >/dev/null
	run -0 netacct-status
	has "$output" "$(netacct-show --json | jq -r .hooks)"
	has "$output" 777
	has "$output" 888
	has "$output" 0.1.0
}

# bats test_tags=anywhere
@test "status --json" {
	netacct-load --max-processes 777 --max-flows 888
	traffic tcp >/dev/null
	run -0 --separate-stderr netacct-status --json
	is "${#lines[@]}" 1
	is "$(jq -c '[.schema, .hooks, .generation, .processes.max, .flows.max, .missed_events]' <<<"$output")" \
		"$(netacct-show --json | jq -c '[1, .hooks, 0, 777, 888, 0]')"
	jq -e '.processes.rows >= 2 and .flows.rows >= 2' <<<"$output"
}

@test "status: the cost of an event, where the kernel measures it" {
	was=$(cat /proc/sys/kernel/bpf_stats_enabled)
	netacct-load
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	traffic udp --bytes 1009000 >/dev/null
	cost=$(netacct-status -j | jq .ns_per_event)
	echo "$was" >/proc/sys/kernel/bpf_stats_enabled
	jq -e '. > 0' <<<"$cost"
}

# bats test_tags=anywhere
@test "status fails when its output cannot be written" {
	netacct-load
	run -1 bash -c 'netacct-status >/dev/full'
	run -1 bash -c 'netacct-status --json >/dev/full'
}

# bats test_tags=anywhere
@test "help on stdout and 0, version, misuse 2: the same in every command" {
	for command in load show reset unload status top watch; do
		run -0 --separate-stderr "netacct-$command" --help
		has "$output" "Usage: netacct-$command"
		is "$stderr" ""
		run -0 "netacct-$command" -h
		is "$(netacct-"$command" --version)" "netacct-$command 0.1.0"
		is "$(netacct-"$command" -V)" "netacct-$command 0.1.0"
		run -2 --separate-stderr "netacct-$command" --nonsense
		is "$output" ""
		has "$stderr" "netacct-$command --help"
		run -1 bash -c "netacct-$command --help >/dev/full"
	done
}
