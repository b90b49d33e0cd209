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

# take: reads it once, for taken and closes.
take() {
	compared . >"$BATS_TEST_TMPDIR/taken"
}

# taken FILTER
taken() {
	jq -c "$1" "$BATS_TEST_TMPDIR/taken"
}

# Both directions: what is not explained is less than one packet in fifty, and than the headers may differ; but for
# some packets of the neighbours' own, as of ARP.
closes() {
	taken '[.tx, .rx | select((.rest | fabs) > .packets * 26 or (.rest | fabs) > .interfaces / 50 + 500)]'
}

# How many segments TCP has sent again, as the kernel counts them: on loopback, too.
sent_again() {
	# shellcheck disable=SC2016 # awk's
	in_a awk '$1 == "Tcp:" && n { print $n } $1 == "Tcp:" { for (n = NF; n && $n != "RetransSegs"; n--); }' /proc/net/snmp
}

# TCP that has waited too long for an answer, as on slow machines, sends a segment again: the cable carries it once
# more, and its length is a guess.
#
# once COMMAND...: takes what is there after it, from the next reset on if need be, until nothing was sent again.
once() {
	local tries was again

	for ((tries = 0; tries < 20; tries++)); do
		[ "$tries" -eq 0 ] || in_a netacct-reset
		was=$(sent_again)
		"$@" && take || return
		again=$(($(sent_again) - was))
		[ "$again" -ne 0 ] || return 0
	done
	echo "waited in vain until TCP sends nothing again; the last time there were $again segments" >&2
	return 1
}

# over_cable BYTES
over_cable() {
	in_a traffic tcp --address "$B4" --peer-netns "$NS-b" --bytes "$1" --chunk 20000 >/dev/null
}

# What passes the cable, and what does not.
both_sorts() {
	over_cable 3000017 && in_a traffic tcp --bytes 20011 >/dev/null && traffic tcp --bytes 10007 >/dev/null
}

@test "TCP over a cable: the payload is exact, and headers explain the rest" {
	in_a netacct-load
	once both_sorts
	is "$(taken '[.payload.tx_bytes, .payload.rx_bytes, .unknown]')" "[3000017,0,null]"
	is "$(taken '[.tx.interfaces > 3000017, .rx.interfaces > 0, .loopback.tx_bytes >= 30018, .other_namespaces.rx_bytes >= 3000017]')" "[true,true,true,true]"
	is "$(taken '[.interfaces[] | [.name, .in_sum]] | sort')" '[["eth0",true],["lo",false]]'
	is "$(closes)" "[]"
}

three_again() {
	[ $(($(sent_again) - was)) -ge 3 ]
}

# bats test_tags=anywhere
@test "what TCP sends again is explained, though the cable carries much longer packets" {
	in_a netacct-load
	once over_cable 3000017
	was=$(sent_again)
	# Of segments that are all full.
	hold_open "$NS-a" -- tcp --address "$B4" --peer-netns "$NS-b" --bytes 14480 --chunk 14480
	hold_move
	# The other end gets the bytes, and cannot say so.
	ip -n "$NS-b" route add blackhole "$A4"/32
	hold_move
	eventually "three segments are sent again" three_again
	take
	is "$(taken '[.payload.tx_bytes, .tx.estimated_retransmitted >= 3 * 1440]')" "[$((3000017 + 2 * 14480)),true]"
	is "$(closes)" "[]"
	ip -n "$NS-b" route delete blackhole "$A4"/32
	hold_close
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
	over_cable 3000017
	in_a netacct-reset
	is "$(compared '[.payload.tx_bytes, .tx.interfaces < 20000]')" "[0,true]"
	once over_cable 400009
	is "$(taken '[.payload.tx_bytes, .tx.interfaces > 400009, .tx.interfaces < 600000]')" "[400009,true,true]"
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
