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
	local dir=$BATS_TEST_TMPDIR

	truncate -s 1 "$dir/1B"
	truncate -s 1000000 "$dir/1MB"
	truncate -s 1G "$dir/1GB"
	chmod 755 "$dir"
	cat >"$dir/nginx.conf" <<-END
		daemon off;
		user root;
		pid $dir/nginx.pid;
		error_log stderr;
		events { }
		http {
			access_log off;
			sendfile on;
			client_body_temp_path $dir/body;
			proxy_temp_path $dir/proxy;
			fastcgi_temp_path $dir/fastcgi;
			uwsgi_temp_path $dir/uwsgi;
			scgi_temp_path $dir/scgi;
			server { listen 80; listen [::]:80; root $dir; }
		}
	END
	ip netns exec "$NS-a" nginx -e stderr -p "$dir" -c "$dir/nginx.conf" 3>&- &
	NGINX=$!
	eventually "nginx listens" listens 80
}

listens() {
	ip netns exec "$NS-a" ss -Htln "sport = :$1" | grep -q .
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

# The sum over the flows of process $1 at the local ports $2, a JSON array.
flow_bytes() {
	netacct-show --by flow --json | jq "[.flows[] | select(.pid == $1)
		| select(.local_port as \$p | $2 | index(\$p))
		| .$3] | add // 0"
}

# iperf PROTOCOL [-R] ARGUMENTS: client in b, server in a, until a run in which
# the receiver counted all that the sender sent: what it receives after the end
# it drops without counting it, and a datagram may get lost.
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
	local dir=$BATS_TEST_TMPDIR sender=client receiver=server

	ip netns exec "$NS-a" iperf3 -s -1 -J >"$dir/server.json" 3>&- &
	SERVER=$!
	eventually "iperf3 listens" listens 5201 || return
	ip netns exec "$NS-b" iperf3 -J "$@" >"$dir/client.json" 3>&- &
	CLIENT=$!
	wait "$CLIENT" && wait "$SERVER" || return
	PORTS=$(jq -c '[.start.connected[].local_port]' "$dir/client.json")
	[[ " $* " != *" -R "* ]] || { sender=server; receiver=client; }
	SENT=$(jq '[.end.streams[] | (.udp // .sender).bytes] | add' "$dir/$sender.json")
	RECEIVED=$(jq '[.end.streams[] | (.udp // .receiver).bytes] | add' "$dir/$receiver.json")
}

# data SIDE KEY: the sum over the client's or the server's data flows, which
# are those of the client's ports.
data() {
	local pid=$CLIENT port=local_port

	[ "$1" = client ] || { pid=$SERVER; port=remote_port; }
	netacct-show --by flow --json | jq "[.flows[] | select(.pid == $pid)
		| select(.$port as \$p | $PORTS | index(\$p)) | .$2] | add"
}

# Both ways, over IPv4 and IPv6. The client greets with $1 bytes a stream, the
# server answers with $2.
iperf_both_ways() {
	local greeting answer address streams

	for address in "$A4" "$A6"; do
		for streams in 1 3; do
			greeting=$(($1 * streams))
			answer=$(($2 * streams))

			iperf -c "$address" -P "$streams" "${@:3}"
			is "$(data client tx_bytes)" $((SENT + greeting))
			is "$(data server rx_bytes)" $((RECEIVED + greeting))
			is "$(data client rx_bytes) $(data server tx_bytes)" "$answer $answer"

			iperf -c "$address" -P "$streams" "${@:3}" -R
			is "$(data server tx_bytes)" $((SENT + answer))
			is "$(data client rx_bytes)" $((RECEIVED + answer))
			is "$(data client tx_bytes) $(data server rx_bytes)" "$greeting $greeting"
		done
	done
}

@test "iperf3's own sums are its data flows', and 37 bytes a TCP stream" {
	iperf_both_ways 37 0 -n 50M
}

@test "iperf3's own sums are its data flows', and 4 bytes a UDP stream" {
	iperf_both_ways 4 4 -u -b 200M -n 20M
}
