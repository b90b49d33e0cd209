// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "service.h"

#define HEX_ID	 64 /* of Docker, Podman, containerd and CRI-O */
#define SHORT_ID 12

#define DOCKER_FOLDER "/var/lib/docker/containers"
#define PODMAN_FILE   "/var/lib/containers/storage/overlay-containers/containers.json"
/* The kubelet's: POD_NAMESPACE_CONTAINER-ID.log */
#define PODS_FOLDER "/var/log/containers"

/* What stands before the id in the name of a cgroup. */
static const struct {
	const char *prefix;
	const char *runtime;
} prefixes[] = {
	{ "docker-", "docker" },      { "libpod-", "podman" }, { "cri-containerd-", "containerd" },
	{ "nerdctl-", "containerd" }, { "crio-", "cri-o" },    { "lxc.payload.", "lxc" },
};

struct component {
	const char *name;
	size_t length;
};

/* The next one, or one without a name. */
static struct component next(const char **rest)
{
	struct component c;

	*rest += strspn(*rest, "/");
	c = (struct component){ *rest, strcspn(*rest, "/") };
	*rest += c.length;
	return c;
}

static bool ends_with(const struct component *c, const char *end)
{
	size_t length = strlen(end);

	return c->length > length && !memcmp(c->name + c->length - length, end, length);
}

static bool begins_with(const struct component *c, const char *begin)
{
	return c->length > strlen(begin) && !memcmp(c->name, begin, strlen(begin));
}

static bool is(const struct component *c, const char *name)
{
	return c->length == strlen(name) && !memcmp(c->name, name, c->length);
}

static bool is_hex_id(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isxdigit((unsigned char)s[i]))
			return false;
	return length == HEX_ID;
}

static bool set_id(struct container *c, const char *runtime, const char *id, size_t length)
{
	c->runtime = runtime;
	*stpncpy(c->id, id, length) = 0;
	return true;
}

/* Whether the name of a cgroup is that of a container. */
static bool is_container(struct container *c, const struct component *parent,
			 const struct component *at)
{
	size_t length = at->length - (ends_with(at, ".scope") ? strlen(".scope") : 0);

	if (is_hex_id(at->name, length))
		return set_id(c, is(parent, "docker") ? "docker" : "container", at->name, length);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t skip = strlen(prefixes[i].prefix);
		const char *id = at->name + skip;

		if (!begins_with(at, prefixes[i].prefix))
			continue;
		if (!strcmp(prefixes[i].runtime, "lxc"))
			return length - skip < CONTAINER_ID_LEN &&
			       set_id(c, "lxc", id, length - skip);
		if (is_hex_id(id, length - skip))
			return set_id(c, prefixes[i].runtime, id, length - skip);
	}
	return false;
}

/* kubepods-burstable-podUID.slice, where UID has _ for -, or podUID. */
static void note_pod(struct container *c, const struct component *at)
{
	size_t length = at->length - (ends_with(at, ".slice") ? strlen(".slice") : 0);
	const size_t uid = sizeof(c->pod) - 1;
	const char *s = at->name + length - uid;

	if (length < uid + strlen("pod") || memcmp(s - strlen("pod"), "pod", strlen("pod")) != 0)
		return;
	for (size_t i = 0; i < uid; i++)
		c->pod[i] = s[i] == '_' ? '-' : s[i];
}

bool service_container(const char *cgroup, struct container *c)
{
	struct component parent = { "", 0 };
	bool found = false;

	*c = (struct container){};
	for (struct component at = next(&cgroup); at.length; at = next(&cgroup)) {
		found = is_container(c, &parent, &at) || found;
		note_pod(c, &at);
		parent = at;
	}
	return found;
}

static char *docker_name(const char *id)
{
	char path[sizeof(DOCKER_FOLDER "//config.v2.json") + CONTAINER_ID_LEN], *copy = NULL;
	const char *name;
	json_t *json;

	snprintf(path, sizeof(path), DOCKER_FOLDER "/%s/config.v2.json", id);
	json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	name = json_string_value(json_object_get(json, "Name"));
	if (name)
		copy = strdup(name + (*name == '/'));
	json_decref(json);
	return copy;
}

static char *podman_name(const char *id)
{
	json_t *json = json_load_file(PODMAN_FILE, 0, NULL), *container;
	const char *known, *name;
	char *copy = NULL;
	size_t i;

	json_array_foreach (json, i, container) {
		known = json_string_value(json_object_get(container, "id"));
		name = json_string_value(json_array_get(json_object_get(container, "names"), 0));
		if (!copy && known && name && !strcmp(known, id))
			copy = strdup(name);
	}
	json_decref(json);
	return copy;
}

/* POD_NAMESPACE_CONTAINER as NAMESPACE/POD/CONTAINER; none of them may hold a _. */
static char *pod_order(const char *name, size_t length)
{
	const char *namespace = memchr(name, '_', length), *container, *end = name + length;
	char *ordered;

	container = namespace ? memchr(namespace + 1, '_', end - namespace - 1) : NULL;
	if (!container ||
	    asprintf(&ordered, "%.*s/%.*s/%.*s", (int)(container - namespace - 1), namespace + 1,
		     (int)(namespace - name), name, (int)(end - container - 1), container + 1) < 0)
		return NULL;
	return ordered;
}

static char *pod_name(const char *id)
{
	size_t tail = 1 + strlen(id) + strlen(".log");
	struct dirent *entry;
	char *name = NULL;
	DIR *dir = opendir(PODS_FOLDER);

	while (dir && !name && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (length > tail && !strncmp(entry->d_name + length - tail + 1, id, strlen(id)))
			name = pod_order(entry->d_name, length - tail);
	}
	if (dir)
		closedir(dir);
	return name;
}

static char *container_name(const struct container *c)
{
	char *known = NULL, *name = NULL;

	if (*c->pod)
		known = pod_name(c->id);
	else if (!strcmp(c->runtime, "docker"))
		known = docker_name(c->id);
	else if (!strcmp(c->runtime, "podman"))
		known = podman_name(c->id);
	else if (!strcmp(c->runtime, "lxc"))
		known = strdup(c->id);
	if (asprintf(&name, "%s:%s%s%.*s", *c->pod ? "k8s" : c->runtime, known ? "" : c->pod,
		     *c->pod && !known ? "/" : "", known ? -1 : SHORT_ID, known ?: c->id) < 0)
		name = NULL;
	free(known);
	return name;
}

/* A slice is named where there is nothing else: it only holds units. */
static struct component unit(const char *cgroup)
{
	static const char *const kinds[] = { ".service", ".scope", ".socket", ".mount", ".swap" };
	struct component found = {}, slice = {};

	for (struct component at = next(&cgroup); at.length; at = next(&cgroup)) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			if (ends_with(&at, kinds[i]))
				found = at;
		if (ends_with(&at, ".slice"))
			slice = at;
	}
	return found.length ? found : slice;
}

char *service_name(const char *cgroup)
{
	struct container c;
	struct component found;

	if (service_container(cgroup, &c))
		return container_name(&c);
	found = unit(cgroup);
	return found.length ? strndup(found.name, found.length) : strdup(cgroup);
}
