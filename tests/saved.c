// SPDX-License-Identifier: GPL-2.0-only
/*
 * saved - what netacct-load --restore would take from a file
 *
 *	saved FILE		as a line of JSON, or in words why nothing
 *	saved FILE mark		puts the mark of a test behind it
 *	saved FILE unmark	takes it away again
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "counters.h"
#include "json.h"
#include "saved.h"

static const struct mark mark = { "test", 17 };

static void print(const struct saved *s)
{
	json_t *rows = json_array(), *json;

	for (size_t i = 0; i < s->n; i++) {
		const struct saved_row *row = &s->rows[i];
		struct counters total = traffic_total(&row->f.traffic);
		struct counters loopback = traffic_loopback(&row->f.traffic);

		json_array_append_new(
			rows, json_pack("{ss sI ss? sI so so sI sI}", "comm", row->key.comm, "uid",
					(json_int_t)row->key.uid, "cgroup", row->cgroup,
					"processes", (json_int_t)row->f.processes, "total",
					json_counters(&total), "loopback", json_counters(&loopback),
					"cgroup_id", (json_int_t)row->key.cgroup_id, "netns",
					(json_int_t)row->key.netns));
	}
	json = json_pack("{ss so so so so}", "boot_id", s->boot_id, "total",
			 json_counters(&s->total), "no_row", json_counters(&s->no_row), "packet",
			 json_counters(&s->packet), "rows", rows);
	json_dumpf(json, stdout, JSON_COMPACT);
	json_decref(json);
	putchar('\n');
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[2] : "";
	char what[SAVED_WHAT];
	struct saved s;
	int error;
	FILE *f;

	if (argc < 2)
		errx(2, "usage: saved FILE [mark|unmark]");
	if (strcmp(verb, "mark") == 0 || strcmp(verb, "unmark") == 0) {
		error = (*verb == 'm' ? mark_put : mark_take_away)(argv[1], &mark);
		if (error)
			err(EXIT_FAILURE, "%s", argv[1]);
		return EXIT_SUCCESS;
	}
	f = fopen(argv[1], "re");
	if (!f)
		err(EXIT_FAILURE, "%s", argv[1]);
	error = saved_read(&s, f, what);
	fclose(f);
	if (error)
		errx(EXIT_FAILURE, "%s: %s", strerrorname_np(-error), what);
	print(&s);
	saved_free(&s);
	return EXIT_SUCCESS;
}
