# SPDX-License-Identifier: GPL-2.0-only
# From what tests/bench measured, a line for each turn: section, name, unit, whose, target, ours and theirs.
# To its figures: medians, and between which two numbers the middle half of the turns is.

def at($part): sort | .[(length - 1) * $part | round];
def median: if length == 0 then null else (sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2) end;
def spread: if length == 0 then null else [at(0.25), at(0.75)] end;

# Where both are differences that may be about 0, one turn's ratio says nothing.
def ratios($pairs): $pairs | if all(.[]; .[1] > 0) then map(.[0] / .[1]) else [] end;
def ratio($unit; $pairs): if $unit == "%"
	then ($pairs | map(.[1]) | median) as $theirs | if $theirs > 0 then ($pairs | map(.[0]) | median) / $theirs else null end
	else ratios($pairs) | median end;

{
	machine: $machine,
	seconds: ($seconds | tonumber),
	figures: [[inputs / "\t"] | to_entries | group_by(.value[:5]) | sort_by(.[0].key)[] | map(.value)
		| .[0] as $first
		| map(.[5] | tonumber? // empty) as $ours
		| map(.[6] | tonumber? // empty) as $theirs
		| map(.[5:7] | map(tonumber? // empty) | select(length == 2)) as $pairs
		| {
			section: $first[0], name: $first[1], unit: $first[2],
			ours: ($ours | median), ours_spread: ($ours | spread), turns: ($ours | length),
			theirs: ($theirs | median), theirs_spread: ($theirs | spread), whose: $first[3],
			ratio: ratio($first[2]; $pairs), ratio_spread: (ratios($pairs) | spread),
			target: $first[4]
		}
		| .met = (.ratio as $ratio | .ours as $ours | .target
			| if startswith("ratio") and $ratio then $ratio <= (ltrimstr("ratio <= ") | tonumber)
			  elif startswith("<=") then $ours <= (ltrimstr("<= ") | tonumber) else null end)]
}
