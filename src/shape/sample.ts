import { type Bytes, bytesOf } from '../model/bytes.ts'
import type { ProcessId, SessionId, SpanId, ToolCallId, TraceId, TurnId } from '../model/ids.ts'
import type { FileRef, Ids, Observation, Sock } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import type { Observed } from '../model/rollup.ts'
import type { Place, Session, ToolCall, Turn } from '../model/session.ts'

// Made-up activities for the tests of this folder.

export const task = { pid: 4711, tid: 4711, startTicks: 100_000 }
export const ids: Ids = { uid: 1000, gid: 1000, loginUid: 1000, auditSession: 3, tty: 34816, pgid: 4711, sid: 4711 }

export const processOf = (more: Partial<Process> = {}): Process => ({
  id: '00112233445566778899aabbccddeeff' as ProcessId,
  task,
  parentId: 'ffeeddccbbaa99887766554433221100' as ProcessId,
  parentPid: 4000,
  startedAt: 1_000_000_000_000n,
  images: [
    {
      number: 1,
      path: bytesOf('/usr/bin/bash'),
      called: bytesOf('/bin/bash'),
      args: { head: ['bash', '-c', 'make test'].map(bytesOf), total: 3 },
      argsBytes: 18,
      cwd: bytesOf('/home/ann/project'),
      env: [],
      at: 1_000_010_000_000n,
    },
  ],
  imagesTotal: 1,
  ids,
  endedAt: null,
  exit: null,
  ...more,
})

export const session: Session = {
  id: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' as SessionId,
  root: 'ffeeddccbbaa99887766554433221100' as ProcessId,
  rootPid: 4000,
  agent: { name: 'claude-code', version: '2.1.328', kind: 'agent', evidence: ['package:@anthropic-ai/claude-code'], sanction: 'unknown' },
  joinedLate: false,
  parentId: null,
  startedAt: 900_000_000_000n,
  user: { id: 1000, name: 'ann' },
  origin: 'terminal',
  originVia: ['bash', 'gnome-terminal'],
  image: { path: bytesOf('/usr/lib/claude'), args: ['claude', '-p', 'hello'].map(bytesOf), cwd: bytesOf('/home/ann/project') },
  coverage: { fidelity: 'exact', reasons: [] },
  totals: { processes: 3, execs: 4, filesRead: 5, filesChanged: 6, connections: 7, bytesOut: 8, turns: 1, toolCalls: 1 },
  incomplete: [],
}
export const turn: Turn = {
  id: 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb' as TurnId,
  basis: 'burst',
  number: 1,
  traceId: 'cccccccccccccccccccccccccccccccc' as TraceId,
  spanId: 'dddddddddddddddd' as SpanId,
  startedAt: 950_000_000_000n,
}
export const toolCall: ToolCall = {
  id: 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee' as ToolCallId,
  turn,
  name: 'shell',
  callId: null,
  spanId: 'ffffffffffffffff' as SpanId,
  startedAt: 960_000_000_000n,
  rootProcess: '00112233445566778899aabbccddeeff' as ProcessId,
}
export const place: Place = { session, role: 'tool', turn, toolCall }

export const file = (path: string | Bytes, more: Partial<FileRef> = {}): FileRef => ({
  path: path as Bytes,
  exact: true,
  dev: 1,
  ino: 2n,
  class: 'regular',
  deleted: false,
  cut: false,
  ...more,
})

export const sock: Sock = {
  cookie: 77n,
  family: 2,
  protocol: 'tcp',
  local: { address: '128.232.110.120', port: 34855 },
  peer: { address: '66.35.250.204', port: 80 },
}

/** Distributes Omit over the union, which a plain Omit would flatten. */
type Particular<O> = O extends Observation ? Omit<O, 'sensor' | 'seq' | 'boot' | 'task' | 'fidelity'> : never

export const observed = (particular: Particular<Observation>, more: { process?: Process; place?: Place; boot?: bigint; fidelity?: Observation['fidelity'] } = {}): Observed => {
  const boot = more.boot ?? 1_000_500_000_000n
  const process = more.process ?? processOf()
  const observation = { sensor: 'linux-ebpf', seq: 1n, boot, task: process.task, fidelity: more.fidelity ?? 'exact', ...particular } as Observation
  return { kind: 'observed', activity: { observation, process, parent: null }, place: more.place ?? place, at: boot }
}

export const opened = (path: string, more: { access?: 'read' | 'write' | 'read_write'; created?: boolean; result?: number; count?: number; repeats?: boolean } = {}) =>
  ({ kind: 'open', file: file(path), access: 'read', created: false, truncated: false, result: 3, count: 1, repeats: false, ...more }) as const
