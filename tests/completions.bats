# SPDX-License-Identifier: GPL-2.0-only
# Completions, as somebody who types sees them: in a terminal, with each shell.
# bats file_tags=anywhere
load helpers

setup() {
	needs tmux
	TMUX_SOCKET=$BATS_TEST_TMPDIR/tmux
	SERVED=$BATS_TEST_DIRNAME/../completions
}

teardown() {
	tmux -S "$TMUX_SOCKET" kill-server 2>/dev/null || :
}

screen() {
	tmux -S "$TMUX_SOCKET" capture-pane -p -t shell
}

on_screen() {
	screen | grep -qF -- "$1"
}

# types TEXT: into the shell, as keys.
types() {
	tmux -S "$TMUX_SOCKET" send-keys -t shell -l -- "$1"
}

# in_shell COMMAND...: a terminal with that shell, which has said that it is ready.
in_shell() {
	tmux -S "$TMUX_SOCKET" -f /dev/null new-session -d -s shell -x 150 -y 50 "env HOME=$BATS_TEST_TMPDIR PATH=$PATH TERM=screen $*"
	types 'echo rea""dy'
	tmux -S "$TMUX_SOCKET" send-keys -t shell Enter
	eventually "the shell is ready" on_screen ready
}

# completes TYPED WANTED: what a tab makes of it. The line is cleared then.
completes() {
	types "$1"
	tmux -S "$TMUX_SOCKET" send-keys -t shell Tab
	eventually "'$1' becomes '$2'; there is: $(screen)" on_screen "$2"
	tmux -S "$TMUX_SOCKET" send-keys -t shell C-c
	types 'clear'
	tmux -S "$TMUX_SOCKET" send-keys -t shell Enter
}

all_of_them() {
	completes "netacct-show --no-lo" "netacct-show --no-loopback"
	completes "netacct-show --by remo" "netacct-show --by remote"
	completes "netacct-show -o pid,last_" "netacct-show -o pid,last_seen"
	completes "netacct-show --user root,daem" "netacct-show --user root,daemon"
	completes "netacct-top --by proto" "netacct-top --by protocol"
	completes "netacct-watch --max" "netacct-watch --max-connections"
	completes "netacct-load --hooks trace" "netacct-load --hooks tracepoint"
	completes "netacct-unload --verb" "netacct-unload --verbose"
	sleep 1000 3>&- &
	pid=$!
	# Others may begin alike: a second tab lists them.
	types "netacct-show -p ${pid:0:-1}"
	tmux -S "$TMUX_SOCKET" send-keys -t shell Tab
	completes "" "$pid"
	kill $pid
}

@test "bash" {
	echo ". '$SERVED/netacct.bash'" >"$BATS_TEST_TMPDIR/rc"
	in_shell bash --noprofile --rcfile "$BATS_TEST_TMPDIR/rc"
	all_of_them
}

@test "zsh" {
	needs zsh
	mkdir "$BATS_TEST_TMPDIR/functions"
	ln -s "$(realpath "$SERVED/netacct.zsh")" "$BATS_TEST_TMPDIR/functions/_netacct"
	cat >"$BATS_TEST_TMPDIR/.zshrc" <<-END
		fpath=($BATS_TEST_TMPDIR/functions \$fpath)
		autoload -U compinit && compinit -u -D
	END
	in_shell zsh -d
	all_of_them
}

@test "fish" {
	needs fish
	mkdir -p "$BATS_TEST_TMPDIR/.config/fish/completions"
	for command in load show top watch status reset unload; do
		ln -s "$(realpath "$SERVED/netacct.fish")" "$BATS_TEST_TMPDIR/.config/fish/completions/netacct-$command.fish"
	done
	in_shell fish
	all_of_them
}
