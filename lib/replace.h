/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other programs for an account that goes on counting. Errors as in account.h.
 */
#ifndef NETACCT_REPLACE_H
#define NETACCT_REPLACE_H

#include "account.h"
#include "hooks.h"

/*
 * Puts the programs of this version in place of those that count. What is
 * attached stays, and jumps to the one or the other: programs of one schema can
 * count beside each other, so that an event is counted once whenever it comes,
 * and one that is cut short is finished by the next.
 *
 * The caller has the turn, and the account writable. -EPROTO: what is pinned is
 * not what these programs know; `what` says what failed.
 */
int replace_programs(struct account *a, char what[LOAD_WHAT]);

#endif
