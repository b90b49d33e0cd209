# SPDX-License-Identifier: GPL-2.0-only
# Whether the sums of two readings, $processes and $flows, agree. Prints what does not.

def differ($what; $actual; $expected):
	if $actual == $expected then empty
	else "\($what): expected \($expected), actual \($actual)" end;

$processes[0] as $p
| (reduce $flows[0].flows[] as $f ({};
	.["\($f.pid) \($f.start_ns)"] |= {
		tx_bytes: (.tx_bytes + $f.tx_bytes), rx_bytes: (.rx_bytes + $f.rx_bytes),
		tx_calls: (.tx_calls + $f.tx_calls), rx_calls: (.rx_calls + $f.rx_calls) })) as $of
| ("tx_bytes", "rx_bytes", "tx_calls", "rx_calls") as $key
| differ("\($key) of all rows and no_row";
	 ([$p.processes[][$key]] | add // 0) + $p.no_row[$key]; $p.totals[$key]),
  ($p.processes[]
   | differ("\($key) of the flows and other_flows of pid \(.pid) (\(.comm))";
	    ($of["\(.pid) \(.start_ns)"][$key] // 0) + .other_flows[$key]; .[$key]),
     differ("\($key) of the protocols of pid \(.pid) (\(.comm))";
	    [.protocols | del(.packet)[][$key]] | add // 0; .[$key]))
