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

# iperf ARGUMENTS: client in b, server in a; both print JSON.
iperf() {
	local dir=$BATS_TEST_TMPDIR

	ip netns exec "$NS-a" iperf3 -s -1 -J >"$dir/server.json" 3>&- &
	SERVER=$!
	eventually "iperf3 listens" listens 5201
	ip netns exec "$NS-b" iperf3 -J "$@" >"$dir/client.json" 3>&- &
	CLIENT=$!
	wait "$CLIENT" "$SERVER"
	LOCAL=$(jq -c '[.start.connected[].local_port]' "$dir/client.json")
}

# own SIDE: what it says that it moved itself.
own() {
	jq "[.end.streams[] | (.udp // .$2).bytes] | add" "$BATS_TEST_TMPDIR/$1.json"
}

# The client's data flows have ports of their own; the server's are those
# whose remote port is one of these.
server_bytes() {
	netacct-show --by flow --json | jq "[.flows[] | select(.pid == $SERVER)
		| select((.remote_port // 0) as \$p | $LOCAL | index(\$p))
		| .$1] | add // 0"
}

@test "iperf3's own sums are its data flows', and 37 bytes a TCP stream" {
	for address in "$A4" "$A6"; do
		for reverse in "" -R; do
			for streams in 1 3; do
				iperf -c "$address" -n 50M -P "$streams" $reverse
				greeting=$((37 * streams))
				if [ -z "$reverse" ]; then
					is "$(flow_bytes "$CLIENT" "$LOCAL" tx_bytes)" "$(($(own client sender) + greeting))"
					is "$(server_bytes rx_bytes)" "$(($(own server receiver) + greeting))"
				else
					is "$(flow_bytes "$CLIENT" "$LOCAL" tx_bytes)" "$greeting"
					is "$(flow_bytes "$CLIENT" "$LOCAL" rx_bytes)" "$(own client receiver)"
					is "$(server_bytes tx_bytes)" "$(own server sender)"
				fi
			done
		done
	done
}

@test "iperf3's own sums are its data flows', and 4 bytes a UDP stream" {
	for address in "$A4" "$A6"; do
		for reverse in "" -R; do
			for streams in 1 3; do
				iperf -c "$address" -u -b 200M -n 20M -P "$streams" $reverse
				greeting=$((4 * streams))
				if [ -z "$reverse" ]; then
					is "$(flow_bytes "$CLIENT" "$LOCAL" tx_bytes)" "$(($(own client sender) + greeting))"
				else
					is "$(flow_bytes "$CLIENT" "$LOCAL" tx_bytes)" "$greeting"
					is "$(server_bytes tx_bytes)" "$(($(own server sender) + greeting))"
				fi
			done
		done
	done
}
