# SPDX-License-Identifier: GPL-2.0-only
# What cannot be written is a failure, and loses nothing.
# bats file_tags=anywhere
load helpers

# fails_to WHERE COMMAND...: with that redirection it exits with status 1 and one line.
fails_to() {
	# The reader of 4 has gone.
	run -1 bash -c "mkfifo \$\$ && exec 3<>\$\$ 4>\$\$ 3>&- && rm \$\$ && exec netacct-$2 $1"
	one_line || { echo "from netacct-$2 $1" >&2; return 1; }
}

@test "standard output closed, full, or a pipe that nobody reads" {
	cd "$BATS_TEST_TMPDIR"
	netacct-load
	truth=$(traffic tcp)
	for where in ">&-" ">/dev/full" ">&4"; do
		for command in show "show -H" "show --json" "show --pretty" "show --format jsonl" "show 1 2" \
			"show --by flow" "show -o help" status "status --verbose" "status --json" "unload --json"; do
			fails_to "$where" "$command"
		done
		exact "$truth"
		netacct-reset
		truth=$(traffic tcp)
		generation=$(netacct-status --json | jq .generation)
		fails_to "$where" "reset --json"
		fails_to "$where" "reset --json"
		fails_to "$where" "unload --json"
		exact "$truth"
		netacct-reset --json >out
		is "$(jq -c '[.generation, ([.processes[] | select(.comm == "traffic") | .tx_bytes] | sort)]' out | paste -sd' ')" \
			"[$generation,[0,10007]] [$((generation + 1)),[]]"
		truth=$(traffic tcp)
		exact "$truth"
	done
	is "$(netacct-status --json | jq .counting)" true
}

@test "standard files that are closed are not taken for others" {
	cd "$BATS_TEST_TMPDIR"
	netacct-load <&- >&- 2>&-
	truth=$(traffic tcp)
	exact "$truth"
	for command in "show --json" "show --json --verbose" reset unload; do
		# shellcheck disable=SC2086 # a list
		netacct-$command --to out <&- >&- 2>&-
		is "$(jq -c '[.processes[] | select(.comm == "traffic") | .tx_bytes] | sort' out)" "[0,10007]"
		[ "$command" != reset ] || traffic tcp >/dev/null
	done
	run -3 netacct-status
}

# In a mount namespace of its own: a file system that is full, one that is read-only.
in_folders() {
	mkdir -p full readonly
	unshare --mount bash -euc "
		mount -t tmpfs -o size=64k full full
		mount -t tmpfs readonly readonly
		echo before | tee full/old >readonly/old
		mount -o remount,ro readonly
		dd if=/dev/zero of=full/fill bs=4k 2>/dev/null || true
		fails() {
			status=0
			said=\$(\"\$@\" 2>&1) || status=\$?
			echo \"\$status \$(wc -l <<<\"\$said\")\"
		}
		$1
		echo \"\$(ls -A full) \$(cat full/old) \$(ls -A readonly) \$(cat readonly/old)\""
}

@test "--to a full or read-only file system, or no folder: the old file stays, and nothing else" {
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work"
	mkdir folder
	netacct-load
	truth=$(traffic tcp)
	for command in "show --json" show "unload" "reset"; do
		run -0 in_folders "
			for to in full/old full/new readonly/old readonly/new nowhere/new folder /dev/full; do
				fails netacct-$command --to \$to
			done"
		is "${lines[0]}" "1 1"
		is "$(sort -u <<<"$output")" $'1 1\nfill\nold before old before'
		exact "$truth"
		is "$(netacct-status --json | jq .counting)" true
	done
	netacct-reset --to out
	is "$(jq -c '[.generation, ([.processes[] | select(.comm == "traffic") | .tx_bytes] | sort)]' out | paste -sd' ')" \
		"[0,[0,10007]] [1,[]]"
	is "$(find . -type f)" ./out
}
