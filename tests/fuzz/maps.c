// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: hostile rows in the maps, through readings, reports, tables and
 * JSON. What is below stands in for lib/rows.c, where rows come in: they come
 * from the input. An input is a struct setup, and then records of rows:
 * a byte says whose (RECORD_*), one how long it is, and then come key and value,
 * cut off or repeated to the length of the map's.
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <mntent.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include <jansson.h>

#include "columns.h"
#include "counters.h"
#include "damage.h"
#include "fuzz.h"
#include "json.h"
#include "saved.h"
#include "status.h"
#include "table.h"

enum { META, STATE, FOLDED, CGROUPS, GENERATION, PROCESSES, FLOWS, FINISHED, TOTALS, TABLES };

static const char *const tables[TABLES] = {
	[META] = PIN_META,	 [STATE] = PIN_STATE,		[FOLDED] = PIN_FOLDED,
	[CGROUPS] = PIN_CGROUPS, [GENERATION] = PIN_GENERATION, [PROCESSES] = PIN_PROCESSES,
	[FLOWS] = PIN_FLOWS,	 [FINISHED] = PIN_FINISHED,	[TOTALS] = PIN_TOTALS,
};

#define RECORD_TABLE  0x0f
#define RECORD_OTHER  0x10 /* of a generation with an odd number */
#define RECORD_REPEAT 0x20
#define RECORD_FIRST  0x40 /* of the first reading only */
#define RECORD_SECOND 0x80 /* of the second */
#define RECORDS	      128

struct record {
	uint8_t about;
	size_t length;
	const uint8_t *bytes;
};

struct setup {
	uint8_t sort;
	uint8_t rows;
	uint8_t view; /* VIEW_* */
	uint8_t filter;
	uint8_t fails_at; /* the walk through a map that fails */
	uint8_t error;
	uint8_t how; /* HOW_* */
	uint8_t column;
};

enum {
	VIEW_BYTES = 1,
	VIEW_NO_HEADER = 2,
	VIEW_NUMERIC = 4,
	VIEW_ALL = 8,
	VIEW_PRETTY = 16,
	VIEW_SORTED = 32,
	VIEW_ROWS = 64,
	VIEW_COLUMN = 128,
};
enum {
	HOW_STRANGE = 1,
	HOW_TWICE = 2,
	HOW_RESET = 4,
	HOW_MISSED = 8,
	HOW_STATUS = 16,
	HOW_TABLE = 32,
	HOW_JSON = 64,
	HOW_LINES = 128,
};

static struct setup setup;
static struct record records[RECORDS];
static size_t n_records;
static bool second;
static unsigned int walks;
static unsigned int states;
static unsigned int naps;

/* Table and generation in place of a descriptor. */
static int table_of(const char *dir, const struct pin_shape *shape)
{
	int table = 0;

	while (table < TABLES && strcmp(tables[table], shape->name) != 0)
		table++;
	MUST(table < TABLES);
	if (table >= GENERATION && (dir[strlen(dir) - 1] - '0') % 2)
		table |= RECORD_OTHER;
	return table;
}

int rows_open(struct rows *r, const char *dir, const struct pin_shape *shape, bool batch)
{
	*r = (struct rows){ .shape = shape, .fd = table_of(dir, shape), .batch = batch };
	return 0;
}

/* Nobody tells of the connections that live. */
int rows_open_file(struct rows *r, const char *dir, const struct pin_shape *shape)
{
	(void)dir;
	*r = (struct rows){ .shape = shape, .fd = -1 };
	return fail(-ENOENT);
}

void rows_close(struct rows *r)
{
	r->fd = -1;
}

static bool is_of(const struct record *record, int table)
{
	uint8_t now = second ? RECORD_SECOND : RECORD_FIRST, when = record->about & 0xc0;

	return (record->about & (RECORD_TABLE | RECORD_OTHER)) == table && (!when || when & now);
}

static void fill(uint8_t *row, size_t size, const struct record *record)
{
	size_t n = record->length < size ? record->length : size, more;

	memset(row, 0, size);
	if (n)
		memcpy(row, record->bytes, n);
	for (; n && n < size && record->about & RECORD_REPEAT; n += more) {
		more = n < size - n ? n : size - n;
		memcpy(row + n, row, more);
	}
}

/* Nothing is before or behind it, and it is not aligned. */
static int hand_out(const struct rows *r, const struct record *record,
		    int (*each)(void *arg, const void *key, const void *value), void *arg)
{
	size_t size = r->shape->key_size + r->shape->value_size;
	uint8_t *room = malloc(size + 1);
	int error;

	MUST(room);
	fill(room + 1, size, record);
	error = each(arg, room + 1, room + 1 + r->shape->key_size);
	free(room);
	return error;
}

static bool fails(void)
{
	return setup.fails_at && walks++ == setup.fails_at;
}

static int error_of_walk(void)
{
	static const int errors[] = { -EIO, -ENOMEM, -EPROTO, -ENOENT, -EPERM };

	return fail(errors[setup.error % 5]);
}

int rows_each(const struct rows *r, int (*each)(void *arg, const void *key, const void *value),
	      void *arg)
{
	int error = 0;

	MUST(r->fd >= 0);
	if (fails())
		return error_of_walk();
	for (size_t i = 0; !error && i < n_records; i++)
		if (is_of(&records[i], r->fd))
			error = hand_out(r, &records[i], each, arg);
	return fail(error);
}

/* Of several states one after the other is the newest. */
int rows_value(const struct rows *r, void *value)
{
	const struct record none = {}, *found = &none;
	uint8_t row[1024];
	unsigned int n = 0;

	MUST(r->fd >= 0 && r->shape->key_size + r->shape->value_size <= sizeof(row));
	if (fails())
		return error_of_walk();
	for (size_t i = 0; i < n_records; i++)
		n += is_of(&records[i], r->fd);
	n = n ? (r->fd == STATE ? states++ : 0) % n + 1 : 0;
	for (size_t i = 0; n && i < n_records; i++) {
		if (!is_of(&records[i], r->fd))
			continue;
		found = &records[i];
		n--;
	}
	fill(row, r->shape->key_size + r->shape->value_size, found);
	memcpy(value, row + r->shape->key_size, r->shape->value_size);
	if (r->fd == META && !(setup.how & HOW_STRANGE)) {
		((struct meta *)value)->schema = NETACCT_SCHEMA;
		((struct meta *)value)->filters = 0;
	}
	/* What is under way comes to an end. */
	if (r->fd == STATE && naps > 3)
		((struct state *)value)->folds_done = ((struct state *)value)->folds_begun;
	return 0;
}

int rows_run(int fd)
{
	(void)fd;
	return fail(-EPERM);
}

int rows_run_pin(const char *dir, const char *name)
{
	(void)dir;
	(void)name;
	return fails() ? error_of_walk() : 0;
}

int rows_pin(int prog_fd, int map_fd, const char *path)
{
	(void)prog_fd;
	(void)map_fd;
	(void)path;
	return fail(-EPERM);
}

/* What else is looked at, by --wrap: the machine has no part in a finding. */
int __wrap_account_missed(const struct account *a, __u64 *missed);
int __wrap_account_hooks(const struct account *a,
			 int (*each)(void *arg, const char *name, const struct hook_stats *stats),
			 void *arg);
int __wrap_damage_find(const char *pin_dir, char gone[DAMAGE_LEN]);
FILE *__wrap_setmntent(const char *file, const char *mode);
int __wrap_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **found);
int __wrap_nanosleep(const struct timespec *t, struct timespec *rest);

int __wrap_account_missed(const struct account *a, __u64 *missed)
{
	(void)a;
	*missed = setup.how & HOW_MISSED ? ~0ULL : 0;
	return fail(setup.how & HOW_MISSED && setup.error & 1 ? -EPERM : 0);
}

int __wrap_account_hooks(const struct account *a,
			 int (*each)(void *arg, const char *name, const struct hook_stats *stats),
			 void *arg)
{
	const struct hook_stats stats = { setup.error, ~0ULL, ~0ULL };
	int error = 0;

	(void)a;
	for (int i = 0; !error && i < setup.fails_at; i++)
		error = each(arg, i % 2 ? "hook" : "other", &stats);
	return fail(error);
}

/* There are no pins to be looked at. */
int __wrap_damage_find(const char *pin_dir, char gone[DAMAGE_LEN])
{
	(void)pin_dir;
	gone[0] = '\0';
	return 0;
}

FILE *__wrap_setmntent(const char *file, const char *mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

/* Half of all users have no name, and one is as bad as a name may be. */
int __wrap_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **found)
{
	*found = NULL;
	if (uid % 2)
		return 0;
	if (size < 2048)
		return ERANGE;
	snprintf(buf, size, "%s", uid == 2 ? "\xff\x1b[31m\n%s" : "user");
	pw->pw_name = buf;
	*found = pw;
	return 0;
}

int __wrap_nanosleep(const struct timespec *t, struct timespec *rest)
{
	(void)t;
	(void)rest;
	naps++;
	return 0;
}

void __wrap_exit(int status) __attribute__((noreturn));
void __real_exit(int status) __attribute__((noreturn));
int status_main(int argc, char **argv);

static sigjmp_buf end;
static bool inside;

void __wrap_exit(int status)
{
	if (inside)
		siglongjmp(end, status + 1);
	__real_exit(status);
}

/* One reading, and what the next one needs of it. */
struct taken {
	struct reading reading;
	struct past_flows flows;
};

static void check_json(const char *text, size_t length, bool lines)
{
	size_t flags = JSON_REJECT_DUPLICATES | (lines ? JSON_DISABLE_EOF_CHECK : 0);
	json_error_t error;
	json_t *json;

	while (length) {
		json = json_loadb(text, length, flags, &error);
		MUST(json_is_object(json));
		MUST(json_is_object(json_object_get(json, "totals")));
		json_decref(json);
		if (!lines)
			return;
		text += error.position;
		length -= error.position;
		MUST(*text == '\n');
		text++;
		length--;
	}
	MUST(lines);
}

/* Nothing in it moves a terminal's cursor or colours it. */
static void check_table(const char *text, size_t length)
{
	mbstate_t state = {};
	wchar_t c;
	size_t n;

	for (; length; text += n, length -= n) {
		n = mbrtowc(&c, text, length, &state);
		MUST(n && n <= length);
		MUST(c == '\n' || iswprint(c));
	}
}

enum format { TABLE, JSON, LINES };

static void print(struct report *r, enum format format)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	int error;

	MUST(out);
	if (format == TABLE)
		error = table_print(out, r);
	else
		error = format == JSON ? json_document(out, r) : json_lines(out, r);
	fclose(out);
	if (!error && format == TABLE)
		check_table(text, length);
	else if (!error)
		check_json(text, length, format == LINES);
	free(text);
	if (error)
		MUST(setup.fails_at);
}

static void set_view(struct view *v, enum grouping by)
{
	*v = (struct view){
		.by = by,
		.rows = setup.view & VIEW_ROWS ? setup.rows : DEFAULT_ROWS,
		.sorted = setup.view & VIEW_SORTED,
		.all = setup.view & VIEW_ALL,
		.pretty = setup.view & VIEW_PRETTY,
		.bytes = setup.view & VIEW_BYTES,
		.no_header = setup.view & VIEW_NO_HEADER,
		.numeric = setup.view & VIEW_NUMERIC,
		.sort = setup.view & VIEW_SORTED ? column_of(by, setup.sort % COLUMNS) : NULL,
	};
	if (setup.view & VIEW_COLUMN && column_of(by, setup.column % COLUMNS))
		v->columns[v->n_columns++] = column_of(by, setup.column % COLUMNS);
}

static void set_filter(struct filter *f)
{
	const char *bad;

	if (setup.filter & 1)
		MUST(filter_add(f, FILTER_PID, "1,!2,0", &bad) == 0);
	if (setup.filter & 2)
		MUST(filter_add(f, FILTER_COMM, "a*,!?b,[", &bad) == 0);
	if (setup.filter & 4)
		MUST(filter_add(f, FILTER_USER, "!0", &bad) == 0);
	f->no_loopback = setup.filter & 8;
	f->live = (setup.filter & 48) == 16;
	f->exited = (setup.filter & 48) == 32;
	f->protocols = setup.filter & 64 ? FILTER_TCP : 0;
	f->ipv4 = setup.filter & 128;
	if ((setup.filter & 192) == 192)
		MUST(filter_add(f, FILTER_REMOTE, "!10.0.0.0/8,::/1", &bad) == 0);
}

/* As netacct-show does it. */
static int show(struct taken *now, struct taken *before, bool summary)
{
	struct change change = {};
	struct view view;
	struct names names;
	int error = 0;

	names_init(&names, now->reading.account);
	if (before)
		error = change_init(&change, &before->reading, &before->flows, &now->reading,
				    setup.rows / 16.0);
	if (!error && summary)
		change_subtract(&change, &now->reading);
	for (int by = 0; !error && by < GROUPINGS; by++) {
		struct report r = { .view = &view, .reading = &now->reading, .names = &names };

		r.change = before ? &change : NULL;
		r.summary = summary;
		set_view(&view, by);
		set_filter(&view.filter);
		if (by == BY_FLOW && !summary)
			r.flows = &now->flows;
		error = report_init(&r);
		for (int format = TABLE; !error && format <= LINES; format++) {
			if (!(setup.how & HOW_TABLE << format))
				continue;
			print(&r, format);
			r.flows = NULL;
			/* Groups are made anew for each walk. */
			report_free(&r);
		}
		report_free(&r);
		filter_free(&view.filter);
	}
	past_flows_sort(&now->flows);
	change_free(&change);
	names_free(&names);
	return error;
}

static void tidy_counters(struct counters *c)
{
	c->tx_bytes = (__u32)c->tx_bytes;
	c->rx_bytes = (__u32)c->rx_bytes;
	c->tx_calls = (__u32)c->tx_calls;
	c->rx_calls = (__u32)c->rx_calls;
}

static void tidy_traffic(struct traffic *t, struct totals *totals)
{
	struct counters *parts = (struct counters *)t, total, loopback, more;

	for (int i = 0; i < TRAFFIC_PARTS; i++)
		tidy_counters(&parts[i]);
	tidy_counters(&t->loopback);
	total = traffic_total(t);
	loopback = traffic_loopback(t);
	more = counters_less(&loopback, &total);
	t->loopback = counters_less(&t->loopback, &more);
	counters_add(&totals->total, &total);
	counters_add(&totals->packet, &t->protocols.packet);
}

static void tidy_times(__u64 offset, __u64 *first, __u64 *last)
{
	__u64 swap = *first;

	if (*first + offset > *last + offset) {
		*first = *last;
		*last = swap;
	}
}

/* A reading as it would be of an account that nobody has tampered with. */
static void tidy(struct reading *r, struct account *a)
{
	__u64 offset = a->meta.clock_offset_ns;

	snprintf(a->meta.boot_id, sizeof(a->meta.boot_id), "%s", "boot");
	r->generation = (__u32)r->generation;
	tidy_counters(&r->totals.no_row);
	r->totals.total = r->totals.no_row;
	r->totals.packet = (struct counters){};
	for (size_t i = 0; i < r->n_processes; i++) {
		struct process *p = &r->processes[i].p;

		p->cgroup_id &= INT64_MAX;
		tidy_times(offset, &p->first_seen_ns, &p->last_seen_ns);
		tidy_traffic(&p->traffic, &r->totals);
	}
	for (size_t i = 0; i < r->n_finished; i++) {
		struct finished *f = &r->finished[i].f;

		r->finished[i].key.cgroup_id &= INT64_MAX;
		f->processes = (__u32)f->processes;
		tidy_times(offset, &f->first_seen_ns, &f->last_seen_ns);
		tidy_traffic(&f->traffic, &r->totals);
	}
}

static bool same(const struct counters *a, const struct counters *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What a reset writes is read back, if the account is in order. */
static void round_trip(struct reading *r, bool in_order)
{
	char *text = NULL, what[SAVED_WHAT];
	size_t length;
	FILE *f = open_memstream(&text, &length);
	struct saved s;
	int error;

	MUST(f);
	error = json_whole(f, r);
	fclose(f);
	if (!error) {
		check_json(text, length, false);
		f = fmemopen(text, length, "r");
		error = saved_read(&s, f, what);
		fclose(f);
		if (error && in_order)
			fprintf(stderr, "refused: %s\n", what);
		MUST(!error || !in_order);
		if (!error && in_order) {
			MUST(same(&s.total, &r->totals.total));
			MUST(same(&s.no_row, &r->totals.no_row));
			MUST(same(&s.packet, &r->totals.packet));
		}
		saved_free(&s);
	}
	free(text);
}

static void take_tables(struct account *a)
{
	struct state state = {};
	struct reading r;
	struct tables t;

	if (account_state(a, &state) < 0 || generation_open(&t, a, state.generation) < 0 ||
	    reading_take_tables(&r, a, &t) < 0)
		return;
	round_trip(&r, false);
	tidy(&r, a);
	round_trip(&r, true);
	reading_free(&r);
}

/* The command itself, whose printing is in no library. */
static void take_status(void)
{
	char *argv[] = { "netacct-status", setup.view & VIEW_PRETTY ? "-v" : "-j", NULL };
	FILE *real_stdout = stdout, *real_stderr = stderr;
	char *text = NULL;
	size_t length;
	int status;

	stdout = open_memstream(&text, &length);
	stderr = fopen("/dev/null", "we");
	MUST(stdout && stderr);
	optind = 0;
	inside = true;
	status = sigsetjmp(end, 1);
	if (!status)
		status = status_main(2, argv) + 1;
	inside = false;
	fclose(stdout);
	fclose(stderr);
	stdout = real_stdout;
	stderr = real_stderr;
	if (status == 1 && setup.view & VIEW_PRETTY)
		check_table(text, length);
	else if (status == 1)
		check_json(text, length, true);
	else
		MUST(setup.fails_at || setup.how & HOW_STRANGE);
	free(text);
}

static void take_readings(const struct account *a)
{
	struct taken first = {}, next = {};
	int error;

	second = false;
	error = reading_take(&first.reading, a);
	if (error)
		return;
	error = show(&first, NULL, false);
	second = true;
	if (!error && setup.how & HOW_TWICE && reading_take(&next.reading, a) == 0) {
		error = show(&next, &first, false);
		if (!error)
			show(&next, &first, true);
		reading_free(&next.reading);
	}
	past_flows_free(&next.flows);
	past_flows_free(&first.flows);
	reading_free(&first.reading);
}

static void read_records(const uint8_t *data, size_t size)
{
	for (n_records = 0; size >= 2 && n_records < RECORDS; n_records++) {
		struct record *r = &records[n_records];

		/* A byte is enough for all lengths: long ones are few. */
		r->about = data[0];
		r->length = data[1] < 240 ? data[1] : 240 + (data[1] - 240) * 20;
		data += 2;
		size -= 2;
		r->bytes = data;
		if (r->length > size)
			r->length = size;
		data += r->length;
		size -= r->length;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	MUST(setlocale(LC_CTYPE, "C.UTF-8"));
	setenv("NETACCT_PIN_DIR", "/", 1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct account a;

	if (size < sizeof(setup))
		return 0;
	memcpy(&setup, data, sizeof(setup));
	read_records(data + sizeof(setup), size - sizeof(setup));
	second = false;
	walks = states = naps = 0;
	if (account_open(&a, "/", false) < 0)
		return 0;
	if (setup.how & HOW_STATUS)
		take_status();
	else if (setup.how & HOW_RESET)
		take_tables(&a);
	else
		take_readings(&a);
	account_close(&a);
	return 0;
}
