// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "clock.h"
#include "counters.h"
#include "document.h"
#include "scope.h"
#include "text.h"

static const char *const fields[] = { "tx_bytes", "rx_bytes", "tx_calls", "rx_calls" };
#define FIELDS (sizeof(fields) / sizeof(*fields))
_Static_assert(FIELDS * sizeof(__u64) == sizeof(struct counters), "fields are those of counters");

static int bad(const struct place *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What the file says may come from anywhere. */
static void clean(char *s)
{
	for (; *s; s++)
		if (!isprint((unsigned char)*s))
			*s = '?';
}

static int bad(const struct place *r, const char *key, const char *fmt, ...)
{
	char where[64] = "", why[160];
	va_list ap;

	if (r->row)
		snprintf(where, sizeof(where), ", row %zu of processes", r->row);
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	snprintf(r->what, SAVED_WHAT, "document %zu%s%s%s%s%s: %s", r->document, where,
		 r->part ? ", " : "", r->part ?: "", key ? ", " : "", key ?: "", why);
	clean(r->what);
	return -EPROTO;
}

static bool add(__u64 *to, __u64 n)
{
	return !__builtin_add_overflow(*to, n, to) && *to <= INT64_MAX;
}

bool document_add(void *to, const void *from, size_t size)
{
	__u64 *sums = to;
	const __u64 *numbers = from;

	for (size_t i = 0; i < size / sizeof(*sums); i++)
		if (!add(&sums[i], numbers[i]))
			return false;
	return true;
}

bool document_add_traffic(struct counters *to, const struct traffic *t)
{
	const struct counters *part = (const struct counters *)t;

	for (int i = 0; i < TRAFFIC_PARTS; i++)
		if (i != PROTOCOL_PACKET && !document_add(to, &part[i], sizeof(*to)))
			return false;
	return true;
}

int document_too_large(const struct place *r)
{
	return bad(r, NULL, "the sum of its numbers and those before is too large");
}

static int get_number(const struct place *r, const json_t *object, const char *key, __u64 max,
		      __u64 *n)
{
	const json_t *json = json_object_get(object, key);

	*n = 0;
	if (!json)
		return bad(r, key, "is missing");
	if (!json_is_integer(json) || json_integer_value(json) < 0 ||
	    (__u64)json_integer_value(json) > max)
		return bad(r, key, "is no number from 0 to %" PRIu64, (uint64_t)max);
	*n = json_integer_value(json);
	return 0;
}

static int get_number_or_null(const struct place *r, const json_t *object, const char *key,
			      __u64 max, __u64 *n)
{
	if (!json_is_null(json_object_get(object, key)))
		return get_number(r, object, key, max, n);
	*n = 0;
	return 0;
}

/* NULL if it is null, or is no string. */
static int get_string(const struct place *r, const json_t *object, const char *key, const char **s)
{
	const json_t *json = json_object_get(object, key);

	*s = json_string_value(json);
	if (!json)
		return bad(r, key, "is missing");
	return *s || json_is_null(json) ? 0 : bad(r, key, "is no string");
}

static int get_boot_id(const struct place *r, const json_t *object, struct mark *account)
{
	const char *s;
	int err = get_string(r, object, "boot_id", &s);

	if (err < 0)
		return err;
	if (!s || strlen(s) >= sizeof(account->boot_id))
		return bad(r, "boot_id", "is none");
	memcpy(account->boot_id, s, strlen(s) + 1);
	return 0;
}

/* Only as text_time() writes it. */
static bool parse_time(const char *s, __u64 *epoch_ns)
{
	struct tm tm = {};
	char again[TEXT_TIME_LEN];
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);
	time_t seconds;

	if (!end || *end)
		return false;
	seconds = timegm(&tm);
	if (seconds < 0 || (__u64)seconds > UINT64_MAX / NS_PER_S)
		return false;
	*epoch_ns = seconds * NS_PER_S;
	return strcmp(text_time(again, *epoch_ns), s) == 0;
}

/* null is 0. */
static int get_time(const struct place *r, const json_t *object, const char *key, __u64 *epoch_ns)
{
	const char *s;
	int err = get_string(r, object, key, &s);

	*epoch_ns = 0;
	if (!err && s && !parse_time(s, epoch_ns))
		return bad(r, key, "is no time in UTC such as 1970-01-01T00:00:00Z");
	return err;
}

static int get_object(const struct place *r, const json_t *object, const char *key,
		      const json_t **found)
{
	*found = json_object_get(object, key);
	return json_is_object(*found) ? 0 : bad(r, key, "is no object");
}

static int get_fields(const struct place *r, const json_t *object, struct counters *c)
{
	__u64 *to = (__u64 *)c;
	int err = 0;

	for (size_t i = 0; !err && i < FIELDS; i++)
		err = get_number(r, object, fields[i], INT64_MAX, &to[i]);
	return err;
}

static int get_counters(struct place *r, const json_t *object, const char *key, struct counters *c)
{
	const json_t *part;
	int err = get_object(r, object, key, &part);

	if (err < 0)
		return err;
	r->part = key;
	err = get_fields(r, part, c);
	r->part = NULL;
	return err;
}

/* A name that was cut is cut between characters. */
static int get_comm(const struct place *r, const json_t *row, char comm[COMM_LEN])
{
	const char *s;
	size_t len;
	int err = get_string(r, row, "comm", &s);

	if (err < 0)
		return err;
	if (!s)
		return bad(r, "comm", "is no string");
	len = strlen(s);
	if (len >= COMM_LEN)
		for (len = COMM_LEN - 1; (s[len] & 0xc0) == 0x80; len--)
			;
	memcpy(comm, s, len);
	return 0;
}

/* What a document tells of a row's traffic. */
struct sums {
	struct counters total;
	struct counters loopback;
	struct counters protocols[PROTOCOLS];
};

/*
 * A row that was read while it was counted may lack in one number what is there
 * in another, if the reader kept them apart: of a send or two, which the next
 * reading would have. The largest is true, and what has no protocol yet is other.
 */
static bool even_out(struct sums *s, struct counters *sum)
{
	__u64 *total = (__u64 *)&s->total, *sums = (__u64 *)sum;
	__u64 *other = (__u64 *)&s->protocols[PROTOCOL_OTHER];
	const __u64 *loopback = (const __u64 *)&s->loopback;

	for (size_t i = 0; i < FIELDS; i++) {
		if (total[i] < sums[i])
			total[i] = sums[i];
		if (total[i] < loopback[i])
			total[i] = loopback[i];
		if (!add(&other[i], total[i] - sums[i]))
			return false;
		sums[i] = total[i];
	}
	return true;
}

static int check_sums(const struct place *r, const struct sums *s, const struct counters *protocols)
{
	const __u64 *total = (const __u64 *)&s->total, *sums = (const __u64 *)protocols;
	const __u64 *loopback = (const __u64 *)&s->loopback;

	for (size_t i = 0; i < FIELDS; i++) {
		if (sums[i] != total[i])
			return bad(r, fields[i],
				   "is %" PRIu64 ", but the protocols come to %" PRIu64,
				   (uint64_t)total[i], (uint64_t)sums[i]);
		if (loopback[i] > total[i])
			return bad(r, fields[i], "is %" PRIu64 ", but loopback is %" PRIu64,
				   (uint64_t)total[i], (uint64_t)loopback[i]);
	}
	return 0;
}

/* What of from was through loopback, as far as there is any left. */
static struct counters take_loopback(struct counters *left, struct counters *from)
{
	struct counters more = counters_less(left, from), taken = counters_less(left, &more);

	*from = counters_less(from, &taken);
	*left = more;
	return taken;
}

/* Which protocols went through loopback the document does not tell, nor does anybody ask for it. */
static void set_traffic(struct traffic *t, struct sums *s)
{
	t->tcp_loopback = take_loopback(&s->loopback, &s->protocols[PROTOCOL_TCP]);
	t->udp_loopback = take_loopback(&s->loopback, &s->protocols[PROTOCOL_UDP]);
	t->loopback = s->loopback;
	memcpy(&t->protocols, s->protocols, sizeof(t->protocols));
}

static int get_traffic(struct place *r, const json_t *row, bool whole, struct traffic *t)
{
	struct counters sum = {};
	const json_t *part = NULL;
	struct sums s = {};
	int err;

	err = get_fields(r, row, &s.total);
	if (!err)
		err = get_counters(r, row, "loopback", &s.loopback);
	if (!err)
		err = get_object(r, row, "protocols", &part);
	for (int i = 0; !err && i < PROTOCOLS; i++) {
		if (!json_object_get(part, text_protocol(i)))
			continue;
		err = get_counters(r, part, text_protocol(i), &s.protocols[i]);
		if (!err && i != PROTOCOL_PACKET &&
		    !document_add(&sum, &s.protocols[i], sizeof(sum)))
			err = document_too_large(r);
	}
	if (!err && !whole && !even_out(&s, &sum))
		err = document_too_large(r);
	if (!err)
		err = check_sums(r, &s, &sum);
	if (!err)
		set_traffic(t, &s);
	return err;
}

/* A process, or a sum of some that have ended. */
static int get_processes(const struct place *r, const json_t *row, __u64 *processes)
{
	bool is_process = json_is_null(json_object_get(row, "merged"));
	__u64 pid;
	int err;

	*processes = 1;
	if (is_process)
		return get_number(r, row, "pid", UINT32_MAX, &pid);
	err = get_number(r, row, "merged", INT64_MAX, processes);
	if (!err && !json_is_null(json_object_get(row, "pid")))
		err = bad(r, "pid", "is not null, and neither is merged");
	return err;
}

static int get_times(const struct place *r, const json_t *row, bool whole, struct finished *f)
{
	int err;

	err = get_time(r, row, "first_seen", &f->first_seen_ns);
	if (!err)
		err = get_time(r, row, "last_seen", &f->last_seen_ns);
	if (!err)
		err = get_time(r, row, "exited_at", &f->exited_ns);
	if (err < 0)
		return err;
	/* The last use has the resolution of a tick, and a row that was just made has none. */
	if (whole && f->last_seen_ns && f->first_seen_ns > f->last_seen_ns &&
	    f->first_seen_ns - f->last_seen_ns > NS_PER_S)
		return bad(r, "last_seen", "is before first_seen");
	if (f->last_seen_ns < f->first_seen_ns)
		f->last_seen_ns = f->first_seen_ns;
	return 0;
}

static int get_row(struct place *r, const json_t *json, bool whole, struct saved_row *row)
{
	const char *cgroup = NULL;
	__u64 uid = 0, netns = 0;
	int err;

	*row = (struct saved_row){};
	if (!json_is_object(json))
		return bad(r, NULL, "is no object");
	err = get_processes(r, json, &row->f.processes);
	if (!err)
		err = get_comm(r, json, row->key.comm);
	if (!err)
		err = get_number(r, json, "uid", UINT32_MAX, &uid);
	if (!err)
		err = get_number_or_null(r, json, "netns", UINT32_MAX, &netns);
	if (!err)
		err = get_number_or_null(r, json, "cgroup_id", INT64_MAX, &row->key.cgroup_id);
	if (!err)
		err = get_string(r, json, "cgroup", &cgroup);
	if (!err)
		err = get_times(r, json, whole, &row->f);
	if (!err)
		err = get_traffic(r, json, whole, &row->f.traffic);
	if (err < 0)
		return err;
	row->key.uid = uid;
	row->key.netns = netns;
	if (cgroup)
		row->cgroup = strdup(cgroup);
	return cgroup && !row->cgroup ? -ENOMEM : 0;
}

static int get_rows(struct place *r, const json_t *array, struct document *d)
{
	size_t n = json_array_size(array);
	int err = 0;

	d->rows = calloc(n + 1, sizeof(*d->rows));
	if (!d->rows)
		return -ENOMEM;
	for (size_t i = 0; !err && i < n; i++) {
		r->row = i + 1;
		err = get_row(r, json_array_get(array, i), d->whole, &d->rows[d->n++]);
	}
	r->row = 0;
	return err;
}

/*
 * Where counting went on the rows were read after the totals, and may have more.
 * If they have less there were more rows.
 */
static int check_totals(struct place *r, const json_t *json, const struct document *d)
{
	struct counters totals, sum = d->no_row;
	const __u64 *total = (const __u64 *)&totals, *sums = (const __u64 *)&sum;
	int err = get_counters(r, json, "totals", &totals);

	if (err < 0)
		return err;
	for (size_t i = 0; i < d->n; i++)
		if (!document_add_traffic(&sum, &d->rows[i].f.traffic))
			return document_too_large(r);
	for (size_t i = 0; i < FIELDS; i++) {
		if (sums[i] == total[i] || (!d->whole && sums[i] > total[i]))
			continue;
		return bad(r, fields[i],
			   "the rows come to %" PRIu64 ", but totals to %" PRIu64 ": %s",
			   (uint64_t)sums[i], (uint64_t)total[i],
			   sums[i] < total[i] ? "the reading is incomplete" : "it was changed");
	}
	return 0;
}

static int check_kind(const struct place *r, const json_t *json)
{
	const char *by = json_string_value(json_object_get(json, "by"));
	const json_t *filters = json_object_get(json, "filters");

	if (!by)
		return bad(r, NULL, "is no reading of netacct's");
	if (strcmp(by, "process") != 0)
		return bad(r, "by", "is not process");
	if (!json_is_object(filters) || json_object_size(filters))
		return bad(r, "filters", "there are some: the reading is incomplete");
	if (json_object_get(json, "summary"))
		return bad(r, "summary", "is of an interval's run, and no reading by itself");
	if (!json_is_array(json_object_get(json, "processes")))
		return bad(r, "processes", "is no array");
	return 0;
}

static int get_since(const struct place *r, const json_t *json, struct document *d)
{
	__u64 reset_at = 0;
	int err;

	err = get_time(r, json, "loaded_at", &d->account.loaded_at_ns);
	if (!err)
		err = get_time(r, json, "reset_at", &reset_at);
	if (err < 0)
		return err;
	d->since_ns = d->began_at_ns = reset_at ?: d->account.loaded_at_ns;
	/* Of an account that was itself restored. */
	if (json_object_get(json, "since"))
		err = get_time(r, json, "since", &d->since_ns);
	return err;
}

/* Those of a filter that we do not know make it partial, too. */
static int get_scope(const struct place *r, const json_t *json, struct document *d)
{
	json_t *all = json_object_get(json, "load_filters"), *list;
	const char *key;
	int err = 0;

	json_object_foreach (all, key, list) {
		if (!json_array_size(list))
			err = bad(r, "load_filters", "has no array of strings for a key");
		for (size_t i = 0; !err && i < json_array_size(list); i++) {
			const char *text = json_string_value(json_array_get(list, i));

			if (!text)
				err = bad(r, "load_filters", "has something that is no string");
			else
				d->scope += scope_item_sum(key, text);
		}
	}
	return err;
}

void document_free_rows(struct saved_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(rows[i].cgroup);
	free(rows);
}

void document_drop_rows(struct document *d)
{
	document_free_rows(d->rows, d->n);
	d->rows = NULL;
	d->n = 0;
}

static int get_reading(struct place *r, const json_t *json, struct document *d)
{
	int err;

	d->whole = json_object_get(json, "flows");
	err = check_kind(r, json);
	if (!err)
		err = get_boot_id(r, json, &d->account);
	if (!err)
		err = get_scope(r, json, d);
	if (!err)
		err = get_since(r, json, d);
	if (!err)
		err = get_number(r, json, "generation", INT64_MAX, &d->generation);
	if (!err)
		err = get_counters(r, json, "no_row", &d->no_row);
	if (!err)
		err = get_rows(r, json_object_get(json, "processes"), d);
	return err ?: check_totals(r, json, d);
}

static int get_mark(struct place *r, const json_t *json, struct document *d)
{
	const json_t *to = NULL;
	int err;

	d->is_mark = true;
	err = get_time(r, json, DOCUMENT_RESTORED_AT, &d->restored_at_ns);
	if (!err)
		err = get_object(r, json, DOCUMENT_RESTORED_TO, &to);
	if (err < 0)
		return err;
	r->part = DOCUMENT_RESTORED_TO;
	err = get_boot_id(r, to, &d->account);
	if (!err)
		err = get_number(r, to, "loaded_at_ns", INT64_MAX, &d->account.loaded_at_ns);
	r->part = NULL;
	return err;
}

static int get_document(struct place *r, const json_t *json, struct document *d)
{
	__u64 schema = 0;
	int err;

	if (!json_is_object(json) || !json_object_get(json, "schema"))
		return bad(r, NULL, "is no reading of netacct's");
	err = get_number(r, json, "schema", INT64_MAX, &schema);
	if (!err && schema != DOCUMENT_SCHEMA)
		err = bad(r, "schema", "is %" PRIu64 ", and this version reads %d",
			  (uint64_t)schema, DOCUMENT_SCHEMA);
	if (err < 0)
		return err;
	if (json_object_get(json, DOCUMENT_RESTORED_TO))
		return get_mark(r, json, d);
	return get_reading(r, json, d);
}

/* Whether there is something behind white space. */
static bool is_there(FILE *f)
{
	int c;

	do
		c = getc(f);
	while (c == ' ' || c == '\t' || c == '\n' || c == '\r');
	return ungetc(c, f) != EOF;
}

static int get_json(const struct place *r, FILE *f, json_t **json)
{
	json_error_t error;

	*json = json_loadf(f, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
	if (*json)
		return 0;
	if (json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	return bad(r, NULL, "line %d of it is no JSON: %s", error.line, error.text);
}

static int unreadable(const struct place *r)
{
	snprintf(r->what, SAVED_WHAT, "it cannot be read");
	return -EIO;
}

int document_read(struct document *d, FILE *f, struct place *where)
{
	json_t *json;
	int err;

	*d = (struct document){};
	if (!is_there(f))
		return ferror(f) ? unreadable(where) : 0;
	where->document++;
	err = get_json(where, f, &json);
	if (ferror(f))
		err = unreadable(where);
	if (!err)
		err = get_document(where, json, d);
	json_decref(json);
	if (err < 0)
		document_drop_rows(d);
	return err < 0 ? err : 1;
}
