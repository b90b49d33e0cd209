# SPDX-License-Identifier: GPL-2.0-only
# Every byte once: protocol by protocol, path by path, to the byte.
load helpers

# Every path once, for the tests to look at; then one account for all of this file, where rows are told
# apart by pid.
setup_file() {
	clean_up
	BYTES=1000003 CHUNK=40000 "$BATS_TEST_DIRNAME/paths" >"$BATS_FILE_TMPDIR/paths" || true
	netacct-load
}

teardown_file() {
	clean_up
}

setup() {
	:
}

teardown() {
	local pid

	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	namespaces_remove "$NS"
}

# moves ARGUMENTS: traffic, and the same numbers from netacct.
moves() {
	local truth

	truth=$(traffic "$@") || { echo "traffic $* failed" >&2; return 1; }
	exact "$truth" || { echo "of: traffic $*" >&2; return 1; }
}

# paths REGEX: all of tests/paths that are called so are exact, but for holes and what the kernel lacks.
paths() {
	local lines

	lines=$(grep -P "$1" "$BATS_FILE_TMPDIR/paths") || { echo "no such path: $1" >&2; return 1; }
	! grep -vP '\t(exact$|hole: |- )' <<<"$lines" >&2 || return
	grep -qP '\t(exact$|hole: )' <<<"$lines" || skip "$(head -n 1 <<<"${lines#*$'\t- '}")"
}

@test "TCP over IPv4: every path" {
	paths '^tcp4 (?!io_uring|aio|ktls|sockmap|held|8 senders)'
}

@test "TCP over IPv6: every path" {
	paths '^tcp6 (?!io_uring|aio|ktls|sockmap|held)'
}

@test "TCP over IPv4 by IPv6 sockets: every path" {
	paths '^tcp46 (?!ktls|held)'
}

@test "MPTCP, and what it falls back to: every path" {
	paths '^(mptcp|tcp-mptcp)\S* (?!io_uring|aio|held)'
}

@test "UDP: every path" {
	paths '^udp\d+ (?!io_uring|aio|held|8 senders)'
}

@test "UDP-Lite" {
	paths '^udplite'
}

@test "SCTP" {
	paths '^sctp'
}

@test "SMC" {
	paths '^smc'
}

@test "raw IP, ICMP and ping sockets" {
	paths '^(raw|icmp|ping)'
}

@test "packet sockets are kept apart, local ones do not count" {
	paths '^(packet|unix)'
}

@test "io_uring and Linux AIO: every path" {
	paths '^\S+ (io_uring|aio)'
}

@test "kTLS: every path" {
	paths '^\S+ (held )?ktls'
}

@test "sockmap: every path" {
	paths '^\S+ sockmap'
}

@test "connections from before the load: what moved after" {
	paths '^\S+ held'
}

@test "8 senders, a reader and a resetter on one processor" {
	paths '^\S+ 8 senders'
}

@test "TCP: pages that are mapped, not copied" {
	truth=$(traffic tcp --tx splice --rx zerocopy --bytes 4096000 --chunk 65536)
	exact "$truth"
	is "$(jq -s '.[0].mapped + .[1].mapped > 0' <<<"$truth")" true
}

@test "TCP: a call of one byte, and of none at all" {
	moves tcp --bytes 101 --chunk 1
	moves tcp --bytes 0
}

@test "TCP: more bytes than 32 bits hold" {
	moves tcp --bytes 4300000007 --chunk 1000000
}

@test "TCP: threads of a process, and processes that share a connection" {
	moves tcp --threads 7 --bytes 700007
	moves tcp --shared 5 --bytes 100003
	moves udp --shared 5 --bytes 100003
}

@test "TCP: many connections of one process" {
	moves tcp --connections 1009 --bytes 101
	moves tcp --family 6 --connections 101 --bytes 10007
}

@test "UDP: what nobody receives was sent all the same" {
	socat -u OPEN:/dev/zero,readbytes=4003 UDP-SENDTO:127.0.0.1:9
	is "$(rows socat tx_bytes)" 4003
}

@test "between two network namespaces" {
	namespaces_add "$NS"
	for family in 4 6; do
		address=$([ $family = 4 ] && echo "$A4" || echo "$A6")
		for protocol in tcp mptcp udplite udp; do
			truth=$(ip netns exec "$NS-b" traffic $protocol --family $family \
				--address "$address" --peer-netns "$NS-a" --bytes 1000003) || {
				# Newer kernels have none.
				[ "$? $protocol" = "77 udplite" ]
				continue
			}
			exact "$truth"
		done
		pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
		is "$(row "$pid" .loopback.tx_bytes)" 0
		is "$(row "$pid" .netns)" "$(stat -L -c %i "/run/netns/$NS-b")"
	done
}

@test "the network keeps its loopback bytes apart" {
	truth=$(traffic tcp)
	for pid in $(jq .pid <<<"$truth"); do
		is "$(row "$pid" '.loopback == {tx_bytes, rx_bytes, tx_calls, rx_calls}')" true
	done
}

@test "a datagram socket that goes elsewhere and comes back keeps its loopback bytes apart" {
	namespaces_add "$NS"
	for family in 4:127.0.0.1:192.0.2.77 6:::1:fd6e:6574:6163::77; do
		elsewhere=${family#*1:}
		# Nobody has it: what is sent there is lost on the cable.
		ip -n "$NS-a" neighbour add "$elsewhere" lladdr 02:00:00:00:00:77 dev eth0
		truth=$(ip netns exec "$NS-a" traffic udp --family "${family%%:*}" --connections 19 --elsewhere "$elsewhere")
		exact "$truth"
		truth=$(jq -c 'select(.role == "sender")' <<<"$truth")
		is "$(row "$(jq .pid <<<"$truth")" '[.tx_bytes - .loopback.tx_bytes, .loopback.tx_bytes]')" \
		   "$(jq -c '[.elsewhere_bytes, .tx_bytes - .elsewhere_bytes]' <<<"$truth")"
	done
}

@test "a flow has the addresses and ports of its socket" {
	for family in 4:ipv4:127.0.0.1 6:ipv6:::1 mapped:ipv4:127.0.0.1; do
		IFS=: read -r option name address <<<"$family"
		for protocol in tcp udp; do
			truth=$(traffic $protocol --family "$option" | jq -c 'select(.role == "sender")')
			pid=$(jq .pid <<<"$truth")
			is "$(netacct-show --json --by flow | jq -c ".flows[] | select(.pid == $pid)
				| [.protocol, .family, .local_address, .local_port,
				   .remote_address, .remote_port, .tx_bytes]")" \
			   "$(jq -c --arg p $protocol --arg f "$name" --arg a "$address" \
				'[$p, $f, $a, .local_port, $a, .remote_port, .tx_bytes]' <<<"$truth")"
		done
	done
}

@test "an unconnected UDP socket's flow has no remote" {
	truth=$(traffic udp --unconnected --tx sendto)
	pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
	is "$(netacct-show --json --by flow | jq -c ".flows[] | select(.pid == $pid)
		| [.remote_address, .remote_port, .tx_bytes]")" "[null,null,10007]"
}

@test "a row tells who the process is" {
	truth=$(bash -c 'traffic tcp --uid 1 --comm who; true')
	pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
	is "$(row "$pid" '[.comm, .uid, .user, .ns_pid == .pid, .parent_comm, .exited, .merged]')" \
		'["who",1,"daemon",true,"bash",true,null]'
	exact "$truth"

	# In a pid namespace of its own, as pid 1.
	truth=$(unshare --pid --fork traffic tcp --comm inside)
	is "$(netacct-show --json | jq -c '[.processes[] | select(.comm == "inside").ns_pid] | sort')" "[1,2]"
}

@test "a name follows exec and rename, earlier bytes stay with it" {
	# Below the ports that the kernel hands out: no other connection has it.
	socat -u TCP-LISTEN:10010,reuseaddr,bind=127.0.0.1 /dev/null 3>&- &
	eventually "socat listens" bash -c 'ss -Htln sport = :10010 | grep -q .'
	pid=$(bash -c 'echo $BASHPID; exec 5>/dev/tcp/127.0.0.1/10010; printf 12345 >&5
		exec sh -c "printf 1234567 >&5; exec sleep 0"')
	is "$(row "$pid" '[.comm, .tx_bytes, .exited]')" '["sleep",12,true]'
}
