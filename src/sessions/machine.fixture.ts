import { deserialize, serialize } from 'node:v8'
import { type Catalogue, createCatalogue } from '../agents/catalogue.ts'
import { createLineage, type Lineage } from '../lineage/lineage.ts'
import { type Bytes, bytesOf } from '../model/bytes.ts'
import type { Claim } from '../model/claim.ts'
import type { BootNs, Ids, Observation, ObservationOf, Task } from '../model/observation.ts'
import type { SessionActivity } from '../model/session.ts'
import type { Ancestor, Host } from './origin.ts'
import { createSessions, type Sessions } from './sessions.ts'

/** A machine for tests: makes the observations a sensor would, and keeps what comes out of stages 2 and 3. */
export type Machine = ReturnType<typeof createMachine>

export type Proc = { readonly task: Task; sid: number; parent: Task }

export type ExecWords = {
  readonly exe: string
  readonly args: readonly string[]
  readonly called?: string
  readonly env?: ReadonlyArray<readonly [string, string]>
  readonly cwd?: string
  readonly leader?: boolean
  readonly envMissed?: boolean
}

const NS_PER_MS = 1_000_000n
const NS_PER_TICK = 10_000_000n
const NO_NS = { mnt: 1, pid: 1, net: 1, user: 1 }
export const MACHINE_ID = new Uint8Array(16).fill(1)
export const BOOT_ID = new Uint8Array(16).fill(2)
const SHELL: Task = { pid: 500, tid: 500, startTicks: 40 }

export function createMachine(
  options: {
    readonly catalogue?: Catalogue
    readonly ancestry?: readonly Ancestor[]
    readonly onActivity?: (activity: SessionActivity) => unknown
    readonly keep?: boolean
    readonly claims?: boolean
  } = {},
) {
  const out: SessionActivity[] = []
  const orders: string[] = []
  const names = new Map<string, string>()
  const catalogue = options.catalogue ?? createCatalogue()
  const host: Host = { ancestry: () => options.ancestry ?? [], userName: (uid) => (uid === 1000 ? 'ann' : null) }
  let now = 1_000_000n * NS_PER_MS
  let seq = 0n
  let nextPid = 1000
  let nextCookie = 1n
  let lineage: Lineage
  let sessions: Sessions

  function build(state?: { readonly lineage: Lineage['state']; readonly sessions: Sessions['state'] }): void {
    lineage = createLineage({ machineId: MACHINE_ID, bootId: BOOT_ID, vanished: (process, at) => sessions.vanished(process, at), ...(state && { state: state.lineage }) })
    sessions = createSessions({
      catalogue,
      host,
      orders: {
        track: ({ pid }) => orders.push(`track ${pid}`) > 0,
        release: ({ pid }) => orders.push(`release ${pid}`) > 0,
      },
      lineage,
      emit: (activity) => {
        if (options.keep !== false) out.push(activity)
        options.onActivity?.(activity)
      },
      claims: options.claims === true,
      ...(state && { state: state.sessions }),
    })
  }
  build()

  const base = (task: Task) => ({ sensor: 'linux-ebpf' as const, seq: seq++, boot: now, task, fidelity: 'exact' as const })
  const ids = (proc: Proc): Ids => ({ uid: 1000, gid: 1000, loginUid: 1000, auditSession: 1, tty: 0, pgid: proc.sid, sid: proc.sid })

  function observe(observation: Observation): void {
    const activity = lineage.observe(observation)
    if (activity !== null) sessions.handle(activity)
  }

  const machine = {
    out,
    orders,
    observe,
    host,
    get now() {
      return now
    },
    get lineage() {
      return lineage
    },
    get sessions() {
      return sessions
    },
    /** Moves time; sessions are told, as the observer would. */
    wait(ms: number, step = 1000) {
      for (let left = ms; left > 0; left -= step) {
        now += BigInt(Math.round(Math.min(step, left) * 1e6))
        machine.tick()
      }
    },
    /** Moves time without a tick. */
    pass(ms: number) {
      now += BigInt(Math.round(ms * 1e6))
    },
    tick() {
      lineage.tick(now)
      sessions.tick(now)
    },
    /** A process that no sensor has told of: a shell's child, say. */
    newcomer(parent: Task = SHELL): Proc {
      const pid = nextPid++
      return { task: { pid, tid: pid, startTicks: Number(now / NS_PER_TICK) }, sid: parent.pid, parent }
    },
    at(pid: number, startTicks: number, parent: Task = SHELL): Proc {
      return { task: { pid, tid: pid, startTicks }, sid: parent.pid, parent }
    },
    fork(proc: Proc): Proc {
      const child = machine.newcomer(proc.task)
      child.sid = proc.sid
      observe({ ...base(proc.task), kind: 'fork', child: child.task })
      return child
    },
    exec(proc: Proc, words: ExecWords): Proc {
      if (words.leader === true) proc.sid = proc.task.pid
      const env = (words.env ?? []).map(([name, value]) => [name, bytesOf(value)] as const)
      const args = words.args.map(bytesOf)
      observe({
        ...base(proc.task),
        kind: 'exec',
        parent: proc.parent,
        comm: 'MainThread' as Bytes,
        exe: { path: bytesOf(words.exe), exact: true, dev: 1, ino: 1n, class: 'regular', deleted: false, cut: false },
        called: bytesOf(words.called ?? words.exe),
        args: { head: args, total: args.length },
        argsBytes: args.reduce((sum, arg) => sum + arg.length + 1, 0),
        env,
        envMissed: words.envMissed ?? false,
        cwd: bytesOf(words.cwd ?? '/work'),
        ids: ids(proc),
        ns: NO_NS,
        cgroup: 1n,
        noNewPrivs: false,
        seccomp: 0,
      })
      return proc
    },
    spawn(proc: Proc, words: ExecWords): Proc {
      const child = machine.fork(proc)
      machine.pass(2)
      return machine.exec(child, words)
    },
    openOf(proc: Proc, path: string, more: Partial<ObservationOf<'open'>> = {}): ObservationOf<'open'> {
      return {
        ...base(proc.task),
        kind: 'open',
        file: { path: bytesOf(path), exact: true, dev: 1, ino: 7n, class: 'regular', deleted: false, cut: false },
        access: 'read',
        created: false,
        truncated: false,
        result: 3,
        count: 1,
        repeats: false,
        ...more,
      }
    },
    open(proc: Proc, path: string, more: Partial<ObservationOf<'open'>> = {}) {
      observe(machine.openOf(proc, path, more))
    },
    connect(proc: Proc, result = -115): bigint {
      const cookie = nextCookie++
      observe({ ...base(proc.task), kind: 'connect', sock: sock(cookie), result })
      return cookie
    },
    sockEnd(proc: Proc, cookie: bigint, tx: bigint, rx: bigint) {
      observe({ ...base(proc.task), kind: 'sock.end', sock: sock(cookie), tx, rx, durNs: 1n, error: 0 })
    },
    exit(proc: Proc, code = 0, signal = 0) {
      observe({ ...base(proc.task), kind: 'exit', code, signal, coreDumped: false, cpuNs: 1n })
    },
    seenOf(proc: Proc, exe: string, args: readonly string[]): ObservationOf<'process.seen'> {
      return {
        ...base(proc.task),
        fidelity: 'sampled',
        kind: 'process.seen',
        parent: proc.parent,
        comm: 'MainThread' as Bytes,
        exe: bytesOf(exe),
        args: { head: args.map(bytesOf), total: args.length },
        env: [],
        cwd: bytesOf('/work'),
        ids: ids(proc),
      }
    },
    seen(proc: Proc, exe: string, args: readonly string[]) {
      observe(machine.seenOf(proc, exe, args))
    },
    record(proc: Proc, name: string | null) {
      const activity = lineage.observe(machine.seenOf(proc, '/usr/bin/node', ['node', 'spoor', '__shim']))
      return activity === null ? null : sessions.record(activity, name)
    },
    /** The agent's word, as an intake reads it now: its times are the machine's own. */
    claim(uid: number, ...claims: readonly Claim[]) {
      sessions.claims({ uid, claims, boot: now, bootOf: (unixNs) => unixNs })
    },
    change(proc: Proc, op: ObservationOf<'change'>['op'], path: string, target?: string) {
      const file = (name: string) => ({ path: bytesOf(name), exact: true, dev: 1, ino: 9n, class: 'regular', deleted: false, cut: false }) as const
      observe({ ...base(proc.task), kind: 'change', op, file: file(path), ...(target !== undefined && { target: file(target) }), result: 0 })
    },
    lose(atLeast: number) {
      sessions.loss({ ...base(SHELL), kind: 'loss', reason: 'ring_full', kinds: ['open'], fromBoot: now, toBoot: now, atLeast })
    },
    stop() {
      sessions.stop(now)
    },
    /** As the observer does it: one call, so that shared objects stay shared. */
    restart() {
      const copy = deserialize(serialize({ lineage: lineage.state, sessions: sessions.state })) as { lineage: Lineage['state']; sessions: Sessions['state'] }
      build(copy)
    },
    name(proc: Proc, name: string): Proc {
      names.set(String(proc.task.pid), name)
      return proc
    },
    /** What came out, without opens and forks, one short line each. */
    story(): string[] {
      return out.flatMap((activity) => lineOf(activity, names))
    },
    of<K extends SessionActivity['kind']>(kind: K): Extract<SessionActivity, { kind: K }>[] {
      return out.filter((activity) => activity.kind === kind) as Extract<SessionActivity, { kind: K }>[]
    },
    settled(proc: Proc) {
      return machine.of('process.settled').filter((activity) => activity.process.task.pid === proc.task.pid && activity.process.task.startTicks === proc.task.startTicks)
    },
    places(proc: Proc) {
      return machine.of('observed').filter((activity) => activity.activity.observation.task.pid === proc.task.pid)
    },
    filtered(kind: Observation['kind']) {
      return sessions.state.filtered[kind] ?? {}
    },
  }
  const sock = (cookie: bigint) => ({
    cookie,
    family: 2 as const,
    protocol: 'tcp' as const,
    local: { address: '10.0.0.1', port: 40000 },
    peer: { address: '10.0.0.2', port: 443 },
  })
  return machine
}

export const seconds = (count: number): BootNs => BigInt(count) * 1_000_000_000n

function lineOf(activity: SessionActivity, names: ReadonlyMap<string, string>): string[] {
  const who = (pid: number): string => names.get(String(pid)) ?? String(pid)
  switch (activity.kind) {
    case 'observed': {
      const { observation } = activity.activity
      if (observation.kind === 'open' || observation.kind === 'fork') return []
      const { role, turn } = activity.place
      return [`${observation.kind} ${who(observation.task.pid)} ${role}${turn === null ? '' : ` turn ${turn.number}`}`]
    }
    case 'session.start':
      return [`session.start ${activity.session.agent.name}`]
    case 'session.end':
      return [`session.end ${activity.session.agent.name} ${activity.reason}`]
    case 'turn.start':
      return [`turn.start ${activity.turn.number} ${activity.turn.basis}`]
    case 'turn.end':
      return [`turn.end ${activity.turn.number}`]
    case 'tool_call.start':
      return [`tool_call.start ${who(activity.toolCall.turn.number)}`]
    case 'tool_call.end':
      return ['tool_call.end']
    case 'process.settled':
      return [`settled ${who(activity.process.task.pid)}${activity.truncated ? ' truncated' : ''}${activity.omitted ? ' omitted' : ''}`]
    case 'join.late':
      return [`join.late ${activity.callId}`]
    case 'gap':
      return [`gap ${activity.reason}`]
    default:
      return activity satisfies never
  }
}
