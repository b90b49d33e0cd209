// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "text.h"

static char *put_digits(char *to, __u64 n)
{
	char digits[20], *first = digits + sizeof(digits);

	do
		*--first = '0' + n % 10;
	while (n /= 10);
	return mempcpy(to, first, digits + sizeof(digits) - first);
}

/* Two digits, and what stands behind them. */
static char *put_two(char *to, int n, char behind)
{
	*to++ = '0' + n / 10 % 10;
	*to++ = '0' + n % 10;
	*to++ = behind;
	return to;
}

/* By hand, as there are two in every row: strftime() takes longer than all else. */
char *text_time(char buf[TEXT_TIME_LEN], __u64 epoch_ns)
{
	time_t seconds = epoch_ns / NS_PER_S;
	struct tm tm;
	char *to = buf;

	if (gmtime_r(&seconds, &tm)) {
		to = put_digits(to, 1900 + tm.tm_year);
		*to++ = '-';
		to = put_two(to, 1 + tm.tm_mon, '-');
		to = put_two(to, tm.tm_mday, 'T');
		to = put_two(to, tm.tm_hour, ':');
		to = put_two(to, tm.tm_min, ':');
		to = put_two(to, tm.tm_sec, 'Z');
	}
	*to = '\0';
	return buf;
}

char *text_number(char buf[TEXT_NUMBER_LEN], __s64 n)
{
	char *to = buf;

	if (n < 0)
		*to++ = '-';
	*put_digits(to, n < 0 ? -(__u64)n : (__u64)n) = '\0';
	return buf;
}

char *text_age(char buf[TEXT_TIME_LEN], __u64 ns)
{
	uint64_t s = ns / NS_PER_S;

	if (s >= 86400)
		snprintf(buf, TEXT_TIME_LEN, "%" PRIu64 "d %" PRIu64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buf, TEXT_TIME_LEN, "%" PRIu64 "h %" PRIu64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buf, TEXT_TIME_LEN, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(buf, TEXT_TIME_LEN, "%" PRIu64 "s", s);
	return buf;
}

char *text_size(char buf[TEXT_SIZE_LEN], __u64 bytes)
{
	static const char units[] = "BKMGTPE";
	uint64_t whole = bytes, rest, tenths;
	int unit = 0;

	for (; whole >= 1024; whole /= 1024)
		unit++;
	rest = bytes - (whole << 10 * unit);
	/* Of exabytes, ten bits have to go to make room for the factor. */
	rest = unit < 6 ? rest * 1000 >> 10 * unit : (rest >> 10) * 1000 >> 50;
	tenths = (rest + 50) / 100;
	if (tenths == 10) {
		tenths = 0;
		whole++;
	}
	if (tenths)
		snprintf(buf, TEXT_SIZE_LEN, "%" PRIu64 ".%" PRIu64 "%c", whole, tenths,
			 units[unit]);
	else
		snprintf(buf, TEXT_SIZE_LEN, "%" PRIu64 "%c", whole, units[unit]);
	return buf;
}

char *text_address(char buf[TEXT_ADDRESS_LEN], const __u8 address[16], __u16 family)
{
	char *to = buf;

	if (family != AF_INET) {
		buf[0] = '\0';
		inet_ntop(AF_INET6, address, buf, TEXT_ADDRESS_LEN);
		return buf;
	}
	/* IPv4 stands in the last four bytes. */
	for (int i = 12; i < 16; i++) {
		to = put_digits(to, address[i]);
		*to++ = i < 15 ? '.' : '\0';
	}
	return buf;
}

/* The length of the UTF-8 character that s begins with; 0 if it is none. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	static const __u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	__u32 c = s[0];
	size_t n;

	if (c < 0x80)
		return 1;
	n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc0 || c >= 0xf8 || n > len)
		return 0;
	c &= 0x7f >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

char *text_utf8(const char *s)
{
	static const char unknown[] = "\xef\xbf\xbd";
	size_t len = strlen(s);
	char *out, *to;

	out = to = malloc(len * (sizeof(unknown) - 1) + 1);
	if (!out)
		return NULL;
	while (len) {
		size_t n = utf8_length((const unsigned char *)s, len), used = n ?: 1;

		to = mempcpy(to, n ? s : unknown, n ?: sizeof(unknown) - 1);
		s += used;
		len -= used;
	}
	*to = '\0';
	return out;
}

static char *without_control(const char *s, unsigned char kept)
{
	char *plain = text_utf8(s), *to = plain;

	for (const unsigned char *c = (unsigned char *)plain; c && *c; c++) {
		/* Those of the upper half take two bytes. */
		bool upper = *c == 0xc2 && c[1] < 0xa0;

		*to++ = (*c < ' ' && *c != kept) || *c == 0x7f || upper ? '?' : *c;
		c += upper;
	}
	if (plain)
		*to = '\0';
	return plain;
}

char *text_plain(const char *s)
{
	return without_control(s, '\0');
}

char *text_label(const char *s)
{
	return without_control(s, '\n');
}

const char *text_protocol(unsigned int protocol)
{
	static const char *const names[PROTOCOLS] = {
		[PROTOCOL_TCP] = "tcp",	      [PROTOCOL_MPTCP] = "mptcp",
		[PROTOCOL_UDP] = "udp",	      [PROTOCOL_UDPLITE] = "udplite",
		[PROTOCOL_ICMP] = "icmp",     [PROTOCOL_ICMP6] = "icmp6",
		[PROTOCOL_SCTP] = "sctp",     [PROTOCOL_RAW] = "raw",
		[PROTOCOL_PACKET] = "packet", [PROTOCOL_OTHER] = "other",
	};

	return names[protocol < PROTOCOLS ? protocol : PROTOCOL_OTHER];
}

const char *text_tcp_state(unsigned int state)
{
	static const char *const names[] = {
		NULL,	     "ESTABLISHED", "SYN_SENT",	    "SYN_RECV",	  "FIN_WAIT1",
		"FIN_WAIT2", "TIME_WAIT",   "CLOSE",	    "CLOSE_WAIT", "LAST_ACK",
		"LISTEN",    "CLOSING",	    "NEW_SYN_RECV",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : NULL;
}

const char *text_family(__u16 family)
{
	return family == AF_INET ? "ipv4" : family == AF_INET6 ? "ipv6" : NULL;
}

const char *text_hooks(unsigned int hooks)
{
	static const char *const names[] = {
		[HOOKS_NONE] = "none",
		[HOOKS_TP_BTF] = "tp_btf",
		[HOOKS_TRACEPOINT] = "tracepoint",
		[HOOKS_KPROBE] = "kprobe",
	};

	return hooks < sizeof(names) / sizeof(*names) ? names[hooks] : "unknown";
}
