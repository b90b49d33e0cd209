# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Two network namespaces, $1-a and $1-b, with a cable between them. Addresses
# are of those set aside for documentation and for private use.

A4=192.0.2.1
B4=192.0.2.2
A6=fd6e:6574:6163::1
B6=fd6e:6574:6163::2

namespaces_add() {
	local ns

	namespaces_remove "$1"
	for ns in "$1-a" "$1-b"; do
		ip netns add "$ns" || return
		ip -n "$ns" link set lo up || return
	done
	ip -n "$1-a" link add eth0 type veth peer name eth0 netns "$1-b" || return
	for ns in "$1-a $A4 $A6" "$1-b $B4 $B6"; do
		# shellcheck disable=SC2086 # three words
		set -- "$1" $ns
		ip -n "$2" address add "$3/24" dev eth0 || return
		ip -n "$2" address add "$4/64" dev eth0 nodad || return
		ip -n "$2" link set eth0 up || return
	done
}

# Ends what still runs in them, too.
namespaces_remove() {
	local ns pid

	for ns in "$1-a" "$1-b"; do
		[ -e "/run/netns/$ns" ] || continue
		for pid in $(ip netns pids "$ns"); do
			kill -KILL "$pid" 2>/dev/null
		done
		ip netns delete "$ns"
	done
	return 0
}
