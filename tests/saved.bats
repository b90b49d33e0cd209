# SPDX-License-Identifier: GPL-2.0-only
# What the commands wrote is read back whole, and nothing else is.
# bats file_tags=anywhere
load helpers

# reading FILTER: a document, after a change by jq.
reading() {
	jq -nc '{tx_bytes:7,rx_bytes:5,tx_calls:2,rx_calls:1} as $c | {tx_bytes:0,rx_bytes:0,tx_calls:0,rx_calls:0} as $zero
		| {schema:1,boot_id:"one",loaded_at:"2026-01-02T03:04:05Z",generation:0,reset_at:null,by:"process",filters:{},
		   totals:$c,no_row:$zero,processes:[{pid:1,comm:"curl",uid:0,cgroup_id:9,cgroup:"/a",netns:3,merged:null,
		   first_seen:"2026-01-02T03:04:06Z",last_seen:"2026-01-02T03:04:06Z",exited_at:null,
		   protocols:{tcp:$c},loopback:$zero} + $c],flows:[]} | '"$1"
}

# refused WORD: the file is, and the message has the word.
refused() {
	run -1 saved "$file"
	has "$output" "$1"
}

# sum KEY: what the file comes to.
sum() {
	saved "$file" | jq -c ".total.$1"
}

setup() {
	clean_up
	file=$BATS_TEST_TMPDIR/saved
}

@test "what reset, unload and show write is read back, and adds up" {
	netacct-load
	traffic tcp >/dev/null
	traffic udp --bytes 23 >/dev/null
	netacct-show --json --to "$file.show"
	netacct-show --pretty --to "$file.pretty"
	netacct-reset --json >>"$file"
	traffic tcp --bytes 41 >/dev/null
	netacct-unload --json >>"$file"
	# Of a reading that was taken while counting went on, what is still.
	for format in show pretty; do
		is "$(saved "$file.$format" | jq '[.rows[] | select(.comm == "traffic").total.tx_bytes] | add')" \
			"$(jq '[.processes[] | select(.comm == "traffic").tx_bytes] | add' "$file.$format")"
	done
	is "$(sum tx_bytes,.total.rx_calls)" "$(jq -s 'map(.totals.tx_bytes) + [map(.totals.rx_calls) | add]
		| .[0] + .[1], .[2]' "$file")"
	is "$(saved "$file" | jq -r .boot_id)" "$(cat /proc/sys/kernel/random/boot_id)"
	is "$(saved "$file" | jq '[.rows[] | select(.comm == "traffic").processes] | add')" \
		"$(jq -s '[.[].processes[] | select(.comm == "traffic")] | length' "$file")"
	rm "$file"
}

@test "only the last reading of a generation counts" {
	reading . >"$file"
	reading '.totals.tx_bytes = 8 | .processes[0].tx_bytes = 8 | .processes[0].protocols.tcp.tx_bytes = 8' >>"$file"
	reading '.generation = 1 | .reset_at = "2026-01-03T00:00:00Z"' >>"$file"
	is "$(sum tx_bytes)" 15
	is "$(saved "$file" | jq -c '[.rows[] | .comm, .processes]')" '["curl",2]'
}

@test "a mark behind what was restored, and away again" {
	reading . >"$file"
	printf '%s' "$(cat "$file")" >"$file.before"
	cp "$file.before" "$file"
	chmod 640 "$file"
	saved "$file" mark
	is "$(stat -c %a "$file")" 640
	is "$(wc -l <"$file")" 2
	refused EALREADY
	reading '.loaded_at = "2026-02-02T03:04:05Z"' >>"$file"
	is "$(sum tx_bytes)" 7
	run -1 saved "$file" unmark
	has "$output" "no such file"
	head -2 "$file" >"$file.marked"
	saved "$file.marked" unmark
	is "$(cat "$file.marked")" "$(cat "$file.before")"
	is "$(saved "$file.marked" | jq .total.tx_bytes)" 7
	reading . >>"$file"
	is "$(sum tx_bytes)" 7
}

@test "of several boots, numbers that a boot gives are forgotten" {
	{ reading . && reading '.boot_id = "two"' && reading '.boot_id = "three" | .processes[0].cgroup = "/b"'; } >"$file"
	is "$(saved "$file" | jq -c '[.boot_id, .total.rx_bytes, (.rows[] | .cgroup, .cgroup_id, .netns, .processes)]')" \
		'["",15,"/a",0,0,2,"/b",0,0,1]'
}

@test "a reading that was taken while counting went on is evened out" {
	reading 'del(.flows) | .processes[0].tx_bytes = 8 | .processes[0].protocols.tcp.tx_calls = 3
		| .processes[0].loopback.rx_bytes = 6' >"$file"
	is "$(saved "$file" | jq -c '[.total[]]')" '[8,6,3,1]'
	reading 'del(.flows) | .totals.tx_bytes = 8' >"$file"
	refused "incomplete"
	reading 'del(.flows)' >"$file"
	reading 'del(.flows) | .generation = 1 | .reset_at = .loaded_at' >>"$file"
	refused "may be in it"
}

@test "names of 15 bytes at most, cut between characters" {
	reading '.processes[0].comm = "\ufffd\ufffd\ufffd\ufffdab\u00e4\u00e4"' >"$file"
	is "$(saved "$file" | jq -r '.rows[0].comm')" $'\ufffd\ufffd\ufffd\ufffdab'
}

@test "what does not add up, or is no reading, is refused in words that say where" {
	local change word

	while IFS='|' read -r word change; do
		reading "$change" >"$file"
		refused "$word"
	done <<-'EOF'
		schema|.schema = 2
		filters|.filters = {pid:["1"]}
		summary|.summary = true
		by|.by = "comm"
		processes|del(.processes)
		boot_id|.boot_id = null
		loaded_at|.loaded_at = "2026-01-02 03:04:05Z"
		loaded_at|.loaded_at = "2026-01-02T03:04:05.5Z"
		loaded_at|.loaded_at = "2026-02-30T03:04:05Z"
		loaded_at|.loaded_at = "9999-01-02T03:04:05Z"
		incomplete|.processes = []
		it was changed|.totals.rx_calls = 0
		row 1|.processes[0].tx_bytes = 6
		row 1 of processes, loopback|.processes[0].loopback = 1
		loopback is 8|.processes[0].loopback.tx_bytes = 8
		tcp, rx_calls|.processes[0].protocols.tcp.rx_calls = -1
		tcp, rx_calls|.processes[0].protocols.tcp.rx_calls = 0.5
		pid|.processes[0].merged = 2
		pid|.processes[0].pid = null
		uid|.processes[0].uid = 4294967296
		netns|.processes[0].netns = "a"
		comm|.processes[0].comm = null
		first_seen|.processes[0].first_seen = "2026-01-02T03:04:08Z"
		too large|(.processes[0] * {tx_bytes:9223372036854774784, protocols:{tcp:{tx_bytes:9223372036854774784}}}) as $r | .processes += [$r, $r]
	EOF
}

@test "what is no JSON, or too much of it, is refused" {
	local text

	: >"$file"
	refused ENODATA
	for text in text '{' '{"schema":1,"schema":1}' '{"schema":1,"by":"\u0000"}' '[]' '{}' 1 '{"schema":1e0}' \
		'{"schema":99999999999999999999}' $'\xef\xbb\xbf{}' $'{"schema":1,"by":"\xff"}'; do
		printf '%s' "$text" >"$file"
		refused "EPROTO: document 1"
	done
	head -c 100000 /dev/zero >"$file"
	refused "EPROTO: document 1"
	head -c 1000000 /dev/zero | tr '\0' '[' >"$file"
	refused "EPROTO: document 1"
	reading . | head -c -20 >"$file"
	refused "EPROTO: document 1"
	{ reading . && echo text; } >"$file"
	refused "EPROTO: document 2"
}
