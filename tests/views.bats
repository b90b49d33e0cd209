# SPDX-License-Identifier: GPL-2.0-only
# Groupings, filters and columns: who used the network, by whichever name.
# bats file_tags=anywhere
load helpers

# From the JSON of "netacct-show $1...".
show() {
	netacct-show --json "${@:2}" | jq -c "$1"
}

# From namespace a to b: 300,007 bytes by TCP over IPv4, 200,003 by UDP over IPv6, of which RECEIVED arrive.
two_namespaces() {
	local truth

	namespaces_add "$NS"
	netacct-load
	truth=$(ip netns exec "$NS-a" traffic tcp --comm four --address "$B4" --peer-netns "$NS-b" --bytes 300007)
	truth+=$(ip netns exec "$NS-a" traffic udp --comm six --family 6 --address "$B6" --peer-netns "$NS-b" --bytes 200003)
	RECEIVED=$(jq -s 'map(.rx_bytes) | add' <<<"$truth")
}

@test "show --by everything: rows, other flows and no row make the total" {
	two_namespaces
	traffic tcp --connections 3 >/dev/null
	traffic raw >/dev/null
	netacct-unload --to "$BATS_TEST_TMPDIR/last"
	netacct-load --restore "$BATS_TEST_TMPDIR/last"
	two=$(traffic tcp --connections 5 --comm five)
	for by in process comm user cgroup flow remote port protocol netns; do
		# One reading: whatever else runs on the machine may move bytes.
		reading=$(netacct-show --json --by $by)
		array=$(jq -r 'keys_unsorted[-1]' <<<"$reading")
		for key in tx_bytes rx_bytes tx_calls; do
			is "$by $key $(jq "[.${array}[].$key, .other_flows.$key, .no_row.$key] | add" <<<"$reading")" \
				"$by $key $(jq ".totals.$key" <<<"$reading")"
		done
	done
	is "$(show '[.remotes[].tx_bytes] | add' --by remote --comm five)" "$(jq -s 'map(.tx_bytes) | add' <<<"$two")"
}

@test "show --by remote, port, netns" {
	two_namespaces
	is "$(show '[.remotes[] | select(.remote_address == "192.0.2.2") | .tx_bytes, .family, .processes]' --by remote)" \
		'[300007,"ipv4",1]'
	is "$(show '[.remotes[] | select(.remote_address == "fd6e:6574:6163::2").tx_bytes]' --by remote)" '[200003]'
	is "$(show '[.ports[] | select(.protocol == "tcp") | .tx_bytes, .rx_bytes, .processes] | add' --by port)" 600016
	is "$(show '[.netns[] | select(.netns_name == "'"$NS-a"'") | .tx_bytes, .rx_bytes]' --by netns)" '[500010,0]'
	is "$(show '[.netns[] | select(.netns_name == "'"$NS-b"'") | .tx_bytes, .rx_bytes]' --by netns)" "[0,$RECEIVED]"
	has "$(netacct-show --by netns)" "$NS-a"
	has "$(netacct-show --by remote -b)" 300007
}

@test "show: filters on connections, alone and together" {
	two_namespaces
	traffic tcp --comm loop --bytes 1009 >/dev/null
	is "$(show '.totals.tx_bytes' --remote "$B4")" 300007
	is "$(show '.totals.tx_bytes' --remote 192.0.2.0/24)" 300007
	is "$(show '.totals.tx_bytes' --remote 192.0.2.0/31)" 0
	is "$(show '.totals.tx_bytes' --remote "fd6e:6574::/32,$B4")" 500010
	is "$(show '.totals.tx_bytes' --remote '!192.0.2.0/24' --comm four,six)" 200003
	is "$(show '[.processes[] | .comm, .tx_bytes]' -6 --netns "$NS-a")" '["six",200003]'
	is "$(show '[.processes[] | .comm, .tx_bytes]' -u --netns "$NS-a")" '["six",200003]'
	is "$(show '.totals.tx_bytes' -4 --netns "$NS-a,$NS-b")" 300007
	is "$(show '.totals.tx_bytes' -t --netns "$(stat -L -c %i "/run/netns/$NS-a")")" 300007
	is "$(show '[.comms[] | .comm, .tx_bytes]' --by comm --port "$(show '[.flows[] | select(.comm == "four").remote_port][0]' --by flow)")" \
		'["four",300007]'
	is "$(show '.totals.tx_bytes' -t --no-loopback)" 300007
	is "$(show '[.protocols[] | [.protocol, .tx_bytes]] | sort' --by protocol --no-loopback)" '[["tcp",300007],["udp",200003]]'
	is "$(show '[.protocols[] | [.protocol, .tx_bytes]]' --by protocol -t --comm four,six)" '[["tcp",300007]]'
	is "$(show '.flows' --by flow -t -u -4 --remote ::1)" '[]'
	is "$(show '.filters' -t -4 --port '!22')" '{"port":["!22"],"ipv4":true,"tcp":true}'
	has "$(netacct-show -t -4 --port '!22' --no-loopback)" 'port !22, ipv4, tcp, no loopback'
	for bad in --remote=nonsense --remote=1.2.3.4/33 --remote=::/129 --remote=/8 --remote=1.2.3.4/ --port=65536 \
		--port=http --netns=nonsense --netns=../x --cgroup=; do
		run -2 netacct-show "$bad"
	done
}

@test "show: a filter on connections needs them" {
	netacct-load --no-flows
	traffic tcp >/dev/null
	for filter in "--by remote" "--by port" "--remote ::1" "--port 1" "-4" "-t --no-loopback"; do
		# shellcheck disable=SC2086 # two words
		run -1 netacct-show $filter
		has "$output" --no-flows
	done
	is "$(show '.totals.tx_bytes' -t --comm traffic)" 10007
}

# The cgroup that cgroup PATH makes is left with the test.
cgroup() {
	local path=$CGROUPS$1

	mkdir -p "$path"
	bash -c "echo \$\$ >'$path/cgroup.procs' && exec $2"
}

cgroup_remove() {
	find "$CGROUPS/netacct-test.slice" -depth -type d -exec rmdir {} + 2>/dev/null || :
}

@test "show --by cgroup: units and containers by name, also when they are gone" {
	CGROUPS=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	[ -n "$CGROUPS" ] || skip "needs a mounted cgroup2"
	docker=$(printf 'd%.0s' {1..64})
	podman=$(printf 'a%.0s' {1..64})
	pod=$(printf 'c%.0s' {1..64})
	slice=kubepods-burstable-pod01234567_89ab_cdef_0123_456789abcdef.slice
	cgroup_remove
	netacct-load
	cgroup "/netacct-test.slice/web.service" "traffic tcp --bytes 100003" >/dev/null
	cgroup "/netacct-test.slice/docker-$docker.scope" "traffic tcp --bytes 200003" >/dev/null
	cgroup "/netacct-test.slice/libpod-$podman.scope" "traffic tcp --bytes 300007" >/dev/null
	cgroup "/netacct-test.slice/$slice/cri-containerd-$pod.scope" "traffic tcp --bytes 400009" >/dev/null
	is "$(show '[.cgroups[] | select(.cgroup | startswith("/netacct-test.slice")) | [.service, .tx_bytes]] | sort' --by cgroup)" \
		"$(jq -nc '[["docker:dddddddddddd", 200003], ["k8s:01234567-89ab-cdef-0123-456789abcdef/cccccccccccc", 400009],
			["podman:aaaaaaaaaaaa", 300007], ["web.service", 100003]]')"
	is "$(show '.cgroups | map(select(.service == "docker:dddddddddddd").container_id)' --by cgroup)" "[\"$docker\"]"
	is "$(show '.totals.tx_bytes' --cgroup web.service)" 100003
	is "$(show '.totals.tx_bytes' --cgroup /netacct-test.slice)" 1000022
	is "$(show '.totals.tx_bytes' --cgroup "/netacct-test.slice,!$slice" --by comm)" 600013
	is "$(show '.totals.tx_bytes' --cgroup /netacct-test)" 0
	# With the files that the engines keep, by name.
	mkdir -p "$BATS_TEST_TMPDIR"/{docker/"$docker",podman,pods}
	echo '{"Name":"/shop"}' >"$BATS_TEST_TMPDIR/docker/$docker/config.v2.json"
	echo "[{\"id\":\"$podman\",\"names\":[\"cache\"]}]" >"$BATS_TEST_TMPDIR/podman/containers.json"
	touch "$BATS_TEST_TMPDIR/pods/front-7d_prod_nginx-$pod.log"
	for where in here gone; do
		[ $where = here ] || cgroup_remove
		# shellcheck disable=SC2016 # of the shell inside
		unshare --mount bash -c 'mount -t tmpfs none /var/lib && mount -t tmpfs none /var/log &&
			mkdir -p /var/lib/docker /var/lib/containers/storage &&
			cp -r "$0/docker" /var/lib/docker/containers &&
			cp -r "$0/podman" /var/lib/containers/storage/overlay-containers &&
			cp -r "$0/pods" /var/log/containers && netacct-show --json --by cgroup' "$BATS_TEST_TMPDIR" |
			jq -c '[.cgroups[] | select(.tx_bytes > 100000 and .service != "/") | [.service, .tx_bytes]] | sort' >"$BATS_TEST_TMPDIR/named"
		is "$(cat "$BATS_TEST_TMPDIR/named")" \
			'[["docker:shop",200003],["k8s:prod/front-7d/nginx",400009],["podman:cache",300007],["web.service",100003]]'
	done
	is "$(show '.totals.tx_bytes' --cgroup web.service)" 100003
	is "$(show '.totals.tx_bytes' --cgroup /netacct-test.slice/web.service)" 100003
}

@test "show -o exe, cmdline: of processes that live" {
	netacct-load
	hold_open -- tcp --comm holder
	hold_move
	is "$(show '[.processes[] | select(.comm == "holder" and .tx_bytes > 0).exe]' -o comm,tx_bytes,exe)" \
		"[\"$(realpath "$(command -v traffic)")\"]"
	has "$(show '[.processes[] | select(.comm == "holder" and .tx_bytes > 0).cmdline]' -o comm,tx_bytes,cmdline)" "traffic tcp"
	is "$(show '.processes[0] | has("exe")')" false
	hold_close
	is "$(show '[.processes[] | select(.comm == "holder") | .exe, .cmdline] | unique' -o comm,exe,cmdline)" '[null]'
}

@test "show --raw: as many fields as columns, whatever the names" {
	netacct-load
	traffic tcp --comm 'a b' >/dev/null
	traffic tcp --comm 'c' >/dev/null
	run -0 --separate-stderr netacct-show --raw -o comm,tx_bytes,user -b
	is "${lines[0]}" "COMM TX_BYTES USER"
	is "$(awk '{ print NF }' <<<"$output" | sort -u)" 3
	has "$output" 'a\x20b 10007 root'
	run -2 netacct-show --raw --json
}

@test "show --bits: rates as ip and tc print them" {
	netacct-load
	busy_start one udp --chunk 1009
	eventually "it moves" is_moving traffic
	netacct-show --bits --comm traffic 1 1 >"$BATS_TEST_TMPDIR/out"
	busy_stop one
	grep -E '[0-9](K|M|G)?bit ' "$BATS_TEST_TMPDIR/out"
}

@test "show --resolve: names, and no waiting for a resolver that does not answer" {
	two_namespaces
	echo "$B4 four.example" >"$BATS_TEST_TMPDIR/hosts"
	# Nobody answers at this address: it is one for documentation.
	echo "nameserver 203.0.113.1" >"$BATS_TEST_TMPDIR/resolv.conf"
	# shellcheck disable=SC2016 # of the shell inside
	named=(timeout 60 unshare --mount bash -c 'mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/resolv.conf" /etc/resolv.conf &&
		exec "$@"' "$BATS_TEST_TMPDIR")
	has "$("${named[@]}" netacct-show --by remote --resolve)" four.example
	is "$("${named[@]}" netacct-show --by remote --resolve --json |
		jq -c '[.remotes[] | select(.tx_bytes > 200000) | [.remote_address, .remote_name]] | sort')" \
		'[["192.0.2.2","four.example"],["fd6e:6574:6163::2",null]]'
	is "$("${named[@]}" netacct-show --by flow -o remote_name,tx_bytes --json | jq -c '[.flows[] | select(.remote_name).tx_bytes]')" '[300007]'
}

@test "show: a table sorted by a column ends at 1,000 rows, too" {
	netacct-load
	traffic udp --swarm 1010 --bytes 1 --chunk 1 >/dev/null
	has "$(netacct-show --sort pid | tail -n 2)" " more"
	is "$(netacct-show --sort pid -H | grep -c traffic)" 1000
}
