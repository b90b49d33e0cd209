# SPDX-License-Identifier: GPL-2.0-only
# Metrics: series that only grow, and come to what was counted.
load helpers

CGROUPS=

teardown() {
	clean_up
	[ ! -d "$CGROUPS/netacct-test" ] || find "$CGROUPS/netacct-test" -depth -type d -exec rmdir {} \;
}

# series BY LABEL [transmit|receive]: the bytes of a series in the reading that was taken last.
series() {
	awk -v want="netacct_${3:-transmit}_bytes_total{$1=\"$2\"}" \
		'index($0, want " ") == 1 { print substr($0, length(want) + 2) }' "$BATS_TEST_TMPDIR/$1.prom"
}

# The sums of the four directions of a file.
sums() {
	awk -F'[{ ]' '/^netacct_(transmit|receive)_(bytes|calls)_total/ { sum[$1] += $NF }
		END { printf "%d %d %d %d\n", sum["netacct_transmit_bytes_total"], sum["netacct_receive_bytes_total"],
			sum["netacct_transmit_calls_total"], sum["netacct_receive_calls_total"] }' "$1"
}

totals() {
	netacct-show --json | jq -r '.totals | "\(.tx_bytes) \(.rx_bytes) \(.tx_calls) \(.rx_calls)"'
}

# between BEFORE SUMS AFTER: the machine may move bytes meanwhile.
between() {
	local i before sums after

	read -ra before <<<"$1"
	read -ra sums <<<"$2"
	read -ra after <<<"$3"
	for i in 0 1 2 3; do
		[ "${before[i]}" -le "${sums[i]}" ] && [ "${sums[i]}" -le "${after[i]}" ] && continue
		echo "series come to $2, and the totals to $1 before and $3 after" >&2
		return 1
	done
}

# grew OLD NEW: each series of old is in new, and none is less.
grew() {
	awk '!/^netacct_(transmit|receive)_/ { next }
		{ value = $NF; $NF = "" }
		NR == FNR { old[$0] = value; next }
		{ new[$0] = value }
		END {
			for (s in old) if (!(s in new) || new[s] + 0 < old[s] + 0) { print s, old[s], "became", new[s]; bad = 1 }
			exit bad
		}' "$1" "$2" >&2
}

# take BY: a reading, to look at with series. It has all that the totals have, and nothing fell.
take() {
	local file=$BATS_TEST_TMPDIR/$1.prom before

	before=$(totals)
	netacct-show --format prometheus --by "$1" >"$file" || return
	between "$before" "$(sums "$file")" "$(totals)" || return
	[ ! -e "$file.old" ] || grew "$file.old" "$file" || return
	cp "$file" "$file.old"
}

@test "metrics: a series for each comm, user, cgroup, protocol and netns" {
	netacct-load
	traffic tcp --comm aaa --uid 12345 >/dev/null
	traffic udp --comm bbb --bytes 23 --chunk 23 >/dev/null
	for by in comm user cgroup protocol netns; do
		take $by
		is "$(series $by other | wc -l)" 1
	done
	is "$(series comm aaa) $(series comm aaa receive)" "10007 10007"
	is "$(series comm bbb) $(series comm bbb receive)" "23 23"
	is "$(series user 12345) $(series user 12345 receive)" "10007 10007"
	[ "$(series user root)" -ge 23 ]
	[ "$(series protocol tcp)" -ge 10007 ]
	[ "$(series netns "$(stat -L -c %i /proc/self/ns/net)")" -ge 10030 ]
	cgroup=$(netacct-show --json --comm aaa | jq -r '.processes[0] | .cgroup // .cgroup_id')
	[ "$(series cgroup "$cgroup")" -ge 10030 ]
}

# bats test_tags=anywhere
@test "metrics: the classic format, and how netacct itself is doing" {
	netacct-load --max-processes 500
	traffic tcp --comm aaa >/dev/null
	take comm
	file=$BATS_TEST_TMPDIR/comm.prom
	is "$(grep -v '^#' "$file" | grep -cvE '^netacct_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")?\})? [0-9.]+$')" 0
	# Each metric has its help and its type, once, before its series.
	is "$(awk '/^# HELP/ { help = $3; next } /^# TYPE/ { if ($3 != help || $3 in seen) print; seen[$3]; type = $3; next }
		{ split($1, m, "{"); if (m[1] != type) print }' "$file")" ""
	is "$(grep -c '^netacct_info{version="[0-9.]*",hooks="[a-z_]*"} 1$' "$file")" 1
	is "$(grep '^netacct_table_rows_limit' "$file" | paste -sd' ')" \
		'netacct_table_rows_limit{table="processes"} 500 netacct_table_rows_limit{table="finished"} 4096 netacct_table_rows_limit{table="flows"} 65536'
	[ "$(sed -n 's/^netacct_table_rows{table="processes"} //p' "$file")" -ge 2 ]
	is "$(grep -cE '^netacct_(no_row_transmit_bytes|no_row_receive_bytes|packet_receive_bytes|missed_events)_total 0$' "$file")" 4
	loaded=$(sed -n 's/^netacct_loaded_timestamp_seconds //p' "$file")
	is "${loaded%.*}" "$(date -d "$(netacct-show --json | jq -r .loaded_at)" +%s)"
	is "$(grep -c '^netacct_reset_timestamp_seconds [1-9]' "$file")" 1

	# Beside another file: the series alone.
	netacct-show -H --format prometheus --by user >"$file"
	is "$(grep -v '^#' "$file" | grep -cv '^netacct_\(transmit\|receive\)_\(bytes\|calls\)_total{user=')" 0
}

# bats test_tags=anywhere
@test "metrics: what a process moved under another name stays with that name" {
	netacct-load
	speaker_start
	rename first
	say 100
	take comm
	is "$(series comm first)" 100
	say 20
	take comm
	rename second
	say 3
	take comm
	is "$(series comm first) $(series comm second)" "120 3"
	# Tables have it otherwise.
	is "$(rows second tx_bytes)" 123
	ln -s "$(command -v bash)" "$BATS_TEST_TMPDIR/third"
	say 50
	tell "echo done; exec '$BATS_TEST_TMPDIR/third' -c '$LOOP'; "
	say 7
	take comm
	# What was moved between the readings is of the name that it has at the second.
	is "$(series comm first) $(series comm second) $(series comm third)" "120 3 57"
	rename first
	say 1
	take comm
	is "$(series comm first) $(series comm second) $(series comm third)" "121 3 57"
	speaker_end
	take comm
	is "$(series comm first) $(series comm second) $(series comm third)" "121 3 57"
}

# bats test_tags=anywhere
@test "metrics: what was moved in a cgroup stays with it, under the name it had, when it is gone too" {
	CGROUPS=$(findmnt -n -o TARGET -t cgroup2 | head -n 1) || true
	[ -n "$CGROUPS" ] || skip "needs the unified hierarchy of cgroups, mounted"
	mkdir -p "$CGROUPS/netacct-test"/{one,two/three/four}
	netacct-load
	speaker_start
	tell "echo \$\$ >$CGROUPS/netacct-test/one/cgroup.procs"
	say 100
	take cgroup
	is "$(series cgroup /netacct-test/one)" 100
	tell "echo \$\$ >$CGROUPS/netacct-test/two/three/four/cgroup.procs"
	say 20
	take cgroup
	is "$(series cgroup /netacct-test/one) $(series cgroup /netacct-test/two/three/four)" "100 20"
	speaker_end
	find "$CGROUPS/netacct-test" -depth -type d -exec rmdir {} \;
	take cgroup
	is "$(series cgroup /netacct-test/one) $(series cgroup /netacct-test/two/three/four)" "100 20"
	is "$(series cgroup three/four)" ""
	# One that is made again has its series.
	mkdir -p "$CGROUPS/netacct-test/one"
	# shellcheck disable=SC2016 # the shell's own
	bash -c 'echo $$ >"$0/cgroup.procs"; printf 123 >"/dev/udp/127.0.0.1/$1"' "$CGROUPS/netacct-test/one" "$SPEAKER_PORT"
	take cgroup
	is "$(series cgroup /netacct-test/one) $(series cgroup /netacct-test/two/three/four)" "103 20"
}

@test "metrics: ended processes, and folded ones, keep what they moved where it was" {
	netacct-load --max-processes 16
	for ((i = 1; i <= 5; i++)); do
		traffic udp --comm few --swarm 7 --bytes 11 --chunk 11 >/dev/null
		[ $((i % 2)) -eq 0 ] || take comm
		traffic udp --comm many --swarm "$(scaled 400)" --bytes 13 --chunk 13 >/dev/null
		take comm
		take protocol
		is "$(series comm few) $(series comm few receive)" "$((i * 77)) $((i * 77))"
		is "$(series comm many)" $((i * $(scaled 400) * 13))
	done
	[ "$(sed -n 's/^netacct_table_rows{table="finished"} //p' "$BATS_TEST_TMPDIR/comm.prom")" -ge 1 ]
}

# bats test_tags=anywhere
@test "metrics: after a reset series begin at 0, and are still there" {
	netacct-load
	traffic tcp --comm aaa >/dev/null
	take comm
	netacct-reset
	netacct-show --format prometheus --by comm >"$BATS_TEST_TMPDIR/comm.prom"
	is "$(series comm aaa)" 0
	rm "$BATS_TEST_TMPDIR/comm.prom.old"
	traffic tcp --comm aaa --bytes 29 >/dev/null
	take comm
	is "$(series comm aaa)" 29
	# While one waits to be printed there was none yet.
	run -1 bash -c 'netacct-reset --json >/dev/full'
	traffic tcp --comm aaa --bytes 31 >/dev/null
	take comm
	is "$(series comm aaa)" 60
	netacct-reset --json >"$BATS_TEST_TMPDIR/reset"
	is "$(jq -s '[.[].processes[] | select(.comm == "aaa").tx_bytes] | add' "$BATS_TEST_TMPDIR/reset")" 60
	netacct-show --format prometheus --by comm >"$BATS_TEST_TMPDIR/comm.prom"
	is "$(series comm aaa)" 0
}

@test "metrics: an upgrade in place changes nothing" {
	netacct-load
	hold_open -- tcp --comm aaa
	hold_move
	take comm
	netacct-load --replace
	take comm
	is "$(series comm aaa)" 10007
	hold_move
	take comm
	is "$(series comm aaa)" 20014
}

# fail_at CALL N COMMAND...: lets its Nth call of this name fail; it does without, or says in one line that it cannot.
fail_at() {
	local status=0 said

	said=$(ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e "trace=$1" -e "inject=$1:error=ENOMEM:when=$2" \
		-- "${@:3}" 2>&1) || status=$?
	[ "$status" -eq 0 ] && return
	[ "$status $(wc -l <<<"$said")" = "1 1" ] && has "$said" "netacct-" && return
	printf '%s %s: exit status %s, and it says: %s\n' "$1" "$2" "$status" "$said" >&2
	return 1
}

@test "metrics: killed anywhere, or refused a system call, no series falls and no byte is shown twice" {
	local sent=0 call n last

	needs strace
	netacct-load
	speaker_start
	rename even
	say 1
	take comm
	sent=1
	for call in mkdir flock unlink bpf mmap munmap rename renameat write linkat; do
		last=$(calls $call netacct-show --format prometheus --by comm --to "$BATS_TEST_TMPDIR/other" | awk '{ print $2 }')
		[ -n "$last" ] || continue
		for n in $(spread "$last" 4); do
			rename "name-$n"
			say 10
			sent=$((sent + 10))
			kill_at "$call" "$n" netacct-show --format prometheus --by comm --to "$BATS_TEST_TMPDIR/other"
			[ "$((n % 2))" -eq 0 ] || take comm
			# What loads a program crashes without its memory: of all mappings, that of the ledger comes last.
			# Sanitizers crash without theirs.
			if [[ $call != m*map ]] || { [ "$n" -eq "$last" ] && ! sanitized; }; then
				fail_at "$call" "$n" netacct-show --format prometheus --by comm --to "$BATS_TEST_TMPDIR/other"
			fi
			rename even
			take comm
		done
	done
	is "$(awk -F'[" ]' '/^netacct_transmit_bytes_total{comm="(even|name-)/ { sum += $NF } END { print sum }' "$BATS_TEST_TMPDIR/comm.prom")" $sent
}

# bats test_tags=anywhere
@test "metrics: readings at the same time take turns" {
	local pids=() i

	netacct-load
	busy_start busy tcp --comm busy
	eventually "it moves" is_moving busy
	for ((i = 0; i < 12; i++)); do
		netacct-show --format prometheus --by comm >"$BATS_TEST_TMPDIR/many.$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	busy_stop busy
	take comm
	for ((i = 0; i < 12; i++)); do
		grew "$BATS_TEST_TMPDIR/many.$i" "$BATS_TEST_TMPDIR/comm.prom"
	done
	is "$(series comm busy)" "$(jq -s 'map(.tx_bytes) | add' <<<"$TRUTH")"
}

# bats test_tags=anywhere
@test "metrics: a thousand names at most, then all others are one" {
	netacct-load
	speaker_start
	# shellcheck disable=SC2016 # the speaker's
	tell 'for ((i = 0; i < 700; i++)); do (printf "a-$i" >/proc/$BASHPID/comm; printf 12345 >&5); done'
	take comm
	is "$(series comm other)" 0
	# shellcheck disable=SC2016
	tell 'for ((i = 0; i < 400; i++)); do (printf "b-$i" >/proc/$BASHPID/comm; printf 1 >&5); done'
	traffic tcp --comm large >/dev/null
	take comm
	is "$(grep -c '^netacct_transmit_bytes_total' "$BATS_TEST_TMPDIR/comm.prom")" 1001
	# Who moved most has a place.
	is "$(series comm large) $(series comm a-0) $(series comm a-699)" "10007 5 5"
	before=$(series comm other)
	[ "$before" -ge 101 ]
	traffic tcp --comm late >/dev/null
	traffic tcp --comm other >/dev/null
	take comm
	is "$(series comm late)" ""
	is "$(series comm other)" $((before + 20014))
	is "$(grep -c '^netacct_transmit_bytes_total' "$BATS_TEST_TMPDIR/comm.prom")" 1001
}

# bats test_tags=anywhere
@test "metrics: whatever a process calls itself" {
	netacct-load
	for name in $'a"b\\c\nd' $'\xff' $'\xfe' $'\033[2J' $'caf\xc3\xa9' '{x="y"} 7'; do
		traffic tcp --comm "$name" >/dev/null
	done
	take comm
	harmless "$BATS_TEST_TMPDIR/comm.prom"
	is "$(series comm 'a\"b\\c\nd')" ""
	grep -qxF 'netacct_transmit_bytes_total{comm="a\"b\\c\nd"} 10007' "$BATS_TEST_TMPDIR/comm.prom"
	# Names that are written alike are one series, or the whole file would be refused.
	grep -qxF $'netacct_transmit_bytes_total{comm="\xef\xbf\xbd"} 20014' "$BATS_TEST_TMPDIR/comm.prom"
	grep -qxF 'netacct_transmit_bytes_total{comm="?[2J"} 10007' "$BATS_TEST_TMPDIR/comm.prom"
	grep -qxF $'netacct_transmit_bytes_total{comm="caf\xc3\xa9"} 10007' "$BATS_TEST_TMPDIR/comm.prom"
	grep -qxF 'netacct_transmit_bytes_total{comm="{x=\"y\"} 7"} 10007' "$BATS_TEST_TMPDIR/comm.prom"
}

# bats test_tags=anywhere
@test "metrics: --to, for another user to read" {
	netacct-load
	file=$BATS_TEST_TMPDIR/netacct.prom
	run -0 bash -c "umask 077 && netacct-show --format prometheus --by comm --to '$file'"
	is "$output" ""
	is "$(stat -c %a "$file")" 644
	chmod 640 "$file"
	netacct-show --format prometheus --by comm --to "$file"
	is "$(stat -c %a "$file")" 640
	is "$(find "$BATS_TEST_TMPDIR" -name '*netacct.prom*')" "$file"
	run -1 netacct-show --format prometheus --by comm --to "$BATS_TEST_TMPDIR/no/such"
	one_line
	run -1 bash -c 'netacct-show --format prometheus --by comm >/dev/full'
	one_line
}

# bats test_tags=anywhere
@test "metrics: what cannot be meant is misuse" {
	for args in "" "--by process" "--by flow" "--by remote" "--by port" "--by comm 1" "--by comm --comm curl" "--by comm -r 5" \
		"--by comm --sort comm" "--by comm -o comm" "--by comm --pretty --raw" "--by comm --no-loopback" "--by comm -n"; do
		# shellcheck disable=SC2086 # words
		run -2 netacct-show --format prometheus $args
		has "$output" "netacct-show --help"
	done
	run -3 netacct-show --format prometheus --by comm
}

# bats test_tags=anywhere
@test "metrics: who may only read is told so, and what is not ours is left alone" {
	dir=$(public_copy)
	netacct-load --group games --group-traverse
	PATH=$dir:$PATH run -1 as_nobody games netacct-show --format prometheus --by comm
	rm -rf "$dir"
	one_line
	has "$output" root

	take comm
	rm "$NETACCT_PIN_DIR/metrics/comm"
	for size in 4096 8; do
		bpftool map create "$NETACCT_PIN_DIR/metrics/comm" type array key 4 value $size entries 1 name stranger
		run -1 netacct-show --format prometheus --by comm
		one_line
		has "$output" "$NETACCT_PIN_DIR/metrics/comm"
		rm "$NETACCT_PIN_DIR/metrics/comm"
	done
	take user
	objects=$(bpf_objects)
	netacct-unload
	[ ! -e "$NETACCT_PIN_DIR" ]
	no_new=$(bpf_objects | comm -13 <(echo "$objects") -)
	is "$no_new" ""
}
