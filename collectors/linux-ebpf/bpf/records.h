/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the programs write into the ring: `struct header`, then the fields of the type, then bytes (paths, argv, ...), which fill the rest of
 * `size`. Little endian, naturally aligned. ../layout.ts repeats this file for TypeScript; layout.test.ts compares the two.
 */

/* Type of a record, and (except TYPE_ORDER) index of its kind in `counters`. */
#define KIND_FORK 1
#define KIND_EXEC 2
#define KIND_EXIT 3
#define KIND_OPEN 4
#define KIND_CHANGE 5
#define KIND_CONNECT 6
#define KIND_ACCEPT 7
#define KIND_LISTEN 8
#define KIND_SOCK_END 9

/*
 * counters[kind * TERMS + term], per CPU. From the tracked filter on, for each kind and exactly:
 * observed = coalesced + delivered + filtered_* + lost_*
 * TERM_REPEATS stands outside of the sum: delivered reports of coalesced opens, which are no observations of their own.
 */
#define TERMS 16
#define TERM_OBSERVED 0
#define TERM_COALESCED 1
#define TERM_DELIVERED 2
#define TERM_FILTERED_SELF 3
#define TERM_FILTERED_STALE 4
#define TERM_LOST_RING_FULL 5
#define TERM_LOST_TABLE_FULL 6
#define TERM_LOST_RECURSION 7
#define TERM_FILTERED_O_PATH 8
#define TERM_REPEATS 9

/* header.flags. The upper four bits are the file's type as in S_IFMT >> 12, 0 = unknown. */
#define FLAG_EXACT 1       /* path walked in the kernel; otherwise base and name of the caller, to be joined */
#define FLAG_CUT 2         /* the path is longer than the bound: its end is here (of a name: its beginning) */
#define FLAG_DELETED 4     /* link count was 0 */
#define FLAG_CREATED 8     /* open: this call made the file */
#define FLAG_TRUNCATED 16  /* open: O_TRUNC on a writable open */
#define FLAG_REPEATS 32    /* open: `count` further opens of this file and access, coalesced */
#define FLAG_WRITE 64      /* open: for writing */
#define FLAG_READ 128      /* open: for reading */
#define FLAG_PROVISIONAL 256 /* exec: a candidate that user space has not confirmed */
#define FLAG_ENV_MISSED 512  /* exec: the environment is longer than the bound */
#define FLAG_CORE 1024       /* exit: dumped core (bit 7 of the wait status) */

struct header {
  u16 type;
  u16 flags;
  u32 size; /* of the whole record, this header included, without the ring's own 8 bytes and padding */
  u64 boot_ns;
  u32 tgid;
  u32 tid;
  u64 start_ticks; /* of the process: /proc/PID/stat field 22 */
};

struct fork {
  u32 child_tgid;
  u32 child_state; /* STATE_* that it inherited */
  u64 child_start_ticks;
};

/* Followed by exe[exe_len] called[called_len] cwd[cwd_len] args[args_len] tail[tail_len] env[env_len].
 * args, tail: argv as in memory, NUL after each. env: NAME=VALUE NUL, allowed names only. */
struct exec {
  u64 exe_ino;
  u32 exe_dev;
  u32 parent_tgid;
  u64 parent_start_ticks;
  u64 cgroup;
  u32 uid;
  u32 gid;
  u32 login_uid;
  u32 audit_session;
  u32 tty; /* kernel dev_t, 0 = none */
  u32 pgid;
  u32 sid;
  u32 mnt_ns;
  u32 pid_ns;
  u32 net_ns;
  u32 user_ns;
  u32 argc;
  u32 args_bytes; /* of the whole argv */
  u16 no_new_privs;
  u16 seccomp; /* mode: 0 none, 1 strict, 2 filter */
  u8 comm[16];
  u16 exe_len;
  u16 called_len;
  u16 cwd_len;
  u16 args_len;
  u16 tail_len;
  u16 env_len;
  u32 exec_pad;
};

struct exit {
  u32 status; /* as wait(2): signal in the low 7 bits, else code << 8 */
  u32 exit_pad;
  u64 cpu_ns; /* as of each thread's last tick or switch: up to 10 ms less than the truth */
};

/* The last bytes of the record are base[base_len] name[name_len], with zeros before them. */
struct open {
  u64 ino;
  u32 dev; /* kernel dev_t: major << 20 | minor */
  s32 result;
  u32 count;
  u16 base_len;
  u16 name_len;
};

#define OP_RENAME 1   /* file = old name, target = new name */
#define OP_UNLINK 2
#define OP_RMDIR 3
#define OP_MKDIR 4
#define OP_LINK 6     /* file = the existing name, target = the new one, as for rename */
#define OP_SYMLINK 7  /* file = the new name, target = the text it points to, not joined */
#define OP_CHMOD 8
#define OP_CHOWN 9
#define OP_TRUNCATE 10

/* Followed by base[change_base_len] name[change_name_len] target_base[target_base_len] target[target_len]. */
struct change {
  u64 change_ino;
  u32 change_dev;
  s32 change_result;
  u16 op;
  u16 mode; /* chmod, mkdir: permission bits asked for */
  u16 change_base_len;
  u16 change_name_len;
  u16 target_base_len;
  u16 target_len;
  u32 change_pad;
};

/* connect, accept, listen, sock.end. Addresses and ports in network byte order; IPv4 in the first 4 bytes. The last three are of sock.end only. */
struct sock_record {
  u64 cookie;
  u8 local[16];
  u8 peer[16];
  u16 local_port;
  u16 peer_port;
  u16 family; /* 2 or 10 */
  u16 protocol;
  s32 sock_result; /* sock.end: sk_err, 0 or more */
  u32 sock_net_ns;
  u64 tx;
  u64 rx;
  u64 duration_ns;
};
