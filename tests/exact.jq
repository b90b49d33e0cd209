# SPDX-License-Identifier: GPL-2.0-only
# $truth: what traffic printed. $processes, $flows: what netacct-show says.
# Prints each number that differs.

def differ($what; $actual; $expected):
	if $actual == $expected then empty
	else "\($what): expected \($expected), actual \($actual)" end;

$truth[] as $t
| [$processes[0].processes[] | select(.pid == $t.pid)] as $rows
| "\($t.role) \($t.pid)" as $who
| if $t.protocol == "unix" or $t.tx_bytes + $t.rx_bytes == 0 then differ("\($who): rows"; $rows | length; 0)
  elif $rows | length != 1 then "\($who): has \($rows | length) rows"
  else
	$rows[0] as $row
	| ("tx_bytes", "rx_bytes", "tx_calls", "rx_calls") as $key
	| select($t[$key] != null)
	| ([$flows[0].flows[] | select(.pid == $t.pid and .start_ns == $row.start_ns) | .[$key]]
	   | add // 0) as $flows
	| if $t.protocol == "packet" then
		differ("\($who): \($key)"; $row[$key]; 0)
	  else
		differ("\($who): \($key)"; $row[$key]; $t[$key]),
		differ("\($who): \($key) of flows and other_flows";
		       $flows + $row.other_flows[$key]; $t[$key])
	  end,
	  differ("\($who): \($key) of protocols.\($t.protocol)";
		 $row.protocols[$t.protocol][$key] // 0; $t[$key])
  end
