import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import type { Bytes, Clip } from '../model/bytes.ts'
import type { Ids } from '../model/observation.ts'

/** Everything read from /proc passes through one buffer of this size: what is longer is cut, never allocated. */
const READ_BYTES = 256 * 1024
/** The argument text kept, as the sensor keeps it: this much of the head and of the tail. */
const ARGS_HEAD_BYTES = 2048
const ARGS_TAIL_BYTES = 2048
/** Flag of /proc/PID/stat (include/linux/sched.h): a kernel thread. */
const PF_KTHREAD = 0x0020_0000
const NO_LOGIN = 0xffff_ffff

const buffer = Buffer.allocUnsafeSlow(READ_BYTES)

/** What /proc/PID/stat tells. `comm` has at most 15 bytes and is chosen by the process itself. */
export type Stat = {
  readonly pid: number
  readonly comm: Bytes
  readonly state: string
  readonly ppid: number
  readonly pgid: number
  readonly sid: number
  readonly tty: number
  readonly threads: number
  readonly startTicks: number
  readonly kernelThread: boolean
}

/** Up to `READ_BYTES` of a file as one char a byte; null: it cannot be read (the process is gone, or not ours). */
function readText(path: string): string | null {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return null
  }
  try {
    let have = 0
    while (have < buffer.length) {
      const got = readSync(fd, buffer, have, buffer.length - have, null)
      if (got === 0) break
      have += got
    }
    return buffer.toString('latin1', 0, have)
  } catch {
    return null
  } finally {
    closeSync(fd)
  }
}

export function readStat(pid: number, root = '/proc'): Stat | null {
  const text = readText(`${root}/${pid}/stat`)
  return text === null ? null : parseStat(text)
}

/** comm may hold blanks and parentheses: the last one closes it (proc_pid_stat(5)). Null for text that is no such line. */
export function parseStat(text: string): Stat | null {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open < 1 || close < open) return null
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(close + 2).split(' ', 20)
  // Field 3 is fields[0], so field n is fields[n - 3]; 22 is the start time.
  const number = (n: number): number => Number(fields[n - 3])
  if (fields.length < 20 || !Number.isSafeInteger(pid) || !Number.isSafeInteger(number(22))) return null
  return {
    pid,
    comm: text.slice(open + 1, close) as Bytes,
    state: fields[0]!,
    ppid: number(4),
    pgid: number(5),
    sid: number(6),
    // The kernel prints the device number as a signed int.
    tty: number(7) >>> 0,
    threads: number(20),
    startTicks: number(22),
    kernelThread: (number(9) & PF_KTHREAD) !== 0,
  }
}

const DELETED = ' (deleted)'

/** Target of /proc/PID/exe; null for kernel threads, the dead, and other users' processes. */
export function readExe(pid: number, root = '/proc'): Bytes | null {
  const path = readLink(`${root}/${pid}/exe`)
  return path === null ? null : ((path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path) as Bytes)
}

export const readCwd = (pid: number, root = '/proc'): Bytes | null => readLink(`${root}/${pid}/cwd`)

function readLink(path: string): Bytes | null {
  try {
    return readlinkSync(path, 'buffer').toString('latin1') as Bytes
  } catch {
    return null
  }
}

/** The arguments, clipped by bytes. `bytes` is their true length where it is under the reader's bound. */
export function readArgs(pid: number, root = '/proc'): { readonly args: Clip<readonly Bytes[]>; readonly bytes: number } | null {
  const text = readText(`${root}/${pid}/cmdline`)
  return text === null ? null : { args: clipArgs(text), bytes: text.length }
}

/** `text`: arguments, each with its NUL (the last one may lack it, after setproctitle). `total` counts arguments. */
export function clipArgs(text: string): Clip<readonly Bytes[]> {
  const all = text.split('\0')
  if (all[all.length - 1] === '') all.pop()
  let bytes = 0
  let head = 0
  while (head < all.length && bytes + all[head]!.length < ARGS_HEAD_BYTES) bytes += all[head++]!.length + 1
  if (head === all.length) return { head: all as Bytes[], total: all.length }
  // The argument at the cut gives its beginning to the head, and its end to the tail where it is the last one.
  const first = [...all.slice(0, head), all[head]!.slice(0, ARGS_HEAD_BYTES - bytes)]
  const tail: string[] = []
  let room = ARGS_TAIL_BYTES
  for (let at = all.length - 1; at >= head && room > 0; at--) {
    const kept = at === head ? all[at]!.slice(Math.max(ARGS_HEAD_BYTES - bytes, all[at]!.length - room)) : all[at]!.slice(-room)
    tail.unshift(kept)
    room -= kept.length + 1
  }
  return { head: first as Bytes[], tail: tail as Bytes[], total: all.length }
}

/** The environment's variables with exactly these names. No other one leaves this function. */
export function readEnvironment(pid: number, names: ReadonlySet<string>, root = '/proc'): [string, Bytes][] {
  const found: [string, Bytes][] = []
  if (names.size === 0) return found
  const text = readText(`${root}/${pid}/environ`)
  if (text === null) return found
  for (const pair of text.split('\0')) {
    const at = pair.indexOf('=')
    if (at > 0 && names.has(pair.slice(0, at))) found.push([pair.slice(0, at), pair.slice(at + 1) as Bytes])
  }
  buffer.fill(0, 0, text.length)
  return found
}

export function readIds(stat: Stat, root = '/proc'): Ids {
  const status = readText(`${root}/${stat.pid}/status`) ?? ''
  // The first of four (real, effective, saved, file system), as the kernel's sensor reports it: who it is, not what it may do.
  const id = (name: string): number => Number(new RegExp(`^${name}:\\t(\\d+)`, 'm').exec(status)?.[1] ?? NO_LOGIN)
  const number = (file: string): number => {
    const text = readText(`${root}/${stat.pid}/${file}`)
    return text !== null && /^\d+/.test(text) ? Number.parseInt(text, 10) : NO_LOGIN
  }
  return { uid: id('Uid'), gid: id('Gid'), loginUid: number('loginuid'), auditSession: number('sessionid'), tty: stat.tty, pgid: stat.pgid, sid: stat.sid }
}

/** Path of the control group (v2 line, else the first), as systemd names it; empty where unknown. */
export function readCgroup(pid: number, root = '/proc'): string {
  const lines = (readText(`${root}/${pid}/cgroup`) ?? '').split('\n')
  const line = lines.find((each) => each.startsWith('0::')) ?? lines[0] ?? ''
  return line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1)
}

/** Pids of all processes, ascending. */
export function listPids(root = '/proc'): number[] {
  const pids: number[] = []
  for (const name of readdirSync(root)) {
    const pid = Number(name)
    if (Number.isInteger(pid) && pid > 0) pids.push(pid)
  }
  return pids.sort((a, b) => a - b)
}
