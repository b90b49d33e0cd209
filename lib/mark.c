// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "clock.h"
#include "document.h"
#include "output.h"
#include "pins.h"
#include "text.h"

#define MARK_LEN 512 /* at most */

bool mark_is(const struct mark *a, const struct mark *b)
{
	return strcmp(a->boot_id, b->boot_id) == 0 && a->loaded_at_ns == b->loaded_at_ns;
}

static int print(FILE *out, const struct mark *m)
{
	char at[TEXT_TIME_LEN];
	json_t *json;
	int err = 0;

	json = json_pack("{si ss s{ss sI}}", "schema", DOCUMENT_SCHEMA, DOCUMENT_RESTORED_AT,
			 text_time(at, time(NULL) * NS_PER_S), DOCUMENT_RESTORED_TO, "boot_id",
			 m->boot_id, "loaded_at_ns", (json_int_t)m->loaded_at_ns);
	if (!json)
		return -ENOMEM;
	if (json_dumpf(json, out, JSON_COMPACT) < 0 || putc('\n', out) == EOF)
		err = -(errno ?: EIO);
	json_decref(json);
	return err;
}

/* *last is the last byte, or a line feed. */
static int copy(FILE *from, FILE *to, off_t size, int *last)
{
	char buf[BUFSIZ];
	size_t n;

	*last = '\n';
	for (; size > 0; size -= n) {
		n = fread(buf, 1, size < BUFSIZ ? size : BUFSIZ, from);
		if (!n)
			return -EIO;
		if (fwrite(buf, 1, n, to) != n)
			return -(errno ?: EIO);
		*last = (unsigned char)buf[n - 1];
	}
	return 0;
}

/* The first bytes of a file, and a mark if m is not NULL, in place of it. */
static int rewrite(const char *path, FILE *from, off_t size, const struct mark *m)
{
	struct output o;
	int last, err;

	err = output_open(&o, path);
	if (err < 0)
		return err;
	rewind(from);
	err = copy(from, o.file, size, &last);
	if (!err && m && last != '\n' && putc('\n', o.file) == EOF)
		err = -(errno ?: EIO);
	if (!err && m)
		err = print(o.file, m);
	if (!err)
		return output_commit(&o);
	output_abort(&o);
	return err;
}

static FILE *open_sized(const char *path, off_t *size)
{
	FILE *f = fopen(path, "re");

	*size = -1;
	if (f && fseeko(f, 0, SEEK_END) == 0)
		*size = ftello(f);
	if (f && *size < 0) {
		fclose(f);
		errno = EINVAL;
		f = NULL;
	}
	return f;
}

int mark_put(const char *path, const struct mark *m)
{
	off_t size;
	FILE *f = open_sized(path, &size);
	int err;

	if (!f)
		return fail(-errno);
	err = rewrite(path, f, size, m);
	fclose(f);
	return fail(err);
}

/* Whether the last line, that begins at start, is the mark. */
static bool is_there(FILE *f, off_t start, const struct mark *m)
{
	char what[SAVED_WHAT];
	struct place where = { .what = what };
	struct document d;
	bool is;

	if (fseeko(f, start, SEEK_SET) < 0 || document_read(&d, f, &where) <= 0)
		return false;
	is = d.is_mark && mark_is(&d.account, m);
	document_drop_rows(&d);
	return is;
}

static off_t last_line(FILE *f, off_t size)
{
	off_t start = size > MARK_LEN ? size - MARK_LEN : 0;
	char buf[MARK_LEN];
	const char *before;
	size_t n;

	if (fseeko(f, start, SEEK_SET) < 0)
		return -errno;
	n = fread(buf, 1, sizeof(buf), f);
	if (!n || buf[n - 1] != '\n')
		return -ENOENT;
	before = memrchr(buf, '\n', n - 1);
	if (!before && start)
		return -ENOENT;
	return before ? start + (before + 1 - buf) : 0;
}

int mark_take_away(const char *path, const struct mark *m)
{
	off_t size, start;
	FILE *f = open_sized(path, &size);
	int err;

	if (!f)
		return fail(-errno);
	start = last_line(f, size);
	if (start < 0)
		err = start;
	else if (!is_there(f, start, m))
		err = -ENOENT;
	else
		err = rewrite(path, f, start, NULL);
	fclose(f);
	return fail(err);
}
