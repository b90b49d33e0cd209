// SPDX-License-Identifier: GPL-2.0-only
/*
 * ledger - an account that is made up, and what its ledger says of it
 *
 *	ledger DIR SEED exact|wild|spoilt
 *
 * Processes move bytes, are renamed, end, and are folded into few rows of finished,
 * or into no row; there are resets, and readings that are written down and never
 * shown. No series may fall but by a reset, and together they are all bytes. exact:
 * a process is only folded under the name that it was read by last: each byte is then
 * known to be of one name. spoilt: somebody writes to what is pinned, and either that is
 * found or it does no harm. DIR lies in a BPF file system, and is removed.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "counters.h"
#include "ledger.h"
#include "pins.h"

#define STEPS	  12000
#define PROCESSES 60
#define FINISHED  12
#define NAMES	  2000 /* more than there is room for */
#define FEW	  24

struct model {
	bool exact, spoilt;
	__u64 generation;
	struct process_row processes[PROCESSES];
	struct counters unshown[PROCESSES]; /* of it, since it was read last */
	int name[PROCESSES], read_as[PROCESSES];
	size_t n;
	struct finished_row finished[FINISHED];
	size_t n_finished;
	struct counters total, no_row;
	struct counters truth[NAMES + 1]; /* the last: of the others */
	struct counters seen[NAMES + 1];
	__u64 clock;
	int names; /* how many are in use */
};

static int below(int n)
{
	return (int)(random() % n);
}

static void set_name(struct model *m, size_t i, int name)
{
	struct process *p = &m->processes[i].p;

	memset(p->comm, 0, sizeof(p->comm));
	snprintf(p->comm, sizeof(p->comm), "name-%d", name % NAMES);
	m->name[i] = name;
}

static void begin(struct model *m)
{
	size_t i = m->n;

	if (i == PROCESSES)
		return;
	m->n++;
	m->processes[i] = (struct process_row){ .key = { .start_ns = ++m->clock, .pid = 7 } };
	m->unshown[i] = (struct counters){};
	m->read_as[i] = -1;
	set_name(m, i, below(m->names));
}

static void move(struct model *m, size_t i)
{
	struct counters c = { below(1000), below(1000), below(3), below(3) };
	struct process *p = &m->processes[i].p;

	counters_add(below(2) ? &p->traffic.protocols.tcp : &p->traffic.udp_loopback, &c);
	counters_add(&m->unshown[i], &c);
	counters_add(&m->total, &c);
}

static struct traffic *finished_of(struct model *m, const char *comm)
{
	for (size_t i = 0; i < m->n_finished; i++)
		if (strncmp(m->finished[i].key.comm, comm, COMM_LEN) == 0)
			return &m->finished[i].f.traffic;
	if (m->n_finished == FINISHED)
		return NULL;
	memcpy(m->finished[m->n_finished].key.comm, comm, COMM_LEN);
	m->finished[m->n_finished].f = (struct finished){};
	return &m->finished[m->n_finished++].f.traffic;
}

/* Its place is taken by those after it, so that they stay in order. */
static void fold(struct model *m, size_t i)
{
	const struct traffic *t = &m->processes[i].p.traffic;
	struct counters total = traffic_total(t);
	struct traffic *to;
	int name = m->name[i];

	if (m->exact && m->read_as[i] >= 0 && m->read_as[i] != name)
		return;
	to = finished_of(m, m->processes[i].p.comm);
	if (to)
		traffic_add(to, t);
	else
		counters_add(&m->no_row, &total);
	counters_add(&m->truth[to ? name : NAMES], &m->unshown[i]);
	m->n--;
	memmove(&m->processes[i], &m->processes[i + 1], (m->n - i) * sizeof(*m->processes));
	memmove(&m->unshown[i], &m->unshown[i + 1], (m->n - i) * sizeof(*m->unshown));
	memmove(&m->name[i], &m->name[i + 1], (m->n - i) * sizeof(*m->name));
	memmove(&m->read_as[i], &m->read_as[i + 1], (m->n - i) * sizeof(*m->read_as));
}

static void reset(struct model *m)
{
	m->generation++;
	m->n = m->n_finished = 0;
	m->total = m->no_row = (struct counters){};
	memset(m->truth, 0, sizeof(m->truth));
	memset(m->seen, 0, sizeof(m->seen));
}

static void read_all(struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		counters_add(&m->truth[m->name[i]], &m->unshown[i]);
		m->unshown[i] = (struct counters){};
		m->read_as[i] = m->name[i];
	}
}

static bool less(const struct counters *a, const struct counters *b)
{
	struct counters missing = counters_less(b, a);

	return !counters_zero(&missing);
}

static bool same(const struct counters *a, const struct counters *b)
{
	return !less(a, b) && !less(b, a);
}

static void differ(const char *what, const char *label, const struct counters *is,
		   const struct counters *expected)
{
	errx(EXIT_FAILURE, "%s of %s: %" PRIu64 " %" PRIu64 ", not %" PRIu64 " %" PRIu64, what,
	     label, (uint64_t)is->tx_bytes, (uint64_t)is->rx_bytes, (uint64_t)expected->tx_bytes,
	     (uint64_t)expected->rx_bytes);
}

static void check(struct model *m, const struct ledger *l, enum grouping by, bool whole)
{
	const struct ledger_series *s;
	struct counters sum = {};

	for (size_t i = 0; (s = ledger_series(l, i)); i++) {
		int name = NAMES;

		counters_add(&sum, &s->shown);
		if (by != BY_COMM)
			continue;
		if (sscanf(s->label, "name-%d", &name) != 1 && i)
			errx(EXIT_FAILURE, "a series has the label '%s'", s->label);
		if (less(&s->shown, &m->seen[name]))
			differ("it fell: what is shown", s->label, &s->shown, &m->seen[name]);
		m->seen[name] = s->shown;
		if (m->exact && !same(&s->shown, &m->truth[name]))
			differ("what is shown", s->label, &s->shown, &m->truth[name]);
	}
	if (whole && !same(&sum, &m->total))
		differ("the sum", grouping_name(by), &sum, &m->total);
}

/* What is pinned gets a few bytes of somebody's. */
static void spoil(const struct account *a, enum grouping by)
{
	struct pin_shape shape = { grouping_name(by), BPF_MAP_TYPE_ARRAY, sizeof(__u32),
				   LEDGER_BLOCK };
	char folder[PATH_MAX];
	__u8 *block = NULL;
	int fd;

	if (path_join(folder, a->pin_dir, PIN_METRICS) < 0)
		err(EXIT_FAILURE, "%s", a->pin_dir);
	fd = pin_open(folder, &shape, true);
	if (fd >= 0)
		block = mmap(NULL, LEDGER_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || block == MAP_FAILED)
		err(EXIT_FAILURE, "%s", folder);
	/* The head decides most. */
	for (int n = below(4); n >= 0; n--)
		block[below(below(2) ? sizeof(struct ledger_head) : LEDGER_BLOCK)] =
			below(2) ? below(256) : below(3);
	munmap(block, LEDGER_BLOCK);
	close(fd);
}

/* False: it was refused, and is taken away as the message says. */
static bool is_taken(struct model *m, const struct account *a, enum grouping by, int error)
{
	char path[PATH_MAX];

	if (error == -EPROTO && m->spoilt) {
		snprintf(path, sizeof(path), "%s/" PIN_METRICS "/%s", a->pin_dir,
			 grouping_name(by));
		if (unlink(path) < 0)
			err(EXIT_FAILURE, "%s", path);
		return false;
	}
	if (error)
		err(EXIT_FAILURE, "the ledger");
	return true;
}

/* left_out: of the rows the last, as where others are deleted while they are read. */
static void take(struct model *m, const struct account *a, enum grouping by, bool show,
		 bool left_out)
{
	struct reading r = { .account = a,
			     .generation = m->generation,
			     .n_tables = 1,
			     .processes = m->processes,
			     .n_processes = m->n - left_out,
			     .finished = m->finished,
			     .n_finished = m->n_finished,
			     .totals.no_row = m->no_row };
	struct names names;
	struct ledger *l;
	int error;

	names_init(&names, a);
	error = ledger_open(&l, a, by);
	if (!error)
		error = ledger_add(l, &r, &names);
	if (is_taken(m, a, by, error)) {
		if (by == BY_COMM)
			read_all(m);
		if (m->spoilt)
			spoil(a, by);
		else if (show)
			check(m, l, by, !left_out);
	}
	ledger_close(l);
	names_free(&names);
}

static void step(struct model *m, const struct account *a)
{
	int what = below(100);
	size_t i = m->n ? (size_t)below((int)m->n) : 0;

	if (what < 20 || !m->n)
		begin(m);
	else if (what < 65)
		move(m, i);
	else if (what < 70)
		set_name(m, i, below(m->names));
	else if (what < 86)
		fold(m, i);
	else if (what < 92)
		take(m, a, BY_COMM, below(4), !m->exact && m->n && !below(4));
	else if (what < 96)
		take(m, a, BY_PROTOCOL, true, false);
	else if (what < 99)
		take(m, a, BY_USER, true, false);
	else if (!below(10))
		reset(m);
}

int main(int argc, char **argv)
{
	static struct model m;
	struct account a = { .cgroups.fd = -1, .meta.loaded_at_ns = 1 };
	struct stat st;

	if (argc != 4)
		errx(2, "usage: ledger DIR SEED exact|wild|spoilt");
	a.pin_dir = argv[1];
	srandom((unsigned int)strtoul(argv[2], NULL, 10));
	m.exact = *argv[3] == 'e';
	m.spoilt = *argv[3] == 's';
	/* Those of an exact run have room, those of others have not. */
	m.names = m.exact ? FEW : NAMES;
	(void)pin_remove(a.pin_dir);
	if (mkdir(a.pin_dir, 0700) < 0 || stat(a.pin_dir, &st) < 0)
		err(EXIT_FAILURE, "%s", a.pin_dir);
	a.folder = st.st_ino;
	for (int i = 0; i < STEPS; i++)
		step(&m, &a);
	take(&m, &a, BY_COMM, true, false);
	return pin_remove(a.pin_dir) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
