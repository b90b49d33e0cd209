# SPDX-License-Identifier: GPL-2.0-only
# Whatever a process calls itself: the JSON is valid, the table is harmless.
load helpers

names=(
	$'\033[2J\033[31m'
	$'a\nb\tc\rd'
	$'"\\quote\'s"'
	$'\xff\xfe\x80bad'
	$'\xc3'
	$'\x7f\x01\x02\x1f\x08'
	$'\xc2\x9b31m'
	$'\xed\xa0\x80\xf5\x80'
	$'caf\xc3\xa9'
	$'fifteen bytes.\xc3\xa9'
	$'},{"pid":1'
	$'%s%n$(id)`id`'
	' '
	$'\xe2\x80\xae\xe2\x80\x8b'
)

# bats test_tags=anywhere
@test "names of control characters, quotes, escapes and broken UTF-8" {
	netacct-load
	truth=
	for name in "${names[@]}"; do
		truth+=$(traffic tcp --comm "$name")$'\n'
	done
	exact "$truth"

	for by in process comm user flow protocol; do
		for format in json jsonl; do
			netacct-show --by $by --format $format >"$BATS_TEST_TMPDIR/out"
			jq -e . "$BATS_TEST_TMPDIR/out" >/dev/null
			harmless "$BATS_TEST_TMPDIR/out" json
		done
		is "$(netacct-show --by $by --json | wc -l)" 1
		for locale in C C.UTF-8; do
			LC_ALL=$locale netacct-show --by $by >"$BATS_TEST_TMPDIR/table"
			harmless "$BATS_TEST_TMPDIR/table"
		done
	done
	# Well-formed names are left as they are.
	is "$(netacct-show --json | jq -c '[.processes[].comm | select(startswith("caf"))] | unique')" '["café"]'

	netacct-status -j | jq -e . >/dev/null
	netacct-reset --json >"$BATS_TEST_TMPDIR/taken"
	iconv -f utf-8 -t utf-8 "$BATS_TEST_TMPDIR/taken" | jq -e '.processes | length >= 28' >/dev/null
	is "$(wc -l <"$BATS_TEST_TMPDIR/taken")" 1
}

# bats test_tags=anywhere
@test "a table has one line for each row, whatever the names" {
	netacct-load
	traffic udp --comm $'a\nb\nc' >/dev/null
	rows=$(netacct-show --json | jq '.processes | length')
	is "$(netacct-show --no-header | grep -c .)" "$(netacct-show --no-header -o pid | grep -c .)"
	[ "$(netacct-show --no-header | grep -c .)" -ge "$rows" ]
}
