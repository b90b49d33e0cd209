/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal as a screen of cells, and its keys, by ncurses. What is put on
 * it is shown all at once. Errors as in account.h.
 *
 * However the program ends, the terminal is put back: by screen_close(), at
 * exit, or by the handler of a signal that is the program's end.
 */
#ifndef NETACCT_SCREEN_H
#define NETACCT_SCREEN_H

#include <stdbool.h>
#include <wchar.h>

enum screen_style {
	STYLE_PLAIN,
	STYLE_TITLE,
	STYLE_HEAD,
	STYLE_SORTED, /* the head of the column that rows are sorted by */
	STYLE_CURSOR,
	STYLE_FAINT,
	STYLE_ALERT,
};

/* Keys; those of characters are themselves. */
enum screen_key {
	SCREEN_NONE = -1, /* the time is over */
	SCREEN_END = -2,  /* SIGINT, SIGTERM, SIGHUP, or the terminal is gone */
	SCREEN_UP = 0x110000,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_LAST,
	SCREEN_ENTER,
	SCREEN_BACK, /* backspace */
	SCREEN_ESCAPE,
	SCREEN_RESIZE, /* or what else asks for all of it to be drawn */
	SCREEN_OTHER,
};

/*
 * -ENOTTY: stdin or stdout is no terminal; -ENODEV: $TERM names none that is
 * known and has a cursor to move. setlocale() comes before.
 */
int screen_open(void);
void screen_close(void);

int screen_lines(void);
int screen_columns(void);

/* Everything is blank until it is put, and seen when it is shown. */
void screen_clear(void);
void screen_show(void);

/*
 * Text in so many columns, blanks around it; cut off, it ends in '+'. What
 * would reach the terminal as a control sequence, or is not of the locale's
 * character set, is escaped as \x1b. Outside of the screen nothing is put.
 */
void screen_put(int line, int column, int width, enum screen_style style, bool right,
		const char *text);

/* The columns that it takes as screen_put() writes it. */
int screen_width(const char *text);

/* The next key, waited for until a time of CLOCK_MONOTONIC, in nanoseconds. */
int screen_key(unsigned long long until_ns);

#endif
