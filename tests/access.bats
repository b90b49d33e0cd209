# SPDX-License-Identifier: GPL-2.0-only
# Who may load, and who may read.
load helpers

GROUP=games # any that every system has

setup() {
	clean_up
	DIR=$(public_copy)
	PATH=$DIR:$PATH
}

teardown() {
	rm -rf "$DIR"
	clean_up
}

# bats test_tags=anywhere
@test "not root: one line that says what is needed" {
	run -1 as_nobody nogroup netacct-load
	one_line
	has "$output" root
	netacct-load
	for command in show reset unload status top; do
		run -1 as_nobody nogroup "netacct-$command"
		one_line
		has "$output" root
	done
	is "$(netacct-status -j | jq .counting)" true
}

@test "a member of the group reads, and cannot change anything" {
	# We mount bpffs with mode 700, as systemd does, where it is not mounted yet.
	netacct-load --group $GROUP --group-traverse
	[ "$(stat -c %a:%G "$NETACCT_PIN_DIR")" = "750:$GROUP" ]
	truth=$(traffic tcp)
	pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
	is "$(as_nobody $GROUP netacct-show --json | jq ".processes[] | select(.pid == $pid).tx_bytes")" 10007
	is "$(as_nobody $GROUP netacct-show --by flow --json | jq ".flows[] | select(.pid == $pid).tx_bytes")" 10007
	as_nobody $GROUP netacct-show
	as_nobody $GROUP netacct-status
	for command in reset unload; do
		run -1 as_nobody $GROUP netacct-$command
		one_line
		has "$output" root
	done
	run -1 as_nobody nogroup netacct-show
	one_line
	exact "$truth"

	# After a reset too.
	netacct-reset
	truth=$(traffic tcp --bytes 23)
	pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
	is "$(as_nobody $GROUP netacct-show --json | jq ".processes[] | select(.pid == $pid).tx_bytes")" 23
}

# in_private COMMANDS: with a bpffs of its own that is mounted as systemd does it.
in_private() {
	unshare --mount bash -ec "mount -t bpf -o mode=700 bpf /sys/fs/bpf
		nobody() { setpriv --reuid=65534 --regid=$GROUP --clear-groups \"\$@\"; }
		$1"
}

@test "bpffs with mode 700: --group fails before it changes anything, and names the remedy" {
	run -1 in_private "netacct-load --group $GROUP || status=\$?
		find /sys/fs/bpf -mindepth 1 ! -name "*.debug"; stat -c %a /sys/fs/bpf; exit \$status"
	is "${#lines[@]}" 2
	has "${lines[0]}" --group-traverse
	is "${lines[1]}" 1700
}

@test "bpffs with mode 700: --group-traverse opens it, and unload closes it again" {
	run -0 in_private "netacct-load --group $GROUP --group-traverse
		stat -c %a /sys/fs/bpf
		traffic tcp >/dev/null
		nobody netacct-show --json | jq '[.processes[].tx_bytes] | add'
		netacct-unload
		stat -c %a /sys/fs/bpf"
	is "$output" $'1701\n10007\n1700'
}

# bats test_tags=anywhere
@test "unload closes it again when parts of the account are gone" {
	run -0 in_private "netacct-load --group $GROUP --group-traverse
		rm -r $NETACCT_PIN_DIR/{state,links}
		netacct-unload
		stat -c %a /sys/fs/bpf"
	is "$output" 1700
}

# bats test_tags=anywhere
@test "unload does not take a passage away that was there before" {
	run -0 unshare --mount bash -ec "mount -t bpf -o mode=755 bpf /sys/fs/bpf
		netacct-load --group $GROUP --group-traverse
		netacct-unload
		stat -c %a /sys/fs/bpf"
	is "$output" 1755
}

# with_caps CAPABILITIES COMMAND...: root, without all others.
with_caps() {
	setpriv --inh-caps="-all,$1" --bounding-set="-all,$1" "${@:2}"
}

@test "root with CAP_BPF and CAP_PERFMON only: reads; load names what is missing, reset what it needs" {
	before=$(bpf_objects)
	run -1 with_caps +bpf,+perfmon netacct-load
	one_line
	has "$output" "CAP_NET_ADMIN, CAP_SYS_ADMIN"
	nothing_since "$before"
	netacct-load
	truth=$(traffic tcp)
	is "$(with_caps +bpf,+perfmon netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic") | .tx_bytes] | sort')" "[0,10007]"
	with_caps +bpf,+perfmon netacct-status >/dev/null
	for command in reset "reset --json"; do
		# shellcheck disable=SC2086 # a list
		run -1 with_caps +bpf,+perfmon netacct-$command
		one_line
		has "$output" root
	done
	exact "$truth"

	# Not root, and not in the group.
	for command in load show reset unload status top; do
		run -1 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+bpf,+perfmon \
			--ambient-caps=-all,+bpf,+perfmon --bounding-set=-all,+bpf,+perfmon \
			netacct-$command --pin-dir "$([ $command = load ] && echo "$OTHER_PIN_DIR" || echo "$NETACCT_PIN_DIR")"
		one_line
		has "$output" root
	done
	exact "$truth"
}

@test "load with just the capabilities that it names" {
	caps=+bpf,+perfmon,+net_admin,+sys_admin
	# Where we have it ourselves: before Linux 5.11 it takes that, too.
	! with_caps $caps,+sys_resource true 2>/dev/null || caps+=,+sys_resource
	with_caps $caps netacct-load
	exact "$(traffic tcp)"
	with_caps $caps netacct-reset
	exact "$(traffic tcp)"
	with_caps $caps netacct-unload --json | jq -e '.processes | length >= 2'
	[ ! -e "$NETACCT_PIN_DIR" ]
}
