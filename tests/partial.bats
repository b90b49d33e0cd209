# SPDX-License-Identifier: GPL-2.0-only
# netacct-load --user and --cgroup: what is not wanted is in no row and in no sum. So the totals are
# exact on a busy machine, too.
load helpers

NOBODY=65534
TREE=/netacct-test

setup() {
	clean_up
	CGROUPS=$(findmnt -n -o TARGET -t cgroup2 | head -n 1) || true
}

teardown() {
	clean_up
	[ ! -d "$CGROUPS$TREE" ] || find "$CGROUPS$TREE" -depth -type d -exec rmdir {} \;
}

# make_tree: a, a/below and ab.
make_tree() {
	[ -n "$CGROUPS" ] || skip "needs the unified hierarchy of cgroups, mounted"
	mkdir -p "$CGROUPS$TREE"/{a/below,ab}
}

# in_cgroup NAME COMMAND...
in_cgroup() {
	# shellcheck disable=SC2016 # the shell's own
	bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CGROUPS$TREE/$1" "${@:2}"
}

# The totals, "sent,received".
sums() {
	netacct-show --json | jq -r '"\(.totals.tx_bytes),\(.totals.rx_bytes)"'
}

# all_of COMM...: only processes of these names have rows, and the rows come to the totals.
all_of() {
	is "$(netacct-show --json | jq -r '[.processes[].comm] | unique | join(" ")')" "$*"
	is "$(netacct-show --json | jq -r '"\([.processes[].tx_bytes] | add),\([.processes[].rx_bytes] | add)"')" "$(sums)"
	is "$(netacct-show --json --by flow | jq -r '[.flows[].comm] | unique | join(" ")')" "$*"
}

# every_way COMM ARGUMENTS: 5 x 10007 bytes, from the cgroup $JAIL.
every_way() {
	local way jail=()

	[ -z "${JAIL:-}" ] || jail=(in_cgroup "$JAIL")

	for way in tcp "tcp --family 6 --rx splice" "tcp --tx sendfile --rx peek" udp "udp --unconnected --family 6 --rx recvmsg"; do
		# shellcheck disable=SC2086 # words
		"${jail[@]}" traffic $way --comm "$@" >/dev/null
	done
}

@test "--user: that user's bytes, and nobody else's" {
	netacct-load --user $NOBODY
	every_way root
	every_way nobody --uid $NOBODY
	every_way other --uid 65533
	every_way root
	all_of nobody
	is "$(sums)" 50035,50035
	is "$(netacct-show --json --by user | jq -c '[.users[].uid]')" "[$NOBODY]"
	netacct-reset
	every_way root
	exact "$(traffic udp --comm nobody --uid $NOBODY --bytes 3001)"
	is "$(sums)" 3001,3001
	invariants
}

@test "--user with a comma or given twice: each of them" {
	netacct-load --user $NOBODY,65533 --user root
	every_way root
	every_way nobody --uid $NOBODY
	every_way other --uid 65533
	every_way fourth --uid 65532
	is "$(rows root tx_bytes),$(rows nobody tx_bytes),$(rows other rx_bytes),$(rows fourth tx_bytes)" 50035,50035,50035,0
}

@test "--cgroup: with what is below it, and not what is beside it" {
	make_tree
	netacct-load --cgroup $TREE/a/
	every_way outside
	JAIL=a every_way here
	JAIL=a/below every_way below
	JAIL=ab every_way beside
	JAIL=. every_way above
	# What is made later is below, too.
	mkdir -p "$CGROUPS$TREE"/{a/new/newer,ab/a}
	JAIL=a/new/newer every_way later
	JAIL=ab/a every_way beside
	all_of below here later
	is "$(sums)" 150105,150105
	is "$(rows here tx_bytes),$(rows below rx_bytes),$(rows later tx_bytes)" 50035,50035,50035
	invariants
}

@test "--cgroup: a process that moves is counted while it is there" {
	needs socat
	make_tree
	socat -u UDP-RECV:10011,bind=127.0.0.1 STDOUT >/dev/null 3>&- &
	eventually "port 10011 is bound" is_bound 10011
	netacct-load --cgroup $TREE/a
	# shellcheck disable=SC2016 # the shell's own
	run -0 bash -c 'exec 4>/dev/udp/127.0.0.1/10011
		say() { echo $$ >"$0/$1/cgroup.procs" && printf "%$2s" "" >&4; }
		say ab 101; say a 211; say ab 307; say a/below 401; say . 503; echo $$' "$CGROUPS$TREE"
	is "$(row "$output" .tx_bytes)" 612
	is "$(sums)" 612,0
}

@test "--user and --cgroup: both have to agree" {
	make_tree
	netacct-load --cgroup $TREE/a --cgroup $TREE/ab --user $NOBODY
	every_way outside --uid $NOBODY
	JAIL=a every_way root
	JAIL=a every_way both --uid $NOBODY
	JAIL=ab every_way both --uid $NOBODY
	JAIL=. every_way outside --uid $NOBODY
	all_of both
	is "$(sums)" 100070,100070
}

@test "--cgroup /: all, as without it" {
	netacct-load --cgroup /
	exact "$(traffic tcp)"
	exact "$(traffic udp --uid $NOBODY)"
}

# sends PORT BYTES: to whoever connects.
sends() {
	socat "TCP-LISTEN:$1,bind=127.0.0.1,reuseaddr" "SYSTEM:head -c $2 /dev/zero; cat >/dev/null" 3>&- &
	eventually "port $1 is listened on" is_bound "$1"
}

is_bound() {
	ss -Htuln "sport = :$1" | grep -q .
}

# takes N: reads so many bytes from descriptor 4.
takes() {
	is "$(head -c "$1" <&4 | wc -c)" "$1"
}

nobody_takes() {
	is "$(setpriv --reuid=$NOBODY --clear-groups head -c "$1" <&4 | wc -c)" "$1"
}

@test "a connection that others use too: only what the wanted user moved" {
	needs socat
	netacct-load --user $NOBODY
	sends 10007 100000
	exec 4<>/dev/tcp/127.0.0.1/10007
	takes 1009
	nobody_takes 503
	takes 20011
	nobody_takes 701
	nobody_takes 30011
	takes 40009
	exec 4>&-
	is "$(sums)" 0,31215
	is "$(netacct-show --json --by flow | jq -c '[.flows[] | [.comm, .rx_bytes]] | sort')" '[["head",503],["head",701],["head",30011]]'
	invariants
}

@test "a connection from before the load that others use too" {
	needs socat
	sends 10009 100000
	exec 4<>/dev/tcp/127.0.0.1/10009
	takes 5003
	netacct-load --user $NOBODY
	takes 1009
	nobody_takes 503
	takes 20011
	nobody_takes 701
	head -c 211 /dev/zero >&4
	setpriv --reuid=$NOBODY --clear-groups head -c 307 /dev/zero >&4
	exec 4>&-
	is "$(sums)" 307,1204
}

# bats test_tags=anywhere
@test "what a reading and status say of it" {
	make_tree
	netacct-load --user nobody,65533 --cgroup $TREE/ab,$TREE/a
	has "$(netacct-show | head -n 1)" ", only user 65533,nobody and cgroup $TREE/a,$TREE/ab, no filters"
	has "$(netacct-show --by user --user root | head -n 1)" "cgroup $TREE/a,$TREE/ab, user root"
	has "$(netacct-status)" "partial      only user 65533,nobody and cgroup $TREE/a,$TREE/ab"
	filters="{\"user\":[\"65533\",\"nobody\"],\"cgroup\":[\"$TREE/a\",\"$TREE/ab\"]}"
	is "$(netacct-status --json | jq -c .load_filters)" "$filters"
	is "$(netacct-show --json | jq -c '[.load_filters, .filters]')" "[$filters,{}]"
	traffic tcp --uid 65533 >/dev/null
	in_cgroup a traffic tcp --uid 65533 >/dev/null
	is "$(netacct-show --format jsonl --by comm | jq -c .load_filters)" "$filters"
	is "$(netacct-reset --json | jq -c .load_filters)" "$filters"
	is "$(netacct-show --json | jq -c .load_filters)" "$filters"
	is "$(netacct-unload --json | jq -c .load_filters)" "$filters"
}

# bats test_tags=anywhere
@test "--cgroup: one that is removed and made again is another, and status says so" {
	make_tree
	netacct-load --cgroup $TREE/a/below,$TREE/ab
	is "$(netacct-status --json | jq -c .gone_cgroups)" "[]"
	in_cgroup a/below traffic udp --bytes 1009 >/dev/null
	rmdir "$CGROUPS$TREE/a/below"
	is "$(netacct-status --json | jq -c .gone_cgroups)" "[\"$TREE/a/below\"]"
	mkdir "$CGROUPS$TREE/a/below"
	in_cgroup a/below traffic udp --bytes 2003 >/dev/null
	is "$(sums)" 1009,1009
	has "$(netacct-status)" "gone         cgroup $TREE/a/below:"
}

# bats test_tags=anywhere
@test "without filters nothing is partial" {
	netacct-load
	is "$(netacct-show --json | jq -c .load_filters)" "{}"
	is "$(netacct-status --json | jq -c .load_filters)" "{}"
	run -1 grep -ie only -e partial <(netacct-show; netacct-status)
}

# bats test_tags=anywhere
@test "load --restore: with the same filters only" {
	file=$BATS_TEST_TMPDIR/saved
	netacct-load --user nobody,root
	traffic tcp --comm aaa --uid $NOBODY >/dev/null
	netacct-unload --to "$file"
	for other in "" "--user nobody" "--user nobody,root --cgroup /"; do
		# shellcheck disable=SC2086 # words
		run -1 netacct-load --restore "$file" $other
		one_line
		has "$output" "other --user and --cgroup"
	done
	netacct-load --restore "$file" --user root --user nobody
	is "$(rows aaa tx_bytes)" 10007
	netacct-unload --to "$file"
	netacct-load
	netacct-unload --json >>"$file"
	run -1 netacct-load --restore "$file" --user root,nobody
	has "$output" "document"
	has "$output" "than the one before"
	netacct-load
	netacct-unload --to "$file"
	run -1 netacct-load --restore "$file" --user root
	one_line
}

# bats test_tags=anywhere
@test "members of the group see it, too" {
	netacct-load --group games --group-traverse --user nobody
	dir=$(public_copy)
	PATH=$dir:$PATH
	has "$(as_nobody games netacct-show | head -n 1)" "only user nobody"
	is "$(as_nobody games netacct-status --json | jq -c .load_filters)" '{"user":["nobody"]}'
	rm -r "$dir"
}

# bats test_tags=anywhere
@test "already loaded: the same filters or none agree, others do not" {
	make_tree
	before=$(bpf_objects)
	netacct-load --user nobody --cgroup $TREE/a,$TREE/ab
	netacct-load
	netacct-load --user $NOBODY
	netacct-load --cgroup $TREE/ab --cgroup $TREE/a/ --user $NOBODY,nobody
	for other in "--user root" "--user nobody,root" "--cgroup $TREE/a" "--cgroup $TREE/a/below,$TREE/ab"; do
		# shellcheck disable=SC2086 # words
		run -1 netacct-load $other
		one_line
		has "$output" "another ${other% *}; to change it"
	done
	netacct-unload
	netacct-load
	run -1 netacct-load --user nobody
	one_line
	netacct-unload
	nothing_since "$before"
}

# bats test_tags=anywhere
@test "load --replace keeps the filters" {
	make_tree
	netacct-load --user nobody --cgroup $TREE/a
	in_cgroup a traffic tcp --uid $NOBODY --bytes 1009 >/dev/null
	netacct-load --replace
	every_way outside --uid $NOBODY
	JAIL=a every_way root
	in_cgroup a/below traffic tcp --uid $NOBODY --bytes 2003 >/dev/null
	is "$(sums)" 3012,3012
	has "$(netacct-show | head -n 1)" "only user nobody and cgroup $TREE/a"
	run -1 netacct-load --replace --user root
	one_line
	has "$output" "--user"
	netacct-load --replace --user nobody
}

# bats test_tags=anywhere
@test "filters that cannot be: a clear message, and nothing is loaded" {
	many=$(seq -s , 1 17)
	for wrong in "--user !nobody" "--user nobody,!root" "--user=" "--user nobody," "--user $many" "--cgroup !/a" \
		"--cgroup=" "--cgroup /../a" "--cgroup ./a"; do
		# shellcheck disable=SC2086 # words
		run -2 netacct-load $wrong
		has "${lines[0]}" "${wrong%%[= ]*}"
	done
	has "$(netacct-load --user "$many" 2>&1 || true)" 16
	for missing in "--user no-such-user" "--cgroup /no/such/cgroup" "--cgroup /cgroup.procs" "--cgroup $(printf '%0*d' 300 0)"; do
		# shellcheck disable=SC2086 # words
		run -1 netacct-load $missing
		one_line
		has "$output" "${missing%% *}" || has "$output" "no ${missing:2:4}"
	done
	run -3 netacct-status
	netacct-load --user "$(seq -s , 1 16)" --user 16
}

# bats test_tags=anywhere
@test "filters whose pins somebody changed: named, and no reading passes as whole" {
	netacct-load --user nobody,root
	for change in "rm user-0" "mv user-0 user-x" "mv user-0 group-0" "ln -s a cgroup-1"; do
		cp -rP "$NETACCT_PIN_DIR/filters" "$BATS_TEST_TMPDIR/filters"
		# shellcheck disable=SC2086 # words
		(cd "$NETACCT_PIN_DIR/filters" && $change)
		for command in show status reset load; do
			run -1 netacct-$command
			one_line
			has "$output" damaged
		done
		rm "$NETACCT_PIN_DIR/filters"/*
		cp -P "$BATS_TEST_TMPDIR/filters"/* "$NETACCT_PIN_DIR/filters"
		rm -r "$BATS_TEST_TMPDIR/filters"
		netacct-status >/dev/null
	done
	# Hostile text.
	rm "$NETACCT_PIN_DIR/filters/user-0"
	ln -s $'x\n\e[31m\x9b\xc2\x9b"\\\xff' "$NETACCT_PIN_DIR/filters/user-0"
	ln -s $'/x\n\e[31m\x9b\xc2\x9b"\\\xff' "$NETACCT_PIN_DIR/filters/cgroup-9"
	rm "$NETACCT_PIN_DIR/filters/user-65534"
	netacct-show >"$BATS_TEST_TMPDIR/out"
	netacct-status >>"$BATS_TEST_TMPDIR/out"
	harmless "$BATS_TEST_TMPDIR/out"
	netacct-show --json >"$BATS_TEST_TMPDIR/out"
	netacct-status --json >>"$BATS_TEST_TMPDIR/out"
	harmless "$BATS_TEST_TMPDIR/out" json
	rm -r "$NETACCT_PIN_DIR/filters"
	run -1 netacct-show
	one_line
	has "$output" damaged
	netacct-unload
}
