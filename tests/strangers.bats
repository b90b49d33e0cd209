# SPDX-License-Identifier: GPL-2.0-only
# What stands where an account is to be, and is none, or no whole one any more.
# bats file_tags=anywhere
load helpers

setup() {
	clean_up
	remove_stranger
}

teardown() {
	remove_stranger
	clean_up
}

remove_stranger() {
	local kept=$NETACCT_PIN_DIR

	# An account is unloaded first: some of it is not in its folder.
	netacct-unload --pin-dir "$kept" 2>/dev/null || true
	rm -rf "$kept" "$OTHER_PIN_DIR-link"
}

# All that is there, with its owner and mode, but for what others are doing.
pins() {
	find /sys/fs/bpf "$BATS_TEST_TMPDIR/elsewhere" -path '*netacct-test*' -printf '%p %u %m %l\n' 2>/dev/null | sort
}

# Every command exits with status 1 and one line, and changes nothing.
refused() {
	local command before

	before=$(pins)
	for command in load show status top reset unload; do
		run -1 "netacct-$command"
		one_line || { echo "from netacct-$command" >&2; return 1; }
		is "$(pins)" "$before" || { echo "after netacct-$command" >&2; return 1; }
	done
	run -1 netacct-reset --json
	one_line
	run -1 netacct-unload --json
	one_line
	is "$(pins)" "$before"
}

# stranger TYPE KEY_SIZE VALUE_SIZE: a map of another program, pinned as meta.
stranger() {
	mkdir -p "$NETACCT_PIN_DIR"
	bpftool map create "$NETACCT_PIN_DIR/meta" type "$1" key "$2" value "$3" entries 1 name meta
}

# write_meta BYTE...: over the first bytes of the account's.
write_meta() {
	local value

	value=$(bpftool -j map lookup pinned "$NETACCT_PIN_DIR/meta" key 0 0 0 0 | jq -r '.value | join(" ")')
	# shellcheck disable=SC2046 # a list
	set -- "$@" $(cut -d' ' -f$(($# + 1))- <<<"$value")
	bpftool map update pinned "$NETACCT_PIN_DIR/meta" key 0 0 0 0 value "$@"
}

@test "a folder of somebody else is left alone" {
	mkdir "$NETACCT_PIN_DIR"
	refused
	chown nobody "$NETACCT_PIN_DIR"
	chmod 777 "$NETACCT_PIN_DIR"
	refused
	mkdir "$NETACCT_PIN_DIR/meta" "$NETACCT_PIN_DIR/links"
	refused
}

@test "pins of another program, of another type or size, are left alone" {
	size=376 # struct meta
	for shape in "array 4 8" "array 4 $((size + 8))" "hash 4 $size" "hash 8 $size" "percpu_array 4 $size"; do
		# shellcheck disable=SC2086 # a list
		stranger $shape
		refused || { echo "with $shape" >&2; return 1; }
		rm -r "$NETACCT_PIN_DIR"
	done
	bpftool map create "$NETACCT_PIN_DIR" type hash key 4 value 4 entries 1 name test
	refused
}

@test "a program and a link that are pinned as meta are left alone" {
	netacct-load --pin-dir "$OTHER_PIN_DIR"
	mkdir "$NETACCT_PIN_DIR"
	bpftool prog pin pinned "$OTHER_PIN_DIR/progs/sched_process_exit" "$NETACCT_PIN_DIR/meta"
	refused
	rm "$NETACCT_PIN_DIR/meta"
	bpftool link pin pinned "$OTHER_PIN_DIR/links/cgroup_attach_task" "$NETACCT_PIN_DIR/meta"
	refused
}

@test "an account of another schema: nobody reads it, and unload removes it" {
	before=$(bpf_objects)
	netacct-load
	write_meta $(($(bpftool -j map dump pinned "$NETACCT_PIN_DIR/meta" | jq '.[0].formatted.value.schema') + 1)) 0 0 0
	for command in load show status reset "unload --json"; do
		# shellcheck disable=SC2086 # a list
		run -1 netacct-$command
		one_line
		has "$output" netacct-unload
	done
	run -0 netacct-unload
	is "$output" ""
	nothing_since "$before"
}

@test "strings that nobody ended, of no characters, do not run over and harm nothing" {
	netacct-load
	# shellcheck disable=SC2046 # a list
	write_meta $(bpftool -j map dump pinned "$NETACCT_PIN_DIR/meta" | jq '.[0].formatted.value | .schema, 0, 0, 0, .hooks, 0, 0, 0') \
		$(yes 65 27 255 | head -n 24)
	run -0 netacct-load
	is "$output" "netacct-load: already loaded by version A??A??A??A??A??A??A??A??A??A??A"
	netacct-status >"$BATS_TEST_TMPDIR/out"
	grep -q "version A??A??A??A??A??A??A??A??A??A??A$" "$BATS_TEST_TMPDIR/out"
	harmless "$BATS_TEST_TMPDIR/out"
	is "$(netacct-status -j | jq -c '[.version, .boot_id] | map(length)')" "[31,39]"
	netacct-show --json | jq -e .
}

# damaged COMMAND...: exits with status 1, and one line that says so and what to do.
damaged() {
	run -1 "$@"
	one_line
	has "$output" "damaged"
	has "$output" "run netacct-unload --pin-dir $NETACCT_PIN_DIR"
}

@test "an account that parts were removed of: load and status say so, unload removes the rest" {
	before=$(bpf_objects)
	for part in links slots progs switches readers 0 current state state_rows cgroups_rows meta_rows meta; do
		netacct-load
		rm -r "${NETACCT_PIN_DIR:?}/$part"
		damaged netacct-load || { echo "without $part" >&2; return 1; }
		run -1 netacct-status
		has "$output" damaged || { echo "without $part" >&2; return 1; }
		run -0 netacct-unload
		is "$output" ""
		nothing_since "$before" || { echo "without $part" >&2; return 1; }
	done
	netacct-load
}

@test "a single hook that was removed is told, and what it counted stays readable" {
	netacct-load
	truth=$(traffic tcp)
	is "$(netacct-status -j | jq .damage)" null
	pins=(links/sched_process_exit slots/renamed links/cgroup_attach_task)
	[ "$(netacct-status -j | jq -r .hooks)" != tp_btf ] || pins+=(settled)
	for pin in "${pins[@]}"; do
		rm "$NETACCT_PIN_DIR/$pin"
		damaged netacct-load
		is "$(netacct-status -j | jq -r .damage)" "$([[ $pin = slots/* ]] && echo "links/sched_process_exit" || echo "$pin")"
		exact "$truth"
	done
	rm -r "$NETACCT_PIN_DIR"/{links,slots,progs}
	exact "$truth"
	is "$(netacct-unload --json | jq -s -c '[.[-1].processes[] | select(.comm == "traffic") | .tx_bytes] | sort')" "[0,10007]"
}

@test "without its tables an account says so, and nothing more is done to it" {
	netacct-load
	traffic tcp >/dev/null
	rm -r "$NETACCT_PIN_DIR/switches"
	damaged netacct-reset
	damaged netacct-unload --json
	is "$(netacct-show --json | jq -c '[.processes[] | select(.comm == "traffic") | .tx_bytes] | sort')" "[0,10007]"
	rm -r "$NETACCT_PIN_DIR/0"
	damaged netacct-show
	damaged netacct-reset
	rm "$NETACCT_PIN_DIR/state"
	for command in load show status reset; do
		damaged netacct-$command
	done
	netacct-unload
}

@test "a symbolic link: readers follow it, load and unload name it" {
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$NETACCT_PIN_DIR"
	refused
	rm "$NETACCT_PIN_DIR"

	ln -s netacct-test-nowhere "$NETACCT_PIN_DIR"
	for command in load unload; do
		run -1 netacct-$command
		one_line
		has "$output" "symbolic link"
	done
	for command in show status reset; do
		run -3 netacct-$command
	done
	[ -L "$NETACCT_PIN_DIR" ]
	rm "$NETACCT_PIN_DIR"

	netacct-load
	truth=$(traffic tcp)
	ln -s "$NETACCT_PIN_DIR" "$OTHER_PIN_DIR-link"
	NETACCT_PIN_DIR=$OTHER_PIN_DIR-link exact "$truth"
	for command in load unload "unload --json"; do
		# shellcheck disable=SC2086 # a list
		run -1 netacct-$command --pin-dir "$OTHER_PIN_DIR-link"
		one_line
		has "$output" "symbolic link"
	done
	is "$(netacct-status -j | jq .counting)" true
	exact "$truth"
}

@test "one account, whichever way its folder is called" {
	before=$(bpf_objects)
	cd /sys/fs/bpf
	for spelling in "${NETACCT_PIN_DIR##*/}" "./${NETACCT_PIN_DIR##*/}" "$NETACCT_PIN_DIR//" "/sys/fs//bpf/../bpf/${NETACCT_PIN_DIR##*/}"; do
		netacct-load --pin-dir "$spelling"
		truth=$(traffic tcp)
		exact "$truth"
		run -0 netacct-load
		has "$output" "already loaded"
		NETACCT_PIN_DIR=$spelling exact "$truth"
		NETACCT_PIN_DIR=$spelling netacct-reset
		NETACCT_PIN_DIR=$spelling netacct-unload
		run -3 netacct-status
		nothing_since "$before"
	done
}

@test "folders that cannot be" {
	for dir in "" /sys/fs/bpf/netacct-test.1 "/sys/fs/bpf/netacct-test-$(printf '%0300d' 0)" "/$(printf '%05000d' 0)"; do
		for command in load show status top reset unload; do
			run -2 netacct-$command --pin-dir "$dir"
		done
	done
	for dir in /sys/fs/bpf /tmp /; do
		for command in load show status top reset unload; do
			run -1 netacct-$command --pin-dir "$dir"
			one_line
		done
	done
	run -1 netacct-load --pin-dir /sys/fs/bpf/netacct-test-nowhere/account
	one_line
	for command in show status reset unload; do
		run -3 netacct-$command --pin-dir /sys/fs/bpf/netacct-test-nowhere/account
	done

	# The longest name that there can be.
	before=$(bpf_objects)
	NETACCT_PIN_DIR=/sys/fs/bpf/netacct-test-$(printf '%0232d' 0)
	netacct-load
	exact "$(traffic tcp)"
	netacct-reset --json >/dev/null
	netacct-unload
	nothing_since "$before"
}
