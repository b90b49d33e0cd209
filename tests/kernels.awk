# SPDX-License-Identifier: GPL-2.0-only
# The table of tests/kernels, from the files KERNEL.WHAT in the order of its columns. If the kernel
# `newest`, which no Debian was released with, does not get to a result, that is told and counts as skipped.
BEGIN {
	FS = "\t"
	for (i = 1; i < ARGC; i++) {
		file = ARGV[i]
		sub(/.*\//, "", file)
		what = file
		sub(/.*\./, "", what)
		kernel[i] = substr(file, 1, length(file) - length(what) - 1)
		set[i] = what
		of[ARGV[i]] = i
	}
	parts = ARGC - 1
}

{ part = of[FILENAME] }
$1 == "path" && !($2 in seen) { seen[$2] = 1; row[++rows] = $2 }
$1 == "path" { result[$2, part] = $3 }
$1 == "none" { none[part] = $2; ended[part] = 1 }
$1 == "auto" { auto[part] = $2 }
$1 == "bats" { bats(substr($0, 6)) }
$1 == "end" { ended[part] = 1; status[part] = $2; last[part] = $3 }
$1 == "failed" { ended[part] = 1; fails(kernel[part], kernel[part] " " set[part] ": " $2) }

function counts_as_failed(k, n) {
	if (k == newest)
		skipped += n
	else
		failed += n
}

function fails(k, text) {
	counts_as_failed(k, 1)
	failures = failures "FAILED  " text "\n"
}

# What a failed test said follows it.
function bats(line) {
	if (line ~ /^#/ && said) {
		said--
		names[part] = names[part] "\n      " line
	} else if (line ~ /^(not )?ok /) {
		said = line ~ /^not / ? 40 : 0
	}
	if (line ~ /^1\.\.[0-9]+/) {
		planned[part] = substr(line, 4) + 0
	} else if (line ~ /^not ok /) {
		sub(/^not ok [0-9]+ /, "", line)
		bats_failed[part]++
		names[part] = names[part] "\n    failed: " line
	} else if (line ~ /^ok .* # skip/) {
		sub(/^ok [0-9]+ /, "", line)
		bats_skipped[part]++
		names[part] = names[part] "\n    skipped: " line
	} else if (line ~ /^ok /) {
		bats_passed[part]++
	}
}

function note(text) {
	# The same difference has another pid each time.
	gsub(/ [0-9]+: /, ": ", text)
	if (length(text) > 160)
		text = substr(text, 1, 160) "..."
	if (!(text in number)) {
		number[text] = ++notes
		noted[notes] = text
	}
	return "[" number[text] "]"
}

function cell(text, k) {
	if (text == "exact") {
		passed++
		return text
	}
	if (text ~ /^(-|hole:?)( |$)/) {
		skipped++
		k = text ~ /^-/ ? "-" : "hole"
		sub(/^(-|hole:?) ?/, "", text)
		return text == "" ? k : k " " note(text)
	}
	counts_as_failed(text == "no result" ? k : "", 1)
	return length(text) <= 16 ? text : "DIFFERS " note(text)
}

function line(first, cells, p) {
	first = sprintf("%-*s", name_width, first)
	for (p = 1; p <= parts; p++)
		if (p in width)
			first = first sprintf("  %-*s", width[p], cells[p])
	sub(/ +$/, "", first)
	print first
}

function max(a, b) {
	return a > b ? a : b
}

END {
	for (p = 1; p <= parts; p++) {
		if (set[p] ~ /^bats/ || set[p] == "demo" || (p in none))
			continue
		width[p] = max(length(kernel[p]), length(set[p]))
		column[kernel[p]] = 1
	}
	for (r = 1; r <= rows; r++) {
		name_width = max(name_width, length(row[r]))
		for (p = 1; p <= parts; p++) {
			if (!(p in width))
				continue
			text = (row[r], p) in result ? result[row[r], p] : "no result"
			table[r, p] = cell(text, kernel[p])
			width[p] = max(width[p], length(table[r, p]))
		}
	}
	line("", kernel)
	line("path", set)
	for (r = 1; r <= rows; r++) {
		for (p = 1; p <= parts; p++)
			cells[p] = table[r, p]
		line(row[r], cells)
	}
	print ""
	for (n = 1; n <= notes; n++)
		printf "%5s %s\n", "[" n "]", noted[n]
	for (p = 1; p <= parts; p++)
		if (p in none)
			print kernel[p] " has no " set[p] ": " none[p]
	print ""

	for (p = 1; p <= parts; p++) {
		if (set[p] ~ /^bats/) {
			missing = planned[p] - bats_passed[p] - bats_failed[p] - bats_skipped[p]
			printf "bats on %s, %s: %d passed, %d failed, %d skipped%s%s\n", kernel[p], auto[p],
				bats_passed[p], bats_failed[p], bats_skipped[p],
				missing ? ", " missing " not reached" : "", names[p]
			passed += bats_passed[p]
			skipped += bats_skipped[p]
			failed += bats_failed[p]
			counts_as_failed(kernel[p], missing)
			if (!planned[p])
				fails(kernel[p], kernel[p] ": bats ran no test")
		} else if (set[p] == "demo") {
			print "demo on " kernel[p] ": " (status[p] == "0" ? "done" : "failed")
			if (status[p] == "0")
				passed++
			else
				fails(kernel[p], kernel[p] ": the demo")
		} else if (status[p] > 1) {
			fails(kernel[p], kernel[p] " " set[p] ": tests/paths: exit status " status[p] ": " last[p])
		}
		if (!ended[p])
			fails(kernel[p], kernel[p] " " set[p] ": did not come to its end")
		if (!(kernel[p] in column) && !(kernel[p] in told)) {
			fails(kernel[p], kernel[p] ": no set of hooks works")
			told[kernel[p]] = 1
		}
	}
	if (!rows)
		fails("", "no path was tested")
	printf "%s", failures
	printf "kernels: %d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}
