/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the kernel half and the user half.
 *
 * These layouts live in pinned maps, and a pinned map outlives the program that
 * made it. Every byte is spelled out, no padding is left to the compiler, and a
 * change of meaning or layout takes a new NETACCT_SCHEMA.
 *
 * Times that end in _ns count from boot (CLOCK_BOOTTIME) unless they say
 * otherwise; in finished rows that were restored they are signed, and lie before
 * it. Bytes are payload. Ports are in host byte order.
 */
#ifndef NETACCT_ABI_H
#define NETACCT_ABI_H

#include <linux/types.h>

#define NETACCT_SCHEMA 16

/* The same of some users or cgroups only: who does not know of that is to keep away. */
#define NETACCT_SCHEMA_PARTIAL 17

/* The default pin folder, and what is pinned in it. */
#define NETACCT_PIN_DIR "/sys/fs/bpf/netacct"
#define PIN_META	"meta"	   /* struct meta */
#define PIN_STATE	"state"	   /* struct state */
#define PIN_CGROUPS	"cgroups"  /* cgroup id -> struct cgroup_name */
#define PIN_FOLDED	"folded"   /* fold number % FOLDED_KEYS -> whose row it was */
#define PIN_SOCKETS	"sockets"  /* in a socket: counted_socket; by its address: socket_state */
#define PIN_NOTES	"notes"	   /* array: by a hash of a TCP socket's address: struct note */
#define PIN_SETTLED	"settled"  /* as it is read, what is pending goes to the rows of flows */
#define PIN_BEGUN	"begun"	   /* hash: stack pointer -> struct call */
#define PIN_PROBES	"probes"   /* what keeps the kprobes: their perf events */
#define PIN_FOLDING	"folding"  /* hash: has an element while rows are given away */
#define PIN_LINKS	"links"	   /* a folder: the attachment of each hook */
#define PIN_PROGS	"progs"	   /* a folder: the program that each hook runs first */
#define PIN_READERS	"readers"  /* a folder: the programs that read rows */
#define PIN_SLOTS	"slots"	   /* a folder: the PROG_ARRAYs they tail-call */
#define PIN_SWITCHES	"switches" /* a folder: the ARRAY_OF_MAPS of each table below */
#define PIN_RESTORED	"restored" /* a link to the file that the account began with */
#define PIN_FILTERS	"filters"  /* a folder: a link for each user and cgroup that is counted */
#define PIN_METRICS	"metrics"  /* a folder: what was shown of each --by, see lib/ledger.h */
#define PIN_CURRENT	"current"  /* a link to the folder of the newest generation */

/* Pinned in the folder of each generation, which is named for its number. */
#define PIN_GENERATION "generation" /* struct generation */
#define PIN_PROCESSES  "processes"  /* struct process_key -> struct process */
#define PIN_FLOWS      "flows"	    /* struct flow_key -> struct flow */
#define PIN_FINISHED   "finished"   /* struct finished_key -> struct finished */
#define PIN_TOTALS     "totals"	    /* struct totals of each CPU */
#define PIN_ENDED      "ended"	    /* queue: processes whose rows can be folded */
#define PIN_INTERFACES "interfaces" /* a link: what they had moved when it began */
#define PIN_CLOSED     "closed"	    /* queue: flows whose rows can be given away */

/* The kernel half's section with the state: libbpf makes a map of it, of the same name. */
#define STATE_SECTION ".data." PIN_STATE

/*
 * Beside each of the maps that readers want: a file with its rows, key and value
 * one after the other, as they are when it is read. Where hooks are classic
 * tracepoints or kprobes it is the only way to read: the kernel skips them on a
 * CPU that is inside a map system call.
 */
#define PIN_ROWS "_rows"

#define DEFAULT_PROCESSES 16384
#define DEFAULT_FLOWS	  65536
#define FINISHED_ROWS	  4096
#define CGROUP_NAMES	  4096
#define FOLDED_KEYS	  16384
#define SOCKETS		  65536 /* that have a state, where it is not in the socket */
#define NOTES		  65536 /* a power of two */
#define CALLS		  16384 /* that are inside the kernel at once, with kprobes */
#define PROBES		  64
#define MAX_FILTERS	  16 /* users, and cgroups */
#define COMM_LEN	  16
#define CGROUP_NAME_LEN	  128

enum protocol {
	PROTOCOL_TCP,
	PROTOCOL_MPTCP,
	PROTOCOL_UDP,
	PROTOCOL_UDPLITE,
	PROTOCOL_ICMP,
	PROTOCOL_ICMP6,
	PROTOCOL_SCTP,
	PROTOCOL_RAW,
	PROTOCOL_PACKET,
	PROTOCOL_OTHER,
	PROTOCOLS,
};

enum hook_set {
	HOOKS_NONE,
	HOOKS_TP_BTF,
	HOOKS_TRACEPOINT,
	HOOKS_KPROBE,
};

struct counters {
	__u64 tx_bytes;
	__u64 rx_bytes;
	__u64 tx_calls;
	__u64 rx_calls;
};
_Static_assert(sizeof(struct counters) == 32, "struct counters is ABI");

/* In the order of enum protocol: the kernel half indexes it. */
struct protocols {
	struct counters tcp;
	struct counters mptcp;
	struct counters udp;
	struct counters udplite;
	struct counters icmp;
	struct counters icmp6;
	struct counters sctp;
	struct counters raw;
	struct counters packet;
	struct counters other;
};
_Static_assert(sizeof(struct protocols) == PROTOCOLS * sizeof(struct counters),
	       "struct protocols has one member for each protocol");

/*
 * What a process moved. To add is most of what counting costs: of what is moved
 * most each byte stands in one place. In all it is what stands before loopback,
 * AF_PACKET's left out.
 */
struct traffic {
	struct protocols protocols; /* of TCP and UDP without loopback */
	struct counters tcp_loopback;
	struct counters udp_loopback;
	struct counters loopback; /* of the other protocols, and in theirs too */
};
_Static_assert(sizeof(struct traffic) == 416, "struct traffic is ABI");

/* Its parts, one after the other: enum protocol, and these. */
#define PART_TCP_LOOPBACK PROTOCOLS
#define PART_UDP_LOOPBACK (PROTOCOLS + 1)
#define TRAFFIC_PARTS	  (PROTOCOLS + 2)

/*
 * A process: its thread group id and the start of its group leader, since pids
 * are used again. Pid 0 is the kernel itself, where no task can be named.
 */
struct process_key {
	__u64 start_ns;
	__u32 pid;
	__u32 zero; /* in folded: the generation's lower half */
};
_Static_assert(sizeof(struct process_key) == 16, "struct process_key is ABI");

struct process {
	char comm[COMM_LEN];	    /* of the group leader; follows exec and rename */
	char parent_comm[COMM_LEN]; /* at the first traffic, as is ppid */
	__u64 cgroup_id;	    /* at the first traffic, renewed at exec and move */
	__u32 uid;		    /* at the first traffic, renewed at exec */
	__u32 netns;		    /* inode of the network namespace, at the first traffic */
	__u32 ppid;
	__u32 ns_pid; /* pid inside its innermost pid namespace */
	__u64 first_seen_ns;
	__u64 last_seen_ns; /* jiffy resolution */
	__u64 exited_ns;    /* 0: it lives */
	struct traffic traffic;
	/* The part that no row of flows has. Where flows are not kept: 0, but it is all. */
	struct counters other_flows;
	__u64 generation; /* that it was made in, and 1; 0: not all of it is there yet */
	/*
	 * With the key and what the kernel has beside it these are ten lines of cache:
	 * each event asks for the one with the key and the one with last_seen_ns.
	 */
	__u64 zero[5];
};
_Static_assert(sizeof(struct process) == 576, "struct process is ABI");

/* What finished processes are added up by when their rows are needed. */
struct finished_key {
	char comm[COMM_LEN];
	__u64 cgroup_id;
	__u32 uid;
	__u32 netns;
};
_Static_assert(sizeof(struct finished_key) == 32, "struct finished_key is ABI");

/* Detail goes with the row: all of its traffic counts as other flows. */
struct finished {
	__u64 processes; /* how many were added up */
	__u64 first_seen_ns;
	__u64 last_seen_ns;
	__u64 exited_ns; /* of the last */
	struct traffic traffic;
};
_Static_assert(sizeof(struct finished) == 448, "struct finished is ABI");

/* A process's use of one connection. The number is drawn with the socket's state. */
struct flow_key {
	struct process_key process;
	__u64 flow;
};
_Static_assert(sizeof(struct flow_key) == 24, "struct flow_key is ABI");

#define FLOW_LOOPBACK  1
#define FLOW_CONNECTED 2 /* the remote end is known */

/* Addresses are IPv6, or IPv4 mapped into it; family is that of the addresses. */
struct flow {
	__u8 local_address[16];
	__u8 remote_address[16];
	__u16 local_port;
	__u16 remote_port;
	__u16 family;
	__u8 protocol; /* enum protocol */
	__u8 flags;    /* FLOW_* */
	__u32 netns;   /* of the socket */
	__u32 zero;
	__u64 first_seen_ns;
	__u64 last_seen_ns;
	struct counters counters;
	/* Of the same socket, for when it closes: a chain, that ends with who leads to itself. */
	struct process_key next_user;
};
_Static_assert(sizeof(struct flow) == 112, "struct flow is ABI");

/* Machine-wide, of one CPU; the reader adds up the CPUs. */
struct totals {
	struct counters total; /* of what calls told as they returned */
	/* The clock as it was at a tick: last_seen has that resolution. */
	__u64 now_ns;
	__u64 now_jiffies;
	struct counters spliced; /* of what moved without: total comes to both */
	struct counters no_row;	 /* the part of both that found no row */
	struct counters packet;	 /* AF_PACKET, with a row or without; not in total */
	/* Rows that are there now: those made less those given away. */
	__s64 process_rows;
	__s64 flow_rows;
	__s64 finished_rows;
};
_Static_assert(sizeof(struct totals) == 168, "struct totals is ABI");

/* The kernel gives out no such id: of a cgroup of another boot, told by its path. */
#define CGROUP_OF_THE_PAST (1ULL << 63)

/* The last two components of a cgroup's path; level 0 is the root. */
struct cgroup_name {
	char parent[CGROUP_NAME_LEN];
	char name[CGROUP_NAME_LEN];
	__u32 level;
	__u32 zero;
};
_Static_assert(sizeof(struct cgroup_name) == 264, "struct cgroup_name is ABI");

/* What copied of a TCP socket is. */
#define BASE_BIRTH   0 /* not set: the connection is new, all it receives counts */
#define BASE_KNOWN   1 /* all before it is counted, or older than the account */
#define BASE_RECEIVE 2 /* the same, but for the receive call that found no state */
#define BASE_SEEDED  3 /* known, but for first, which takes the socket's lock */

/* What netacct remembers of a socket; first what each event asks for. */
struct socket_state {
	__u32 copied;  /* TCP: the copied_seq that was seen last */
	__u32 urgent;  /* TCP: the urgent byte that was dealt with last */
	__u32 mark;    /* TCP: the urgent byte that was seen last */
	__u32 first;   /* TCP: the sequence number of the first byte; another: used again */
	__u16 base;    /* TCP: BASE_* */
	__u16 doubt;   /* TCP: whether the urgent byte has changed in this receive */
	__u32 counted; /* TCP: by copied as it had, and after that */
	__u32 later;
	__u32 ends; /* ENDS_*, of a socket that its state is in */
	__u64 flow;
	__u64 generation; /* in which users is the head of a chain */
	struct process_key users;
};
_Static_assert(sizeof(struct socket_state) == 64, "struct socket_state is ABI");

/*
 * How far a TCP socket has handed out, while nothing else about it changes. Its state,
 * which takes a call to find, is left alone meanwhile, and gets this back before anybody
 * looks at it.
 */
struct note {
	__u64 cookie; /* of the socket; 0: of none */
	__u32 copied; /* as in its state */
	__u32 mark;
};
_Static_assert(sizeof(struct note) == 16, "struct note is ABI");

/*
 * What one process has moved on a socket since that was last added to its row of
 * flows. A pending number is of bytes, and from PENDING_CALLS on of calls: they
 * are added to at once.
 */
struct pending {
	__u64 owner;	/* the lower half of a generation's number, and a pid; 0: nobody yet */
	__u64 start_ns; /* of that process */
	__u64 last_seen_ns;
	__u64 tx;
	__u64 rx;
};
_Static_assert(sizeof(struct pending) == 40, "struct pending is ABI");

#define PENDING_CALLS 40

/*
 * What is known of a socket's ends. If it is written or forgotten they are not known;
 * one at a time writes. Those of TCP stay until another connection is born.
 */
#define ENDS_KNOWN	1
#define ENDS_WRITTEN	2
#define ENDS_FORGOTTEN	4
#define ENDS_STAY	8
#define ENDS_OF_IPV4	16
#define ENDS_PART_SHIFT 16 /* which part of traffic their bytes are */

/*
 * What is in a socket, where its state is: with what the kernel has beside it, all
 * that 256 bytes hold, and more would take 512.
 */
struct counted_socket {
	struct socket_state state;
	struct pending pending[2]; /* by the lowest bit of the generation */
	/* Its ends, as the rows of those that are in pending have them. */
	__u8 local_address[16];
	__u8 remote_address[16];
	__u16 remote_port; /* in network byte order */
	__u16 zero[3];
};
_Static_assert(sizeof(struct counted_socket) == 184, "struct counted_socket is ABI");

/* Of a TCP socket that lives, as the file beside sockets has it, behind its flow. */
struct connection {
	__u32 state; /* TCP_* */
	__u32 rtt_us;
	__u64 retransmitted_bytes;
};
_Static_assert(sizeof(struct connection) == 16, "struct connection is ABI");

/* A call that is inside the kernel, for when it returns. */
struct call {
	__u64 sock;  /* address of the struct sock */
	__u32 flags; /* MSG_* */
	__u32 calls; /* how many calls it counts for: 0 or 1 */
};
_Static_assert(sizeof(struct call) == 16, "struct call is ABI");

/* What the hooks and the commands tell each other. */
struct state {
	__u64 generation; /* its lowest bit picks the tables */
	__u64 counting;
	__u64 tcp_recvmsg[2]; /* the address, as IPv4 and IPv6 sockets hold it */
	__u64 resetter;	      /* user space: pid of who has the turn */
	__u64 unnoted;	      /* kprobe: calls that found no room in calls */
	__u64 zero1[2];
	__u64 folds_begun;
	__u64 folds_done;
	__u64 zero2[6];
};
_Static_assert(sizeof(struct state) == 128, "struct state is ABI");

#define GENERATION_READY     1 /* the next, the newest, or one that waits to be read */
#define GENERATION_DISCARDED 2 /* nobody will read it once it is not the newest */

struct generation {
	__u64 number;
	__u64 began_at_ns; /* since the epoch */
	__u32 phase;
	__u32 zero;
};
_Static_assert(sizeof(struct generation) == 24, "struct generation is ABI");

#define META_FLOWS    1 /* flows are kept */
#define META_TRAVERSE 2 /* the file system's root was made passable for the group */

/* What this kernel moves past the hooks. */
#define HOLE_TLS_SPLICE	  1 /* splice from a kTLS socket */
#define HOLE_MPTCP_SPLICE 2 /* splice from an MPTCP socket */
#define HOLE_SMC	  4 /* AF_SMC */

/* Written once, when it is loaded. schema stays the first member for ever. */
struct meta {
	__u32 schema;
	__u32 hooks; /* enum hook_set */
	char version[32];
	char boot_id[40];
	__u64 loaded_at_ns;    /* since the epoch */
	__u64 clock_offset_ns; /* the epoch's clock less the boot clock, at loading */
	__u32 max_processes;
	__u32 max_flows;
	__u32 flags;		  /* META_* */
	__u32 gid;		  /* who may read; 0: root alone */
	__u32 holes;		  /* HOLE_* */
	__u32 filters;		  /* how many users and cgroups are counted; 0: all */
	char passed_over[2][128]; /* why other sets of hooks were, or empty */
};
_Static_assert(sizeof(struct meta) == 376, "struct meta is ABI");

#endif
