import type { Bytes, Clip } from '../../src/model/bytes.ts'
import type { Observation } from '../../src/model/observation.ts'
import { EXEC, EXEC_BYTES, FLAG } from './layout.ts'
import { type Batch, type Each, fileRef, type Head, small, text, userDev } from './record.ts'

type Exec = Extract<Observation, { kind: 'exec' }>

export function decodeExec(batch: Batch, { seq, boot, task, flags, at, end }: Head, each: Each): boolean {
  const u16 = (offset: number) => batch.u16[(at + offset) >> 1]!
  const u32 = (offset: number) => batch.u32[(at + offset) >> 2]!
  let from = at + EXEC_BYTES
  const take = (bytes: number): Bytes => text(batch, from, (from += bytes))
  const lengths = [EXEC.exe_len, EXEC.called_len, EXEC.cwd_len, EXEC.args_len, EXEC.tail_len, EXEC.env_len].map(u16)
  if (lengths.reduce((sum, bytes) => sum + bytes, from) !== end) return false
  const [exe, called, cwd, args, tail, env] = lengths.map(take) as [Bytes, Bytes, Bytes, Bytes, Bytes, Bytes]
  const parentPid = u32(EXEC.parent_tgid)
  each({
    sensor: 'linux-ebpf',
    seq,
    boot,
    task,
    fidelity: 'exact',
    kind: 'exec',
    parent: { pid: parentPid, tid: parentPid, startTicks: small(batch, at + EXEC.parent_start_ticks) },
    comm: untilNul(text(batch, at + EXEC.comm, at + EXEC.comm + 16)),
    exe: fileRef(exe, flags, u32(EXEC.exe_dev), batch.u64[(at + EXEC.exe_ino) >> 3]!),
    called,
    args: clippedArgs(args, tail, u32(EXEC.args_bytes), u32(EXEC.argc)),
    argsBytes: u32(EXEC.args_bytes),
    env: env === '' ? [] : strings(env).flatMap(pair),
    envMissed: (flags & FLAG.ENV_MISSED) !== 0,
    cwd,
    ids: {
      uid: u32(EXEC.uid),
      gid: u32(EXEC.gid),
      loginUid: u32(EXEC.login_uid),
      auditSession: u32(EXEC.audit_session),
      tty: userDev(u32(EXEC.tty)),
      pgid: u32(EXEC.pgid),
      sid: u32(EXEC.sid),
    },
    ns: { mnt: u32(EXEC.mnt_ns), pid: u32(EXEC.pid_ns), net: u32(EXEC.net_ns), user: u32(EXEC.user_ns) },
    cgroup: batch.u64[(at + EXEC.cgroup) >> 3]!,
    noNewPrivs: u16(EXEC.no_new_privs) !== 0,
    seccomp: u16(EXEC.seccomp),
  })
  return true
}

/** Each argument ends with a NUL. An argument that the bound cuts stands cut at the end of the head, or at the beginning of the tail. */
function clippedArgs(head: Bytes, tail: Bytes, bytes: number, count: number): Exec['args'] {
  if (head.length + tail.length >= bytes) {
    const all = strings((head + tail) as Bytes)
    return { head: all, total: all.length }
  }
  const clip: Clip<readonly Bytes[]> = { head: strings(head), total: count }
  return tail === '' ? clip : { ...clip, tail: strings(tail) }
}

function strings(text: Bytes): Bytes[] {
  if (text === '') return []
  return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0') as Bytes[]
}

function pair(variable: Bytes): Array<readonly [string, Bytes]> {
  const equals = variable.indexOf('=')
  return equals < 0 ? [] : [[variable.slice(0, equals), variable.slice(equals + 1) as Bytes]]
}

const untilNul = (text: Bytes): Bytes => (text.includes('\0') ? text.slice(0, text.indexOf('\0')) : text) as Bytes
