// SPDX-License-Identifier: GPL-2.0-only
/* netacct-status - is it loaded, and how is it doing? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "cli.h"
#include "clock.h"
#include "json.h"
#include "status.h"
#include "text.h"

static const char usage[] =
	"Usage: netacct-status [options]\n"
	"\n"
	"Tell whether the traffic is counted, since when, with which hooks, and how full\n"
	"the tables are. Exit status 3: not loaded.\n"
	"\n"
	"  -j, --json         print JSON\n" CLI_USAGE;

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	CLI_LONG,
	{},
};

#define SCHEMA	   1
#define OTHERS_LEN 260

static const struct {
	__u32 bit;
	const char *text;
} holes[] = {
	{ HOLE_TLS_SPLICE, "splice from a kTLS socket is not counted" },
	{ HOLE_MPTCP_SPLICE, "splice from an MPTCP socket is not counted" },
	{ HOLE_SMC, "AF_SMC sockets are not counted" },
};
#define N_HOLES (sizeof(holes) / sizeof(*holes))

/* Why other sets of hooks were passed over. */
static const char *other_hooks(const struct meta *m, char text[OTHERS_LEN])
{
	const char *first = m->passed_over[0], *second = m->passed_over[1];

	snprintf(text, OTHERS_LEN, "%s%s%s", first, *first && *second ? "; " : "", second);
	return text;
}

static void print_rows(const char *what, __s64 rows, __u32 max)
{
	printf("%-12s %" PRId64 " of %" PRIu32 " rows (%.0f%%)\n", what, (int64_t)rows, max,
	       100.0 * rows / max);
}

static void print_hooks(const struct meta *m)
{
	char others[OTHERS_LEN];
	const char *label = "holes";

	printf("%-12s %s", "hooks", text_hooks(m->hooks));
	printf(*other_hooks(m, others) ? " (%s)\n" : "\n", others);
	for (size_t i = 0; i < N_HOLES; i++) {
		if (!(m->holes & holes[i].bit))
			continue;
		printf("%-12s %s\n", label, holes[i].text);
		label = "";
	}
}

static void print_scope(const struct scope *scope)
{
	char *text = scope->n ? scope_text(scope) : NULL;

	if (text)
		printf("%-12s %s: others are in no row and no sum\n", "partial", text);
	free(text);
	for (size_t i = 0; i < scope->n; i++) {
		if (!scope_gone(&scope->items[i]))
			continue;
		text = text_plain(scope->items[i].text);
		printf("%-12s cgroup %s: nothing of it is counted any more\n", "gone", text ?: "?");
		free(text);
	}
}

static json_t *gone_json(const struct scope *scope)
{
	json_t *all = json_array();

	for (size_t i = 0; i < scope->n; i++) {
		char *text = scope_gone(&scope->items[i]) ? text_utf8(scope->items[i].text) : NULL;

		if (text)
			json_array_append_new(all, json_string(text));
		free(text);
	}
	return all;
}

static void print_missed(const struct status *s)
{
	if (!s->missed_known && !s->missed_events)
		printf("%-12s unknown: only root is told\n", "missed");
	else
		printf("%-12s %" PRIu64 " events%s\n", "missed", (uint64_t)s->missed_events,
		       s->missed_events ? ": the account may be short" : "");
}

static void print_text(const struct status *s, const struct scope *scope, bool verbose)
{
	char since[TEXT_TIME_LEN], age[TEXT_TIME_LEN];
	const struct totals *t = &s->totals;
	double cost = status_cost(s);

	/* By the clock that nobody sets. */
	text_age(age, clock_ns(CLOCK_BOOTTIME) - (s->meta.loaded_at_ns - s->meta.clock_offset_ns));
	printf("%-12s %s (%s), by version %s\n", s->counting ? "counting" : "stopped",
	       text_time(since, s->meta.loaded_at_ns), age, s->meta.version);
	if (*s->damage)
		printf("%-12s %s is gone: the account may be short; netacct-unload removes it\n",
		       "damaged", s->damage);
	print_scope(scope);
	print_hooks(&s->meta);
	printf("%-12s %" PRIu64 ", since %s%s\n", "generation", (uint64_t)s->generation.number,
	       text_time(since, s->generation.began_at_ns),
	       s->pending ? "; the one before waits for netacct-reset to print it" : "");
	print_rows("processes", t->process_rows, s->meta.max_processes);
	if (s->meta.flags & META_FLOWS)
		print_rows("flows", t->flow_rows, s->meta.max_flows);
	else
		printf("%-12s not kept\n", "flows");
	print_rows("finished", t->finished_rows, FINISHED_ROWS);
	printf("%-12s %" PRIu64 " bytes sent, %" PRIu64 " received\n", "no row",
	       (uint64_t)t->no_row.tx_bytes, (uint64_t)t->no_row.rx_bytes);
	print_missed(s);
	if (cost)
		printf("%-12s %.0f ns an event\n", "cost", cost);
	else
		printf("%-12s not measured (sysctl kernel.bpf_stats_enabled=1 does)\n", "cost");
	for (size_t i = 0; verbose && i < s->n_hooks; i++)
		printf("  %-24s missed %" PRIu64 ", ran %" PRIu64 " times, %" PRIu64 " ns\n",
		       s->hooks[i].name, (uint64_t)s->hooks[i].stats.missed,
		       (uint64_t)s->hooks[i].stats.runs, (uint64_t)s->hooks[i].stats.run_ns);
}

static json_t *rows_json(__s64 rows, __u32 max)
{
	return json_pack("{sI sI}", "rows", (json_int_t)rows, "max", (json_int_t)max);
}

static json_t *hooks_json(const struct status *s)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->n_hooks; i++) {
		const struct status_hook *h = &s->hooks[i];

		json_array_append_new(all, json_pack("{ss sI sI sI}", "name", h->name,
						     "missed_events", (json_int_t)h->stats.missed,
						     "runs", (json_int_t)h->stats.runs, "run_ns",
						     (json_int_t)h->stats.run_ns));
	}
	return all;
}

static json_t *holes_json(__u32 bits)
{
	json_t *all = json_array();

	for (size_t i = 0; i < N_HOLES; i++)
		if (bits & holes[i].bit)
			json_array_append_new(all, json_string(holes[i].text));
	return all;
}

static void print_json(const struct status *s, const struct scope *scope)
{
	char others[OTHERS_LEN];
	char loaded[TEXT_TIME_LEN], began[TEXT_TIME_LEN];
	bool flows = s->meta.flags & META_FLOWS;
	double cost = status_cost(s);
	json_t *doc;

	doc = json_pack("{si ss ss ss ss so so so ss so sI ss sb ss? sb so so so so so so so so}",
			"schema", SCHEMA, "version", s->meta.version, "boot_id", s->meta.boot_id,
			"loaded_at", text_time(loaded, s->meta.loaded_at_ns), "hooks",
			text_hooks(s->meta.hooks), "filters", json_scope(scope), "load_filters",
			json_scope(scope), "gone_cgroups", gone_json(scope), "other_hooks",
			other_hooks(&s->meta, others), "holes", holes_json(s->meta.holes),
			"generation", (json_int_t)s->generation.number, "reset_at",
			text_time(began, s->generation.began_at_ns), "counting", s->counting,
			"damage", *s->damage ? s->damage : NULL, "reset_pending", s->pending,
			"processes", rows_json(s->totals.process_rows, s->meta.max_processes),
			"flows",
			flows ? rows_json(s->totals.flow_rows, s->meta.max_flows) : json_null(),
			"finished", rows_json(s->totals.finished_rows, FINISHED_ROWS), "no_row",
			json_counters(&s->totals.no_row), "missed_events",
			s->missed_known ? json_integer(s->missed_events) : json_null(),
			"ns_per_event", cost ? json_real(cost) : json_null(), "totals",
			json_counters(&s->totals.total), "hook_stats", hooks_json(s));
	if (!doc)
		cli_fail(0, "cannot make the document");
	json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(doc);
}

int main(int argc, char **argv)
{
	bool json = false;
	struct account a;
	struct status s;
	struct cli cli;
	int c, err;

	cli_init(&cli, usage);
	while ((c = getopt_long(argc, argv, CLI_SHORT "j", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		default:
			cli_option(&cli, c);
		}
	}
	cli_no_arguments(argc, argv);

	cli_open(&cli, &a, false);
	err = status_take(&s, &a);
	if (err < 0)
		cli_failed_on(&cli, err, "cannot read");
	if (json)
		print_json(&s, &a.scope);
	else
		print_text(&s, &a.scope, cli.verbose);
	account_close(&a);
	return cli_finish() || *s.damage ? EXIT_FAILURE : EXIT_SUCCESS;
}
