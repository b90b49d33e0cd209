# SPDX-License-Identifier: GPL-2.0-only
# A command that was killed leaves nothing that the next does not put right.
load helpers

CALLS=bpf,mkdir,mkdirat,rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,flock

# loads_again: everything works after a kill.
loads_again() {
	local truth

	netacct-load || return
	truth=$(traffic tcp) && exact "$truth"
}

@test "the loader killed anywhere: unload leaves nothing" {
	before=$(bpf_objects)
	calls=$(calls $CALLS netacct-load)
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

# bats test_tags=anywhere
@test "the loader killed anywhere: the next load works" {
	before=$(bpf_objects)
	calls=$(calls $CALLS netacct-load)
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

# bats test_tags=anywhere
@test "unload killed anywhere: the next unload leaves nothing, or a load works" {
	before=$(bpf_objects)
	netacct-load
	calls=$(calls $CALLS netacct-unload)
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
	calls=$(calls $CALLS netacct-reset)
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
