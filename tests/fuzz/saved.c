// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: files for netacct-load --restore. What is accepted adds up, and
 * what is not is refused in one clean line.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "counters.h"
#include "fuzz.h"
#include "mark.h"
#include "saved.h"

static const struct mark mark = { "test", 17 };

struct bytes {
	const uint8_t *at;
	size_t left;
};

static ssize_t read_bytes(void *cookie, char *buf, size_t size)
{
	struct bytes *b = cookie;
	size_t n = size < b->left ? size : b->left;

	memcpy(buf, b->at, n);
	b->at += n;
	b->left -= n;
	return n;
}

static int read_saved(struct saved *s, const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	FILE *f = fopencookie(&b, "r", (cookie_io_functions_t){ .read = read_bytes });
	char what[SAVED_WHAT] = "";
	int error = saved_read(s, f, what);

	fclose(f);
	MUST(error == 0 || error == -EPROTO || error == -EALREADY || error == -ENODATA);
	if (error) {
		MUST(*what && strlen(what) < SAVED_WHAT - 1);
		for (const char *c = what; *c; c++)
			MUST(isprint((unsigned char)*c));
	}
	return error;
}

static void check_row(const struct saved_row *row)
{
	struct counters total = traffic_total(&row->f.traffic);
	struct counters loopback = traffic_loopback(&row->f.traffic);
	struct counters less = counters_less(&loopback, &total);

	MUST(counters_zero(&less));
	MUST(!row->key.comm[COMM_LEN - 1]);
	MUST(row->f.first_seen_ns <= row->f.last_seen_ns);
}

static void check(const struct saved *s)
{
	struct counters sum = s->no_row;

	for (size_t i = 0; i < s->n; i++) {
		const struct saved_row *row = &s->rows[i];
		struct counters total = traffic_total(&row->f.traffic);
		int order = i ? memcmp(&row[-1].key, &row->key, sizeof(row->key)) : -1;

		check_row(row);
		counters_add(&sum, &total);
		MUST(order < 0 || (!order && !*s->boot_id));
	}
	MUST(memcmp(&sum, &s->total, sizeof(sum)) == 0);
}

/* A file that is marked and unmarked is the same as before, but for a line feed. */
static void check_mark(const uint8_t *data, size_t size)
{
	static char path[64];
	uint8_t *copy = malloc(size + 512);
	struct saved s;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/dev/shm/netacct-fuzz.%ld", (long)getpid());
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	MUST(copy && fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	MUST(mark_put(path, &mark) == 0);

	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, copy, size + 512);
	close(fd);
	MUST(n > (ssize_t)size && n < (ssize_t)size + 256 && memcmp(data, copy, size) == 0);
	switch (read_saved(&s, copy, n)) {
	case 0:
		MUST(!"what is marked is not restored again");
		break;
	case -EALREADY:
		MUST(s.restored_at_ns);
		break;
	}

	MUST(mark_take_away(path, &mark) == 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, copy, size + 512);
	close(fd);
	MUST((n == (ssize_t)size || n == (ssize_t)size + 1) && memcmp(data, copy, size) == 0);
	unlink(path);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct saved s;

	if (read_saved(&s, data, size) == 0) {
		check(&s);
		saved_free(&s);
	}
	if (size % 16 == 0)
		check_mark(data, size);
	return 0;
}

/* One place of a document becomes something else. */
static json_t *something(void)
{
	static const json_int_t numbers[] = { 0,	1,	    -1,
					      2,	UINT32_MAX, (json_int_t)UINT32_MAX + 1,
					      INT64_MAX };
	static const char *const strings[] = {
		"",
		"one",
		"process",
		"1970-01-01T00:00:00Z",
		"2026-01-02T03:04:05Z",
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"
	};

	switch (rand() % 6) {
	case 0:
		return json_null();
	case 1:
		return json_string(strings[rand() % (sizeof(strings) / sizeof(*strings))]);
	case 2:
		return json_object();
	case 3:
		return json_array();
	default:
		return json_integer(numbers[rand() % (sizeof(numbers) / sizeof(*numbers))]);
	}
}

static void mutate(json_t *json)
{
	size_t n = json_is_array(json) ? json_array_size(json) : json_object_size(json), i;
	json_t *child;
	void *at;

	if (!n)
		return;
	i = rand() % n;
	if (json_is_array(json)) {
		child = json_array_get(json, i);
		if (rand() % 8 == 0)
			json_array_append_new(json, json_deep_copy(child));
		else if (rand() % 16 == 0)
			json_array_remove(json, i);
		else
			mutate(child);
		return;
	}
	for (at = json_object_iter(json); i; i--)
		at = json_object_iter_next(json, at);
	child = json_object_iter_value(at);
	if ((json_is_object(child) || json_is_array(child)) && rand() % 8)
		mutate(child);
	else if (rand() % 8 == 0)
		json_object_del(json, json_object_iter_key(at));
	else
		json_object_iter_set_new(json, at, something());
}

/* Half of the time the document that it begins with stays JSON; sometimes it is there twice. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	json_error_t error;
	json_t *json = NULL;
	char *rest, *text;
	size_t used, n;

	srand(seed);
	if (rand() % 2)
		json = json_loadb((const char *)data, size, JSON_DISABLE_EOF_CHECK, &error);
	if (!json)
		return LLVMFuzzerMutate(data, size, max_size);
	used = rand() % 8 ? error.position : 0;
	rest = malloc(size - used + 1);
	memcpy(rest, data + used, size - used);
	mutate(json);
	text = json_dumps(json, JSON_COMPACT);
	n = text ? strlen(text) : 0;
	if (text && n + size - used <= max_size) {
		memcpy(data, text, n);
		memcpy(data + n, rest, size - used);
		size = n + size - used;
	}
	free(text);
	free(rest);
	json_decref(json);
	return size;
}
