# SPDX-License-Identifier: GPL-2.0-only
# Resets while bytes move: the sum over all generations is what moved.
load helpers

# Waiting for RCU is most of a reset; 1,000 take a ninth of the time where the kernel hurries. The other tests wait
# as machines do.
hurry() {
	HURRIED=$(cat /sys/kernel/rcu_expedited) && echo 1 >/sys/kernel/rcu_expedited || HURRIED=
} 2>/dev/null

teardown() {
	[ -z "${HURRIED-}" ] || echo "$HURRIED" >/sys/kernel/rcu_expedited
	clean_up
}

# Senders and receivers that keep both processors busy; one socket is of three processes.
start() {
	netacct-load
	busy_start one tcp --chunk 20011
	busy_start two udp --chunk 1009 --shared 2
}

# Stops them and compares with all that the files in $1 and a last reading hold.
# A generation may be there twice, and a line unfinished, after a kill.
compare() {
	local truth

	busy_stop one
	truth=$TRUTH
	busy_stop two
	truth+=$'\n'$TRUTH
	# All were busy, for as long as the rounds took, which are scaled too.
	is "$(jq -cs --argjson least "$(scaled 10000000)" 'map(.tx_bytes + .rx_bytes | select(. < $least))' <<<"$truth")" "[]"
	netacct-reset --json >"$1/last"
	# awk ends the line that a kill cut short, so that the next file begins its own.
	awk 1 "$1"/* | jq -cnR 'foreach (inputs | fromjson?) as $d ({seen: {}};
		($d | "\(.boot_id) \(.loaded_at) \(.generation)") as $id | .new = (.seen[$id] | not) | .seen[$id] = true;
		if .new then $d else empty end)' >"$1/generations"
	wrong=$(jq -rn --argjson truth "$(jq -s . <<<"$truth")" -f "$BATS_TEST_DIRNAME/generations.jq" \
		"$1/generations")
	is "$wrong" ""
	# Numbered without a gap.
	is "$(jq .generation "$1/generations" | sort -n | awk '$1 != NR - 1')" ""
	GENERATIONS=$(wc -l <"$1/generations")
}

# patiently COMMAND...: once more, 5 times at most, if another command took longer than this one waits for it.
patiently() {
	local said=$BATS_TEST_TMPDIR/said.$BASHPID tries status

	for ((tries = 0; tries <= 5; tries++)); do
		status=0
		"$@" 2>"$said" || status=$?
		grep -q "another command is" "$said" || break
	done
	cat "$said" >&2
	return "$status"
}

# resets N FILE: so many, one line each.
resets() {
	local n

	for ((n = 0; n < $1; n++)); do
		patiently netacct-reset --json >>"$2" || return
	done
}

@test "1,000 resets from two shells, while both processors send and receive: nothing is lost" {
	out=$BATS_TEST_TMPDIR/out
	mkdir "$out"
	hurry
	start
	each=$(scaled 500)
	resets "$each" "$out/first" 3>&- &
	first=$!
	resets "$each" "$out/second"
	wait "$first"
	compare "$out"
	is "$GENERATIONS" $((2 * each + 1))
}

@test "resets killed at random moments change nothing" {
	out=$BATS_TEST_TMPDIR/out
	mkdir "$out"
	start
	# Between nothing of a reset and more than all of it, however long it takes here.
	began=$(date +%s%N)
	netacct-reset --json >"$out/first"
	moments=$((300 + 2 * ($(date +%s%N) - began) / 1000000))
	for ((round = 0; round < $(scaled 100); round++)); do
		netacct-reset --json >"$out/$round" 3>&- &
		sleep "$(jq -n "$((RANDOM % moments)) / 1000")"
		kill -KILL $! 2>/dev/null || true
		wait $! || true
	done
	compare "$out"
	[ "$GENERATIONS" -gt "$(scaled 10)" ]
}

# make check-faults does it 10,000, 100 and 100 times.
@test "resets, upgrades and kills together, under load, change nothing" {
	local resets=${RESETS:-$(scaled 100)} upgrades=${UPGRADES:-$(scaled 20)} kills=${KILLS:-$(scaled 20)}
	local victims=("netacct-reset --json" "netacct-load --replace" "netacct-show --json") moments=(250 600 200) killed=0 n

	out=$BATS_TEST_TMPDIR/out
	mkdir "$out"
	start
	resets "$((resets / 2))" "$out/first" 3>&- &
	first=$!
	resets "$((resets - resets / 2))" "$out/second" 3>&- &
	second=$!
	for ((n = 0; n < upgrades || killed < kills; n++)); do
		[ "$n" -ge "$upgrades" ] || patiently netacct-load --replace
		[ "$killed" -lt "$kills" ] || continue
		[ "$n" -lt $((100 * kills)) ]
		${victims[n % 3]} >"$out/killed.$n" 2>/dev/null 3>&- &
		sleep "$(jq -n "$((RANDOM % moments[n % 3])) / 1000")"
		! kill -KILL $! 2>/dev/null || killed=$((killed + 1))
		wait $! || true
		# A reading is no generation that was taken.
		[ $((n % 3)) -ne 2 ] || rm "$out/killed.$n"
	done
	wait "$first"
	wait "$second"
	compare "$out"
	[ "$GENERATIONS" -gt "$resets" ]
	echo "# $resets resets, $upgrades upgrades, $killed commands killed: $GENERATIONS generations," \
		"$(jq -n '[inputs.totals] | [map(.tx_bytes, .rx_bytes) | add] | "\(.[0]) bytes"' -r "$out/generations") and none off" >&3
}

# bats test_tags=anywhere
@test "resets killed before each of their system calls change nothing" {
	out=$BATS_TEST_TMPDIR/out
	mkdir "$out"
	start
	calls=$(calls bpf,write,pwrite64,rename,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,symlink,symlinkat,flock,fsync,close,munmap \
		sh -c "exec netacct-reset --json >$out/first")
	while read -r call total; do
		for n in $(spread "$total" 5); do
			kill_at "$call" "$n" netacct-reset --json >"$out/$call.$n"
		done
	done <<<"$calls"
	compare "$out"
}
