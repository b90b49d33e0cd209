# SPDX-License-Identifier: GPL-2.0-only
# The man pages say what the commands do.
# bats file_tags=anywhere
load helpers

setup() {
	PAGES=$BATS_TEST_DIRNAME/../cmd
}

commands() {
	basename -s .c "$PAGES"/netacct-*.c
}

# The letters that a command's help has before a long option, or by themselves.
letters() {
	"$1" --help | sed -n '/^Columns/q; s/^  -/-/p' | grep -oE '^-[A-Za-z0-9](, -[A-Za-z0-9])*' | grep -oE '[A-Za-z0-9]'
}

# The long ones.
long_options() {
	"$1" --help | sed '/^Columns/q' | grep -oE '^ {2,6}(-[A-Za-z0-9], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

@test "netacct(8) has each option of one letter, and no other" {
	for command in $(commands); do
		letters "$command"
	done | LC_ALL=C sort -u >"$BATS_TEST_TMPDIR/help"
	sed -n '/^\.Sh OPTIONS/,/^\.Sh SEE/s/^\.It Fl \(.\) Ta .*/\1/p' "$PAGES/netacct.8" | LC_ALL=C sort >"$BATS_TEST_TMPDIR/page"
	is "$(paste -sd' ' "$BATS_TEST_TMPDIR/page")" "$(paste -sd' ' "$BATS_TEST_TMPDIR/help")"
}

@test "each page has each option of its command, and no other" {
	for command in $(commands); do
		letters "$command" | LC_ALL=C sort -u >"$BATS_TEST_TMPDIR/letters"
		grep -E '^\.It Fl' "$PAGES/$command.8" | grep -oE '(Fl|,) [A-Za-z0-9]( |$)' | grep -oE '[A-Za-z0-9] *$' | tr -d ' ' |
			LC_ALL=C sort -u >"$BATS_TEST_TMPDIR/page"
		is "$command $(paste -sd' ' "$BATS_TEST_TMPDIR/page")" "$command $(paste -sd' ' "$BATS_TEST_TMPDIR/letters")"
		long_options "$command" | sort -u >"$BATS_TEST_TMPDIR/long"
		grep -E '^\.It Fl' "$PAGES/$command.8" | grep -oE -- '-[a-z][a-z-]+' | sed 's/^/-/' | sort -u >"$BATS_TEST_TMPDIR/page"
		is "$command $(paste -sd' ' "$BATS_TEST_TMPDIR/page")" "$command $(paste -sd' ' "$BATS_TEST_TMPDIR/long")"
	done
}

@test "show: the page has each column" {
	netacct-show -o help | awk '{ print $1 }' | sort -u >"$BATS_TEST_TMPDIR/help"
	sed -n '/^\.Ss Columns/,/^\.Ss JSON/p' "$PAGES/netacct-show.8" | grep '^\.It ' | sed 's/^\.It //; s/ , /\n/g' | sort -u >"$BATS_TEST_TMPDIR/page"
	is "$(comm -23 "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/page" | paste -sd' ')" ""
}
