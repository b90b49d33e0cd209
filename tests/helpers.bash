# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
bats_require_minimum_version 1.5.0

BUILD=${BUILD:-$BATS_TEST_DIRNAME/../build}
PATH=$BUILD:$BUILD/tests:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export NETACCT_PIN_DIR=/sys/fs/bpf/netacct-test-1
OTHER_PIN_DIR=/sys/fs/bpf/netacct-test-2
NS=netacct-test

# shellcheck source=tests/netns.bash
source "$BATS_TEST_DIRNAME/netns.bash"

setup() {
	clean_up
}

teardown() {
	clean_up
}

# Also what a run that was killed left.
clean_up() {
	local pid dir

	for pid in $(jobs -p); do
		{ kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
	done
	for dir in "$NETACCT_PIN_DIR" "$OTHER_PIN_DIR"; do
		netacct-unload --pin-dir "$dir" 2>/dev/null || is $? 3
	done
	namespaces_remove "$NS"
}

# is ACTUAL EXPECTED: like [ = ], but a failure shows both.
is() {
	[ "$1" = "$2" ] && return
	printf 'expected: %s\n  actual: %s\n' "$2" "$1" >&2
	return 1
}

# scaled N: N of what makes a test long, or with $NETACCT_TEST_SCALE so many times fewer, for slow machines.
scaled() {
	echo $(($1 / ${NETACCT_TEST_SCALE:-1}))
}

# has TEXT WORD: like [[ == *WORD* ]], but a failure shows both.
has() {
	[[ ${1,,} == *"${2,,}"* ]] && return
	printf 'expected: %s\n      in: %s\n' "$2" "$1" >&2
	return 1
}

# eventually WHAT COMMAND...: tries until it succeeds, 100 times at most, on slow machines 600 times.
eventually() {
	local what=$1 tries=$((${NETACCT_TEST_SCALE:+500} + 100)) i

	shift
	for ((i = 0; i < tries; i++)); do
		"$@" && return
		sleep 0.1
	done
	echo "waited in vain until $what" >&2
	return 1
}

# One message on stderr, and it names the program.
one_line() {
	is "${#lines[@]}" 1
	has "${lines[0]}" "netacct-"
}

# harmless FILE [json]: UTF-8, and no control character in it but the ends of lines. JSON leaves
# DEL and those of the upper half as they are.
harmless() {
	local bad='[\x00-\x09\x0b-\x1f]'

	[ "${2:-}" = json ] || bad+='|\x7f|\xc2[\x80-\x9f]'
	iconv -f utf-8 -t utf-8 "$1" >/dev/null || return
	LC_ALL=C grep -aqP "$bad" "$1" || return 0
	LC_ALL=C grep -aP "$bad" "$1" | cut -c -200 | cat -v >&2
	return 1
}

# row PID FILTER: what jq makes of the row of a process.
row() {
	netacct-show --json | jq -c ".processes[] | select(.pid == $1) | $2"
}

# rows COMM KEY: the sum over the rows of that name, folded ones too.
rows() {
	netacct-show --json | jq --arg comm "$1" "[.processes[] | select(.comm == \$comm) | .$2] | add // 0"
}

# exact TRUTH: compares what traffic printed with the rows and flows of the same
# processes, and shows each number that differs.
exact() {
	local dir=$BATS_TEST_TMPDIR wrong

	echo "$1" >"$dir/truth"
	[ -n "$1" ] || { echo "no truth to compare with" >&2; return 1; }
	netacct-show --json >"$dir/processes" || return
	netacct-show --json --by flow >"$dir/flows" || return
	wrong=$(jq -n -r --slurpfile truth "$dir/truth" --slurpfile processes "$dir/processes" \
		--slurpfile flows "$dir/flows" -f "$BATS_TEST_DIRNAME/exact.jq") || return
	[ -z "$wrong" ] && return
	echo "$wrong" >&2
	return 1
}

# The sums of DESIGN 4. Other programs of the machine may move bytes between
# the readings, so a difference counts only if it stays.
invariants() {
	local dir=$BATS_TEST_TMPDIR wrong i

	for ((i = 0; i < 5; i++)); do
		netacct-show --json >"$dir/processes" || return
		netacct-show --json --by flow >"$dir/flows" || return
		wrong=$(jq -n -r --slurpfile processes "$dir/processes" \
			--slurpfile flows "$dir/flows" -f "$BATS_TEST_DIRNAME/invariants.jq") || return
		[ -z "$wrong" ] && return
	done
	echo "$wrong" >&2
	return 1
}

# hold_open [NETNS] -- ARGUMENTS: starts traffic --hold, whose connection is open then.
hold_open() {
	local netns=()

	[ "$1" = -- ] || { netns=(ip netns exec "$1"); shift; }
	shift
	coproc HOLD { exec "${netns[@]}" traffic "$@" --hold 3>&-; }
	read -r -t 60 -u "${HOLD[0]}" line && is "$line" ready
}

# Moves the bytes once more; sets TRUTH to what both sides say of this time.
hold_move() {
	local receiver sender

	echo >&"${HOLD[1]}"
	read -r -t 60 -u "${HOLD[0]}" receiver && read -r -t 60 -u "${HOLD[0]}" sender || return
	# shellcheck disable=SC2034 # the tests read it
	TRUTH=$receiver$'\n'$sender
}

# Ends it, and with it the connection.
hold_close() {
	local stdin=${HOLD[1]} pid=$HOLD_PID

	exec {stdin}>&-
	wait "$pid"
}

# busy_start NAME ARGUMENTS: traffic that goes on until busy_stop NAME. It is nice, so that what is
# tested beside it gets its turns.
busy_start() {
	local fifo=$BATS_TEST_TMPDIR/$1.stdin

	mkfifo "$fifo"
	nice -n 15 traffic "${@:2}" --busy \
		<>"$fifo" >"$BATS_TEST_TMPDIR/$1.truth" 3>&- &
	BUSY_PID[$1]=$!
}
declare -gA BUSY_PID

# is_moving COMM: it has a row. Who is nice may take its time to begin.
is_moving() {
	[ "$(netacct-show --json --comm "$1" | jq '.processes | length')" -gt 0 ]
}

# Sets TRUTH.
busy_stop() {
	echo >"$BATS_TEST_TMPDIR/$1.stdin"
	wait "${BUSY_PID[$1]}" || return
	# shellcheck disable=SC2034 # the tests read it
	TRUTH=$(cat "$BATS_TEST_TMPDIR/$1.truth")
}

# The ids of all programs, maps and links of the kernel.
bpf_objects() {
	objects | sort
}

# nothing_since OBJECTS: no pin is left, and no object that was not there then.
# The kernel frees them some time after they were let go.
nothing_since() {
	is "$(find /sys/fs/bpf -path '*netacct-test*' 2>/dev/null)" ""
	echo "$1" >"$BATS_TEST_TMPDIR/objects"
	eventually "all programs, maps and links are gone" no_new_objects
}

no_new_objects() {
	[ -z "$(bpf_objects | comm -13 "$BATS_TEST_TMPDIR/objects" -)" ]
}

# Whether the programs are those of make SANITIZE=1.
sanitized() {
	[[ $BUILD == */sanitize ]]
}

# needs COMMAND...: skips the test where one is missing.
needs() {
	local command

	for command; do
		command -v "$command" >/dev/null || skip "needs $command"
	done
}

# listens PORT: whether somebody does in namespace a, by TCP or UDP.
listens() {
	ip netns exec "$NS-a" ss -Htuln "sport = :$1" | grep -q .
}

# nginx_conf <SERVERS: a configuration below $PWD, for one process that stays in the foreground.
nginx_conf() {
	cat <<-END
		daemon off;
		user root;
		pid $PWD/nginx.pid;
		error_log stderr;
		events { }
		http {
			access_log off;
			sendfile on;
			client_body_temp_path $PWD/body;
			proxy_temp_path $PWD/proxy;
			fastcgi_temp_path $PWD/fastcgi;
			uwsgi_temp_path $PWD/uwsgi;
			scgi_temp_path $PWD/scgi;
			$(cat)
		}
	END
}

# traced NAME NETNS COMMAND...: runs it under strace, for as_strace to read.
# (Leak checks cannot run under strace.)
traced() {
	local calls=%network,read,readv,preadv2,write,writev,pwritev2,sendfile,splice

	calls+=",io_submit,io_uring_enter,clone,?clone3,?fork,?vfork,execve"
	ASAN_OPTIONS=detect_leaks=0 timeout -s KILL 300 ip netns exec "$2" strace -f -Y -yy -s 0 -v -qq -e signal=none \
		-e "trace=$calls" -o "$BATS_TEST_TMPDIR/$1.strace" -- "${@:3}"
}

# traced_start NAME NETNS COMMAND...: the same in the background, until traced_stop NAME.
traced_start() {
	traced "$@" 3>&- &
	TRACER[$1]=$!
}
declare -gA TRACER

# The pid of the command: strace saw it first.
traced_pid() {
	local pid

	read -r pid _ <"$BATS_TEST_TMPDIR/$1.strace"
	echo "${pid%%<*}"
}

# The command is told, since strace itself takes no signals.
traced_stop() {
	kill -TERM "$(traced_pid "$1")"
	wait "${TRACER[$1]}" || true
}

# as_strace NAME...: what the calls of each traced process returned is what its row says. Prints both.
as_strace() {
	local dir=$BATS_TEST_TMPDIR sums netns both

	sums=$(cd "$dir" && "$BATS_TEST_DIRNAME/strace-sums" "${@/%/.strace}") || return
	netns=$(stat -L -c %i "/run/netns/$NS-a" "/run/netns/$NS-b" | jq -s -c .) || return
	netacct-show --json >"$dir/processes" || return
	both=$(jq -n -r --arg sums "$sums" --argjson netns "$netns" --slurpfile processes "$dir/processes" \
		-f "$BATS_TEST_DIRNAME/strace.jq") || return
	echo "# ${both//$'\n'/$'\n'# }" >&3
	! grep '^differs' <<<"$both" >&2
}

# calls NAMES COMMAND...: how many calls of each name the command makes, "NAME N" lines; what it prints is
# lost. Fails if it makes none.
calls() {
	local log=$BATS_TEST_TMPDIR/calls

	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e "trace=$1" -o "$log" -- "${@:2}" >/dev/null
	grep -o '^[0-9 ]*[a-z0-9_]*(' "$log" | tr -d '0-9 (' | sort | uniq -c | awk '{ print $2, $1 } END { exit !NR }'
}

# spread N BETWEEN: some of the numbers up to N: the first, the last and so many between; on slow machines the
# one in the middle.
spread() {
	awk -v last="$1" -v parts="$(($2 + 1))" -v slow="${NETACCT_TEST_SCALE-}" 'BEGIN {
		if (slow) { print int((last + 1) / 2); exit }
		for (k = 0; k <= parts; k++) { n = 1 + int(k * (last - 1) / parts); if (n != was) print n; was = n }
	}'
}

# kill_at CALL N COMMAND...: kills the command as it is about to make its Nth call of this name.
# (Leak checks cannot run under strace.)
kill_at() {
	{
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null \
			-e "trace=$1" -e "inject=$1:signal=KILL:when=$2" -- "${@:3}" || true
	} 2>/dev/null
}

# The programs where any user can run them: prints the folder.
public_copy() {
	local dir

	dir=$(mktemp -d /tmp/netacct-test.XXXXXX)
	cp "$BUILD"/netacct-{load,show,reset,unload,status,top,watch} "$BUILD/tests/traffic" "$dir"
	chmod 755 "$dir"
	echo "$dir"
}

# as_nobody [GROUP] COMMAND...
as_nobody() {
	setpriv --reuid=65534 --regid="$1" --clear-groups "${@:2}"
}

# A process that does what it is told: speaker_start, tell COMMAND. Its socket is descriptor 5.
SPEAKER_PORT=7473
# shellcheck disable=SC2016 # it is its loop
LOOP='while read -r line; do eval "$line"; echo done; done'
speaker_start() {
	socat -u "UDP4-RECV:$SPEAKER_PORT,bind=127.0.0.1" /dev/null 3>&- &
	eventually "somebody listens" bash -c "ss -Hlun 'sport = :$SPEAKER_PORT' | grep -q ."
	coproc SPEAKER { exec bash -c "$LOOP" 3>&-; }
	tell "exec 5>/dev/udp/127.0.0.1/$SPEAKER_PORT"
}

tell() {
	echo "$1" >&"${SPEAKER[1]}"
	read -r -t 20 -u "${SPEAKER[0]}" line && is "$line" "done"
}

rename() {
	tell "printf %s '$1' >/proc/\$\$/comm"
}

# say N: so many bytes.
say() {
	tell "printf '%*s' $1 >&5"
}

speaker_end() {
	local pid=$SPEAKER_PID

	echo exit >&"${SPEAKER[1]}"
	wait "$pid"
}
