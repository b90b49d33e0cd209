# SPDX-License-Identifier: GPL-2.0-only
# Other programs in an account that goes on counting. Under load: lossless.bats.
load helpers

# load_other DIGIT: an account by another version. Nothing but meta tells which it was.
load_other() {
	local bytes

	VERSION=$(netacct-load --version | grep -oE '[0-9]+\.[0-9.]+')
	OTHER=${VERSION//[0-9]/$1}
	netacct-load
	# The version lies behind schema and hooks.
	bytes=$(bpftool -j map dump pinned "$NETACCT_PIN_DIR/meta" | jq -r '.[0].value | join(" ")')
	read -ra bytes <<<"$bytes"
	for ((i = 0; i < ${#OTHER}; i++)); do
		bytes[8 + i]=$(printf '0x%02x' "'${OTHER:i:1}")
	done
	bpftool map update pinned "$NETACCT_PIN_DIR/meta" key 0 0 0 0 value "${bytes[@]}"
}

version() {
	netacct-status --json | jq -r .version
}

programs() {
	local map

	for map in "$NETACCT_PIN_DIR"/slots/*; do
		bpftool -j map dump pinned "$map" | jq -c --arg map "${map##*/}" '[$map, .[].value]'
	done
}

objects_at_most() {
	[ "$(bpf_objects | wc -l)" -le "$1" ]
}

# bats test_tags=anywhere
@test "load on an older version: says so, and names --replace" {
	load_other 0
	is "$(version)" "$OTHER"
	run -0 --separate-stderr netacct-load
	has "$stderr" "$OTHER"
	has "$stderr" --replace
	is "$(version)" "$OTHER"
}

# bats test_tags=anywhere
@test "load on a newer version does not name --replace" {
	load_other 9
	run -0 --separate-stderr netacct-load
	has "$stderr" "$OTHER"
	[[ $stderr != *--replace* ]]
}

@test "load --replace: every program is another, and what was counted stays" {
	load_other 0
	before=$(programs)
	traffic tcp --comm aaa --bytes 3000003 >/dev/null
	traffic udp --comm aaa --bytes 10007 >/dev/null
	run -0 netacct-load --replace
	is "$output" ""
	is "$(version)" "$VERSION"
	after=$(programs)
	is "$(wc -l <<<"$after")" "$(wc -l <<<"$before")"
	is "$(comm -12 <(sort <<<"$before") <(sort <<<"$after"))" ""
	is "$(rows aaa tx_bytes),$(rows aaa rx_bytes)" 3010010,3010010
	traffic tcp --comm aaa --bytes 1000003 >/dev/null
	is "$(rows aaa tx_bytes),$(rows aaa rx_bytes)" 4010013,4010013
	is "$(netacct-show --json --by flow | jq '[.flows[] | select(.comm == "aaa").tx_bytes] | add')" 4010013
	netacct-reset
	traffic tcp --comm aaa --bytes 7 >/dev/null
	is "$(rows aaa tx_bytes),$(rows aaa rx_bytes)" 7,7
	# The kernel frees what was replaced some time after.
	objects=$(bpf_objects | wc -l)
	netacct-load --replace
	netacct-load --replace
	eventually "no more than $objects objects are in the kernel" objects_at_most "$objects"
}

# bats test_tags=anywhere
@test "load --replace where nothing is loaded: loads" {
	netacct-load --replace
	netacct-status
}

# bats test_tags=anywhere
@test "load --replace with other options: refused, with the way out" {
	netacct-load --max-processes 500
	before=$(programs)
	run -1 netacct-load --replace --max-processes 600
	one_line
	has "$output" "--max-processes"
	has "$output" "netacct-unload --to FILE"
	has "$output" "netacct-load --restore FILE"
	is "$(programs)" "$before"
	netacct-load --replace --max-processes 500
}

# bats test_tags=anywhere
@test "load --replace on what another version hooked or pinned: refused, with the way out" {
	netacct-load --no-flows
	before=$(programs)
	mv "$NETACCT_PIN_DIR/slots/sent" "$NETACCT_PIN_DIR/slots/transmitted"
	run -1 netacct-load --replace
	one_line
	has "$output" transmitted
	has "$output" "netacct-unload --to FILE"
	mv "$NETACCT_PIN_DIR/slots/transmitted" "$NETACCT_PIN_DIR/slots/sent"
	mv "$NETACCT_PIN_DIR/folding" "$NETACCT_PIN_DIR/away"
	bpftool map create "$NETACCT_PIN_DIR/folding" type hash key 4 value 4 entries 2 name folding
	run -1 netacct-load --replace
	one_line
	has "$output" folding
	rm "$NETACCT_PIN_DIR/folding"
	mv "$NETACCT_PIN_DIR/away" "$NETACCT_PIN_DIR/folding"
	is "$(programs)" "$before"
	netacct-load --replace
	# As if another version did without it.
	rm "$NETACCT_PIN_DIR"/{slots/renamed,{links,progs}/task_rename}
	run -1 netacct-load --replace
	one_line
	has "$output" "more hooks"
}

@test "load --replace killed anywhere: all goes on counting, and the next one ends it" {
	netacct-load --no-flows
	total=0
	read -r _ calls < <(calls bpf netacct-load --replace)
	[ "$calls" -gt 100 ]
	for n in $(spread "$calls" 10); do
		kill_at bpf "$n" netacct-load --replace
		traffic tcp --comm aaa --bytes 10007 >/dev/null
		total=$((total + 10007))
		is "$n: $(rows aaa tx_bytes),$(rows aaa rx_bytes)" "$n: $total,$total"
	done
	netacct-load --replace
	netacct-load
}
