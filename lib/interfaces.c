// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi.h"
#include "interfaces.h"
#include "pins.h"

/* Of Ethernet, IPv4, TCP with time stamps as Linux sends it, and UDP. */
#define FRAME_HEADER 14
#define IP_HEADER    20
#define IP6_HEADER   40
#define TCP_HEADER   32
#define UDP_HEADER   8

/* The files of /proc/self/net are those of our namespace, wherever /sys was mounted. */
static const struct {
	const char *group; /* of snmp; NULL: of snmp6 */
	const char *name;
} counters[STACK_COUNTERS] = {
	[STACK_RETRANSMITTED] = { "Tcp:", "RetransSegs" },
	[STACK_TCP_RX] = { "Tcp:", "InSegs" },
	[STACK_TCP_TX] = { "Tcp:", "OutSegs" },
	[STACK_UDP_RX] = { "Udp:", "InDatagrams" },
	[STACK_UDP_TX] = { "Udp:", "OutDatagrams" },
	[STACK_UDP6_RX] = { NULL, "Udp6InDatagrams" },
	[STACK_UDP6_TX] = { NULL, "Udp6OutDatagrams" },
	[STACK_IP_RX] = { "Ip:", "InDelivers" },
	[STACK_IP_TX] = { "Ip:", "OutRequests" },
	[STACK_IP_FORWARDED] = { "Ip:", "ForwDatagrams" },
	[STACK_IP6_RX] = { NULL, "Ip6InDelivers" },
	[STACK_IP6_TX] = { NULL, "Ip6OutRequests" },
	[STACK_IP6_FORWARDED] = { NULL, "Ip6OutForwDatagrams" },
};

/* "Tcp: NAME NAME", then "Tcp: N N". */
static void read_snmp(struct interfaces *i, FILE *f)
{
	char names[4096], values[4096];

	while (fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		char *n, *v, *rest_n, *rest_v;
		const char *group = strtok_r(names, " \n", &rest_n);

		(void)strtok_r(values, " \n", &rest_v);
		while (group && (n = strtok_r(NULL, " \n", &rest_n)) &&
		       (v = strtok_r(NULL, " \n", &rest_v)))
			for (int c = 0; c < STACK_COUNTERS; c++)
				if (counters[c].group && !strcmp(counters[c].group, group) &&
				    !strcmp(counters[c].name, n))
					i->stack[c] = strtoull(v, NULL, 10);
	}
}

static void read_snmp6(struct interfaces *i, FILE *f)
{
	char line[256], name[128];
	uint64_t n;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %" SCNu64, name, &n) != 2)
			continue;
		for (int c = 0; c < STACK_COUNTERS; c++)
			if (!counters[c].group && !strcmp(counters[c].name, name))
				i->stack[c] = n;
	}
}

/* By what drives it: what passes through these passes through another, too. */
static bool sums(int fd, const char *name)
{
	static const char *const drivers[] = { "bridge",  "bonding", "802.1Q VLAN Support",
					       "macvlan", "macvtap", "ipvlan",
					       "team" };
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&info };
	bool found = strcmp(name, "lo") == 0;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		for (size_t d = 0; d < sizeof(drivers) / sizeof(*drivers); d++)
			found = found || strcmp(info.driver, drivers[d]) == 0;
	return found;
}

static __u64 longest(int fd, const char *name)
{
	struct ifreq request = {};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFMTU, &request) == 0 ? FRAME_HEADER + (__u64)request.ifr_mtu : 0;
}

/* What /proc does not tell. */
static void ask(struct interface *one)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	one->index = if_nametoindex(one->name);
	one->sums = sums(fd, one->name);
	one->longest = longest(fd, one->name);
	if (fd >= 0)
		close(fd);
}

/* "  eth0: RX_BYTES RX_PACKETS 6 MORE TX_BYTES TX_PACKETS ..." */
static void read_dev(struct interfaces *i, FILE *f)
{
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		struct interface *one = &i->all[i->n];
		uint64_t rx, rx_packets, tx, tx_packets;
		char *name = line + strspn(line, " "), *end = strrchr(name, ':');

		if (!end ||
		    sscanf(end + 1, "%" SCNu64 "%" SCNu64 "%*u%*u%*u%*u%*u%*u%" SCNu64 "%" SCNu64,
			   &rx, &rx_packets, &tx, &tx_packets) != 4)
			continue;
		*end = '\0';
		if (i->n == INTERFACES) {
			i->cut = true;
			return;
		}
		*one = (struct interface){ .rx_bytes = rx,
					   .rx_packets = rx_packets,
					   .tx_bytes = tx,
					   .tx_packets = tx_packets };
		snprintf(one->name, sizeof(one->name), "%s", name);
		ask(one);
		i->n++;
	}
}

static int read_file(struct interfaces *i, const char *path,
		     void (*read)(struct interfaces *i, FILE *f))
{
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	read(i, f);
	fclose(f);
	return 0;
}

int interfaces_now(struct interfaces *i)
{
	struct stat st;
	int err;

	*i = (struct interfaces){};
	if (stat("/proc/self/ns/net", &st) < 0)
		return fail(-errno);
	i->netns = st.st_ino;
	err = read_file(i, "/proc/self/net/dev", read_dev);
	if (!err)
		err = read_file(i, "/proc/self/net/snmp", read_snmp);
	/* Where there is no IPv6 there is no such file. */
	if (!err)
		err = read_file(i, "/proc/self/net/snmp6", read_snmp6);
	return fail(err == -ENOENT && i->n ? 0 : err);
}

/* Lines of numbers; the first is the namespace's, and the last says whether it is all. */
static char *to_text(const struct interfaces *i)
{
	char *text = NULL;
	bool cut = i->cut;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "%" PRIu32, i->netns);
	for (int c = 0; c < STACK_COUNTERS; c++)
		fprintf(f, " %" PRIu64, (uint64_t)i->stack[c]);
	for (size_t n = 0; n < i->n; n++) {
		const struct interface *one = &i->all[n];

		if (ftell(f) > PATH_MAX - 128) {
			cut = true;
			break;
		}
		fprintf(f, "\n%s %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, one->name,
			one->index, (uint64_t)one->rx_bytes, (uint64_t)one->rx_packets,
			(uint64_t)one->tx_bytes, (uint64_t)one->tx_packets);
	}
	fprintf(f, cut ? "\n..." : "\n.");
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static bool parse_stack(struct interfaces *i, char *line)
{
	char *end;

	i->netns = strtoul(line, &end, 10);
	for (int c = 0; c < STACK_COUNTERS; c++) {
		if (*end != ' ')
			return false;
		i->stack[c] = strtoull(end, &end, 10);
	}
	return !*end;
}

static int parse(struct interfaces *i, char *text)
{
	char *rest = text, *line = strsep(&rest, "\n");

	*i = (struct interfaces){};
	if (!line || !parse_stack(i, line))
		return -EPROTO;
	while ((line = strsep(&rest, "\n")) && *line != '.') {
		uint64_t rx, rx_packets, tx, tx_packets;
		struct interface *one = &i->all[i->n];

		if (i->n == INTERFACES ||
		    sscanf(line, "%15s %u %" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64, one->name,
			   &one->index, &rx, &rx_packets, &tx, &tx_packets) != 6)
			return -EPROTO;
		one->rx_bytes = rx;
		one->rx_packets = rx_packets;
		one->tx_bytes = tx;
		one->tx_packets = tx_packets;
		i->n++;
	}
	if (!line)
		return -EPROTO;
	i->cut = line[1];
	return 0;
}

int interfaces_note(const char *folder)
{
	char path[PATH_MAX], *text;
	struct interfaces i;
	int err;

	err = interfaces_now(&i);
	if (!err)
		err = path_join(path, folder, PIN_INTERFACES);
	if (err < 0)
		return err;
	text = to_text(&i);
	if (!text)
		return fail(-ENOMEM);
	if ((unlink(path) < 0 && errno != ENOENT) || symlink(text, path) < 0)
		err = -errno;
	free(text);
	return fail(err);
}

/* A counter that was set back began anew. */
static void subtract(__u64 *n, __u64 was)
{
	*n -= *n < was ? 0 : was;
}

static void subtract_all(struct interfaces *i, const struct interfaces *was)
{
	for (int c = 0; c < STACK_COUNTERS; c++)
		subtract(&i->stack[c], was->stack[c]);
	for (size_t n = 0; n < i->n; n++) {
		struct interface *one = &i->all[n];

		/* One that is not among them was not there. */
		for (size_t w = 0; w < was->n; w++) {
			if (was->all[w].index != one->index)
				continue;
			subtract(&one->rx_bytes, was->all[w].rx_bytes);
			subtract(&one->rx_packets, was->all[w].rx_packets);
			subtract(&one->tx_bytes, was->all[w].tx_bytes);
			subtract(&one->tx_packets, was->all[w].tx_packets);
		}
	}
}

int interfaces_since(struct interfaces *i, const char *folder)
{
	char path[PATH_MAX], text[PATH_MAX] = "";
	struct interfaces was = {};
	int err;

	*i = (struct interfaces){};
	err = path_join(path, folder, PIN_INTERFACES);
	if (!err && readlink(path, text, sizeof(text) - 1) < 0)
		err = errno == EINVAL ? -EPROTO : -errno;
	if (!err)
		err = parse(&was, text);
	if (!err)
		err = interfaces_now(i);
	if (err < 0)
		return fail(err);
	if (i->netns != was.netns) {
		i->netns = was.netns;
		return fail(-EXDEV);
	}
	if (i->cut || was.cut)
		return fail(-ERANGE);
	subtract_all(i, &was);
	return 0;
}

struct interface interfaces_sum(const struct interfaces *i)
{
	struct interface sum = {};
	__u64 most = 0;

	for (size_t n = 0; n < i->n; n++) {
		const struct interface *one = &i->all[n];

		if (one->sums)
			continue;
		if (one->tx_bytes >= most) {
			most = one->tx_bytes;
			sum.longest = one->longest;
		}
		sum.rx_bytes += one->rx_bytes;
		sum.rx_packets += one->rx_packets;
		sum.tx_bytes += one->tx_bytes;
		sum.tx_packets += one->tx_packets;
	}
	return sum;
}

static double share(__u64 part, __u64 rest)
{
	return part + rest ? (double)part / (double)(part + rest) : 0;
}

double interfaces_header(const struct interfaces *i, bool tx)
{
	const __u64 *n = i->stack;
	__u64 tcp = n[tx ? STACK_TCP_TX : STACK_TCP_RX];
	__u64 udp = tx ? n[STACK_UDP_TX] + n[STACK_UDP6_TX] : n[STACK_UDP_RX] + n[STACK_UDP6_RX];
	double ip6 = share(n[tx ? STACK_IP6_TX : STACK_IP6_RX], n[tx ? STACK_IP_TX : STACK_IP_RX]);

	return FRAME_HEADER + IP_HEADER + (IP6_HEADER - IP_HEADER) * ip6 + TCP_HEADER +
	       (UDP_HEADER - TCP_HEADER) * share(udp, tcp);
}
