# SPDX-License-Identifier: GPL-2.0-only
# Where /proc or cgroups are missing, inside containers, and for processes that are hard to name.
load helpers

# within SETUP COMMAND...: in a mount namespace that SETUP changes first.
within() {
	unshare --mount bash -c "$1 && exec \"\$@\"" within "${@:2}"
}

# bats test_tags=anywhere
@test "without /proc every command says so, and changes nothing" {
	sanitized && skip "the sanitizer needs /proc"
	netacct-load
	truth=$(traffic tcp)
	for command in load "load --force" show status top reset unload "unload --json"; do
		# shellcheck disable=SC2086 # a list
		run -1 within "mount -t tmpfs none /proc" netacct-$command
		one_line
		has "$output" "/proc is not mounted"
	done
	exact "$truth"
	is "$(netacct-status -j | jq .counting)" true
}

@test "with /proc that hides other users' processes all is as usual" {
	hidden="mount -t proc -o hidepid=2 proc /proc"
	within "$hidden" netacct-load
	truth=$(traffic tcp --uid 1)
	exact "$truth"
	is "$(within "$hidden" netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic") | .tx_bytes] | sort')" "[0,10007]"
	within "$hidden" netacct-status
	within "$hidden" netacct-reset
	within "$hidden" netacct-unload
}

@test "where no cgroups are mounted: exact, and their last names are known" {
	unmounted="umount -R -l /sys/fs/cgroup && ! grep -q cgroup2 /proc/self/mounts"
	within "$unmounted" netacct-load
	truth=$(traffic tcp)
	exact "$truth"
	is "$(within "$unmounted" netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic") | .cgroup | type] | unique')" \
		'["string"]'
	within "$unmounted" netacct-show -o comm,cgroup >/dev/null
	within "$unmounted" netacct-reset
	within "$unmounted" netacct-unload
}

# cgroup NAME: makes one, prints its folder.
cgroup() {
	local root

	root=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
	[ -n "$root" ] || skip "no cgroup2 is mounted"
	mkdir -p "$root/netacct-test/$1"
	echo "$root/netacct-test/$1"
}

# in_cgroup FOLDER COMMAND...
in_cgroup() {
	bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' in_cgroup "$@"
}

# column COMM KEY: of the row that sent bytes.
column() {
	netacct-show --json | jq -r --arg comm "$1" ".processes[] | select(.comm == \$comm and .tx_bytes > 0).$2"
}

@test "a cgroup that is gone keeps its name, and hostile ones harm nothing" {
	netacct-load
	name=$'a\e[31m"b\\c\xff'
	folder=$(cgroup "$name")
	truth=$(in_cgroup "$folder" traffic tcp --comm jailed)
	exact "$truth"
	is "$(column jailed cgroup)" $'/netacct-test/a\e[31m"b\\c\xef\xbf\xbd'
	rmdir "$folder" "${folder%/*}"
	is "$(column jailed cgroup)" $'/netacct-test/a\e[31m"b\\c\xef\xbf\xbd'
	netacct-show --json >"$BATS_TEST_TMPDIR/out"
	harmless "$BATS_TEST_TMPDIR/out" json
	for locale in C C.UTF-8; do
		LC_ALL=$locale netacct-show -o pid,cgroup >"$BATS_TEST_TMPDIR/table"
		grep -q netacct-test "$BATS_TEST_TMPDIR/table"
		harmless "$BATS_TEST_TMPDIR/table"
	done
	exact "$truth"
}

# bats test_tags=anywhere
@test "a user without a name, a parent and a process with hostile or empty ones" {
	netacct-load
	truth=$(traffic tcp --comm nameless --uid 4242424)
	exact "$truth"
	is "$(column nameless uid) $(column nameless user)" "4242424 null"
	is "$(netacct-show -H -o user,comm --comm nameless | awk '{ print $1 }' | sort -u | head -n 1)" 4242424

	truth=$(bash -c 'printf "\e[2J\xff\n" >/proc/self/comm; traffic tcp --comm child; true')
	exact "$truth"
	is "$(column child parent_comm)" $'\e[2J\xef\xbf\xbd'
	netacct-show -o comm,parent_comm >"$BATS_TEST_TMPDIR/table"
	harmless "$BATS_TEST_TMPDIR/table"

	truth=$(traffic tcp --comm "")
	exact "$truth"
	is "$(column "" tx_bytes)" 10007
	is "$(netacct-show --by comm --json | jq -c '[.comms[] | select(.comm == "") | .tx_bytes, .rx_bytes]')" "[10007,10007]"
	is "$(netacct-show -H -o comm,tx_bytes -b | grep -cE '^ *\(exited\) +(10007|0)')" 2
}

@test "a pid that is used again has a row for each process" {
	[ -e /proc/sys/kernel/ns_last_pid ] || skip "needs CONFIG_CHECKPOINT_RESTORE"
	netacct-load
	dir=$BATS_TEST_TMPDIR
	traffic tcp >"$dir/truth" 3>&- &
	wait $!
	pid=$(jq 'select(.role == "sender").pid' "$dir/truth")
	first=$!
	eventually "the pid is used again" again
	is "$(row "$pid" 'select(.tx_bytes > 0).tx_bytes' | paste -sd' ')" "10007 23"
	is "$(row "$pid" .start_ns | sort -u | wc -l)" 2
	is "$(netacct-show --json --by flow | jq -c "[.flows[] | select(.pid == $pid).tx_bytes] | sort")" "[23,10007]"
	invariants
}

again() {
	echo $((first - 1)) >/proc/sys/kernel/ns_last_pid
	traffic tcp --bytes 23 >"$dir/truth"
	[ "$(jq 'select(.role == "sender").pid' "$dir/truth")" = "$pid" ]
}

# contained COMMAND...: as root of a container, which sees the host's pins.
contained() {
	unshare --pid --fork --mount --net --cgroup --ipc --uts bash -c 'mount -t proc proc /proc && exec "$@"' contained "$@"
}

@test "inside a container: it reads and resets where the pins are mounted, and does not load by itself" {
	netacct-load
	truth=$(traffic tcp)
	exact "$truth"
	is "$(contained netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic")] | sort_by(.pid)')" \
		"$(netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic")] | sort_by(.pid)')"
	contained netacct-status >/dev/null
	run -1 contained netacct-load --pin-dir "$OTHER_PIN_DIR"
	one_line
	has "$output" --force
	is "$(contained netacct-reset --json | jq -c '[.processes[] | select(.comm == "traffic") | .tx_bytes] | sort')" "[0,10007]"
	exact "$(contained traffic tcp >/dev/null; traffic tcp)"
	contained netacct-unload
	[ ! -e "$NETACCT_PIN_DIR" ]
}

@test "root of a user namespace changes nothing" {
	unshare --user --map-root-user true || skip "needs user namespaces"
	jailed=(unshare --user --map-root-user --pid --fork --mount --net)
	objects=$(bpf_objects)
	run -1 "${jailed[@]}" netacct-load --force
	one_line
	has "$output" "user namespace"
	nothing_since "$objects"
	netacct-load
	truth=$(traffic tcp)
	run -1 "${jailed[@]}" netacct-reset
	one_line
	run -1 "${jailed[@]}" netacct-reset --json
	is "${#lines[@]}" 1
	exact "$truth"
}
