/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What people call a cgroup: the container that it is, or the systemd unit.
 * Told from its path, and from the files that container engines keep; no daemon
 * is asked.
 */
#ifndef NETACCT_SERVICE_H
#define NETACCT_SERVICE_H

#include <stdbool.h>

#define CONTAINER_ID_LEN 65

struct container {
	const char *runtime;
	char id[CONTAINER_ID_LEN]; /* as the engine has it */
	char pod[37];		   /* uid of its Kubernetes pod, or "" */
};

/* Whether a cgroup is a container, or in one: the innermost. */
bool service_container(const char *cgroup, struct container *c);

/*
 * "docker:web", "podman:3f2a91c0de12", "k8s:namespace/pod/container",
 * "nginx.service", or the path itself. The caller frees it; NULL: no memory.
 */
char *service_name(const char *cgroup);

#endif
