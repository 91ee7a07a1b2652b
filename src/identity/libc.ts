import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import type { BootNs } from '../model/observation.ts'

// From the kernel's uapi headers; the same on x86_64 and arm64.
const SOL_SOCKET = 1
const SO_PEERCRED = 17
const PR_SET_PDEATHSIG = 1
const CLOCK_REALTIME = 0
const CLOCK_BOOTTIME = 7
const LOCK_EX = 2
const LOCK_NB = 4
const EWOULDBLOCK = 11

type Libc = {
  readonly errno: () => number
  readonly getsockopt: (fd: number, level: number, name: number, value: Uint32Array, length: Uint32Array) => number
  readonly prctl: (option: number, a: number, b: number, c: number, d: number) => number
  readonly clockGettime: (clock: number, time: BigInt64Array) => number
  readonly flock: (fd: number, operation: number) => number
}

let bound: Libc | undefined

/** koffi costs 5 MB and some ms: loaded by the first call, never by the import. */
function libc(): Libc {
  if (bound !== undefined) return bound
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  // null = what the process has loaded already, which includes the C library: the same for glibc and musl.
  const library = koffi.load(null)
  bound = {
    errno: () => koffi.errno(),
    getsockopt: library.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
    prctl: library.func('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)'),
    clockGettime: library.func('int clock_gettime(int clock, void *time)'),
    flock: library.func('int flock(int fd, int operation)'),
  }
  return bound
}

/** Who is at the other end of a connected unix socket, as the kernel noted it at connect(2). Null: `fd` is no such socket. */
export function peerCredentials(fd: number): { readonly pid: number; readonly uid: number; readonly gid: number } | null {
  if (!Number.isInteger(fd) || fd < 0) return null
  const value = new Uint32Array(3)
  const length = new Uint32Array([value.byteLength])
  if (libc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0 || length[0] !== value.byteLength) return null
  const [pid, uid, gid] = value as unknown as readonly [number, number, number]
  // A socket that is not a connected unix one has pid 0 and ids of -1 (socket(7)).
  return pid === 0 || uid === 0xffff_ffff ? null : { pid, uid, gid }
}

/**
 * The kernel sends this process `signal` (a number) when the thread that forked it ends: a supervisor killed with SIGKILL takes us along, without polling.
 * Call it *after* `dropPrivileges` (a change of credentials clears it, prctl(2)), then compare `process.ppid`: the parent may have ended before the call.
 */
export const setParentDeathSignal = (signal: number): boolean => libc().prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) === 0

/** Exclusive, not waiting. The lock belongs to the open file: it ends with the process, however that ends. */
export function flock(fd: number): { readonly ok: true } | { readonly ok: false; readonly busy: boolean; readonly error: string } {
  const c = libc()
  if (c.flock(fd, LOCK_EX | LOCK_NB) === 0) return { ok: true }
  const errno = c.errno()
  return { ok: false, busy: errno === EWOULDBLOCK, error: getSystemErrorName(-errno) }
}

const time = new BigInt64Array(2)
function clock(id: number): bigint {
  if (libc().clockGettime(id, time) !== 0) throw new Error(`clock_gettime(${id}): ${getSystemErrorName(-libc().errno())}`)
  return time[0]! * 1_000_000_000n + time[1]!
}

/** Now, on the clock of the kernel's stamps: it goes on while the machine sleeps. */
export const bootNow = (): BootNs => clock(CLOCK_BOOTTIME)
/** Unix nanoseconds. */
export const wallNow = (): bigint => clock(CLOCK_REALTIME)

/**
 * Gives up root for good: groups, gid, uid, in all threads. Throws when any of it failed: going on as root would be worse.
 * Folders opened before stay reachable as /proc/self/fd/N, also where the account may not walk the path that leads to them.
 */
export function dropPrivileges(uid: number, gid: number): void {
  const { setgroups, setgid, setuid, getuid, geteuid } = process
  if (!setgroups || !setgid || !setuid || !getuid || !geteuid) throw new Error('dropPrivileges: this platform has no user ids')
  // Now, for what is called later: the account dropped to may not be able to read our own modules (a clone under /root).
  libc()
  setgroups([gid])
  setgid(gid)
  setuid(uid)
  if (getuid() !== uid || geteuid() !== uid) throw new Error(`dropPrivileges: uid is ${getuid()}, not ${uid}`)
}
