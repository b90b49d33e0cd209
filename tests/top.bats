# SPDX-License-Identifier: GPL-2.0-only
# netacct-top in a real terminal: tmux has the keys, and the screen.
# bats file_tags=anywhere
load helpers

setup() {
	clean_up
	needs tmux
	export LC_ALL=C.UTF-8
}

teardown() {
	in_tmux kill-server 2>/dev/null || true
	clean_up
}

# A server that was told to end may still take a command, and end with it.
server=0
in_tmux() {
	tmux -S "$BATS_TEST_TMPDIR/tmux.$server" -f /dev/null "$@" 3>&-
}

# terminal [COLUMNS LINES]: with a shell in it.
terminal() {
	((++server))
	in_tmux -u new-session -d -x "${1:-80}" -y "${2:-24}" \
		"PS1='shell> ' exec bash --norc --noprofile"
	shows "shell>"
}

# keys KEY...: as send-keys calls them.
keys() {
	in_tmux send-keys "$@"
}

screen() {
	in_tmux capture-pane -p
}

screen_has() {
	[[ $(screen) =~ $1 ]]
}

screen_lacks() {
	! screen_has "$1"
}

# shows REGEX, hides REGEX: waits until the screen has it, or has it no more.
shows() {
	eventually "the screen shows '$1'" screen_has "$1" || { screen >&2; return 1; }
}

hides() {
	eventually "the screen shows '$1' no more" screen_lacks "$1" || { screen >&2; return 1; }
}

# The program that runs in it.
pid_of_top() {
	pgrep -P "$(in_tmux display -p '#{pane_pid}')" -x netacct-top
}

# top [ARGUMENTS]: starts it in the shell of the terminal, and notes how that was.
top() {
	keys "stty -a >$BATS_TEST_TMPDIR/before" Enter
	keys "clear; netacct-top $*; echo status \$?; stty -a >$BATS_TEST_TMPDIR/after; echo done" Enter
	shows "sorted by"
}

# ended STATUS: it has, and the terminal is as before.
ended() {
	shows "status $1"
	shows "done"
	is "$(in_tmux display -p '#{alternate_on}')" 0
	is "$(in_tmux display -p '#{cursor_flag}')" 1
	is "$(cat "$BATS_TEST_TMPDIR/after")" "$(cat "$BATS_TEST_TMPDIR/before")"
}

# resized COLUMNS LINES
resized() {
	in_tmux resize-window -x "$1" -y "$2"
}

# order REGEX: what it matches on the screen, from the top.
order() {
	screen | grep -oE "$1" | paste -sd,
}

has_order() {
	[ "$(order "$1")" = "$2" ]
}

ordered() {
	eventually "'$1' are in the order $2" has_order "$1" "$2" || { screen >&2; return 1; }
}

three() {
	netacct-load
	traffic tcp --comm aaa --bytes 300003 >/dev/null
	traffic udp --comm bbb --bytes 200003 --uid 1 >/dev/null
	traffic tcp --comm ccc --bytes 100003 --family 6 --uid 2 >/dev/null
}

@test "top: rows and the machine's sums, exact, as netacct-show has them" {
	three
	terminal
	top -b --totals
	ordered '(aaa|bbb|ccc)' aaa,aaa,bbb,bbb,ccc,ccc
	shows 'PID +USER +COMM +TX_BYTES +RX_BYTES'
	shows 'root +aaa \(exited\) +300003 +0'
	shows 'daemon +bbb \(exited\) +0 +200003'
	shows 'since [0-9T:-]+Z \('
	has "$(screen)" "hooks $(netacct-status -j | jq -r .hooks)"
	traffic tcp --comm ddd --bytes 7000003 >/dev/null
	ordered '(aaa|bbb|ccc|ddd)' ddd,ddd,aaa,aaa,bbb,bbb,ccc,ccc
	keys p
	shows paused
	for direction in sent received; do
		[ "$(screen | sed -n 2p | sed -E "s/.*$direction ([0-9]+).*/\1/")" -ge 7600012 ]
	done
	keys q
	ended 0
}

@test "top: rates are those of what moves, and totals are beside them" {
	netacct-load
	traffic tcp --comm aaa --bytes 5000003 >/dev/null
	hold_open -- tcp --comm holder
	hold_move
	terminal
	top -b 0.5
	shows 'TX_RATE +RX_RATE'
	shows '10007'
	busy_start mover udp --comm mover --chunk 101
	# Most that moves now first, though it is far from the most of all.
	eventually "the mover is on top" first_row_is mover
	busy_stop mover
	keys r
	shows 'totals, sorted by bytes'
	hides 'TX_RATE'
	keys m
	shows 'rates, sorted by rate'
	hold_close
	shows 'holder \(exited\)'
	keys q
	ended 0
}

first_row_is() {
	screen | sed -n 5p | grep -q "$1"
}

@test "top: sort" {
	three
	terminal
	top -b --totals
	keys s
	shows 'sorted by pid'
	keys '>'
	shows 'sorted by user'
	keys '<' C
	shows 'sorted by comm'
	ordered '(aaa|bbb|ccc)' aaa,aaa,bbb,bbb,ccc,ccc
	keys i
	shows 'in reverse'
	ordered '(aaa|bbb|ccc)' ccc,ccc,bbb,bbb,aaa,aaa
	keys i T
	shows 'sorted by tx_bytes'
	ordered '[1-3]00003' 300003,200003,100003,300003,200003,100003
	keys r
	shows 'sorted by tx_rate'
	keys B
	shows 'sorted by rate'
	keys q
	ended 0
	keys clear Enter
	top --sort rx_calls --totals
	shows 'sorted by rx_calls'
	shows 'RX_CALLS'
	keys q
}

@test "top: every grouping that netacct-show has, and back to the first" {
	three
	terminal 200 50
	top -b --totals
	shows 'processes, totals'
	seen=$(order 'processes|comms|users|flows|protocols' | cut -d, -f 1)
	for ((i = 0; i < 50; i++)); do
		before=$(group_shown)
		keys g
		eventually "the grouping after $before" group_is_not "$before"
		case $(group_shown) in
		processes) break ;;
		comms) shows 'aaa +2 +300003 +300003' ;;
		users) shows 'daemon +2 +200003 +200003' ;;
		flows) shows 'ccc \(exited\) +tcp +::1' ;;
		protocols) shows 'udp +[0-9]+ +[0-9]+ +[0-9]+' ;;
		esac
		seen+=" $(group_shown)"
	done
	for group in processes comms users flows protocols; do
		has "$seen" $group
	done
	is "$(group_shown)" processes
	keys G
	eventually "the grouping before processes" group_is_not processes
	keys q
	ended 0
	top --by user -n
	shows 'users, rates'
	keys q
}

group_shown() {
	screen | sed -n 3p | sed -E 's/^[^0-9]*[0-9]+ ([a-z]+),.*/\1/'
}

group_is_not() {
	[ "$(group_shown)" != "$1" ]
}

@test "top: a filter as it is typed: command, user or pid, also as a glob" {
	three
	terminal
	top -b --totals
	keys /
	shows 'filter: _'
	keys b
	hides aaa
	shows bbb
	keys BSpace
	shows aaa
	keys 'a*'
	hides ccc
	shows 'filter: a\*_'
	keys Escape
	shows ccc
	keys / DAEMON Enter
	hides ccc
	shows 'bbb .*200003'
	shows 'text DAEMON'
	# The sums are those of what is left.
	shows 'sent 200003, received 200003|sent 200003 \('
	keys Escape
	shows ccc
	pid=$(netacct-show --json | jq '[.processes[] | select(.comm == "ccc").pid][0]')
	keys / "$pid" Enter
	hides aaa
	shows "$pid"
	keys / C-u nonsense
	shows $'\n0 processes'
	keys Enter Enter
	shows 'there is no row here'
	keys q
	ended 0
	top --comm 'a*' --totals
	shows aaa
	screen_lacks bbb
	keys q
}

@test "top: pause holds the picture, whatever moves" {
	three
	terminal
	top -b --totals
	shows aaa
	keys p
	shows paused
	traffic tcp --comm later --bytes 9000003 >/dev/null
	before=$(screen)
	keys g g g G G G
	sleep 2
	is "$(screen)" "$before"
	keys Space
	hides paused
	shows 'later .*9000003'
	keys q
	ended 0
}

@test "top: details of a process with its connections" {
	netacct-load
	hold_open -- tcp --comm holder --bytes 100003
	hold_move
	terminal
	top -b --totals --comm holder
	shows 'holder .*100003'
	pid=$(screen | sed -n 5p | awk '{ print $1 }')
	keys Enter
	shows "process $pid and its connections"
	shows 'parent_comm'
	shows 'tcp .*127\.0\.0\.1 .*100003'
	hold_move
	shows 'tcp .*127\.0\.0\.1 .*200006'
	keys r
	shows 'TX_RATE'
	keys Escape
	shows 'rates, sorted by rate'
	keys g
	shows 'comms, rates'
	keys Enter
	shows 'details are of processes'
	keys q
	ended 0
	hold_close
	netacct-unload
	netacct-load --no-flows
	traffic tcp --comm aaa >/dev/null
	top --comm aaa
	shows aaa
	keys Enter
	shows 'no flows are kept'
	keys Escape q
}

@test "top: help" {
	netacct-load
	terminal
	top
	for key in h '?'; do
		keys "$key"
		shows 'any key goes back'
		shows 'filter by text'
		keys x
		hides 'any key goes back'
	done
	keys h
	shows 'any key goes back'
	keys q
	ended 0
}

@test "top: the screen changes its size, however small" {
	three
	terminal
	top -b --totals
	shows 'aaa .*300003'
	resized 40 10
	shows 'h help  q quit  g group  s sort  / filt\+'
	shows 'aaa .*300003'
	keys Enter
	shows 'process [0-9]+ and its'
	keys Escape
	resized 200 60
	shows 'LAST_SEEN'
	shows 'Enter details'
	for size in '1 1' '2 2' '5 3' '80 4' '80 5' '10 24'; do
		# shellcheck disable=SC2086 # two words
		resized $size
		sleep 0.3
		keys Enter g Down End h x Escape
		sleep 0.3
		pid_of_top >/dev/null
	done
	keys B
	resized 80 24
	shows 'Enter details'
	keys q
	ended 0
}

@test "top: rows are scrolled through" {
	netacct-load
	for ((i = 10; i < 50; i++)); do
		traffic udp --comm "row$i" --bytes $((i * 101)) --chunk 101 >/dev/null
	done
	terminal
	top -b --totals --comm 'row*' --sort comm
	shows 'row10 '
	screen_lacks row49
	keys End
	shows 'row49 '
	screen_lacks 'row10 '
	keys Home
	shows 'row10 '
	keys NPage NPage
	hides 'row10 '
	keys PPage PPage
	shows 'row10 '
	for ((i = 0; i < 25; i++)); do
		keys Down
	done
	shows 'row22 '
	hides 'row10 '
	keys q
	ended 0
}

@test "top: names that would be escapes, and wide ones, leave the columns as they are" {
	netacct-load
	names=($'\033[2J\033[31m' $'a\nb\tc\rd' $'\xff\xfe\x80bad' $'\xc2\x9b31m' $'caf\xc3\xa9'
		$'\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97' $'e\xcc\x81\xe2\x80\xae' ' ')
	for name in "${names[@]}"; do
		traffic tcp --comm "$name" --bytes 777 --chunk 777 >/dev/null
	done
	for locale in C.UTF-8 C; do
		terminal 100 40
		in_tmux pipe-pane "cat >$BATS_TEST_TMPDIR/written-$locale"
		export LC_ALL=$locale
		keys "export LC_ALL=$locale" Enter
		top -b --totals --user root
		shows '\\x1b\[2J\\x1b\[31m'
		shows 'a\\x0ab\\x09c\\x0dd'
		shows '\\xff\\xfe\\x80bad'
		[ $locale = C ] || shows 'café'
		[ $locale = C ] || shows '中文字'
		[ $locale = C.UTF-8 ] || shows 'caf\\xc3\\xa9'
		keys p
		shows paused
		# 777 ends in the same column in each row.
		is "$(screen | grep -E ' 777 +0 ' | awk '{ sub(/ +0 +[0-9T:-]+Z *$/, ""); print }' | columns_of | sort -u | wc -l)" 1
		[ "$(screen | grep -cE ' 777 +0 ')" -ge 8 ]
		keys Enter
		shows 'its connections'
		keys Escape / a
		shows 'filter: a_'
		keys Escape q
		ended 0
		in_tmux kill-server
		export LC_ALL=C.UTF-8
	done
}

# The width of each line, as a terminal has it.
columns_of() {
	while IFS= read -r line; do
		wide=${line//[^中文字]/}
		echo $((${#line} + ${#wide}))
	done
}

@test "top: colours, and none" {
	three
	for how in TERM=screen-256color NO_COLOR=1 TERM=vt100; do
		terminal
		keys "export $how" Enter
		top
		shows aaa
		colours=$(in_tmux capture-pane -p -e | grep -cE $'\033\\[([0-9;]*;)?[34][0-7]m' || true)
		case $how in
		TERM=screen*) [ "$colours" -gt 0 ] ;;
		*) is "$how $colours" "$how 0" ;;
		esac
		keys q
		ended 0
		in_tmux kill-server
	done
}

@test "top: it is never cleared while it runs, and a paused one writes nothing" {
	three
	terminal
	top 0.2
	shows aaa
	in_tmux pipe-pane "cat >$BATS_TEST_TMPDIR/written"
	for ((i = 0; i < 5; i++)); do
		traffic tcp --comm "more$i" >/dev/null
	done
	shows more4
	keys p
	shows paused
	[ -s "$BATS_TEST_TMPDIR/written" ]
	run -1 grep -aqE $'\033\\[[0-9]*J|\033c' "$BATS_TEST_TMPDIR/written"
	size=$(stat -c %s "$BATS_TEST_TMPDIR/written")
	sleep 1
	is "$(stat -c %s "$BATS_TEST_TMPDIR/written")" "$size"
	keys q
	ended 0
}

@test "top: the terminal is put back after quit, signals and a crash" {
	three
	terminal
	top
	is "$(in_tmux display -p '#{alternate_on}')" 1
	keys q
	ended 0
	for signal in TERM INT HUP; do
		keys clear Enter
		top
		kill -$signal "$(pid_of_top)"
		ended 0
	done
	keys clear Enter
	top
	keys C-c
	ended 0
	for signal in SEGV ABRT BUS QUIT; do
		keys clear Enter
		top
		kill -$signal "$(pid_of_top)"
		ended $((128 + $(kill -l $signal)))
	done
}

@test "top: ends with its terminal" {
	three
	for how in "" nohup; do
		terminal
		# (Leak checks do not get along with a terminal that hangs up meanwhile.)
		keys "export ASAN_OPTIONS=detect_leaks=0" Enter
		# nohup would not leave it the terminal.
		[ -z "$how" ] || keys "trap '' HUP" Enter
		top
		pid=$(pid_of_top)
		in_tmux kill-server
		eventually "netacct-top has ended" is_gone "$pid"
	done
}

# Its parent went with the terminal, and who is parent now may be slow to ask for it.
is_gone() {
	! [ -e "/proc/$1/exe" ]
}

@test "top: stopped, and continued" {
	three
	terminal
	top
	pid=$(pid_of_top)
	keys C-z
	shows 'Stopped'
	is "$(in_tmux display -p '#{alternate_on}')" 0
	keys fg Enter
	shows 'sorted by'
	is "$(in_tmux display -p '#{alternate_on}')" 1
	kill -STOP "$pid"
	shows 'Stopped'
	keys fg Enter
	shows 'aaa'
	shows 'h help'
	keys q
	shows 'shell> *$'
	is "$(in_tmux display -p '#{alternate_on}')" 0
}

@test "top: unloaded and loaded again while it runs" {
	three
	terminal
	top -b
	shows aaa
	netacct-unload
	shows 'not loaded any more: waiting'
	shows aaa
	netacct-load
	traffic tcp --comm again --bytes 100003 >/dev/null
	shows 'again .*100003'
	hides aaa
	screen_lacks waiting
	netacct-reset
	hides again
	keys q
	ended 0
}

@test "top --count ends by itself" {
	netacct-load
	terminal
	keys "netacct-top --count 2 0.1; echo status \$?" Enter
	shows 'status 0'
	is "$(in_tmux display -p '#{alternate_on}')" 0
}

@test "top: what it cannot do it says, and leaves the terminal alone" {
	run -3 netacct-top
	one_line
	netacct-load --no-flows
	run -1 netacct-top
	one_line
	has "$output" terminal
	run -1 netacct-top --by flow
	one_line
	run -2 netacct-top 0
	run -2 netacct-top 1 2
	run -2 netacct-top --by nonsense
	run -2 netacct-top --sort nonsense
	run -2 netacct-top --live --exited
	run -2 netacct-top --count 0
	run -0 netacct-top --help
	terminal
	for term in nonsense dumb ''; do
		keys "clear; TERM=$term netacct-top; echo status \$?" Enter
		shows 'cannot draw on this terminal'
		shows 'status 1'
	done
	keys "clear; netacct-top </dev/null; echo status \$?" Enter
	shows 'needs a terminal'
	shows 'status 1'
}

@test "top: an account that is damaged while it runs" {
	three
	terminal
	top
	rm "$NETACCT_PIN_DIR/cgroups"
	ended 1
	shows 'is damaged'
}
