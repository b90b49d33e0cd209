// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF that sends on what comes: from one connection, one, into another, two. The
 * process's own calls count; what the kernel moves in between belongs to it.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ways.h"

static int one[2], two[2], map;

static int bpf(int command, union bpf_attr *attr)
{
	int fd = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	if (fd < 0)
		lack("sockmap: bpf command %d: %s", command, strerror(errno));
	return fd;
}

/* A program that sends all to what is at place 0, to be received there or to be sent from there. */
static void redirect(enum bpf_prog_type type, enum bpf_attach_type hook, int helper,
		     bool to_receive)
{
	struct bpf_insn code[] = {
		{ .code = BPF_LD | BPF_DW, /* of what the instruction holds */
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{},
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .dst_reg = BPF_REG_4,
		  .imm = to_receive ? BPF_F_INGRESS : 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = helper },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = { .prog_type = type,
				.insn_cnt = sizeof(code) / sizeof(*code),
				.insns = (uintptr_t)code,
				.license = (uintptr_t) "GPL",
				.expected_attach_type = hook };
	union bpf_attr attach = { .target_fd = (unsigned int)map, .attach_type = hook };

	attach.attach_bpf_fd = (unsigned int)bpf(BPF_PROG_LOAD, &load);
	bpf(BPF_PROG_ATTACH, &attach);
}

static void make_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4, .value_size = 4, .max_entries = 2
	};

	/* Up to 5.10 maps are locked memory. */
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	map = bpf(BPF_MAP_CREATE, &attr);
	connect_pair(one);
	connect_pair(two);
}

static void put(int place, int fd)
{
	union bpf_attr attr = { .map_fd = (unsigned int)map,
				.key = (uintptr_t)&place,
				.value = (uintptr_t)&fd };

	bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static void out(int place)
{
	union bpf_attr attr = { .map_fd = (unsigned int)map, .key = (uintptr_t)&place };

	bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static void through(int from, int to)
{
	for (int i = 0; i < 3; i++) {
		sent(send(from, payload, 1009, 0));
		take(to, 1009);
	}
}

static void sent_to_receiver(int unused)
{
	(void)unused;
	make_map();
	redirect(BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, BPF_FUNC_msg_redirect_map, true);
	put(0, two[1]);
	put(1, one[0]);
	through(one[0], two[1]);
}

static void sent_to_sender(int unused)
{
	(void)unused;
	make_map();
	redirect(BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, BPF_FUNC_msg_redirect_map, false);
	put(0, two[0]);
	put(1, one[0]);
	through(one[0], two[1]);
}

static void received_to_receiver(int unused)
{
	(void)unused;
	make_map();
	redirect(BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_STREAM_VERDICT, BPF_FUNC_sk_redirect_map, true);
	put(0, two[1]);
	put(1, one[1]);
	through(one[0], two[1]);
}

static void received_to_sender(int unused)
{
	(void)unused;
	make_map();
	redirect(BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_STREAM_VERDICT, BPF_FUNC_sk_redirect_map, false);
	put(0, two[0]);
	put(1, one[1]);
	through(one[0], two[1]);
}

/* No program: only the receiving is another. */
static void in_and_out(int unused)
{
	(void)unused;
	make_map();
	through(one[0], one[1]);
	through(one[1], one[0]);
	sent(send(one[0], payload, 101, 0));
	put(0, one[0]);
	put(1, one[1]);
	take(one[1], 101);
	through(one[0], one[1]);
	through(one[1], one[0]);
	out(0);
	out(1);
	through(one[0], one[1]);
	through(one[1], one[0]);
}

const struct way sockmap_ways[] = {
	{ "sockmap sent to receiver", ENDS, sent_to_receiver, NULL, PLAIN },
	{ "sockmap sent to sender", ENDS, sent_to_sender, NULL, PLAIN },
	{ "sockmap received to receiver", ENDS, received_to_receiver, NULL, PLAIN },
	{ "sockmap received to sender", ENDS, received_to_sender, NULL, PLAIN },
	{ "sockmap in and out", ENDS, in_and_out, NULL, PLAIN },
	{},
};
