/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was saved before, put into the tables of an account that does not count
 * yet. Errors as in account.h.
 */
#ifndef NETACCT_RESTORE_H
#define NETACCT_RESTORE_H

#include "saved.h"

/* Descriptors of maps: of the first generation, and of the names of cgroups. */
struct restore_maps {
	int finished;
	int totals;
	int cgroups;
};

/*
 * Everything becomes finished rows, or "no row" where these are full. What only
 * another boot knew (the numbers of cgroups and network namespaces) is forgotten;
 * cgroups keep their names.
 */
int restore_rows(const struct saved *s, const struct meta *m, const struct restore_maps *maps);

#endif
