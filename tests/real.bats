# SPDX-License-Identifier: GPL-2.0-only
# Programs that know how many bytes they moved: curl, nginx, iperf3.
load helpers

setup() {
	clean_up
	namespaces_add "$NS"
	netacct-load
}

# Starts nginx in namespace a, with files of 1 B, 1 MB and 1 GB.
serve() {
	cd "$BATS_TEST_TMPDIR" || return
	truncate -s 1 1B
	truncate -s 1000000 1MB
	truncate -s "$(scaled 1024)M" 1GB
	chmod 755 .
	nginx_conf >nginx.conf <<<"server { listen 80; listen [::]:80; root $PWD; }"
	ip netns exec "$NS-a" nginx -e stderr -p "$PWD" -c "$PWD/nginx.conf" 3>&- &
	NGINX=$!
	eventually "nginx listens" listens 80
}

# Ends nginx, which takes its time if it is to finish what it does.
stop_serving() {
	kill -QUIT "$NGINX"
	wait "$NGINX"
}

@test "curl's and nginx's own numbers are their rows', for 1 B, 1 MB and 1 GB" {
	serve
	down=0
	up=0
	for url in "http://$A4" "http://[$A6]"; do
		for file in 1B 1MB 1GB; do
			# curl does not tell its pid: the shell's, which it takes over.
			read -r pid rx tx < <(ip netns exec "$NS-b" sh -c "echo -n \"\$\$ \"; exec curl -sg --http1.1 \
				-o /dev/null -w '%{size_download} %{size_header} %{size_request}\n' $url/$file" |
				awk '{ print $1, $2 + $3, $4 }')
			[ "$rx" -gt 0 ]
			is "$(row "$pid" '[.comm, .rx_bytes, .tx_bytes, .exited]')" "[\"curl\",$rx,$tx,true]"
			down=$((down + rx))
			up=$((up + tx))
		done
	done
	is "$(rows nginx tx_bytes)" "$down"
	is "$(rows nginx rx_bytes)" "$up"
	stop_serving
	is "$(rows nginx tx_bytes)" "$down"
	is "$(netacct-show --by flow --json | jq '[.flows[] | select(.comm == "nginx").tx_bytes] | add')" "$down"
}

# iperf ARGUMENTS: client in b, server in a, until a run in which the receiver
# counted all that the sender sent: what it receives after the end it drops
# without counting it. On the sender's CPU and preferred to it, it is seldom late.
iperf() {
	local tries

	for ((tries = 0; tries < 20; tries++)); do
		iperf_once "$@" || return
		[ "$SENT" = "$RECEIVED" ] && return
	done
	echo "waited in vain until iperf3 counted $SENT received bytes; the last time $RECEIVED" >&2
	return 1
}

iperf_once() {
	local dir=$BATS_TEST_TMPDIR sender=client receiver=server cpu
	local -A nice=([server]=-20 [client]=0)

	[[ " $* " != *" -R "* ]] || { sender=server; receiver=client; nice=([server]=0 [client]=-20); }
	cpu=$(awk -F '[\t,-]' '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
	taskset -c "$cpu" nice -n "${nice[server]}" ip netns exec "$NS-a" iperf3 -s -1 -J >"$dir/server.json" 3>&- &
	SERVER=$!
	eventually "iperf3 listens" listens 5201 || return
	taskset -c "$cpu" nice -n "${nice[client]}" ip netns exec "$NS-b" iperf3 -J "$@" >"$dir/client.json" 3>&- &
	CLIENT=$!
	wait "$CLIENT" && wait "$SERVER" || return
	PORTS=$(jq -c '[.start.connected[].local_port]' "$dir/client.json")
	SENT=$(jq '[.end.streams[] | (.udp // .sender).bytes] | add' "$dir/$sender.json")
	RECEIVED=$(jq '.end.sum_received.bytes' "$dir/$receiver.json")
}

# "ADDRESS STREAMS" a line; in the slow guests, half of the combinations.
connections() {
	printf '%s\n' "$A4 1" "$A6 3"
	[ -n "${NETACCT_TEST_GUEST:-}" ] || printf '%s\n' "$A4 3" "$A6 1"
}

# data SIDE KEY: the sum over the client's or the server's data flows, which
# are those of the client's ports.
data() {
	local pid=$CLIENT port=local_port

	[ "$1" = client ] || { pid=$SERVER; port=remote_port; }
	netacct-show --by flow --json | jq "[.flows[] | select(.pid == $pid)
		| select(.$port as \$p | $PORTS | index(\$p)) | .$2] | add"
}

# between LOW ACTUAL HIGH
between() {
	[ "$1" -le "$2" ] && [ "$2" -le "$3" ] && return
	printf 'expected: %s to %s\n  actual: %s\n' "$1" "$3" "$2" >&2
	return 1
}

@test "iperf3's own sums are its data flows', and 37 bytes a TCP stream" {
	while read -r address streams; do
		greeting=$((37 * streams))

		iperf -c "$address" -P "$streams" -n "$(scaled 50)M"
		is "$(data client tx_bytes)" $((SENT + greeting))
		is "$(data server rx_bytes)" $((RECEIVED + greeting))
		is "$(data client rx_bytes) $(data server tx_bytes)" "0 0"

		iperf -c "$address" -P "$streams" -n "$(scaled 50)M" -R
		is "$(data server tx_bytes)" "$SENT"
		is "$(data client rx_bytes)" "$RECEIVED"
		is "$(data client tx_bytes) $(data server rx_bytes)" "$greeting $greeting"
	done < <(connections)
}

# Each side greets the other. A receiver's rows hold what it received, iperf3's
# sums what of that came before the end: never more, and no more than was sent.
@test "iperf3's own sums are its data flows', and 4 bytes a UDP stream" {
	while read -r address streams; do
		greeting=$((4 * streams))

		iperf_once -c "$address" -P "$streams" -u -b 200M -n "$(scaled 5000)K"
		is "$(data client tx_bytes)" $((SENT + greeting))
		is "$(data client rx_bytes) $(data server tx_bytes)" "$greeting $greeting"
		between $((RECEIVED + greeting)) "$(data server rx_bytes)" $((SENT + greeting))

		iperf_once -c "$address" -P "$streams" -u -b 200M -n "$(scaled 5000)K" -R
		is "$(data server tx_bytes)" $((SENT + greeting))
		is "$(data client tx_bytes) $(data server rx_bytes)" "$greeting $greeting"
		between $((RECEIVED + greeting)) "$(data client rx_bytes)" $((SENT + greeting))
	done < <(connections)
}
