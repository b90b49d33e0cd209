// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
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
	[BY_CGROUP] = { "cgroup", "cgroups",
			"service,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen,cgroup" },
	[BY_FLOW] = { "flow", "flows",
		      "pid,user,comm,protocol,local_address,local_port,remote_address,remote_port,"
		      "tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_REMOTE] = { "remote", "remotes",
			"remote_address,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_PORT] = { "port", "ports",
		      "port,protocol,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_PROTOCOL] = { "protocol", "protocols",
			  "protocol,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
	[BY_NETNS] = { "netns", "netns",
		       "netns,netns_name,processes,tx_bytes,rx_bytes,tx_rate,rx_rate,last_seen" },
};

bool view_needs_flows(const struct view *view)
{
	return grouping_of_flows(view->by) || filter_needs_flows(&view->filter) ||
	       (view->by == BY_PROTOCOL && view->filter.no_loopback);
}

int grouping_find(const char *name)
{
	for (int by = 0; by < GROUPINGS; by++)
		if (!strcmp(name, groupings[by].name))
			return by;
	return fail(-EINVAL);
}

const char *grouping_names(void)
{
	static char names[128];
	size_t length = 0;

	for (int by = 0; by < GROUPINGS && length < sizeof(names); by++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   !by			? ""
					   : by < GROUPINGS - 1 ? ", "
								: " or ",
					   groupings[by].name);
	return names;
}

bool grouping_of_flows(enum grouping by)
{
	return by == BY_FLOW || by == BY_REMOTE || by == BY_PORT;
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
