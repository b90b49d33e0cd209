# SPDX-License-Identifier: GPL-2.0-only
# netacct-status --interfaces: what is counted, beside what the interfaces moved.
load helpers

setup() {
	clean_up
	namespaces_add "$NS"
	# Until the other end is known, what is sent to it may be dropped: it is counted, and on no cable.
	eventually "IPv6 goes over the cable" ip netns exec "$NS-a" ping -6 -q -c 1 -W 1 "$B6"
}

# in_a COMMAND...: in the network namespace, with the mounts of ours.
in_a() {
	nsenter --net="/run/netns/$NS-a" "$@"
}

# compared FILTER
compared() {
	in_a netacct-status --interfaces --json | jq -c "$1"
}

# Both directions: what is not explained is less than one packet in fifty, and than the headers may differ; but for
# some packets of the neighbours' own, as of ARP.
closes() {
	compared '[.tx, .rx | select((.rest | fabs) > .packets * 26 or (.rest | fabs) > .interfaces / 50 + 500)]'
}

@test "TCP over a cable: the payload is exact, and headers explain the rest" {
	in_a netacct-load
	in_a traffic tcp --address "$B4" --peer-netns "$NS-b" --bytes 3000017 --chunk 20000 >/dev/null
	# What does not pass the cable.
	in_a traffic tcp --bytes 20011 >/dev/null
	traffic tcp --bytes 10007 >/dev/null
	is "$(compared '[.payload.tx_bytes, .payload.rx_bytes, .unknown]')" "[3000017,0,null]"
	is "$(compared '[.tx.interfaces > 3000017, .rx.interfaces > 0, .loopback.tx_bytes >= 30018, .other_namespaces.rx_bytes >= 3000017]')" "[true,true,true,true]"
	is "$(compared '[.interfaces[] | [.name, .in_sum]] | sort')" '[["eth0",true],["lo",false]]'
	is "$(closes)" "[]"
}

# bats test_tags=anywhere
@test "UDP over a cable, over IPv6" {
	in_a netacct-load
	in_a traffic udp --family 6 --address "$B6" --peer-netns "$NS-b" --bytes 500009 --chunk 1000 >/dev/null
	is "$(compared '[.payload.tx_bytes, .payload.rx_bytes]')" "[500009,0]"
	is "$(compared '.tx.interfaces - 500009 - 501 * 62 | fabs < 2000')" true
	is "$(compared '.tx.rest | fabs < 5000')" true
}

# bats test_tags=anywhere
@test "a reset begins anew" {
	in_a netacct-load
	in_a traffic tcp --address "$B4" --peer-netns "$NS-b" --bytes 3000017 --chunk 20000 >/dev/null
	in_a netacct-reset
	is "$(compared '[.payload.tx_bytes, .tx.interfaces < 20000]')" "[0,true]"
	in_a traffic tcp --address "$B4" --peer-netns "$NS-b" --bytes 400009 --chunk 20000 >/dev/null
	is "$(compared '[.payload.tx_bytes, .tx.interfaces > 400009, .tx.interfaces < 600000]')" "[400009,true,true]"
	is "$(closes)" "[]"
}

# bats test_tags=anywhere
@test "an interface that came since counts from its beginning" {
	in_a netacct-load
	ip -n "$NS-a" link add veth7 type veth peer name veth8
	for end in 7 8; do
		ip -n "$NS-a" link set "veth$end" up
	done
	is "$(compared '[.interfaces[].name] | sort')" '["eth0","lo","veth7","veth8"]'
	is "$(compared .unknown)" null
}

# bats test_tags=anywhere
@test "what cannot be compared: says why, and what was counted" {
	file=$BATS_TEST_TMPDIR/saved
	in_a netacct-load
	in_a traffic tcp >/dev/null
	has "$(netacct-status --interfaces)" "another network namespace"
	is "$(netacct-status --interfaces --json | jq -c '[.tx, .rx, .interfaces, (.counted.tx_bytes >= 10007)]')" "[null,null,null,true]"
	for text in "" x $'1 2\n.' "$(readlink "$NETACCT_PIN_DIR/0/interfaces")"$'\n\e[31m'; do
		rm -f "$NETACCT_PIN_DIR/0/interfaces"
		[ -z "$text" ] || ln -s "$text" "$NETACCT_PIN_DIR/0/interfaces"
		in_a netacct-status --interfaces >"$BATS_TEST_TMPDIR/out"
		harmless "$BATS_TEST_TMPDIR/out"
		[[ $text == *lo* ]] || is "$(compared '[.tx, .unknown != null]')" "[null,true]"
		rm -f "$NETACCT_PIN_DIR/0/interfaces"
	done
	has "$(in_a netacct-status --interfaces)" "not noted"
	netacct-unload --to "$file"
	netacct-load --restore "$file"
	has "$(netacct-status --interfaces)" restored
	netacct-reset
	is "$(netacct-status --interfaces --json | jq .unknown)" null
}

# bats test_tags=anywhere
@test "not loaded: 3; members of the group see it; a full disk is an error" {
	run -3 netacct-status --interfaces
	netacct-load --group games --group-traverse
	dir=$(public_copy)
	is "$(as_nobody games "$dir/netacct-status" --interfaces --json | jq .unknown)" null
	rm -r "$dir"
	run -1 bash -c 'netacct-status --interfaces >/dev/full'
	run -1 bash -c 'netacct-status --interfaces --json >/dev/full'
	has "$(netacct-status --interfaces)" "is not explained"
}
