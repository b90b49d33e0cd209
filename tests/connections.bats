# SPDX-License-Identifier: GPL-2.0-only
# What the kernel tells of TCP connections that live: state, round trip time, bytes sent again.
load helpers

# facts PORT: of the flow with this local port, of whichever process.
facts() {
	netacct-show --json --by flow |
		jq -c "[.flows[] | select(.local_port == $1)][0] | [.state, .rtt_us, .retransmitted_bytes]"
}

# fact PORT FILTER
fact() {
	facts "$1" | jq -c "$2"
}

gone() {
	is "$(facts "$1")" "[null,null,null]" 2>/dev/null
}

# here PORT and there PORT: the command that shows the connection, in our network namespace and in the other.
here() {
	ss -Htin "sport = :$1"
}

there() {
	ip netns exec "$NS-a" ss -Htin "sport = :$1"
}

# sent_again WHERE PORT: the bytes of it, as ss says.
sent_again() {
	"$@" | awk 'match($0, /bytes_retrans:[0-9]+/) { n = substr($0, RSTART + 14, RLENGTH - 14) } END { print n + 0 }'
}

# has_sent_again WHERE PORT BYTES: more than these.
has_sent_again() {
	[ "$(sent_again "$1" "$2")" -gt "$3" ]
}

# Then nothing of it is sent again any more.
acknowledged() {
	! "$@" | grep -q unacked:
}

@test "a TCP connection tells its state and round trip time while it lives" {
	netacct-load
	hold_open -- tcp
	hold_move
	port=$(jq 'select(.role == "sender").local_port' <<<"$TRUTH")
	other=$(jq 'select(.role == "receiver").local_port' <<<"$TRUTH")
	for port in "$port" "$other"; do
		is "$(fact "$port" .[0])" '"ESTABLISHED"'
		is "$(fact "$port" '.[1] | . > 0 and . < 10000000')" true
		eventually "all is acknowledged" acknowledged here "$port"
		is "$(fact "$port" .[2])" "$(sent_again here "$port")"
	done
	is "$(ss -Htn state established "sport = :$port" | wc -l)" 1
	is "$(netacct-show -H --by flow -o state,local_port --sort rtt_us | grep -c "ESTABLISHED *$port\$")" 1
	# Another process of the same connection, after a reset too.
	netacct-reset
	hold_move
	is "$(fact "$port" .[0])" '"ESTABLISHED"'
	hold_close
	eventually "the connection is gone" gone "$port"
	invariants
}

@test "what is not TCP, and what is gone, is null" {
	netacct-load
	traffic udp >/dev/null
	truth=$(traffic tcp)
	port=$(jq 'select(.role == "sender").local_port' <<<"$truth")
	eventually "the connection is gone" gone "$port"
	is "$(netacct-show --json --by flow | jq -c '[.flows[] | select(.comm == "traffic" and .protocol == "udp") | .state, .rtt_us, .retransmitted_bytes] | unique')" "[null]"
}

@test "bytes that were sent again, in another network namespace: as ss says" {
	namespaces_add "$NS"
	netacct-load
	hold_open "$NS-a" -- tcp --address "$B4" --peer-netns "$NS-b" --bytes 1009
	hold_move
	port=$(jq 'select(.role == "sender").local_port' <<<"$TRUTH")
	eventually "all is acknowledged" acknowledged there "$port"
	before=$(sent_again there "$port")
	is "$(fact "$port" .[2])" "$before"
	# It gets the bytes, and cannot say so.
	ip -n "$NS-b" route add blackhole "$A4"/32
	hold_move
	eventually "something is sent again" has_sent_again there "$port" "$before"
	ip -n "$NS-b" route delete blackhole "$A4"/32
	eventually "all is acknowledged" acknowledged there "$port"
	is "$(fact "$port" .[2])" "$(sent_again there "$port")"
	is "$(netacct-show --json --by flow | jq "[.flows[] | select(.local_port == $port).tx_bytes] | add")" 2018
	hold_close
}

# bats test_tags=anywhere
@test "members of the group see them" {
	netacct-load --group games --group-traverse
	dir=$(public_copy)
	hold_open -- tcp
	hold_move
	port=$(jq 'select(.role == "sender").local_port' <<<"$TRUTH")
	is "$(as_nobody games "$dir/netacct-show" --json --by flow | jq -r ".flows[] | select(.local_port == $port).state")" ESTABLISHED
	hold_close
	rm -r "$dir"
}

# bats test_tags=anywhere
@test "readings that are kept do not have them; an account that cannot tell: null" {
	netacct-load
	hold_open -- tcp
	hold_move
	port=$(jq 'select(.role == "sender").local_port' <<<"$TRUTH")
	rm "$NETACCT_PIN_DIR/sockets_rows"
	is "$(facts "$port")" "[null,null,null]"
	is "$(netacct-reset --json | jq -c '[.flows[] | has("state")] | unique')" "[false]"
	hold_close
}
