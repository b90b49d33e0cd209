-- SPDX-License-Identifier: GPL-2.0-only
-- Who moved what in a month, of a folder of files that netacct-reset --format jsonl wrote:
--
--	sqlite3 -box -cmd ".param set :files '/var/lib/netacct/records/2026-11-*.jsonl'" :memory: <month.sql
--
-- A generation may have been written twice, where a reset was killed: repeats are dropped by
-- (boot_id, loaded_at, generation), and by the row in it.
WITH line AS (
	SELECT value AS j
	FROM fsdir(rtrim(rtrim(:files, replace(:files, '/', '')), '/')) AS file,
	     json_each('[' || replace(rtrim(CAST(file.data AS TEXT), char(10)), char(10), ',') || ']')
	WHERE file.name GLOB :files
), row AS (
	SELECT max(j ->> 'user') AS user, j ->> 'uid' AS uid, j ->> 'comm' AS comm,
	       max(j ->> 'tx_bytes') AS sent, max(j ->> 'rx_bytes') AS received
	FROM line
	WHERE j ->> 'tx_bytes' IS NOT NULL
	GROUP BY j ->> 'boot_id', j ->> 'loaded_at', j ->> 'generation', j ->> 'pid', j ->> 'start_ns',
		 j ->> 'comm', j ->> 'uid', j ->> 'cgroup_id', j ->> 'netns'
	UNION ALL
	SELECT NULL, NULL, '(no row)', max(j ->> '$.no_row.tx_bytes'), max(j ->> '$.no_row.rx_bytes')
	FROM line
	GROUP BY j ->> 'boot_id', j ->> 'loaded_at', j ->> 'generation'
)
SELECT coalesce(user, uid, '') AS user, comm, sum(sent) AS sent, sum(received) AS received
FROM row
GROUP BY 1, 2
HAVING sum(sent) + sum(received) > 0
ORDER BY sum(sent) + sum(received) DESC;
