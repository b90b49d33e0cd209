// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>

#include "clock.h"
#include "metrics.h"
#include "pins.h"
#include "text.h"

/*
 * One metric of several files has to have the same help in all of them: it says
 * nothing of the grouping.
 */
static const struct {
	const char *name;
	const char *help;
	size_t offset;
} directions[] = {
	{ "netacct_transmit_bytes_total", "Payload bytes that processes sent.",
	  offsetof(struct counters, tx_bytes) },
	{ "netacct_receive_bytes_total", "Payload bytes that processes received.",
	  offsetof(struct counters, rx_bytes) },
	{ "netacct_transmit_calls_total", "Calls that sent bytes.",
	  offsetof(struct counters, tx_calls) },
	{ "netacct_receive_calls_total", "Calls that received bytes.",
	  offsetof(struct counters, rx_calls) },
};

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_label(FILE *out, const char *label)
{
	for (; *label; label++) {
		if (*label == '\\' || *label == '"' || *label == '\n')
			fputc('\\', out);
		fputc(*label == '\n' ? 'n' : *label, out);
	}
}

static int finish(FILE *out)
{
	return ferror(out) ? fail(-(errno ?: EIO)) : 0;
}

int metrics_traffic(FILE *out, const struct ledger *l, enum grouping by)
{
	const struct ledger_series *s;

	for (size_t d = 0; d < sizeof(directions) / sizeof(*directions); d++) {
		print_head(out, directions[d].name, "counter", directions[d].help);
		for (size_t i = 0; (s = ledger_series(l, i)); i++) {
			const char *shown = (const char *)&s->shown;

			fprintf(out, "%s{%s=\"", directions[d].name, grouping_name(by));
			print_label(out, s->label);
			fprintf(out, "\"} %" PRIu64 "\n",
				(uint64_t) * (const __u64 *)(shown + directions[d].offset));
		}
	}
	return finish(out);
}

static void print_counter(FILE *out, const char *name, const char *help, __u64 n)
{
	print_head(out, name, "counter", help);
	fprintf(out, "%s %" PRIu64 "\n", name, (uint64_t)n);
}

static void print_time(FILE *out, const char *name, const char *help, __u64 epoch_ns)
{
	print_head(out, name, "gauge", help);
	fprintf(out, "%s %" PRIu64 ".%09" PRIu64 "\n", name, (uint64_t)(epoch_ns / NS_PER_S),
		(uint64_t)(epoch_ns % NS_PER_S));
}

struct table {
	const char *name;
	__u64 rows;
	__u64 limit;
};

static void print_tables(FILE *out, const struct table *tables, size_t n)
{
	static const char rows[] = "netacct_table_rows", limit[] = "netacct_table_rows_limit";

	print_head(out, rows, "gauge", "Rows that a table has.");
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s{table=\"%s\"} %" PRIu64 "\n", rows, tables[i].name,
			(uint64_t)tables[i].rows);
	print_head(out, limit, "gauge", "Rows that a table has room for.");
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s{table=\"%s\"} %" PRIu64 "\n", limit, tables[i].name,
			(uint64_t)tables[i].limit);
}

static __u64 not_negative(__s64 n)
{
	return n > 0 ? n : 0;
}

int metrics_account(FILE *out, const struct reading *r)
{
	const struct meta *m = &r->account->meta;
	const struct totals *all = &r->totals;
	struct totals newest = {};
	int err = generation_totals(&r->tables[0], &newest);
	const struct table tables[] = {
		{ "processes", not_negative(newest.process_rows), m->max_processes },
		{ "finished", not_negative(newest.finished_rows), FINISHED_ROWS },
		{ "flows", not_negative(newest.flow_rows), m->max_flows },
	};

	if (err < 0)
		return fail(err);
	print_head(out, "netacct_info", "gauge", "The version that is loaded, and its hooks.");
	fprintf(out, "netacct_info{version=\"");
	print_label(out, m->version);
	fprintf(out, "\",hooks=\"%s\"} 1\n", text_hooks(m->hooks));
	print_time(out, "netacct_loaded_timestamp_seconds", "When counting began.",
		   m->loaded_at_ns);
	print_time(out, "netacct_reset_timestamp_seconds",
		   "When the counters were at zero: the last reset, or when counting began.",
		   r->began_at_ns);
	print_tables(out, tables, m->flags & META_FLOWS ? 3 : 2);
	print_counter(out, "netacct_no_row_transmit_bytes_total",
		      "Payload bytes sent that no row has for want of room.", all->no_row.tx_bytes);
	print_counter(out, "netacct_no_row_receive_bytes_total",
		      "Payload bytes received that no row has for want of room.",
		      all->no_row.rx_bytes);
	print_counter(out, "netacct_packet_transmit_bytes_total",
		      "Bytes sent through packet sockets, which are in no other sum.",
		      all->packet.tx_bytes);
	print_counter(out, "netacct_packet_receive_bytes_total",
		      "Bytes received through packet sockets, which are in no other sum.",
		      all->packet.rx_bytes);
	if (r->missed_known)
		print_counter(out, "netacct_missed_events_total",
			      "Events that the kernel did not run a hook for.", r->missed_events);
	return finish(out);
}
