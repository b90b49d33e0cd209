/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other programs for an account that goes on counting. Errors as in account.h.
 */
#ifndef NETACCT_REPLACE_H
#define NETACCT_REPLACE_H

#include "account.h"
#include "hooks.h"

struct replacement;

/*
 * The programs of this version, in the kernel, for an account that is open and
 * writable; `what` is used until replacement_free() and says what fails. NULL with
 * errno set; EPROTO: what is pinned is not what these programs know.
 */
struct replacement *replacement_make(struct account *a, char what[LOAD_WHAT]);

/*
 * Puts them in place of those that count; the caller has the turn. What is
 * attached stays, and jumps to the one or the other: programs of one schema can
 * count beside each other, so that an event is counted once whenever it comes,
 * and what is cut short is finished by the next.
 */
int replacement_use(struct replacement *r);
void replacement_free(struct replacement *r);

#endif
