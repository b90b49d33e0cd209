# SPDX-License-Identifier: GPL-2.0-only
# Adds up what many resets took (the input), by process, and prints each number
# that is not what traffic says ($truth).

def add_up($x): {
	tx_bytes: (.tx_bytes + $x.tx_bytes), rx_bytes: (.rx_bytes + $x.rx_bytes),
	tx_calls: (.tx_calls + $x.tx_calls), rx_calls: (.rx_calls + $x.rx_calls) };

reduce inputs as $generation ({};
	reduce $generation.processes[] as $p (.;
		.["\($p.pid)"].processes |= add_up($p)
		| .["\($p.pid)"].flows |= add_up($p.other_flows))
	| reduce $generation.flows[] as $f (.; .["\($f.pid)"].flows |= add_up($f)))
| . as $sums
| $truth[] as $t
| ("processes", "flows") as $table
| ("tx_bytes", "rx_bytes", "tx_calls", "rx_calls") as $key
| $sums["\($t.pid)"][$table][$key] as $sum
| select($sum != $t[$key])
| "\($t.protocol) \($t.role): \($key) of \($table): expected \($t[$key]), actual \($sum)"
