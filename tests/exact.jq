# SPDX-License-Identifier: GPL-2.0-only
# $truth: what traffic or ways printed. $processes, $flows: what netacct-show says.
# Prints each number that differs, after the path if there are paths.

def differ($what; $actual; $expected):
	if $actual == $expected then empty
	else "\($what): expected \($expected), actual \($actual)" end;

def by_pid: reduce .[] as $row ({}; .["\($row.pid)"] += [$row]);

($processes[0].processes | by_pid) as $processes
| ($flows[0].flows | by_pid) as $flows
| $truth[] as $t
| ($processes["\($t.pid)"] // []) as $rows
| "\(if $t.path then "\($t.path)\t" else "" end)\($t.role) \($t.pid)" as $who
| if $t.protocol == "unix" or $t.tx_bytes + $t.rx_bytes == 0 then differ("\($who): rows"; $rows | length; 0)
  elif $rows | length != 1 then "\($who): has \($rows | length) rows"
  else
	$rows[0] as $row
	| ("tx_bytes", "rx_bytes", "tx_calls", "rx_calls") as $key
	| select($t[$key] != null)
	| ([$flows["\($t.pid)"][]? | select(.start_ns == $row.start_ns) | .[$key]]
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
