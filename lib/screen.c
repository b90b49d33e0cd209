// SPDX-License-Identifier: GPL-2.0-only
#define NCURSES_WIDECHAR 1

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wctype.h>

#include <curses.h>
#include <term.h>

#include "clock.h"
#include "pins.h"
#include "screen.h"

#define ESCAPE	  27
#define REDRAW	  ('L' & 31)
#define CELLS_MAX 512

static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGQUIT };

static SCREEN *screen;
static bool opened;
static bool colours;
static sigset_t outside; /* the signals that are blocked but while it waits for a key */
static volatile sig_atomic_t ended, continued;

/* What the handler of a crash puts back: it can call nothing of ncurses. */
static struct termios modes;
static char leave[256];
static size_t leave_length;

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

static void on_continue(int signal)
{
	(void)signal;
	continued = 1;
}

/* The signal's default action was set as this began, and follows once it is sent again. */
static void on_crash(int signal)
{
	if (opened) {
		(void)!write(STDOUT_FILENO, leave, leave_length);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &modes);
	}
	(void)raise(signal);
}

static void handle(const int *signals, size_t n, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < n; i++) {
		struct sigaction was;

		/* Who started this may want it ignored, as nohup does. */
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

/* Signals come only while it waits for a key, when ncurses is not at work. */
static void block_signals(void)
{
	sigset_t inside;

	sigemptyset(&inside);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaddset(&inside, ends[i]);
	sigaddset(&inside, SIGWINCH);
	sigaddset(&inside, SIGTSTP);
	sigaddset(&inside, SIGCONT);
	sigprocmask(SIG_BLOCK, &inside, &outside);
}

static void handle_signals(void)
{
	static char stack[16384];
	const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	static const int cont = SIGCONT;

	/* A stack that is full is a crash, too. */
	sigaltstack(&own, NULL);
	handle(ends, sizeof(ends) / sizeof(*ends), on_end, 0);
	handle(crashes, sizeof(crashes) / sizeof(*crashes), on_crash,
	       SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
	handle(&cont, 1, on_continue, 0);
	block_signals();
}

static int note(int c)
{
	if (leave_length < sizeof(leave))
		leave[leave_length++] = (char)c;
	return c;
}

/* -1 as a pointer: it is no string. */
static const char *capability(const char *name)
{
	const char *s = tigetstr(name);

	return (intptr_t)s == -1 ? NULL : s;
}

static void note_leave(void)
{
	static const char *const names[] = { "sgr0", "op", "cnorm", "rmkx", "rmcup" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *s = capability(names[i]);

		if (s)
			tputs(s, 1, note);
	}
}

static void choose_colours(void)
{
	const char *no = getenv("NO_COLOR");

	colours = !(no && *no) && has_colors() && start_color() == OK;
	if (!colours)
		return;
	use_default_colors();
	init_pair(STYLE_TITLE, COLOR_CYAN, -1);
	init_pair(STYLE_HEAD, COLOR_BLACK, COLOR_GREEN);
	init_pair(STYLE_SORTED, COLOR_BLACK, COLOR_CYAN);
	init_pair(STYLE_CURSOR, COLOR_BLACK, COLOR_CYAN);
	init_pair(STYLE_ALERT, COLOR_RED, -1);
}

static int style(enum screen_style s)
{
	static const attr_t plain[] = {
		[STYLE_PLAIN] = A_NORMAL,   [STYLE_TITLE] = A_BOLD,
		[STYLE_HEAD] = A_REVERSE,   [STYLE_SORTED] = A_REVERSE | A_BOLD | A_UNDERLINE,
		[STYLE_CURSOR] = A_REVERSE, [STYLE_FAINT] = A_DIM,
		[STYLE_ALERT] = A_BOLD,
	};

	if (!colours || s == STYLE_PLAIN || s == STYLE_FAINT)
		return plain[s];
	return COLOR_PAIR(s) | (s == STYLE_TITLE || s == STYLE_ALERT ? A_BOLD : 0);
}

static int open_terminal(void)
{
	int known;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &modes) < 0)
		return -ENOTTY;
	if (setupterm(NULL, STDOUT_FILENO, &known) == ERR)
		return -ENODEV;
	if (!capability("cup"))
		return -ENODEV;
	note_leave();
	del_curterm(cur_term);
	screen = newterm(NULL, stdout, stdin);
	return screen ? 0 : -ENODEV;
}

int screen_open(void)
{
	int err;

	handle_signals();
	opened = true;
	err = open_terminal();
	if (err < 0) {
		opened = false;
		return fail(err);
	}
	atexit(screen_close);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	choose_colours();
	return 0;
}

void screen_close(void)
{
	if (!opened)
		return;
	opened = false;
	endwin();
	delscreen(screen);
	sigprocmask(SIG_SETMASK, &outside, NULL);
}

int screen_lines(void)
{
	return LINES;
}

int screen_columns(void)
{
	return COLS;
}

void screen_clear(void)
{
	erase();
}

void screen_show(void)
{
	refresh();
}

/* A character as it is shown: itself or the escaped bytes, none of more than two columns. */
struct shown {
	wchar_t text[4 * MB_LEN_MAX + 1];
	int length;
	int width;
};

static size_t next(const char *s, size_t left, struct shown *shown)
{
	mbstate_t state = {};
	wchar_t c = 0;
	size_t n = mbrtowc(&c, s, left, &state);

	shown->length = shown->width = 0;
	if (n <= MB_LEN_MAX && iswprint((wint_t)c) && wcwidth(c) > 0) {
		shown->text[shown->length++] = c;
		shown->width = wcwidth(c);
		return n;
	}
	/* What has no width would join, or turn round, what stands beside it. */
	n = n <= MB_LEN_MAX && n ? n : 1;
	for (size_t i = 0; i < n; i++) {
		swprintf(shown->text + shown->length, 5, L"\\x%02x", (unsigned char)s[i]);
		shown->length += 4;
	}
	shown->width = shown->length;
	return n;
}

int screen_width(const char *text)
{
	size_t left = strlen(text), n;
	struct shown shown;
	int width = 0;

	for (; left; text += n, left -= n) {
		n = next(text, left, &shown);
		width += shown.width;
	}
	return width;
}

/* As much of it as there is room for; room is at least 1, and cells has CELLS_MAX. */
static int convert(wchar_t *cells, const char *text, int room)
{
	bool cut = screen_width(text) > room;
	size_t left = strlen(text), n;
	struct shown shown;
	int length = 0, width = 0;

	for (; left; text += n, left -= n) {
		n = next(text, left, &shown);
		if (width + shown.width > room - cut)
			break;
		wmemcpy(cells + length, shown.text, (size_t)shown.length);
		length += shown.length;
		width += shown.width;
	}
	if (cut)
		cells[length++] = L'+';
	return length;
}

void screen_put(int line, int column, int width, enum screen_style s, bool right, const char *text)
{
	wchar_t cells[CELLS_MAX];
	int length, used;

	if (width > COLS - column)
		width = COLS - column;
	if (line < 0 || line >= LINES || column < 0 || width <= 0)
		return;
	if (width >= CELLS_MAX)
		width = CELLS_MAX - 1;
	attrset(style(s));
	mvhline(line, column, ' ' | (chtype)style(s), width);
	used = screen_width(text);
	length = convert(cells, text, width);
	mvaddnwstr(line, column + (right && used < width ? width - used : 0), cells, length);
	attrset(A_NORMAL);
}

static int translate(int status, wint_t c)
{
	static const struct {
		wint_t code;
		int key;
	} codes[] = {
		{ KEY_UP, SCREEN_UP },	       { KEY_DOWN, SCREEN_DOWN },
		{ KEY_LEFT, SCREEN_LEFT },     { KEY_RIGHT, SCREEN_RIGHT },
		{ KEY_PPAGE, SCREEN_PAGE_UP }, { KEY_NPAGE, SCREEN_PAGE_DOWN },
		{ KEY_HOME, SCREEN_HOME },     { KEY_END, SCREEN_LAST },
		{ KEY_ENTER, SCREEN_ENTER },   { KEY_BACKSPACE, SCREEN_BACK },
		{ KEY_RESIZE, SCREEN_RESIZE },
	};

	if (status == KEY_CODE_YES) {
		for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
			if (codes[i].code == c)
				return codes[i].key;
		return SCREEN_OTHER;
	}
	switch (c) {
	case '\r':
	case '\n':
		return SCREEN_ENTER;
	case '\b':
	case 127:
		return SCREEN_BACK;
	case ESCAPE:
		return SCREEN_ESCAPE;
	case REDRAW:
		clearok(curscr, TRUE);
		return SCREEN_RESIZE;
	default:
		return (int)c;
	}
}

/* After SIGSTOP, which cannot be prepared for. */
static int come_back(void)
{
	continued = 0;
	endwin();
	clearok(curscr, TRUE);
	refresh();
	return SCREEN_RESIZE;
}

/* SCREEN_NONE: there may be a key. */
static int wait_until(unsigned long long until_ns)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned long long now = clock_ns(CLOCK_MONOTONIC);
	struct timespec left = {};
	int ready;

	if (until_ns > now) {
		left.tv_sec = (time_t)((until_ns - now) / NS_PER_S);
		left.tv_nsec = (long)((until_ns - now) % NS_PER_S);
	}
	ready = ppoll(&in, 1, &left, &outside);
	if (ended || (ready > 0 && in.revents & ~POLLIN))
		return SCREEN_END;
	return continued ? come_back() : SCREEN_NONE;
}

int screen_key(unsigned long long until_ns)
{
	bool waited = false;
	int status, key;
	wint_t c;

	for (;;) {
		status = get_wch(&c);
		if (status != ERR)
			return translate(status, c);
		if (waited && clock_ns(CLOCK_MONOTONIC) >= until_ns)
			return SCREEN_NONE;
		key = wait_until(until_ns);
		if (key != SCREEN_NONE)
			return key;
		waited = true;
	}
}
