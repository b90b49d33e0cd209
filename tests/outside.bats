# SPDX-License-Identifier: GPL-2.0-only
# Programs that people use, under strace: what their calls on IP sockets returned is what their rows say.
load helpers

setup() {
	clean_up
	namespaces_add "$NS"
	netacct-load
	cd "$BATS_TEST_TMPDIR" || return
}

# file NAME SIZE: one that does not compress.
file() {
	head -c "$2" /dev/urandom >"$1"
}

# Or what follows would prove nothing.
@test "strace-sums finds what traffic knows of itself" {
	for arguments in "tcp --tx writev --rx readv --threads 7 --bytes 70007" "tcp --tx sendfile --rx splice" \
		"tcp --tx splice --rx peek --family 6" "tcp --tx sendmmsg --rx recvmmsg" "tcp --tx zerocopy" \
		"udp --tx sendmmsg --rx recvmmsg --shared 2 --bytes 10007" "udp --rx trunc" "icmp" "raw" \
		"udp --unconnected --tx sendto --rx peek --family mapped" "unix"; do
		# shellcheck disable=SC2086 # words
		truth=$(traced traffic "$NS-a" traffic $arguments | jq -r \
			'[.pid, "traffic", (.tx_bytes, .rx_bytes | if $unix then 0 else . end)] | @tsv' \
			--argjson unix "$([ "$arguments" = unix ] && echo true || echo false)")
		is "$("$BATS_TEST_DIRNAME/strace-sums" traffic.strace | sort)" "$(sort <<<"$truth")"
	done
}

# chronyd's messages come with times, and a program may be killed in a call.
# bats test_tags=anywhere
@test "strace-sums: no message is as long as what came beside it, no call moved what only its descriptor says" {
	cat >calls.strace <<-END
		1<a> recvmmsg(5<UDP:[192.0.2.2:1->192.0.2.1:2]>, [{msg_hdr={msg_control=[{cmsg_len=64, cmsg_level=SOL_SOCKET}, {cmsg_len=36, cmsg_level=SOL_IPV6}], msg_controllen=104, msg_flags=0}, msg_len=48}, {msg_hdr={msg_control=[{cmsg_len=64, cmsg_level=SOL_SOCKET}], msg_controllen=64, msg_flags=0}, msg_len=53}], 16, 0, NULL) = 2
		1<a> recvmmsg(5<UDP:[192.0.2.2:1->192.0.2.1:2]>, [{msg_hdr={msg_flags=MSG_ERRQUEUE}, msg_len=90}], 16, MSG_ERRQUEUE, NULL) = 1
		1<a> sendto(5<UDP:[192.0.2.2:1]>, ""..., 688, 0, {sin_port=htons(2)}, 16) = 688
		1<a> sendfile(5<TCP:[192.0.2.2:1->192.0.2.1:2]>, 3</etc/hosts>, NULL, 1000) = 1000
		1<a> sendfile(4<pipe:[1]>, 5<TCP:[192.0.2.2:1->192.0.2.1:2]>, NULL, 2000) = 2000
		2<b> sendto(6<UDP:[192.0.2.2:1]>, ""..., 688, 0, {sin_port=htons(2)}, 16 <detached ...>
		3<c> sendto(7<UDP:[192.0.2.2:1]>, ""..., 688, 0, {sin_port=htons(2)}, 16) = ?
		4<d> sendto(8<UDP:[192.0.2.2:1]>, ""..., 576, 0, {sin_port=htons(2)}, 16) = -1 (errno 18446744073709551572)
	END
	run --separate-stderr "$BATS_TEST_DIRNAME/strace-sums" calls.strace
	is "$(sort <<<"$output")" $'1\ta\t1688\t2101\n2\tb\t0\t0\n3\tc\t0\t0\n4\td\t0\t0'
	is "$stderr" $'calls.strace: process 2 b: the end of a call\ncalls.strace: process 3 c: the end of a call\ncalls.strace: process 4 d: the end of a call'
}

@test "nginx and curl: sendfile on and off, TLS 1.2 and 1.3, HTTP/2" {
	needs openssl
	file 1MB 1000000
	chmod 755 .
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert \
		-subj /CN=netacct -addext "subjectAltName=IP:$A4,IP:$A6" 2>/dev/null
	nginx_conf >nginx.conf <<-END
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_certificate $PWD/cert;
		ssl_certificate_key $PWD/key;
		server { listen 80; listen [::]:80; root $PWD; }
		server { listen 81; listen [::]:81; root $PWD; sendfile off; }
		server { listen 443 ssl http2; listen [::]:443 ssl http2; root $PWD; }
	END
	traced_start nginx "$NS-a" nginx -e stderr -p "$PWD" -c "$PWD/nginx.conf"
	eventually "nginx listens" listens 443
	for address in "$A4" "[$A6]"; do
		for how in "http://$address --http1.1" "http://$address:81 --http1.1" \
			"https://$address --http1.1 --tls-max 1.2" "https://$address --http1.1 --tlsv1.3" \
			"https://$address --http2"; do
			read -r url options <<<"$how"
			# shellcheck disable=SC2086 # words
			version=$(traced "curl${how//[^a-z0-9]/}" "$NS-b" curl -sSg --cacert cert $options \
				-o down -w '%{http_version}' "$url/1MB")
			is "$version" "$([[ $how == *http2 ]] && echo 2 || echo 1.1)"
			cmp down 1MB
		done
	done
	traced_stop nginx
	grep -q 'sendfile(.*:80->' nginx.strace
	run ! grep -q 'sendfile(.*:81->' nginx.strace
	traces=(*.strace)
	as_strace "${traces[@]%.strace}"
}

@test "iperf3: control and data, and what it receives too late" {
	for arguments in "$A4 -P 2 -n 5M" "$A6 -R -n 5M" "$A4 -u -b 100M -n 1M" "$A6 -u -b 100M -n 1M -R"; do
		name=iperf3-${arguments//[^a-zA-Z0-9]/}
		traced_start "$name-server" "$NS-a" iperf3 -s -1 >server.log
		eventually "iperf3 listens" listens 5201
		# shellcheck disable=SC2086 # words
		traced "$name" "$NS-b" iperf3 -c $arguments >client.log
		wait "${TRACER[$name-server]}"
	done
	traces=(*.strace)
	as_strace "${traces[@]%.strace}"
}

# A server of its own: with a /run and a root who may log in that nobody else sees.
sshd_start() {
	ssh-keygen -q -t ed25519 -N '' -f host
	ssh-keygen -q -t ed25519 -N '' -f user
	cat >sshd_config <<-END
		HostKey $PWD/host
		AuthorizedKeysFile $PWD/user.pub
		PermitRootLogin prohibit-password
		StrictModes no
		UsePAM no
		PidFile none
		LoginGraceTime 0
		LogLevel ERROR
	END
	cat >ssh_config <<-END
		User root
		IdentityFile $PWD/user
		UserKnownHostsFile $PWD/known
		StrictHostKeyChecking no
		BatchMode yes
		LogLevel ERROR
	END
	echo 'root:*:19000::::::' >shadow
	chmod 600 shadow
	traced_start sshd "$NS-a" sh -c "mount -t tmpfs run /run && mkdir -m 755 /run/sshd &&
		mount --bind '$PWD/shadow' /etc/shadow && exec '$(command -v sshd)' -D -e -f '$PWD/sshd_config'"
	eventually "sshd listens" listens 22
}

@test "rsync over ssh: a tree of files, both ways" {
	needs rsync sshd ssh
	mkdir -p tree/{a,b/c}
	for i in {1..50}; do
		file "tree/a/$i" $((i * 97))
	done
	file tree/b/c/1MB 1000000
	sshd_start
	traced up "$NS-b" rsync -a -e "ssh -F $PWD/ssh_config" tree/ "$A4:$PWD/up/"
	diff -r tree up
	traced down "$NS-b" rsync -a -e "ssh -F $PWD/ssh_config" "[$A6]:$PWD/up/" down/
	diff -r tree down
	traced_stop sshd
	as_strace sshd up down
}

@test "socat: a file each way, by TCP and by UDP" {
	file a 1000003
	file b 2000003
	file small 100003
	for version in 4 6; do
		address=$([ $version = 4 ] && echo "$A4" || echo "[$A6]")

		traced_start "tcp-a$version" "$NS-a" socat -t 60 -b 50000 \
			"TCP$version-LISTEN:7000,reuseaddr" "OPEN:a!!CREATE:from-b"
		eventually "socat listens" listens 7000
		traced "tcp-b$version" "$NS-b" socat -t 60 -b 50000 \
			"TCP$version:$address:7000" "OPEN:b!!CREATE:from-a"
		wait "${TRACER[tcp-a$version]}"
		cmp a from-a
		cmp b from-b

		# An empty datagram ends it.
		traced_start "udp-a$version" "$NS-a" socat -u -T 60 \
			"UDP$version-RECV:7001,null-eof" CREATE:datagrams
		eventually "socat listens" listens 7001
		traced "udp-b$version" "$NS-b" socat -u -b 1400 OPEN:small \
			"UDP$version:$address:7001,shut-null"
		wait "${TRACER[udp-a$version]}"
		[ -s datagrams ]
	done
	traces=(*.strace)
	as_strace "${traces[@]%.strace}"
}

@test "redis: a database filled and dumped over TCP" {
	needs redis-cli redis-check-rdb
	# One program by two names. The package with the other one starts a service.
	ln -s "$(command -v redis-check-rdb)" redis-server
	awk 'BEGIN { for (i = 0; i < 10000; i++) printf "SET %d %0200d\r\n", i, i }' >commands
	traced_start server "$NS-a" ./redis-server --bind "$A4" "$A6" --save '' --protected-mode no \
		--rdbcompression no --repl-diskless-sync-delay 0 --dir "$PWD" >server.log
	eventually "redis listens" listens 6379
	traced fill "$NS-b" redis-cli -h "$A6" --pipe <commands >fill.log
	traced dump "$NS-b" redis-cli -h "$A4" --rdb dump.rdb >dump.log
	[ "$(stat -c %s dump.rdb)" -gt 2000000 ]
	traced_stop server
	as_strace server fill dump
}

@test "dig and dnsmasq: by UDP, by TCP, and by both when an answer is too long" {
	needs dig dnsmasq
	traced_start dnsmasq "$NS-a" dnsmasq -k -C /dev/null -R -h -u root -x '' --bind-interfaces \
		--address=/netacct.test/192.0.2.53 --address=/netacct.test/fd6e::53 \
		"--txt-record=long.test,$(printf '%0200d' 1),$(printf '%0200d' 2),$(printf '%0200d' 3)"
	eventually "dnsmasq listens" listens 53
	for server in "$A4" "$A6"; do
		for query in "A netacct.test" "AAAA netacct.test +tcp" "TXT long.test +bufsize=512" "A no.test"; do
			name=dig-${server//[^0-9]/}-${query//[^a-zA-Z]/}
			# shellcheck disable=SC2086 # words
			traced "$name" "$NS-b" dig "@$server" +qr +time=60 +tries=1 $query >"$name.log"
			# What it says of what it sent and got; TCP takes two bytes for the length.
			[[ $query == TXT* ]] || is "$(row "$(traced_pid "$name")" '[.tx_bytes, .rx_bytes]')" \
				"$(awk -v tcp="$([[ $query == *+tcp ]] && echo 2)" '/QUERY SIZE/ { tx = $4 + tcp }
				/MSG SIZE/ { rx = $5 + tcp } END { print "[" tx "," rx "]" }' "$name.log")"
		done
	done
	traced_stop dnsmasq
	traces=(*.strace)
	as_strace "${traces[@]%.strace}"
}

@test "ping: v4 and v6, ping sockets and raw ones" {
	needs ping
	for range in "1 0" "0 0"; do
		ip netns exec "$NS-b" sh -c "echo $range >/proc/sys/net/ipv4/ping_group_range"
		for address in "$A4" "$A6"; do
			name="ping-${address//[^0-9]/}-${range// /}"
			traced "$name" "$NS-b" ping -n -c 5 -i 0.1 -s 1000 "$address" >"$name.log"
			grep -q ' 5 received' "$name.log"
			# It says 1000 bytes of data and means with 8 of header; a raw socket of IPv4 hears 20 more.
			rx=$([ "$range $address" = "1 0 $A4" ] && echo 5140 || echo 5040)
			is "$(row "$(traced_pid "$name")" '[.tx_bytes, .rx_bytes]')" "[5040,$rx]"
		done
	done
	traces=(*.strace)
	as_strace "${traces[@]%.strace}"
}
