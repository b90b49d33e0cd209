# SPDX-License-Identifier: GPL-2.0-only
# Series only grow, whatever the tables do: thousands of steps of accounts that are made up.
# bats file_tags=anywhere
load helpers

ACCOUNT=/sys/fs/bpf/ledger-netacct-test

teardown() {
	rm -rf "$ACCOUNT"
	clean_up
}

@test "series: no byte is lost, shown twice or under two names" {
	for ((seed = 1; seed <= $(scaled 20); seed++)); do
		ledger "$ACCOUNT" $seed exact
	done
}

@test "series: more names than there is room for, folds under another name, rows that are not found" {
	for ((seed = 1; seed <= $(scaled 20); seed++)); do
		ledger "$ACCOUNT" $seed wild
	done
}

@test "series: what somebody has written to is refused, or does no harm" {
	for ((seed = 1; seed <= $(scaled 20); seed++)); do
		ledger "$ACCOUNT" $seed spoilt
	done
}
