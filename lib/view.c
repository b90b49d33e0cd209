// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "pins.h"
#include "view.h"

static const struct {
	const char *name;
	const char *rows;
	const char *columns;
} groupings[GROUPINGS] = {
	[BY_PROCESS] = { "process", "processes",
			 "pid,user,comm,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_COMM] = { "comm", "comms",
		      "comm,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_USER] = { "user", "users",
		      "user,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_FLOW] = { "flow", "flows",
		      "pid,user,comm,protocol,local_address,local_port,remote_address,remote_port,"
		      "tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_PROTOCOL] = { "protocol", "protocols",
			  "protocol,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
};

int grouping_find(const char *name)
{
	for (int by = 0; by < GROUPINGS; by++)
		if (!strcmp(name, groupings[by].name))
			return by;
	return fail(-EINVAL);
}

bool grouping_of_flows(enum grouping by)
{
	return by == BY_FLOW;
}

const char *grouping_name(enum grouping by)
{
	return groupings[by].name;
}

const char *grouping_rows(enum grouping by)
{
	return groupings[by].rows;
}

const char *grouping_columns(enum grouping by)
{
	return groupings[by].columns;
}
