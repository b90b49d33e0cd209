/* SPDX-License-Identifier: GPL-2.0-only */
/* What of an account somebody has removed. Errors as in account.h. */
#ifndef NETACCT_DAMAGE_H
#define NETACCT_DAMAGE_H

#define DAMAGE_LEN 64

/*
 * 1 if a part of an account is gone, and then gone[] says which; 0 if not, as far
 * as the caller may look.
 */
int damage_find(const char *pin_dir, char gone[DAMAGE_LEN]);

#endif
