/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own types, as far as they are used: CO-RE finds the offsets at load. */
#ifndef NETACCT_KERNEL_H
#define NETACCT_KERNEL_H

#include <linux/types.h>

#define AF_INET	   2
#define AF_INET6   10
#define AF_PACKET  17
#define AF_SMC	   43
#define SOCK_DGRAM 2
#define SOCK_RAW   3

#define IPPROTO_ICMP	1
#define IPPROTO_TCP	6
#define IPPROTO_UDP	17
#define IPPROTO_ICMPV6	58
#define IPPROTO_SCTP	132
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP	262

#define MSG_OOB	     0x1
#define MSG_PEEK     0x2
#define MSG_ERRQUEUE 0x2000

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT	2
#define TCP_SYN_RECV	3
#define TCP_FIN_WAIT1	4
#define TCP_FIN_WAIT2	5
#define TCP_CLOSE	7
#define TCP_LAST_ACK	9
#define TCP_LISTEN	10
#define TCP_CLOSING	11

#define E2BIG 7

#define SOCKFS_MAGIC 0x534F434B

/*
 * How a field is read. The verifier knows what the arguments of a tp_btf program
 * point to, and lets it load from there; elsewhere it takes a helper. It takes its
 * time over each pointer it follows: what is seldom read is read by a helper.
 */
#ifdef SET_TP_BTF
#define READ(p, field)		((p)->field)
#define READ2(p, field, of)	((p)->field->of)
#define READ_BITFIELD(p, field) BPF_CORE_READ_BITFIELD(p, field)
#else
#define READ(p, field)		BPF_CORE_READ(p, field)
#define READ2(p, field, of)	BPF_CORE_READ(p, field, of)
#define READ_BITFIELD(p, field) BPF_CORE_READ_BITFIELD_PROBED(p, field)
#endif

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))

/* The verifier lets nobody calculate with a pointer, but subtract in 32 bits. */
static __always_inline __u32 low_half(const void *pointer)
{
	__u32 zero = 0;

	barrier_var(zero);
	return (__u32)(__u64)pointer - zero;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct proto {
	int (*recvmsg)(void);
};

struct proto___older {
	int (*sendpage)(void); /* up to 6.4 */
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct proto *skc_prot;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
	atomic64_t skc_cookie;
};

typedef struct {
	int owned;
} socket_lock_t;

struct socket;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct socket *sk_socket;
	__u8 sk_kern_sock : 1;
	int sk_err;
	__u16 sk_type;
	__u16 sk_protocol;
};

struct inet_sock {
	struct sock sk;
	__u16 inet_sport;
};

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_una;
	__u32 write_seq;
	__u64 bytes_received;
	__u64 bytes_acked;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u32 urg_seq;
	__u16 urg_data;
	__u32 srtt_us; /* in eighths */
};

struct mptcp_sock {
	struct sock *first;
};

enum sock_flags {
	SOCK_DONE,
	SOCK_URGINLINE,
};

struct socket {
	enum {
		SS_FREE,
		SS_UNCONNECTED,
	} state;
	struct file *file;
	struct sock *sk;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct kernfs_node {
	struct kernfs_node *__parent; /* from 6.15 */
	const char *name;
	__u64 id;
};

struct kernfs_node___older {
	struct kernfs_node___older *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup *ancestors[1]; /* from 6.1 */
};

struct cgroup___older {
	__u64 ancestor_ids[1];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct nsproxy {
	struct net *net_ns;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

/* What a CPU runs. */
struct rq {
	struct task_struct *curr;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
};

struct task_struct {
	void *stack;
	struct sched_entity se;
	unsigned int flags;
	int pid;
	int tgid;
	struct files_struct *files;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct pid *thread_pid;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
	char comm[16];
};

/* As the current call left it; user space knows it by other names. */
struct pt_regs___call {
#ifdef __TARGET_ARCH_arm64
	int syscallno;
	__u64 pc;
#else
	unsigned long orig_ax;
	unsigned long ip;
#endif
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_map_elem {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		void *key;
	};
	union {
		void *value;
	};
};

struct bpf_iter__bpf_sk_storage_map {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct sock *sk;
	};
	union {
		void *value;
	};
};

struct bpf_iter__task_file {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
	__u32 fd;
	union {
		struct file *file;
	};
};

/* The records of the classic tracepoints. */
struct trace_event_raw_sock_msg_length {
	const void *sk;
	int ret;
	int flags;
};

struct trace_event_raw_inet_sock_set_state {
	const void *skaddr;
	int oldstate;
	int newstate;
};

struct trace_event_raw_tcp_event_sk {
	const void *skaddr;
};

#pragma clang attribute pop

#endif
