# SPDX-License-Identifier: GPL-2.0-only
# A command that was killed leaves nothing that the next does not put right.
load helpers

# How many calls of each name the command makes: "NAME N" lines.
count_calls() {
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e "trace=$CALLS" -o "$BATS_TEST_TMPDIR/calls" -- "$@" >/dev/null
	grep -o '^[0-9 ]*[a-z0-9_]*(' "$BATS_TEST_TMPDIR/calls" | tr -d '0-9 (' | sort | uniq -c | awk '{ print $2, $1 }'
}
CALLS=bpf,mkdir,mkdirat,rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,flock

# Some of the numbers up to $1: the first, the last, and scaled $2 between.
spread() {
	awk -v last="$1" -v parts="$(($(scaled "$2") + 1))" 'BEGIN {
		for (k = 0; k <= parts; k++) { n = 1 + int(k * (last - 1) / parts); if (n != was) print n; was = n }
	}'
}

# loads_again: everything works after a kill.
loads_again() {
	local truth

	netacct-load || return
	truth=$(traffic tcp) && exact "$truth"
}

@test "the loader killed anywhere: unload leaves nothing" {
	before=$(bpf_objects)
	calls=$(count_calls netacct-load)
	netacct-unload
	nothing_since "$before"
	while read -r call total; do
		for n in $(spread "$total" "$([ "$call" = bpf ] && echo 6 || echo 1)"); do
			kill_at "$call" "$n" netacct-load >/dev/null
			netacct-unload || is $? 3
			nothing_since "$before" || { echo "after a kill at $call $n of $total" >&2; return 1; }
		done
	done <<<"$calls"
}

@test "the loader killed anywhere: the next load works" {
	before=$(bpf_objects)
	calls=$(count_calls netacct-load)
	netacct-unload
	while read -r call total; do
		for n in $(spread "$total" "$([ "$call" = bpf ] && echo 3 || echo 0)"); do
			kill_at "$call" "$n" netacct-load >/dev/null
			loads_again || { echo "after a kill at $call $n of $total" >&2; return 1; }
			netacct-unload
		done
	done <<<"$calls"
	nothing_since "$before"
}

@test "unload killed anywhere: the next unload leaves nothing, or a load works" {
	before=$(bpf_objects)
	netacct-load
	calls=$(count_calls netacct-unload)
	while read -r call total; do
		for n in $(spread "$total" "$([ "$call" = bpf ] && echo 2 || echo 3)"); do
			netacct-load --no-flows
			kill_at "$call" "$n" netacct-unload >/dev/null
			netacct-unload || is $? 3
			nothing_since "$before" || { echo "after a kill at $call $n of $total" >&2; return 1; }
		done
	done <<<"$calls"
	netacct-load
	kill_at unlink 3 netacct-unload
	kill_at unlinkat 3 netacct-unload
	loads_again
	netacct-unload
	nothing_since "$before"
}

@test "resets killed anywhere leave no more than the next takes away" {
	before=$(bpf_objects)
	netacct-load
	netacct-reset
	loaded=$(bpf_objects | cut -d' ' -f1 | uniq -c)
	calls=$(count_calls netacct-reset)
	while read -r call total; do
		for n in $(spread "$total" 5); do
			kill_at "$call" "$n" netacct-reset >/dev/null
		done
	done <<<"$calls"
	netacct-reset
	eventually "there are as many objects as before" same_objects
	truth=$(traffic tcp)
	exact "$truth"
	netacct-unload
	nothing_since "$before"
}

same_objects() {
	[ "$(bpf_objects | cut -d' ' -f1 | uniq -c)" = "$loaded" ]
}
