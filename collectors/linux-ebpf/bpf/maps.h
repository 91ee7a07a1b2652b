/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Maps, and what user space does with each. Names and layouts are a contract with ../load.ts and ../orders.ts. */

/* The ring. User space sets its size before load (bpf_map__set_max_entries). */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20);
} ring SEC(".maps");

#define STATE_PROVISIONAL 1 /* a candidate that user space has not judged: reported */
#define STATE_TRACKED 2
#define STATE_SELF 3 /* Spoor's own: counted, not reported */

struct proc {
  u64 start_ticks;
  u32 state;
  u32 pad;
};

/* tgid -> state. User space may read it; it changes it by the program `order` only, because `bits` must change with it. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, u32);
  __type(value, struct proc);
} procs SEC(".maps");

/* Two bits a pid: 0 = not ours, 1 = reported, 2 = self. The first filter of every program: a load and a test. .bss, 1 MiB = PID_MAX_LIMIT (4 Mi) pids. */
#define BITS_WORDS 131072
u64 bits[BITS_WORDS];

/* 80 bytes of path make a table of 7.7 KB, which with the map's own header fits an 8 KB slab. A longer path keeps its end. */
#define SLOT_PATH 80
#define SLOTS 64

struct slot {
  u64 ino;  /* 0 = free, ~0 = being changed */
  u64 name; /* tells the names of one inode apart: hash of the last component, its folder, its mount */
  u64 last; /* boot time of the last open */
  u64 count; /* of opens since that were not reported */
  u32 dev;
  u16 flags;
  u16 path_len; /* of the whole path */
  u64 path[SLOT_PATH / 8]; /* right-aligned */
};

struct slots {
  struct slot at[SLOTS];
};

/* tgid -> opens being coalesced. User space deletes the key after it released a process. 4,096 x 8 KB = 32 MiB at most; when full, opens go out one by one. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, u32);
  __type(value, struct slots);
} slots SEC(".maps");

/* TCP connections of tracked processes, by address of their struct sock; an entry ends with the connection, whoever has it by then. */
struct owner {
  u64 cookie;
  u64 start_ticks;
  u64 begun;
  u32 tgid;
  u32 tid;
  u64 phase; /* PHASE_* in socket.h: who reports the connect */
  u32 established;
  s32 error; /* of a connect that failed */
  u32 net_ns;
  u16 family;
  u16 protocol;
  u16 local_port;
  u16 peer_port;
  u32 local[4];
  u32 peer[4];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, u64);
  __type(value, struct owner);
} socks SEC(".maps");

/* Basenames of programs that may be agents: 16 bytes, NUL-padded, at most 15 of text. Value 1. Written by user space. */
struct candidate {
  char name[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct candidate);
  __type(value, u8);
} candidates SEC(".maps");

/* Names of environment variables that may be read: 32 bytes, NUL-padded, at most 31 of text. Value 1. Written by user space, together with `prefixes`. */
struct variable {
  char name[32];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, struct variable);
  __type(value, u8);
} environment SEC(".maps");

/* First 8 bytes of each name in `environment`, NUL-padded when shorter. A cheap no for nearly all variables. Value 1. Written by user space. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, u64);
  __type(value, u8);
} prefixes SEC(".maps");

/* See TERM_* in records.h. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 256);
  __type(key, u32);
  __type(value, u64);
} counters SEC(".maps");

#define CONTROL_NO_ENVIRONMENT 1 /* do not read environments (bench) */
#define CONTROL_NO_COALESCING 2  /* every open is a record (tests, volume: full) */

/* Written by user space only. */
struct control {
  u64 heartbeat_boot_ns; /* last sign of life, CLOCK_BOOTTIME; 0 = never expires */
  u32 flags;
  u32 pad;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct control);
} control SEC(".maps");

/* The context of SEC("syscall") `order`, for bpf_prog_test_run_opts (ctx_in, which the kernel writes back; it refuses ctx_out). */
#define ORDER_SET 1     /* an entry that is there, with the same start_ticks: state */
#define ORDER_INSERT 2  /* the same, also when there is none */
#define ORDER_RELEASE 3 /* forget it, if start_ticks is the same */

struct order_context {
  u32 op;
  u32 tgid;
  u64 start_ticks;
  u32 state;
  s32 result; /* out: 0, -3 no such entry, -7 table full, -22 bad order */
};
