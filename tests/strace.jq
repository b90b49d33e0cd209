# SPDX-License-Identifier: GPL-2.0-only
# $sums: what strace-sums printed. $processes: what netacct-show says. $netns: the namespaces in which
# nobody else is. Prints both numbers by name, and each process of which they differ.

def both($strace; $netacct):
	"strace \($strace.tx) tx \($strace.rx) rx, netacct \($netacct.tx) tx \($netacct.rx) rx";
def sum: { tx: (map(.tx) | add // 0), rx: (map(.rx) | add // 0) };

[$processes[0].processes[] | { pid, comm, netns, tx: .tx_bytes, rx: .rx_bytes }] as $rows
| [$sums | split("\n")[] | select(. != "") | split("\t")
   | { pid: .[0] | tonumber, comm: .[1], tx: .[2] | tonumber, rx: .[3] | tonumber }
   | .pid as $pid | .netacct = ($rows | map(select(.pid == $pid)) | sum)] as $traced
| ($traced | group_by(.comm)[] | { comm: .[0].comm, all: sum, netacct: map(.netacct) | sum }
   | select(.all.tx + .all.rx + .netacct.tx + .netacct.rx > 0)
   | "\(.comm): \(both(.all; .netacct))"),
  ($traced[] | select(.tx != .netacct.tx or .rx != .netacct.rx)
   | "differs: \(.comm) \(.pid): \(both(.; .netacct))"),
  ($rows[] | select(.tx + .rx > 0 and (.netns | IN($netns[])) and (.pid | IN($traced[].pid) | not))
   | "differs: \(.comm) \(.pid): \(both({ tx: "no", rx: "no" }; .))"),
  (if $traced | sum | .tx + .rx > 0 then empty else "differs: strace saw no bytes at all" end)
