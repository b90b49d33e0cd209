// SPDX-License-Identifier: GPL-2.0-only
/* netacct-status - is it loaded, and how is it doing? */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "cli.h"
#include "clock.h"
#include "comparison.h"
#include "json.h"
#include "status.h"
#include "text.h"

static const char usage[] =
	"Usage: netacct-status [options]\n"
	"\n"
	"Tell whether the traffic is counted, since when, with which hooks, and how full\n"
	"the tables are. Exit status 3: not loaded.\n"
	"\n"
	"  -j, --json         print JSON\n"
	"      --interfaces   what the interfaces moved meanwhile, and why it is more\n" CLI_USAGE;

enum { INTERFACES_TOO = CLI_OWN };

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "interfaces", no_argument, NULL, INTERFACES_TOO },
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

static const char *unknown_why(int error)
{
	switch (error) {
	case -ENOENT:
		return "not noted as counting began: by an older version, or it could not be";
	case -EXDEV:
		return "those of another network namespace were noted as counting began";
	case -ERANGE:
		return "there are more interfaces than were noted as counting began";
	case -ESTALE:
		return "the account was restored, and has more than was counted since; a reset "
		       "begins anew";
	default:
		return "cannot be read";
	}
}

static void print_line(const char *name, const char *about, __u64 tx, __u64 rx, const char *note)
{
	printf("%-14s %s%18" PRIu64 " %18" PRIu64 "  %s\n", name, about, (uint64_t)tx, (uint64_t)rx,
	       note);
}

static void print_estimate(const char *name, double tx, double rx, const char *note)
{
	printf("%-14s ~%18.0f %18.0f  %s\n", name, tx, rx, note);
}

static void print_counted(const char *name, const struct counters *c, const char *note)
{
	print_line(name, " ", c->tx_bytes, c->rx_bytes, note);
}

static void print_interfaces(const struct comparison *c, const struct reading *r)
{
	char since[TEXT_TIME_LEN];

	printf("since %-16s %13s %18s\n", text_time(since, r->began_at_ns), "sent", "received");
	print_counted("counted", &c->counted, "bytes of payload");
	print_counted("  loopback", &c->loopback, "of it stayed on this machine");
	print_counted("  elsewhere", &c->elsewhere,
		      "of it by processes of other network namespaces");
	print_counted("payload", &c->payload, "is left for the interfaces of this one");
	if (c->unknown) {
		printf("%-14s %s\n", "interfaces", unknown_why(c->unknown));
		return;
	}
	print_line("interfaces", " ", c->tx.interfaces, c->rx.interfaces, "bytes of frames");
	for (size_t i = 0; i < c->interfaces.n; i++) {
		const struct interface *one = &c->interfaces.all[i];
		char name[IF_NAMESIZE + 3];

		snprintf(name, sizeof(name), "  %s", one->name);
		print_line(name, " ", one->tx_bytes, one->rx_bytes,
			   one->sums ? "is not in the sum" : "is");
	}
	print_estimate("headers", c->tx.headers, c->rx.headers, "of that many packets");
	print_estimate("retransmitted", c->tx.retransmitted, c->rx.retransmitted,
		       "by TCP, whoever it was");
	print_estimate("forwarded", c->tx.forwarded, c->rx.forwarded, "from others to others");
	print_estimate("rest", c->tx.rest, c->rx.rest,
		       "is not explained: other protocols, packet sockets, errors of these");
}

static json_t *difference_json(const struct difference *d)
{
	return json_pack("{sI sI sI sI sI sI sI}", "interfaces", (json_int_t)d->interfaces,
			 "packets", (json_int_t)d->packets, "payload", (json_int_t)d->payload,
			 "estimated_headers", (json_int_t)d->headers, "estimated_retransmitted",
			 (json_int_t)d->retransmitted, "estimated_forwarded",
			 (json_int_t)d->forwarded, "rest", (json_int_t)d->rest);
}

static json_t *each_json(const struct interfaces *all)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->n; i++) {
		const struct interface *one = &all->all[i];
		char *name = text_utf8(one->name);

		json_array_append_new(list,
				      json_pack("{ss? sI sI sI sI sb}", "name", name, "tx_bytes",
						(json_int_t)one->tx_bytes, "rx_bytes",
						(json_int_t)one->rx_bytes, "tx_packets",
						(json_int_t)one->tx_packets, "rx_packets",
						(json_int_t)one->rx_packets, "in_sum", !one->sums));
		free(name);
	}
	return list;
}

static void print_interfaces_json(const struct comparison *c, const struct reading *r)
{
	const struct meta *m = &r->account->meta;
	char loaded[TEXT_TIME_LEN], since[TEXT_TIME_LEN];
	bool known = !c->unknown;
	json_t *doc;

	doc = json_pack("{si ss ss ss ss sI so so so so so ss? so so so}", "schema", SCHEMA,
			"version", m->version, "boot_id", m->boot_id, "loaded_at",
			text_time(loaded, m->loaded_at_ns), "since",
			text_time(since, r->began_at_ns), "generation", (json_int_t)r->generation,
			"load_filters", json_scope(&r->account->scope), "counted",
			json_counters(&c->counted), "loopback", json_counters(&c->loopback),
			"other_namespaces", json_counters(&c->elsewhere), "payload",
			json_counters(&c->payload), "unknown",
			known ? NULL : unknown_why(c->unknown), "tx",
			known ? difference_json(&c->tx) : json_null(), "rx",
			known ? difference_json(&c->rx) : json_null(), "interfaces",
			known ? each_json(&c->interfaces) : json_null());
	if (!doc)
		cli_fail(0, "cannot make the document");
	json_dumpf(doc, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(doc);
}

static void compare(const struct cli *cli, const struct account *a, bool json)
{
	struct comparison c;
	struct reading r;
	int err = reading_take(&r, a);

	if (err < 0)
		cli_failed_on(cli, err, "cannot read");
	err = comparison_make(&c, &r);
	if (err < 0)
		cli_fail(err, "cannot look at the interfaces");
	if (json)
		print_interfaces_json(&c, &r);
	else
		print_interfaces(&c, &r);
	reading_free(&r);
}

/* It may be unloaded, and loaded again, as it is read. */
static void take(const struct cli *cli, struct account *a, struct status *s)
{
	int err, tries = 0;

	do {
		cli_open(cli, a, false);
		err = status_take(s, a);
		if (err < 0)
			account_close(a);
	} while (err == -EAGAIN && ++tries < CLI_TRIES);
	if (err < 0)
		cli_failed_on(cli, err, "cannot read");
}

int main(int argc, char **argv)
{
	bool json = false, interfaces = false;
	struct account a;
	struct status s;
	struct cli cli;
	int c;

	cli_init(&cli, usage);
	while ((c = getopt_long(argc, argv, CLI_SHORT "j", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case INTERFACES_TOO:
			interfaces = true;
			break;
		default:
			cli_option(&cli, c);
		}
	}
	cli_no_arguments(argc, argv);

	if (interfaces) {
		cli_open(&cli, &a, false);
		compare(&cli, &a, json);
		account_close(&a);
		return cli_finish();
	}
	take(&cli, &a, &s);
	if (json)
		print_json(&s, &a.scope);
	else
		print_text(&s, &a.scope, cli.verbose);
	account_close(&a);
	return cli_finish() || *s.damage ? EXIT_FAILURE : EXIT_SUCCESS;
}
