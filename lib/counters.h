/* SPDX-License-Identifier: GPL-2.0-only */
/* Arithmetic on counters. */
#ifndef NETACCT_COUNTERS_H
#define NETACCT_COUNTERS_H

#include <stdbool.h>

#include "abi.h"

/* a - b, each by itself and never below zero. */
struct counters counters_less(const struct counters *a, const struct counters *b);
void counters_add(struct counters *to, const struct counters *from);
bool counters_zero(const struct counters *c);

void traffic_add(struct traffic *to, const struct traffic *from);

/* The same, and the span of time that both of them cover. */
void finished_add(struct finished *to, const struct finished *from);
void traffic_subtract(struct traffic *from, const struct traffic *t);

/* What it comes to: in all, AF_PACKET left out; through loopback; by an enum protocol. */
struct counters traffic_total(const struct traffic *t);
struct counters traffic_loopback(const struct traffic *t);
struct counters traffic_protocol(const struct traffic *t, int protocol);

#endif
