/**
 * What the programs write into the ring: bpf/records.h for TypeScript. layout.test.ts compares the two, so that neither changes alone.
 * Offsets are from the beginning of the record, behind the 8 bytes of the ring.
 */

export const KIND = { FORK: 1, EXEC: 2, EXIT: 3, OPEN: 4, CHANGE: 5, CONNECT: 6, ACCEPT: 7, LISTEN: 8, SOCK_END: 9 } as const

export const OP = { RENAME: 1, UNLINK: 2, RMDIR: 3, MKDIR: 4, LINK: 6, SYMLINK: 7, CHMOD: 8, CHOWN: 9, TRUNCATE: 10 } as const

export const FLAG = {
  EXACT: 1,
  CUT: 2,
  DELETED: 4,
  CREATED: 8,
  TRUNCATED: 16,
  REPEATS: 32,
  WRITE: 64,
  READ: 128,
  PROVISIONAL: 256,
  ENV_MISSED: 512,
  CORE: 1024,
} as const

export const HEADER = { type: 0, flags: 2, size: 4, boot_ns: 8, tgid: 16, tid: 20, start_ticks: 24 } as const
export const HEADER_BYTES = 32

export const FORK = { child_tgid: 32, child_state: 36, child_start_ticks: 40 } as const
export const FORK_BYTES = 48

export const EXEC = {
  exe_ino: 32,
  exe_dev: 40,
  parent_tgid: 44,
  parent_start_ticks: 48,
  cgroup: 56,
  uid: 64,
  gid: 68,
  login_uid: 72,
  audit_session: 76,
  tty: 80,
  pgid: 84,
  sid: 88,
  mnt_ns: 92,
  pid_ns: 96,
  net_ns: 100,
  user_ns: 104,
  argc: 108,
  args_bytes: 112,
  no_new_privs: 116,
  seccomp: 118,
  comm: 120,
  exe_len: 136,
  called_len: 138,
  cwd_len: 140,
  args_len: 142,
  tail_len: 144,
  env_len: 146,
  exec_pad: 148,
} as const
export const EXEC_BYTES = 152

export const EXIT = { status: 32, exit_pad: 36, cpu_ns: 40 } as const
export const EXIT_BYTES = 48

export const OPEN = { ino: 32, dev: 40, result: 44, count: 48, base_len: 52, name_len: 54 } as const
export const OPEN_BYTES = 56

export const CHANGE = {
  change_ino: 32,
  change_dev: 40,
  change_result: 44,
  op: 48,
  mode: 50,
  change_base_len: 52,
  change_name_len: 54,
  target_base_len: 56,
  target_len: 58,
  change_pad: 60,
} as const
export const CHANGE_BYTES = 64

export const SOCK = {
  cookie: 32,
  local: 40,
  peer: 56,
  local_port: 72,
  peer_port: 74,
  family: 76,
  protocol: 78,
  sock_result: 80,
  sock_net_ns: 84,
  tx: 88,
  rx: 96,
  duration_ns: 104,
} as const
export const SOCK_BYTES = 112
