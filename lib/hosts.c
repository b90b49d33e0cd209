// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "hosts.h"
#include "pins.h"

/* Most of the time they wait for answers. */
#define RESOLVERS 16

struct host {
	__u8 address[16];
	char *name; /* NULL: not known */
	struct host *next;
};

struct hosts {
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	pthread_cond_t done;
	void *tree;
	struct host *first, **last; /* whom nobody looks up yet */
	size_t pending;
	int resolvers;
};

static int by_address(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	return memcmp(x->address, y->address, sizeof(x->address));
}

static char *look_up(const __u8 address[16])
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	char name[NI_MAXHOST];
	int error;

	memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	memcpy(&v4.sin_addr, address + 12, sizeof(v4.sin_addr));
	error = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)
			? getnameinfo((struct sockaddr *)&v4, sizeof(v4), name, sizeof(name), NULL,
				      0, NI_NAMEREQD)
			: getnameinfo((struct sockaddr *)&v6, sizeof(v6), name, sizeof(name), NULL,
				      0, NI_NAMEREQD);
	return error ? NULL : strdup(name);
}

static void *resolve(void *arg)
{
	struct hosts *h = arg;
	struct host *host;
	char *name;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (!h->first)
			pthread_cond_wait(&h->wanted, &h->lock);
		host = h->first;
		h->first = host->next;
		if (!h->first)
			h->last = &h->first;
		pthread_mutex_unlock(&h->lock);
		name = look_up(host->address);
		pthread_mutex_lock(&h->lock);
		host->name = name;
		h->pending--;
		pthread_cond_signal(&h->done);
	}
	return NULL;
}

struct hosts *hosts_new(void)
{
	struct hosts *h = calloc(1, sizeof(*h));
	pthread_condattr_t monotonic;

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wanted, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&h->done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	h->last = &h->first;
	return h;
}

/* Where there can be no further thread, those that are there do. */
static void add_resolver(struct hosts *h)
{
	pthread_t thread;

	if (h->resolvers == RESOLVERS || pthread_create(&thread, NULL, resolve, h) != 0)
		return;
	pthread_detach(thread);
	h->resolvers++;
}

int hosts_want(struct hosts *h, const __u8 address[16])
{
	struct host *host = calloc(1, sizeof(*host)), *const * found;

	if (!host)
		return fail(-ENOMEM);
	memcpy(host->address, address, sizeof(host->address));
	pthread_mutex_lock(&h->lock);
	found = tsearch(host, &h->tree, by_address);
	if (found && *found == host) {
		*h->last = host;
		h->last = &host->next;
		h->pending++;
		add_resolver(h);
		pthread_cond_signal(&h->wanted);
	} else {
		free(host);
	}
	pthread_mutex_unlock(&h->lock);
	return found ? 0 : fail(-ENOMEM);
}

void hosts_wait(struct hosts *h, int milliseconds)
{
	struct timespec until;
	long long ns;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = until.tv_nsec + milliseconds * 1000000LL;
	until.tv_sec += ns / NS_PER_S;
	until.tv_nsec = ns % NS_PER_S;
	pthread_mutex_lock(&h->lock);
	while (h->pending && h->resolvers &&
	       pthread_cond_timedwait(&h->done, &h->lock, &until) == 0)
		;
	pthread_mutex_unlock(&h->lock);
}

const char *hosts_name(struct hosts *h, const __u8 address[16])
{
	struct host key, *const *found;
	const char *name;

	memcpy(key.address, address, sizeof(key.address));
	pthread_mutex_lock(&h->lock);
	found = tfind(&key, &h->tree, by_address);
	name = found ? (*found)->name : NULL;
	pthread_mutex_unlock(&h->lock);
	return name;
}
