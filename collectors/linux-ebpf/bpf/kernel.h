/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The kernel's types, as far as they are read: libbpf finds the true offsets in the running kernel's BTF (CO-RE), so order and gaps do not matter here. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed short s16;
typedef signed int s32;
typedef signed long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s16 __s16;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;
typedef _Bool bool;

/* include/uapi/linux/bpf.h */
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2, BPF_F_NO_PREALLOC = 1 };

#include <bpf/bpf_helpers.h>

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define SOCK_DONE 1 /* bit of skc_flags, include/net/sock.h */
#define AT_FDCWD (-100)
#define FMODE_READ 1
#define FMODE_WRITE 2
#define FMODE_PATH 0x4000      /* include/linux/fs.h */
#define FMODE_CREATED 0x100000 /* include/linux/fs.h */
#define O_ACCMODE 3
#define O_TRUNC 01000 /* these are the same on x86_64 and arm64 */
#define O_PATH 010000000
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR 0x200
#define AT_SYMLINK_FOLLOW 0x400
#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_IFSOCK 0140000
#define ERESTARTSYS 512 /* include/linux/errno.h: 512-516 never reach user space: the call is restarted, or returns EINTR */
#define ESRCH 3
#define EINTR 4
#define E2BIG 7
#define EEXIST 17
#define EINVAL 22
#define ELOOP 40
#define EALREADY 114
#define EINPROGRESS 115
#define ECANCELED 125

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

struct qstr {
  union {
    struct {
      u32 hash;
      u32 len;
    };
    u64 hash_len;
  };
  const unsigned char *name;
};

struct super_block {
  u32 s_dev;
};

struct inode {
  u16 i_mode;
  u32 i_nlink;
  unsigned long i_ino;
  struct super_block *i_sb;
};

struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
};

struct vfsmount {
  struct dentry *mnt_root;
};

struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
};

struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};

struct file {
  u32 f_mode;
  u32 f_flags;
  struct inode *f_inode;
  struct path f_path;
  void *private_data;
};

struct fdtable {
  u32 max_fds;
  struct file **fd;
};

struct files_struct {
  struct fdtable *fdt;
};

struct fs_struct {
  struct path pwd;
};

struct mm_struct {
  unsigned long arg_start, arg_end, env_start, env_end;
  struct file *exe_file;
};

struct ns_common {
  u32 inum;
};

struct mnt_namespace {
  struct ns_common ns;
};

struct pid_namespace {
  struct ns_common ns;
};

struct user_namespace {
  struct ns_common ns;
};

struct net {
  struct ns_common ns;
};

struct nsproxy {
  struct mnt_namespace *mnt_ns;
  struct net *net_ns;
};

typedef struct {
  u32 val;
} kuid_t;

typedef struct {
  u32 val;
} kgid_t;

struct cred {
  kuid_t uid;
  kgid_t gid;
  struct user_namespace *user_ns;
};

struct tty_driver {
  int major;
  int minor_start;
};

struct tty_struct {
  struct tty_driver *driver;
  int index;
};

struct upid {
  int nr;
  struct pid_namespace *ns;
};

struct pid {
  u32 level;
  struct upid numbers[1];
};

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };

struct signal_struct {
  atomic_t live;
  struct pid *pids[4];
  int group_exit_code;
  struct tty_struct *tty;
  u64 sum_sched_runtime;
};

struct sched_entity {
  u64 sum_exec_runtime;
};

struct seccomp {
  int mode;
};

struct task_struct {
  int pid;
  int tgid;
  struct task_struct *real_parent;
  struct task_struct *group_leader;
  struct files_struct *files;
  struct fs_struct *fs;
  struct mm_struct *mm;
  u64 start_boottime;
  int exit_code;
  unsigned long atomic_flags;
  const struct cred *cred;
  kuid_t loginuid;
  u32 sessionid;
  struct signal_struct *signal;
  struct nsproxy *nsproxy;
  struct pid *thread_pid;
  struct seccomp seccomp;
  struct sched_entity se;
};

struct linux_binprm {
  int argc;
  const char *filename;
};

struct in6_addr {
  union {
    u8 u6_addr8[16];
    u32 u6_addr32[4];
  } in6_u;
};

typedef struct {
  struct net *net;
} possible_net_t;

typedef struct {
  s64 counter;
} atomic64_t;

struct sock_common {
  u32 skc_daddr;
  u32 skc_rcv_saddr;
  u16 skc_dport;
  u16 skc_num;
  u16 skc_family;
  volatile u8 skc_state;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  atomic64_t skc_cookie;
  unsigned long skc_flags;
};

struct sock {
  struct sock_common __sk_common;
  u16 sk_protocol;
  u16 sk_type;
  int sk_err;
};

struct inet_sock {
  u16 inet_sport;
};

struct tcp_sock {
  u8 is_mptcp : 1;
  u64 bytes_received;
  u64 bytes_sent;
  u64 bytes_retrans;
};

struct mptcp_sock {
  struct sock *first;
};

struct socket {
  struct sock *sk;
};

struct pt_regs {
  u64 any; /* never read: the two flavours below are */
};

struct pt_regs___x86 {
  unsigned long di, si, dx, r10, r8, orig_ax;
};

struct pt_regs___arm64 {
  u64 regs[31];
  u64 orig_x0;
};

#pragma clang attribute pop
