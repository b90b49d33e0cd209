# SPDX-License-Identifier: GPL-2.0-only
# What can only be tried on a machine of its own, which a guest of tests/kernels is: its clock, its
# cgroups, its lockdown. The last cannot be taken back, so that this file comes last, and it at the end.
load helpers

setup() {
	[ -n "${NETACCT_TEST_GUEST:-}" ] || skip "needs a machine of its own: tests/kernels"
	clean_up
}

# start_times: of the processes called traffic.
start_times() {
	netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic") | [.pid, .start_time, .first_seen, .last_seen, .exited_at]] | sort'
}

# Of the processes called traffic.
times() {
	netacct-show --json |
		jq -c '[.processes[] | select(.comm == "traffic") | [.pid, .start_time, .first_seen, .last_seen, .exited_at]] | sort'
}

# No number below zero, in any of the documents.
not_negative() {
	jq -s -e '[.. | numbers] | all(. >= 0)' >/dev/null
}

@test "a clock that is set back and forth: times stay, nothing is negative, no age is absurd" {
	netacct-load
	truth=$(traffic tcp)
	times=$(times)
	for shift in -864000 +864000 -1000000000; do
		now=$(date +%s)
		date -s "@$((now + shift))" >/dev/null
		is "$(times)" "$times"
		exact "$truth"
		netacct-show --json 1 2 | not_negative
		# Of a second, or of ten days where the clock tells no better.
		netacct-show | head -n 1 | grep -E '\(([0-9]+|[0-9]m [0-9]+|10d [0-9])[smh]\)'
		netacct-status | head -n 1 | grep -E '\(([0-9]+|[0-9]m [0-9]+)s\)'
		date -s "@$now" >/dev/null
	done
	date -s "@$((now + 864000))" >/dev/null
	netacct-reset --json | not_negative
	date -s "@$((now - 864000))" >/dev/null
	traffic tcp >/dev/null
	netacct-show --json | not_negative
	netacct-unload --json >"$BATS_TEST_TMPDIR/last"
	date -s "@$now" >/dev/null
	not_negative <"$BATS_TEST_TMPDIR/last"
	is "$(jq -c '[.processes[] | select(.comm == "traffic") | .tx_bytes] | sort' "$BATS_TEST_TMPDIR/last")" "[0,10007]"
}

@test "cgroup v1 only: the same bytes" {
	umount -R -l /sys/fs/cgroup
	mount -t tmpfs none /sys/fs/cgroup
	mkdir /sys/fs/cgroup/{cpu,systemd}
	mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd
	mount -t cgroup -o cpu cpu /sys/fs/cgroup/cpu || true
	mkdir /sys/fs/cgroup/systemd/jail
	netacct-load
	truth=$(bash -c 'echo $$ >/sys/fs/cgroup/systemd/jail/cgroup.procs; traffic tcp; true')
	exact "$truth"
	is "$(netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic").cgroup] | unique')" '["/"]'
	netacct-reset
	netacct-unload
	umount -R -l /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

# lock_down MODE
lock_down() {
	local lockdown=/sys/kernel/security/lockdown

	[ -e $lockdown ] || mount -t securityfs securityfs /sys/kernel/security
	[ -e $lockdown ] || skip "this kernel has no lockdown"
	echo "$1" >$lockdown || true
	grep -qF "[$1]" $lockdown
}

@test "lockdown, integrity: all is as usual" {
	lock_down integrity
	netacct-load
	exact "$(traffic tcp)"
	exact "$(traffic udp --family 6)"
	netacct-reset
	exact "$(traffic tcp)"
	netacct-unload
}

@test "lockdown, confidentiality: what is loaded goes on, and load says why it cannot" {
	objects=$(bpf_objects)
	netacct-load
	lock_down confidentiality
	truth=$(traffic tcp)
	exact "$truth"
	netacct-status >/dev/null
	netacct-reset --json | jq -e .processes >/dev/null
	truth=$(traffic udp)
	exact "$truth"
	netacct-unload
	nothing_since "$objects"
	for set in auto tp_btf tracepoint kprobe; do
		run -1 netacct-load --hooks $set
		one_line
		has "$output" lockdown || has "$output" "locked down"
		nothing_since "$objects"
	done
}
