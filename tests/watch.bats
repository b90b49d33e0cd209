# SPDX-License-Identifier: GPL-2.0-only
load helpers

# watch_start NAME OPTION...: netacct-watch, which sees all from here on; its lines go to a file of that name.
watch_start() {
	local out=$BATS_TEST_TMPDIR/$1

	: >"$out" # of an earlier one
	netacct-watch "${@:2}" >"$out" 2>"$out.stderr" 3>&- &
	WATCHER[$1]=$!
	eventually "netacct-watch has begun" grep -qE '"begin"|^watching' "$out" || {
		cat "$out.stderr" >&2
		return 1
	}
}
declare -gA WATCHER

# watch_stop NAME [SIGNAL]: ends it as a user does, with status 0.
watch_stop() {
	kill "-${2:-TERM}" "${WATCHER[$1]}"
	wait "${WATCHER[$1]}"
	is "$(cat "$BATS_TEST_TMPDIR/$1.stderr")" ""
}

# seen NAME FILTER: what jq makes of all that it has shown, as an array.
seen() {
	jq -s -c "$2" <"$BATS_TEST_TMPDIR/$1"
}

# shows NAME N SELECT: it has shown so many such events, or will soon.
shows() {
	eventually "there are $2 events with $3" count_is "$@" && return
	jq -c . "$BATS_TEST_TMPDIR/$1" >&2
	return 1
}

count_is() {
	[ "$(seen "$1" "map(select($3)) | length")" = "$2" ]
}

# connect NETNS ADDRESS PORT: a connect that blocks; prints the pid of who makes it.
connect() {
	# shellcheck disable=SC2016 # the inner shell's
	ip netns exec "$1" timeout 60 bash -c 'echo $$; exec 5<>"/dev/tcp/$0/$1"' "$2" "$3" 2>/dev/null || true
}

# serve NAME PORT BYTES [OPTION...]: a server in namespace a that sends so much, and takes what comes.
serve() {
	ip netns exec "$NS-a" socat "TCP$4-LISTEN:$2,reuseaddr" "SYSTEM:head -c $3 /dev/zero; cat >/dev/null" 3>&- &
	SERVER=$!
	eventually "port $2 is open" listens "$2"
}

# The lines of one connection, from both ends, as client and server have counted them.
both_ways() {
	local family=$1 client=$2 server=$3 tx=1000003 rx=300007 port=$((5000 + $1)) pid

	watch_start w --json
	serve server "$port" $rx "$family"
	head -c $tx /dev/zero >"$BATS_TEST_TMPDIR/data"
	ip netns exec "$NS-b" socat -t 20 "FILE:$BATS_TEST_TMPDIR/data!!CREATE:$BATS_TEST_TMPDIR/received" "TCP$family:$server:$port" &
	pid=$!
	wait $pid
	is "$(stat -c %s "$BATS_TEST_TMPDIR/received")" $rx
	wait "$SERVER"
	shows w 2 '.event == "close"'
	watch_stop w

	local mine="select(.pid == $pid)" its="select(.pid == $SERVER)" keys ends
	server=${server//[\[\]]/}
	keys='[.event, .comm, .uid, .user, .direction, .error, .tx_bytes, .rx_bytes]'
	is "$(seen w "map($mine | $keys)")" \
		"[[\"open\",\"socat\",0,\"root\",\"out\",null,null,null],[\"close\",\"socat\",0,\"root\",\"out\",null,$tx,$rx]]"
	is "$(seen w "map($its | $keys)")" \
		"[[\"accept\",\"socat\",0,\"root\",\"in\",null,null,null],[\"close\",\"socat\",0,\"root\",\"in\",null,$rx,$tx]]"
	ends='[.protocol, .family, .local_address, .remote_address]'
	is "$(seen w "map($mine | $ends) | unique")" "[[\"tcp\",\"ipv$family\",\"$client\",\"$server\"]]"
	is "$(seen w "map($its | $ends) | unique")" "[[\"tcp\",\"ipv$family\",\"$server\",\"$client\"]]"
	is "$(seen w "map($mine | .remote_port) + map($its | .local_port) | unique")" "[$port]"
	is "$(seen w "map($mine | .local_port) == map($its | .remote_port)")" true
	is "$(seen w "[map($mine | .netns), map($its | .netns)] | map(unique[])")" \
		"$(stat -L -c %i "/run/netns/$NS-b" "/run/netns/$NS-a" | jq -s -c .)"
	is "$(seen w "map($mine) | [.[0].latency_ns > 0, .[0].duration_ns, .[1].latency_ns]")" "[true,null,null]"
	# It lasted as long as from one line to the other.
	is "$(seen w "map($mine) | [.[1].duration_ns, .[1].time_ns - .[0].time_ns] | select((.[0] - .[1] | fabs) > 20000000)")" ""
	is "$(seen w '.[-1] | [.event, .missed_events, .no_room]')" '["end",0,0]'
}

@test "watch: an IPv4 connection, from both ends: who, where, how long, and each byte both ways" {
	namespaces_add "$NS"
	both_ways 4 "$B4" "$A4"
}

@test "watch: an IPv6 connection" {
	namespaces_add "$NS"
	both_ways 6 "$B6" "[$A6]"
}

@test "watch: curl and nginx, with what curl says of itself" {
	needs curl nginx
	namespaces_add "$NS"
	cd "$BATS_TEST_TMPDIR"
	head -c 5000011 /dev/zero >file
	nginx_conf <<-END >nginx.conf
		server {
			listen $A4:80;
			location / { root $PWD; }
		}
	END
	ip netns exec "$NS-a" nginx -c "$PWD/nginx.conf" 2>nginx.log 3>&- &
	server=$!
	eventually "nginx listens" listens 80
	watch_start w --json
	said=$(ip netns exec "$NS-b" curl -sS -o /dev/null -w '[%{local_port},%{size_request},%{size_header},%{size_download}]' "http://$A4/file")
	shows w 2 '.event == "close"'
	watch_stop w
	port=$(jq '.[0]' <<<"$said")
	is "$(seen w "map(select(.event == \"close\" and .comm == \"curl\")) | map([.local_port, .tx_bytes, .rx_bytes])")" \
		"$(jq -c '[[.[0], .[1], .[2] + .[3]]]' <<<"$said")"
	is "$(seen w "map(select(.event == \"accept\")) | map([.comm, .remote_port, .local_address, .local_port])")" \
		"[[\"nginx\",$port,\"$A4\",80]]"
	is "$(seen w "map(select(.event == \"close\" and .comm == \"nginx\")) | map([.remote_port, .rx_bytes, .tx_bytes])")" \
		"$(jq -c '[[.[0], .[1], .[2] + .[3]]]' <<<"$said")"
	has "$(cat "/proc/$server/comm")" nginx
	is "$(seen w 'map(select(.event == "accept").pid)[0]')" \
		"$(pgrep -P "$server" nginx | head -n 1)"
}

@test "watch: the user and the name it had when it connected, whoever closes" {
	watch_start w --json
	traffic tcp --comm somebody --uid 4711 >"$BATS_TEST_TMPDIR/truth"
	shows w 2 '.event == "close"'
	watch_stop w
	is "$(seen w 'map(select(.comm == "somebody") | [.event, .uid, .user, .tx_bytes, .rx_bytes]) | sort')" \
		'[["accept",4711,null,null,null],["close",4711,null,0,10007],["close",4711,null,10007,0],["open",4711,null,null,null]]'
	is "$(seen w 'map(select(.event == "open" or .event == "accept").pid) | sort')" \
		"$(jq -s -c 'map(.pid) | sort' "$BATS_TEST_TMPDIR/truth")"
}

@test "watch: opened and accepted by io_uring" {
	watch_start w --json
	run uring
	[ "$status" -ne 77 ] || skip "$output"
	is "$status" 0
	shows w 2 '.event == "close" and .comm == "uring"'
	watch_stop w
	is "$(seen w "map(select(.remote_port == $output or .local_port == $output) |
		[.event, .comm, .direction, .tx_bytes, .rx_bytes]) | sort | .[]")" \
		'["accept","uring","in",null,null]
["close","uring","in",0,1009]
["close","uring","out",1009,0]
["open","uring","out",null,null]'
}

@test "watch: refused, by a call that blocks and by one that does not" {
	namespaces_add "$NS"
	watch_start w --json
	pid=$(connect "$NS-b" "$A4" 9)
	ip netns exec "$NS-b" curl -sS "http://[$A6]:9/" 2>/dev/null || true
	shows w 2 '.event == "failed"'
	watch_stop w
	keys='[.pid, .comm, .local_address, .remote_address, .remote_port, .direction, .error, .tx_bytes]'
	is "$(seen w "map(select(.event == \"failed\" and .family == \"ipv4\") | $keys)")" \
		"[[$pid,\"bash\",\"$B4\",\"$A4\",9,\"out\",\"ECONNREFUSED\",null]]"
	is "$(seen w "map(select(.event == \"failed\" and .family == \"ipv6\") | $keys) | map(.[1:])")" \
		"[[\"curl\",\"$B6\",\"$A6\",9,\"out\",\"ECONNREFUSED\",null]]"
	is "$(seen w 'map(select(.event == "failed") | .local_port > 0 and .latency_ns > 0) | unique')" "[true]"
	is "$(seen w 'map(select(.event != "failed" and (.comm == "bash" or .comm == "curl"))) | length')" 0
}

@test "watch: no route, nobody there, no answer, given up, no port left" {
	namespaces_add "$NS"
	watch_start w --json
	nobody=$(connect "$NS-b" 192.0.2.77 7)
	ip netns exec "$NS-b" bash -c 'echo 1 >/proc/sys/net/ipv4/tcp_syn_retries'
	noroute=$(connect "$NS-b" 198.51.100.1 7)
	noroute6=$(connect "$NS-b" 2001:db8::1 7)
	# The answers to this one go nowhere.
	ip -n "$NS-a" route add blackhole "$B4/32"
	noanswer=$(connect "$NS-b" "$A4" 7)
	# This one is not to end before curl does.
	ip netns exec "$NS-b" bash -c 'echo 6 >/proc/sys/net/ipv4/tcp_syn_retries'
	ip netns exec "$NS-b" curl -sS -m 2 "http://$A4/" 2>/dev/null || true
	ip -n "$NS-a" route delete blackhole "$B4/32"
	serve server 5000 1 4
	ip netns exec "$NS-b" bash -c 'echo 40000 40000 >/proc/sys/net/ipv4/ip_local_port_range'
	# shellcheck disable=SC2016 # the inner shell's
	noport=$(ip netns exec "$NS-b" bash -c 'echo $$; exec 5<>/dev/tcp/$0/5000; exec 6<>/dev/tcp/$0/5000' "$A4" 2>/dev/null) || true
	shows w 6 '.event == "failed"'
	watch_stop w
	failure() {
		seen w "map(select(.event == \"failed\" and .pid == $1) | [.remote_address, .remote_port, .local_address, .error])"
	}
	is "$(failure "$noroute")" '[["198.51.100.1",7,null,"ENETUNREACH"]]'
	is "$(failure "$noroute6")" '[["2001:db8::1",7,null,"ENETUNREACH"]]'
	is "$(failure "$noanswer")" "[[\"$A4\",7,\"$B4\",\"ETIMEDOUT\"]]"
	is "$(failure "$nobody")" "[[\"192.0.2.77\",7,\"$B4\",\"EHOSTUNREACH\"]]"
	is "$(failure "$noport")" "[[\"$A4\",5000,null,\"EADDRNOTAVAIL\"]]"
	is "$(seen w 'map(select(.event == "failed" and .comm == "curl") | .error)')" '[null]'
}

@test "watch: a reset, and a connection that nobody accepted" {
	needs nginx curl
	namespaces_add "$NS"
	cd "$BATS_TEST_TMPDIR"
	nginx_conf <<<"server { listen $A4:80; }" | sed 's/^daemon off;/&\nmaster_process off;/' >nginx.conf
	ip netns exec "$NS-a" nginx -c "$PWD/nginx.conf" 2>nginx.log 3>&- &
	server=$!
	eventually "nginx listens" listens 80
	kill -STOP "$server"
	watch_start w --json
	ip netns exec "$NS-b" curl -sS -m 20 "http://$A4/" 2>/dev/null 3>&- &
	shows w 1 '.event == "open" and .comm == "curl"'
	kill -KILL "$server"
	wait "$server" || true
	shows w 2 '.event == "close"'
	watch_stop w
	is "$(seen w 'map(select(.event == "close" and .direction == "out") | [.comm, .error])')" '[["curl","ECONNRESET"]]'
	is "$(seen w 'map(select(.event == "close" and .direction == "in") | [.pid, .comm, .uid, .user, .local_port])')" \
		'[[null,null,null,null,80]]'
	is "$(seen w 'map(select(.event == "accept")) | length')" 0
}

@test "watch: a connection that is older: its bytes from the beginning, and nobody's name" {
	namespaces_add "$NS"
	hold_open "$NS-b" -- tcp --address "$A4" --peer-netns "$NS-a"
	hold_move
	watch_start w --json
	hold_move
	hold_close
	shows w 2 '.event == "close"'
	watch_stop w
	is "$(seen w 'map(select(.event == "close") | [.pid, .comm, .direction, .duration_ns, .tx_bytes, .rx_bytes]) | sort')" \
		"[[null,null,null,null,0,$((2 * 10007))],[null,null,null,null,$((2 * 10007)),0]]"
}

@test "watch: several watchers see the same, beside an account" {
	netacct-load
	watch_start one --json
	watch_start two --json
	traffic tcp --connections 17 >"$BATS_TEST_TMPDIR/truth"
	connect /proc/self/ns/net 127.0.0.1 9 >/dev/null || true
	shows one 34 '.event == "close" and .comm == "traffic"'
	shows two 34 '.event == "close" and .comm == "traffic"'
	watch_stop one
	watch_stop two INT
	# What two processors tell at the same time may come in either order; what the kernel skipped is told with what
	# is printed next.
	for w in one two; do
		jq -c 'select(.comm == "traffic") | del(.time, .time_ns, .latency_ns, .duration_ns, .missed_events)' \
			"$BATS_TEST_TMPDIR/$w" | sort >"$BATS_TEST_TMPDIR/$w.same"
	done
	diff "$BATS_TEST_TMPDIR/one.same" "$BATS_TEST_TMPDIR/two.same" >&2
	is "$(wc -l <"$BATS_TEST_TMPDIR/one.same")" 68
	exact "$(cat "$BATS_TEST_TMPDIR/truth")"
}

@test "watch: of a burst each opening and closing is shown" {
	local n
	n=$(scaled 2000)
	watch_start w --json --comm burst
	traffic tcp --connections "$n" --bytes 1009 --comm burst >/dev/null
	shows w $((2 * n)) '.event == "close"'
	watch_stop w
	is "$(seen w '.[-1] | [.events, .missed_events, .no_room]')" "[$((4 * n)),0,0]"
	is "$(seen w 'map(select(.pid)) | group_by(.event) | map([.[0].event, length])')" \
		"[[\"accept\",$n],[\"close\",$((2 * n))],[\"open\",$n]]"
	is "$(seen w 'map(select(.event == "close") | [.tx_bytes, .rx_bytes]) | group_by(.) | map([.[0], length])')" \
		"[[[0,1009],$n],[[1009,0],$n]]"
}

# bats test_tags=anywhere
@test "watch: what a full buffer has no room for is counted" {
	local n=503 small all
	watch_start all --json
	watch_start small --json --buffer 16
	kill -STOP "${WATCHER[small]}"
	traffic tcp --connections $n --bytes 13 --comm burst >/dev/null
	shows all $((2 * n)) '.event == "close" and .comm == "burst"'
	kill -CONT "${WATCHER[small]}"
	watch_stop small
	watch_stop all
	is "$(seen all '.[-1].missed_events')" 0
	small=$(seen small '.[-1] | .events + .missed_events')
	# Others may use the network, too.
	all=$(jq -s --slurpfile small "$BATS_TEST_TMPDIR/small" \
		'map(select(.pid and .time_ns > $small[0].time_ns and .time_ns < $small[-1].time_ns)) | length' \
		"$BATS_TEST_TMPDIR/all")
	is "$small" "$all"
	[ "$(seen small '.[-1].missed_events')" -gt 1000 ]
	[ "$(seen small '.[-1].events')" -gt 100 ]
}

@test "watch: a connection that there is no room to remember" {
	watch_start w --json --max-connections 1
	hold_open -- tcp
	hold_move
	shows w 1 '.event == "accept"'
	hold_close
	shows w 2 '.event == "close"'
	watch_stop w
	# The ACK that closes one end leaves before the other is closed: tcp_fin() in net/ipv4/tcp_input.c.
	is "$(seen w 'map(select(.pid or .event == "close") | [.event, .comm, .direction, .tx_bytes, .rx_bytes]) | .[:2] + (.[2:] | sort)')" \
		'[["open","traffic","out",null,null],["accept","traffic","in",null,null],["close",null,null,0,10007],["close","traffic","out",10007,0]]'
	is "$(seen w '.[-1] | [.events, .missed_events, .no_room]')" '[4,0,1]'
}

# bats test_tags=anywhere
@test "watch: a signal ends it though events come faster than they are printed" {
	watch_start w --json
	traffic tcp --connections 1000000 --bytes 1 >/dev/null 3>&- &
	busy=$!
	eventually "there are events" grep -q traffic "$BATS_TEST_TMPDIR/w"
	kill -TERM "${WATCHER[w]}"
	eventually "it has ended" ended "${WATCHER[w]}"
	kill -KILL "$busy"
	wait "$busy" || true
	wait "${WATCHER[w]}"
	is "$(tail -n 1 "$BATS_TEST_TMPDIR/w" | jq -r .event)" end
}

# ended PID: whether a job has.
ended() {
	! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1")" = Z ]
}

# bats test_tags=anywhere
@test "watch: filters, --count and --seconds" {
	watch_start comm --json --comm 'wan*'
	watch_start user --json --user 4711
	watch_start six --json -6
	watch_start not --json --comm '!wanted'
	watch_start count --json --count 3 --comm wanted
	traffic tcp --comm wanted >/dev/null
	traffic tcp --comm other --uid 4711 --family 6 >"$BATS_TEST_TMPDIR/truth"
	pid=$(jq 'select(.role == "sender").pid' "$BATS_TEST_TMPDIR/truth")
	port=$(jq 'select(.role == "sender").remote_port' "$BATS_TEST_TMPDIR/truth")
	for w in user six not; do
		shows $w 2 '.event == "close" and .comm == "other"'
	done
	shows comm 2 '.event == "close"'
	wait "${WATCHER[count]}"
	is "$(seen count 'map(.event)')" '["begin","open","accept","close","end"]'
	for w in comm user six not; do
		watch_stop $w
	done
	is "$(seen comm 'map(.comm | values) | unique')" '["wanted"]'
	is "$(seen user 'map(.uid | values) | unique')" '[4711]'
	is "$(seen six 'map(.family | values) | unique')" '["ipv6"]'
	is "$(seen not 'map(select(.comm == "wanted")) | length')" 0

	watch_start four --json -4 --port 9 --no-loopback -p "!$pid"
	watch_start port --json --port "$port" --seconds 2
	watch_start remote --json --remote ::1,127.0.0.0/8 --netns "$(stat -L -c %i /proc/self/ns/net)" --comm traffic --count 2
	traffic tcp >/dev/null
	wait "${WATCHER[port]}"
	wait "${WATCHER[remote]}"
	watch_stop four
	is "$(seen four 'length') $(seen port '.[-1].event')" '2 "end"'
}

# bats test_tags=anywhere
@test "watch: the table has the same events as the JSON" {
	watch_start table --bytes --comm traffic
	watch_start json --json --comm traffic
	traffic tcp >/dev/null
	shows json 2 '.event == "close"'
	watch_stop json
	watch_stop table
	is "$(awk 'NR > 2 && NF == 11 { print $2, $3, $4, $5, $6, $7, $8, $9 }' "$BATS_TEST_TMPDIR/table")" \
		"$(jq -r 'select(.pid) | "\(.pid) \(.user) \(.comm) \(.event) \(.local_address):\(.local_port) \(.remote_address):\(.remote_port) \(.tx_bytes // "-") \(.rx_bytes // "-")"' \
			"$BATS_TEST_TMPDIR/json")"
	has "$(head -n 1 "$BATS_TEST_TMPDIR/table")" "watching since"
	is "$(tail -n 1 "$BATS_TEST_TMPDIR/table")" "4 events shown, 0 missed"

	# Without a first line, only what it shows tells that it has begun.
	netacct-watch -H -n --comm traffic --count 4 >"$BATS_TEST_TMPDIR/bare" 3>&- &
	eventually "it has shown four events" traffic_until $!
	is "$(awk '{ print $3, NF }' "$BATS_TEST_TMPDIR/bare" | uniq -c | xargs)" "4 0 11"
}

# traffic_until PID: some, and whether it has ended.
traffic_until() {
	traffic tcp >/dev/null
	! kill -0 "$1" 2>/dev/null
}

# bats test_tags=anywhere
@test "watch: names of control characters and broken UTF-8" {
	names=($'\e[2J\e[31m' $'a\nb\tc' $'"\\q' $'\xff\xfe\x80bad' $'\x7f\x01\x02' $'\xc2\x9b31m' $'caf\xc3\xa9')
	LC_ALL=C watch_start plain
	LC_ALL=C.UTF-8 watch_start wide
	watch_start json --json
	for name in "${names[@]}"; do
		traffic tcp --comm "$name" >/dev/null
	done
	shows json 14 '.event == "close" and .comm'
	for w in plain wide json; do
		watch_stop $w
	done
	harmless "$BATS_TEST_TMPDIR/plain"
	harmless "$BATS_TEST_TMPDIR/wide"
	harmless "$BATS_TEST_TMPDIR/json" json
	is "$(grep -c ' accept ' "$BATS_TEST_TMPDIR/wide")" "$(seen json 'map(select(.event == "accept")) | length')"
	has "$(cat "$BATS_TEST_TMPDIR/wide")" "café"
	is "$(seen json 'map(select(.comm == "café")) | length')" 4
}

# bats test_tags=anywhere
@test "watch: not root, misuse, an output that cannot be written" {
	dir=$(public_copy)
	run -1 as_nobody nogroup "$dir/netacct-watch"
	rm -rf "$dir"
	one_line
	has "$output" root
	for wrong in --nonsense "--count 0" "--buffer 3000" "--port x" "-p x" argument; do
		# shellcheck disable=SC2086 # words
		run -2 netacct-watch $wrong
		has "$output" --help
	done
	for where in ">&-" ">/dev/full"; do
		run -1 timeout 20 bash -c "netacct-watch $where"
		one_line
		run -1 timeout 20 bash -c "netacct-watch --json $where"
		one_line
	done
}

# bats test_tags=anywhere
@test "watch: ends when its reader has gone, though nothing happens" {
	run -1 timeout 20 bash -o pipefail -c 'netacct-watch --json --comm nobody | head -n 1'
	is "${#lines[@]}" 2
	has "$output" "netacct-watch: cannot write the output"
}

@test "watch: nothing is pinned, and nothing stays of one that was killed" {
	before=$(bpf_objects)
	watch_start w --json
	is "$(find /sys/fs/bpf -path '*netacct-test*' 2>/dev/null)" ""
	kill -KILL "${WATCHER[w]}"
	wait "${WATCHER[w]}" || true
	nothing_since "$before"
	watch_start w
	watch_stop w
	nothing_since "$before"
}
