import type { Bytes, Clip } from './bytes.ts'

/** Nanoseconds on CLOCK_BOOTTIME. A bigint: a double is exact for 104 days of uptime only. */
export type BootNs = bigint
export type SensorId = 'linux-ebpf' | 'portable'

/** A thread of a process. `pid` is the thread group id in the initial pid namespace; `startTicks` is field 22 of /proc/PID/stat. */
export type Task = { readonly pid: number; readonly tid: number; readonly startTicks: number }

/** `path` is absolute where `exact` (walked in the kernel), otherwise joined from what the caller passed. */
export type FileRef = {
  readonly path: Bytes
  readonly exact: boolean
  readonly dev: number
  readonly ino: bigint
  readonly class: 'regular' | 'dir' | 'fifo' | 'sock' | 'char' | 'block' | 'symlink' | 'unknown'
  /** The link count was 0: the name is gone (or never was, as with O_TMPFILE). */
  readonly deleted: boolean
  /** The path is longer than the sensor's bound: only its end is here. */
  readonly cut: boolean
}

export type Ids = {
  readonly uid: number
  readonly gid: number
  /** 4294967295 = unset (no login). */
  readonly loginUid: number
  readonly auditSession: number
  /** Device number of the controlling terminal, 0 = none. */
  readonly tty: number
  /** Process group and session leader (initial pid namespace). */
  readonly pgid: number
  readonly sid: number
}

/** Namespace inode numbers. */
export type Namespaces = { readonly mnt: number; readonly pid: number; readonly net: number; readonly user: number }

/** `family` 2 = IPv4, 10 = IPv6. Addresses are textual; a v4-mapped IPv6 address is given as IPv4. Port 0 = not known (yet). */
export type Sock = {
  readonly cookie: bigint
  readonly family: 2 | 10
  readonly protocol: 'tcp' | 'udp'
  readonly local: { readonly address: string; readonly port: number }
  readonly peer: { readonly address: string; readonly port: number }
}

export type ChangeOp = 'rename' | 'unlink' | 'rmdir' | 'mkdir' | 'mknod' | 'link' | 'symlink' | 'chmod' | 'chown' | 'truncate' | 'setxattr'

export type LossReason = 'ring_full' | 'table_full' | 'slots_full' | 'path_unreadable' | 'recursion'

type Base = {
  readonly sensor: SensorId
  /** Position in the sensor's stream: strictly rising, the same after a restart. */
  readonly seq: bigint
  readonly boot: BootNs
  readonly task: Task
  readonly fidelity: 'exact' | 'sampled' | 'inferred'
}

/** `result` is 0 or more for success, -errno for failure. */
export type Observation = Base &
  (
    | {
        readonly kind: 'process.seen'
        readonly parent: Task | null
        readonly comm: Bytes
        readonly exe: Bytes
        readonly args: Clip<readonly Bytes[]>
        readonly env: ReadonlyArray<readonly [string, Bytes]>
        readonly cwd: Bytes
        readonly ids: Ids
      }
    | { readonly kind: 'fork'; readonly child: Task }
    | {
        readonly kind: 'exec'
        readonly parent: Task
        readonly comm: Bytes
        readonly exe: FileRef
        /** The path that was passed to execve: a script's own path where `exe` is its interpreter. */
        readonly called: Bytes
        readonly args: Clip<readonly Bytes[]>
        /** Bytes of the whole argv. */
        readonly argsBytes: number
        readonly env: ReadonlyArray<readonly [string, Bytes]>
        readonly envMissed: boolean
        readonly cwd: Bytes
        readonly ids: Ids
        readonly ns: Namespaces
        readonly cgroup: bigint
        readonly noNewPrivs: boolean
        readonly seccomp: number
      }
    /** The whole process has ended (its last thread). `signal` 0 = it exited by itself. */
    | { readonly kind: 'exit'; readonly code: number; readonly signal: number; readonly coreDumped: boolean; readonly cpuNs: bigint }
    /** `count` > 1: that many further opens of the same file and access were coalesced in the kernel; `result` is that of each. `boot` is the last one's. */
    | {
        readonly kind: 'open'
        readonly file: FileRef
        readonly access: 'read' | 'write' | 'read_write'
        readonly created: boolean
        readonly truncated: boolean
        readonly result: number
        readonly count: number
        /** A report of `count` repeats that the kernel coalesced: counts for the file, is no observation of its own. */
        readonly repeats: boolean
      }
    | { readonly kind: 'change'; readonly op: ChangeOp; readonly file: FileRef; readonly target?: FileRef; readonly mode?: number; readonly result: number }
    | { readonly kind: 'connect'; readonly sock: Sock; readonly result: number }
    | { readonly kind: 'accept'; readonly sock: Sock; readonly result: number }
    | { readonly kind: 'listen'; readonly sock: Sock; readonly result: number }
    | { readonly kind: 'sock.end'; readonly sock: Sock; readonly tx: bigint; readonly rx: bigint; readonly durNs: bigint; readonly error: number }
    /** Something was lost. `atLeast` counts observations. */
    | {
        readonly kind: 'loss'
        readonly reason: LossReason
        readonly kinds: readonly string[]
        readonly fromBoot: BootNs
        readonly toBoot: BootNs
        readonly atLeast: number | 'unknown'
      }
  )

export type Kind = Observation['kind']
export type ObservationOf<K extends Kind> = Extract<Observation, { kind: K }>
