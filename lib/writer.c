// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "writer.h"

static void put(struct writer *w, const char *s)
{
	fputs_unlocked(s, w->out);
}

static void put_quoted(struct writer *w, const char *s)
{
	putc_unlocked('"', w->out);
	put(w, s);
	putc_unlocked('"', w->out);
}

static void put_line(struct writer *w)
{
	if (w->pretty)
		fprintf(w->out, "\n%*s", 2 * w->depth, "");
}

static void put_key(struct writer *w, const char *key)
{
	if (w->later)
		putc_unlocked(',', w->out);
	w->later = true;
	if (w->depth)
		put_line(w);
	if (!key)
		return;
	put_quoted(w, key);
	put(w, w->pretty ? ": " : ":");
}

void write_open(struct writer *w, const char *key, char bracket)
{
	put_key(w, key);
	putc_unlocked(bracket, w->out);
	w->depth++;
	w->later = false;
}

void write_close(struct writer *w, char bracket)
{
	w->depth--;
	if (w->later)
		put_line(w);
	putc_unlocked(bracket, w->out);
	w->later = true;
}

void write_null(struct writer *w, const char *key)
{
	put_key(w, key);
	put(w, "null");
}

void write_bool(struct writer *w, const char *key, bool value)
{
	put_key(w, key);
	put(w, value ? "true" : "false");
}

void write_number(struct writer *w, const char *key, __s64 n)
{
	char buf[TEXT_NUMBER_LEN];

	put_key(w, key);
	put(w, text_number(buf, n));
}

void write_time(struct writer *w, const char *key, __u64 epoch_ns)
{
	char buf[TEXT_TIME_LEN];

	put_key(w, key);
	put_quoted(w, text_time(buf, epoch_ns));
}

void write_fields(struct writer *w, const struct counters *c)
{
	write_number(w, "tx_bytes", c->tx_bytes);
	write_number(w, "rx_bytes", c->rx_bytes);
	write_number(w, "tx_calls", c->tx_calls);
	write_number(w, "rx_calls", c->rx_calls);
}

void write_counters(struct writer *w, const char *key, const struct counters *c)
{
	write_open(w, key, '{');
	write_fields(w, c);
	write_close(w, '}');
}

json_t *writer_text(const char *s)
{
	char *clean = s ? text_utf8(s) : NULL;
	json_t *json = clean ? json_string(clean) : s ? NULL : json_null();

	free(clean);
	return json;
}

/* What JSON has as it is. */
static bool is_plain(const char *s)
{
	while (*s >= ' ' && *s <= '~' && *s != '"' && *s != '\\')
		s++;
	return !*s;
}

void write_string(struct writer *w, const char *key, const char *s)
{
	if (!s || !is_plain(s))
		return write_json(w, key, writer_text(s));
	put_key(w, key);
	put_quoted(w, s);
}

void write_json(struct writer *w, const char *key, json_t *json)
{
	size_t flags = JSON_ENCODE_ANY | (w->pretty ? JSON_INDENT(2) : JSON_COMPACT);
	char *text = json ? json_dumps(json, flags) : NULL, *rest = text;

	json_decref(json);
	put_key(w, key);
	if (!text)
		w->error = w->error ?: -ENOMEM;
	else
		put(w, strsep(&rest, "\n"));
	/* In strings line feeds are escaped: these are between values. */
	while (rest) {
		put_line(w);
		put(w, strsep(&rest, "\n"));
	}
	free(text);
}

void write_members(struct writer *w, const char *text)
{
	put(w, text);
	w->later = true;
}

void write_end(struct writer *w)
{
	putc_unlocked('\n', w->out);
	w->later = false;
}

int writer_error(struct writer *w)
{
	if (!w->error && ferror_unlocked(w->out))
		w->error = -(errno ?: EIO);
	return w->error;
}
