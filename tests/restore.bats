# SPDX-License-Identifier: GPL-2.0-only
# What was counted goes on in another account: after a reboot, or of another version.
load helpers

setup() {
	clean_up
	file=$BATS_TEST_TMPDIR/saved
}

# An account with known bytes, unloaded to $file.
saved() {
	netacct-load
	traffic tcp --comm aaa --bytes 3000003 >/dev/null
	traffic udp --comm bbb --bytes 10007 --family 6 --uid 1 >/dev/null
	netacct-unload --to "$file"
}

# As if the machine had been started anew since.
another_boot() {
	sed -i 's/"boot_id":"[^"]*"/"boot_id":"11111111-2222-3333-4444-555555555555"/' "$file"
}

# What the sums of the JSON on stdin are, and that the rows come to the totals.
sums() {
	jq -c '[.processes[], .no_row | [.tx_bytes, .rx_bytes, .tx_calls, .rx_calls]] | transpose | map(add)' >"$BATS_TEST_TMPDIR/rows"
	cat "$BATS_TEST_TMPDIR/rows"
}

totals() {
	jq -sc '[.[].totals | [.tx_bytes, .rx_bytes, .tx_calls, .rx_calls]] | transpose | map(add)' "$@"
}

# bats test_tags=anywhere
@test "load --restore: what was counted goes on, as finished rows" {
	saved
	netacct-load --restore "$file"
	[ "$(netacct-show --json | jq -c '[.totals.tx_bytes, .totals.rx_bytes] | map(. >= 3010010)')" = "[true,true]" ]
	is "$(rows aaa tx_bytes),$(rows aaa rx_bytes),$(rows bbb tx_bytes),$(rows bbb rx_bytes)" \
		3000003,3000003,10007,10007
	is "$(netacct-show --json | jq -c '[.processes[] | select(.comm == "bbb")
		| .pid, .merged, .exited, .uid, .protocols.udp.tx_bytes, .other_flows.rx_bytes]')" \
		"[null,2,true,1,10007,10007]"
	is "$(netacct-show --json | sums)" "$(netacct-show --json | totals)"
	traffic tcp --comm aaa --bytes 7 >/dev/null
	is "$(rows aaa tx_bytes),$(rows aaa rx_bytes)" 3000010,3000010
}

# bats test_tags=anywhere
@test "load --restore: the sum over unload and restore is exact, round after round" {
	for ((round = 1; round <= 4; round++)); do
		netacct-load --no-flows ${restore:+--restore "$file"}
		traffic tcp --comm aaa --bytes 10007 >/dev/null
		netacct-unload --to "$file"
		another_boot
		restore=yes
	done
	is "$(jq -c '[.processes[] | select(.comm == "aaa") | .tx_bytes, .rx_bytes] | add' "$file")" 80056
	is "$(jq '[.processes[] | select(.comm == "aaa") | .merged // 1] | add' "$file")" 8
	is "$(sums <"$file")" "$(totals "$file")"
}

# bats test_tags=anywhere
@test "load --restore after a reboot: names stay, what only that boot knew does not" {
	saved
	cgroup=$(jq -r '[.processes[] | select(.comm == "aaa").cgroup][0]' "$file")
	since=$(jq -r .loaded_at "$file")
	first=$(jq -r '[.processes[] | select(.comm == "aaa").first_seen] | min' "$file")
	another_boot
	# Before this machine was started.
	sed -i "s/$since/2001-02-03T04:05:06Z/g; s/$first/2001-02-03T04:05:07Z/g" "$file"
	jq -c '.processes |= map(.last_seen = "2001-02-03T04:05:09Z" | .first_seen = "2001-02-03T04:05:07Z"
		| .exited_at = "2001-02-03T04:05:10Z")' "$file" >"$file.old"
	netacct-load --restore "$file.old"
	row=$(netacct-show --json | jq -c '.processes[] | select(.comm == "aaa")
		| [.cgroup_id, .netns, .tx_bytes, .first_seen, .last_seen, .exited_at]')
	is "$row" '[null,null,3000003,"2001-02-03T04:05:07Z","2001-02-03T04:05:09Z","2001-02-03T04:05:10Z"]'
	shown=$(netacct-show --json | jq -r '[.processes[] | select(.comm == "aaa").cgroup][0]')
	[[ $cgroup == *"$shown" ]]
	is "$(netacct-show --json | jq -r .since)" 2001-02-03T04:05:06Z
	has "$(netacct-show | head -n 1)" "since 2001-02-03T04:05:06Z"
	is "$(netacct-show --json | jq -r .boot_id)" "$(cat /proc/sys/kernel/random/boot_id)"
}

# bats test_tags=anywhere
@test "load --restore: a generation that waited to be read is restored, too" {
	netacct-load --no-flows
	traffic tcp --comm aaa --bytes 10007 >/dev/null
	netacct-reset --to /dev/full || true
	netacct-reset --json >/dev/full || true
	traffic tcp --comm aaa --bytes 23 >/dev/null
	netacct-unload --to "$file"
	is "$(wc -l <"$file")" 2
	netacct-load --restore "$file"
	is "$(rows aaa tx_bytes),$(rows aaa rx_bytes)" 10030,10030
}

# bats test_tags=anywhere
@test "a file is not restored twice" {
	saved
	netacct-load --restore "$file"
	netacct-unload
	run -1 netacct-load --restore "$file"
	one_line
	has "$output" "restored at"
	run -3 netacct-status
	# What was appended since is.
	netacct-load
	traffic tcp --comm aaa --bytes 7 >/dev/null
	netacct-unload --json >>"$file"
	netacct-load --restore "$file"
	is "$(rows aaa tx_bytes),$(rows aaa rx_bytes)" 7,7
}

# bats test_tags=anywhere
@test "load --restore on what is loaded: refused, and the file is left alone" {
	saved
	before=$(sha256sum "$file")
	netacct-load
	run -1 netacct-load --restore "$file"
	one_line
	has "$output" "already loaded"
	is "$(sha256sum "$file")" "$before"
	run -2 netacct-load --restore "$file" --replace
}

# bats test_tags=anywhere
@test "load --restore of what is no reading: says why, and loads nothing" {
	saved
	objects=$(bpf_objects)
	for change in 'del(.totals)' '.totals.tx_bytes += 1' '.schema = 2' '.processes = .processes[1:]'; do
		jq -c "$change" "$file" >"$file.changed"
		run -1 netacct-load --restore "$file.changed"
		one_line
		has "$output" "$file.changed: document 1"
		run -3 netacct-status
	done
	run -1 netacct-load --restore "$BATS_TEST_TMPDIR/none"
	one_line
	has "$output" "no such file"
	run -1 netacct-load --restore "$BATS_TEST_TMPDIR"
	one_line
	run -3 netacct-status
	nothing_since "$objects"
	netacct-load --restore "$file"
}

# bats test_tags=anywhere
@test "load --restore that cannot mark the file: nothing is loaded, and the file is as it was" {
	saved
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=64k tmpfs "$BATS_TEST_TMPDIR/small" || skip "cannot mount a tmpfs"
	cp "$file" "$BATS_TEST_TMPDIR/small/saved"
	head -c 1000000 /dev/zero >"$BATS_TEST_TMPDIR/small/fill" 2>/dev/null || true
	run -1 netacct-load --restore "$BATS_TEST_TMPDIR/small/saved"
	run_status=$status lines_seen="${#lines[@]}" said=$output
	cmp "$file" "$BATS_TEST_TMPDIR/small/saved"
	umount "$BATS_TEST_TMPDIR/small"
	is "$run_status $lines_seen" "1 1"
	has "$said" "no space"
	run -3 netacct-status
	netacct-load --restore "$file"
}

# bats test_tags=anywhere
@test "load --restore killed anywhere: the next one restores it, once" {
	saved
	cp "$file" "$file.before"
	calls=$(calls bpf,write,rename,symlink netacct-load --no-flows --restore "$file")
	netacct-unload
	cp "$file.before" "$file"
	while read -r call total; do
		for n in $(spread "$total" 1); do
			kill_at "$call" "$n" netacct-load --no-flows --restore "$file"
			netacct-status >/dev/null 2>&1 || netacct-load --no-flows --restore "$file"
			is "$call $n: $(rows aaa tx_bytes),$(rows aaa rx_bytes)" "$call $n: 3000003,3000003"
			netacct-unload
			run -1 netacct-load --no-flows --restore "$file"
			has "$output" "restored at"
			cp "$file.before" "$file"
		done
	done <<<"$calls"
	# A load without it takes the mark back as well.
	kill_at rename 2 netacct-load --no-flows --restore "$file"
	netacct-unload || is $? 3
	netacct-load --no-flows --restore "$file"
	is "$(rows aaa tx_bytes)" 3000003
}
