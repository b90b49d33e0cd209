/* SPDX-License-Identifier: GPL-2.0-only */
/* How single values are written, in tables and in JSON alike. */
#ifndef NETACCT_TEXT_H
#define NETACCT_TEXT_H

#include "abi.h"

#define TEXT_TIME_LEN	 32
#define TEXT_SIZE_LEN	 32
#define TEXT_ADDRESS_LEN 48
#define TEXT_NUMBER_LEN	 24

/* Nanoseconds since the epoch as RFC 3339 in UTC, in whole seconds. Returns buf. */
char *text_time(char buf[TEXT_TIME_LEN], __u64 epoch_ns);

/* As printf() writes %lld, sooner. Returns buf. */
char *text_number(char buf[TEXT_NUMBER_LEN], __s64 n);

/* A span of time as its two largest units: "3d 4h", "59s". Returns buf. */
char *text_age(char buf[TEXT_TIME_LEN], __u64 ns);

/* A number of bytes as lsblk prints it: "1023B", "10K", "1.5M". Returns buf. */
char *text_size(char buf[TEXT_SIZE_LEN], __u64 bytes);

/* An address of struct flow. Returns buf. */
char *text_address(char buf[TEXT_ADDRESS_LEN], const __u8 address[16], __u16 family);

/* A copy with U+FFFD for each byte that is no UTF-8; the caller frees it. */
char *text_utf8(const char *s);

/* The same, and "?" for each control character: fit for a terminal. */
char *text_plain(const char *s);

/* The same, but for line feeds, which stay: who prints it escapes them. */
char *text_label(const char *s);

const char *text_protocol(unsigned int protocol); /* enum protocol */
const char *text_tcp_state(unsigned int state);	  /* TCP_*; NULL: none */
const char *text_family(__u16 family);
const char *text_hooks(unsigned int hooks); /* enum hook_set */

#endif
