# SPDX-License-Identifier: GPL-2.0-only
load helpers

# pinned_flows PID: the bytes that a process sent, as bpftool finds them in flows.
pinned_flows() {
	bpftool -j map dump pinned "$NETACCT_PIN_DIR/flows" |
		jq "[.[].formatted | select(.key.process.pid == $1).value.counters.tx_bytes] | add"
}

@test "load pins the tables, which bpftool prints with field names" {
	netacct-load
	truth=$(traffic tcp)
	pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
	for table in processes flows finished totals cgroups; do
		[ -e "$NETACCT_PIN_DIR/$table" ]
	done

	dump=$(bpftool -j map dump pinned "$NETACCT_PIN_DIR/processes")
	is "$(jq -c ".[].formatted | select(.key.pid == $pid)
		| [.value.comm, .value.traffic.tcp_loopback.tx_bytes]" <<<"$dump")" '["traffic",10007]'
	is "$(pinned_flows "$pid")" 10007
}

@test "bpftool finds in flows what moved before the last reading, and all of a closed connection" {
	netacct-load
	hold_open -- tcp
	for n in 1 2 3; do
		hold_move
		pid=$(jq 'select(.role == "sender").pid' <<<"$TRUTH")
		netacct-show >/dev/null
		is "$(pinned_flows "$pid")" $((n * 10007))
	done
	hold_move
	hold_close
	is "$(pinned_flows "$pid")" 40028
}

@test "no row was last seen before it was first seen" {
	netacct-load
	traffic udp --swarm 100 --bytes 10 --chunk 10 >/dev/null
	for table in processes flows; do
		is "$(bpftool -j map dump pinned "$NETACCT_PIN_DIR/$table" |
			jq -c '[.[].formatted.value | .first_seen_ns > .last_seen_ns] | [length >= 100, any]')" '[true,false]'
	done
}

# bats test_tags=anywhere
@test "load again: says so, and is content if the options agree" {
	netacct-load --max-processes 500
	pins=$(find "$NETACCT_PIN_DIR" | sort)
	run -0 --separate-stderr netacct-load --max-processes 500
	has "$output$stderr" "already loaded"
	run -1 netacct-load --max-processes 600
	one_line
	has "$output" "already loaded"
	is "$(find "$NETACCT_PIN_DIR" | sort)" "$pins"
}

@test "load: only root may open what it pins" {
	netacct-load
	is "$(stat -c %a "$NETACCT_PIN_DIR")" 700
	is "$(find "$NETACCT_PIN_DIR" ! -type l ! -user root)" ""
	is "$(find "$NETACCT_PIN_DIR" -type f -perm /077)" ""
}

@test "load --no-flows: processes are counted, connections are not" {
	netacct-load --no-flows
	truth=$(traffic tcp)
	pid=$(jq 'select(.role == "sender").pid' <<<"$truth")
	is "$(row "$pid" '[.tx_bytes, .other_flows.tx_bytes]')" "[10007,10007]"
	is "$(netacct-show --json | jq .flows_enabled)" false
	run -1 --separate-stderr netacct-show --by flow
	is "$output" ""
	has "$stderr" flows
}

# is_apart LOOPBACK PROTOCOL [COMMAND...]: traffic, all of it loopback or none.
is_apart() {
	local truth line

	truth=$("${@:3}" traffic "$2" --family "$family" "${address[@]}") || return
	while read -r line; do
		is "$(row "$(jq .pid <<<"$line")" "[.tx_bytes, .rx_bytes, .tx_calls,
			.protocols.$2.tx_bytes, .protocols.$2.rx_bytes,
			.loopback.tx_bytes == .tx_bytes and .loopback.rx_bytes == .rx_bytes and .loopback.tx_calls == .tx_calls,
			.loopback.tx_bytes + .loopback.rx_bytes == 0]")" \
		   "$(jq -c "[.tx_bytes, .rx_bytes, .tx_calls, .tx_bytes, .rx_bytes, $1, ($1 | not)]" <<<"$line")" || return
	done <<<"$truth"
}

@test "load --no-flows: protocols and loopback are told apart as with connections" {
	namespaces_add "$NS"
	netacct-load --no-flows
	for protocol in tcp udp raw; do
		for family in 4 6 mapped; do
			[ "$protocol $family" != "raw mapped" ] || continue
			address=()
			is_apart true $protocol
			case $family in
			4) address=(--address "$A4") ;;
			6) address=(--address "$A6") ;;
			*) address=(--address "::ffff:$A4") ;;
			esac
			# Who receives a datagram without being connected does not know where it is from.
			[ $protocol != tcp ] || is_apart true $protocol ip netns exec "$NS-a"
			address+=(--peer-netns "$NS-a")
			is_apart false $protocol ip netns exec "$NS-b"
		done
	done
}

@test "load --hooks: a set counts to the byte, or is refused with the reason" {
	local sets=0 objects

	unset NETACCT_HOOKS
	netacct-load
	first=$(netacct-show --json | jq -r .hooks)
	netacct-unload
	for set in tp_btf tracepoint kprobe; do
		objects=$(bpf_objects)
		run netacct-load --hooks $set
		if [ "$status" -eq 0 ]; then
			sets=$((sets + 1))
			is "$(netacct-show --json | jq -r .hooks)" $set
			exact "$(traffic tcp)"
			exact "$(traffic udp --family 6)"
			run -1 netacct-load --hooks auto --max-processes 7
			netacct-unload
		else
			is "$status" 1
			one_line
			[ $set != "$first" ]
			# A set that this kernel has all for, but whose programs it does not take, would be passed over unseen.
			[[ $output != *"refuses the programs"* ]]
		fi
		nothing_since "$objects"
	done
	[ $sets -gt 0 ]
	run -2 netacct-load --hooks none
	NETACCT_HOOKS=none run -2 netacct-load
}

# bats test_tags=anywhere
@test "load: the set of the environment, and that of the command line before it" {
	unset NETACCT_HOOKS
	netacct-load
	set=$(netacct-show --json | jq -r .hooks)
	netacct-unload
	NETACCT_HOOKS=$set netacct-load
	is "$(netacct-show --json | jq -r .hooks)" "$set"
	other=$([ "$set" = kprobe ] && echo tp_btf || echo kprobe)
	run -1 netacct-load --hooks "$other"
	has "$output" "--hooks"
}

@test "load on a kernel without BTF: says so, leaves nothing" {
	netacct-load && netacct-unload
	objects=$(bpf_objects)
	run -1 unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec netacct-load'
	one_line
	has "$output" CONFIG_DEBUG_INFO_BTF
	nothing_since "$objects"
}

@test "load where the kernel refuses all hooks: says what is missing, leaves nothing" {
	netacct-load && netacct-unload
	objects=$(bpf_objects)
	run -1 setpriv --bounding-set -all --inh-caps -all netacct-load
	has "$output" CAP_BPF
	nothing_since "$objects"
	# Each system call bpf() fails.
	run -1 --separate-stderr strace -f -qq -o /dev/null -e inject=bpf:error=EPERM netacct-load
	has "$stderr" CAP_BPF
	nothing_since "$objects"
}

# bats test_tags=anywhere
@test "load: what cannot be meant is misuse" {
	run -2 netacct-load --max-processes 0
	run -2 netacct-load --max-processes many
	run -2 netacct-load --max-flows -1
	run -2 netacct-load everything
	run -2 netacct-load --nonsense
	has "$output" "netacct-load --help"
	run -1 netacct-load --group no-such-group
	one_line
	has "$output" no-such-group
	[ ! -e "$NETACCT_PIN_DIR" ]
}

@test "an open socket that connects anew, unseen, does not bring the difference into the account" {
	local line truth=""

	coproc HELD { exec ways held "tcp? held again"; }
	while read -r line <&"${HELD[0]}" && [ "$line" != ready ]; do :; done
	netacct-load
	# The program that sees a connection begin runs no more.
	bpftool map delete pinned "$NETACCT_PIN_DIR/slots/born" key 0 0 0 0
	exec {from_held}<&"${HELD[0]}"
	echo >&"${HELD[1]}"
	truth=$(cat <&"$from_held")
	is "$(jq -s 'length' <<<"$truth")" 2
	while read -r line; do
		is "$(row "$(jq .pid <<<"$line")" '[.tx_bytes, .rx_bytes]')" "$(jq -c '[.tx_bytes, .rx_bytes]' <<<"$line")"
	done <<<"$truth"
}

# bats test_tags=anywhere
@test "two accounts are independent" {
	netacct-load
	first=$(traffic tcp)
	netacct-load --pin-dir "$OTHER_PIN_DIR"
	second=$(traffic udp)
	exact "$first"
	exact "$second"
	netacct-reset
	export NETACCT_PIN_DIR=$OTHER_PIN_DIR
	exact "$second"
	pid=$(jq 'select(.role == "sender").pid' <<<"$first")
	is "$(row "$pid" .)" ""
}

@test "two loaders at once: both end well, and one account is there" {
	for ((n = 0; n <= $(scaled 4); n++)); do
		netacct-load 3>&- &
		first=$!
		run -0 netacct-load
		wait "$first"
		truth=$(traffic tcp)
		exact "$truth"
		netacct-unload
		[ ! -e "$NETACCT_PIN_DIR" ]
	done
}

# bats test_tags=anywhere
@test "a loader and an unloader at once: loaded, or not loaded" {
	before=$(bpf_objects)
	for ((n = -1; n <= $(scaled 10); n++)); do
		netacct-load 3>&- &
		sleep "0.$(printf %02d $((RANDOM % 25)))"
		netacct-unload 3>&- || [ $? -eq 3 ]
		wait $!
		status=0
		netacct-status || status=$?
		case $status in
		0) netacct-unload ;;
		3) [ ! -e "$NETACCT_PIN_DIR" ] ;;
		*) return 1 ;;
		esac
	done
	nothing_since "$before"
}

# Says what a command should not: another exit status, or no reason for it.
said_wrong() {
	local name=$1 status said n

	shift
	for ((n = 0; n < $(scaled 40); n++)); do
		status=0
		said=$("$name" "$@" 2>&1 >"$BATS_TEST_TMPDIR/$name.out") || status=$?
		case "$status $said" in
		"0 "*) ;;
		"1 "*"another command is"*) ;;
		"3 "*"not loaded"*) ;;
		*) echo "$name: $status: $said" ;;
		esac
		[ "$status" != 0 ] || [ "$name" != netacct-show ] || jq -e .totals "$BATS_TEST_TMPDIR/$name.out" >/dev/null ||
			echo "$name: no reading"
	done
}

# bats test_tags=anywhere
@test "all commands at once, again and again: each is done, or says why not" {
	local objects jobs=()

	objects=$(bpf_objects)
	said_wrong netacct-show --json >"$BATS_TEST_TMPDIR/wrong.1" 3>&- &
	jobs+=($!)
	said_wrong netacct-status >"$BATS_TEST_TMPDIR/wrong.2" 3>&- &
	jobs+=($!)
	said_wrong netacct-reset --to "$BATS_TEST_TMPDIR/reset" >"$BATS_TEST_TMPDIR/wrong.3" 3>&- &
	jobs+=($!)
	said_wrong netacct-load --no-flows >"$BATS_TEST_TMPDIR/wrong.4" 3>&- &
	jobs+=($!)
	said_wrong netacct-load --no-flows --replace >"$BATS_TEST_TMPDIR/wrong.5" 3>&- &
	jobs+=($!)
	said_wrong netacct-unload >"$BATS_TEST_TMPDIR/wrong.6" 3>&- &
	jobs+=($!)
	for pid in "${jobs[@]}"; do
		wait "$pid"
	done
	is "$(sort "$BATS_TEST_TMPDIR"/wrong.* | uniq -c)" ""
	netacct-unload || is $? 3
	nothing_since "$objects"
}

# bats test_tags=anywhere
@test "load: bpffs is not mounted where it would vanish with the command" {
	run -1 unshare --mount sh -c 'umount -l /sys/fs/bpf; exec netacct-load'
	one_line
	has "$output" mount
}

@test "load: another pid namespace is refused without --force" {
	run -1 unshare --pid --fork netacct-load
	one_line
	has "$output" --force
	[ ! -e "$NETACCT_PIN_DIR" ]
	unshare --pid --fork netacct-load --force
	truth=$(traffic tcp)
	exact "$truth"
}

@test "load does not touch what is not an account" {
	bpftool map create /sys/fs/bpf/netacct-test-map type hash key 4 value 4 entries 1 name test
	run ! netacct-load --pin-dir /sys/fs/bpf/netacct-test-map
	[ -e /sys/fs/bpf/netacct-test-map ]
	rm /sys/fs/bpf/netacct-test-map
	run ! netacct-load --pin-dir "$BATS_TEST_TMPDIR"
	[ -d "$BATS_TEST_TMPDIR" ]
}

@test "the default limits take at most 64 MiB of the kernel's memory, both generations included" {
	netacct-load
	for pin in "$NETACCT_PIN_DIR"/{meta,state,cgroups,folded,sockets} "$NETACCT_PIN_DIR"/{slots,switches,0}/*; do
		[[ $pin != *_rows && ! -L $pin ]] || continue
		echo "{\"pin\":\"$pin\"}"
		bpftool -j map show pinned "$pin"
	done >"$BATS_TEST_TMPDIR/maps"
	read -r all newest < <(jq -rn 'reduce inputs as $i ([0, 0, ""]; if $i.pin then .[2] = $i.pin
		else .[0] += $i.bytes_memlock | if .[2] | test("/0/[^/]*$") then .[1] += $i.bytes_memlock else . end end)
		| "\(.[0]) \(.[1])"' "$BATS_TEST_TMPDIR/maps")
	[ "$newest" -gt 0 ]
	echo "$all bytes, and $newest for another generation"
	[ $((all + newest)) -le $((64 << 20)) ]
}
