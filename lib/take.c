// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "json.h"
#include "reading.h"
#include "generation.h"
#include "take.h"

static int print(const struct account *a, struct tables *t, FILE *out, bool lines)
{
	struct reading r;
	int err;

	err = reading_take_tables(&r, a, t);
	if (err < 0)
		return err;
	err = lines ? json_whole_lines(out, &r) : json_whole(out, &r);
	reading_free(&r);
	return err;
}

int take_generation(const struct account *a, __u64 number, FILE *out, bool lines)
{
	struct tables t;
	int err;

	err = generation_open(&t, a, number);
	return err < 0 ? err : print(a, &t, out, lines);
}

int take_pending(const struct account *a, FILE *out, bool lines)
{
	struct tables t;
	int err;

	err = generation_open_pending(&t, a, a->state->generation);
	if (err == -ENOENT)
		return 0;
	if (!err)
		err = print(a, &t, out, lines);
	return err < 0 ? err : 1;
}
