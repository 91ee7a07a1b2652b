import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SessionActivity } from '../model/session.ts'
import { createMachine, type ExecWords, type Machine, type Proc } from './machine.fixture.ts'
import { checkSpans } from './spans.fixture.ts'

const CLAUDE = '/opt/npm/node_modules/@anthropic-ai/claude-code/bin/claude.exe'
const CODEX = '/opt/npm/node_modules/@openai/codex-linux-x64/vendor/x/bin/codex'
const GEMINI_BIN = '/opt/npm/node_modules/.bin/gemini'

const PROGRAMS: readonly ExecWords[] = [
  { exe: CLAUDE, args: ['claude', '-p', 'x'] },
  { exe: CODEX, args: ['codex', 'exec'] },
  { exe: CODEX, called: '/proc/self/exe', args: ['/proc/self/exe', '--codex-run-as-process-setup', '/bin/bash', '-c', 'true'] },
  { exe: '/usr/bin/env', called: GEMINI_BIN, args: ['/usr/bin/env', 'node', GEMINI_BIN] },
  { exe: '/usr/bin/node', args: ['node', GEMINI_BIN, '-p', 'x'] },
  { exe: '/usr/bin/node', args: ['node', '/opt/npm/node_modules/@google/gemini-cli/dist/index.js'] },
  { exe: '/usr/bin/node', args: ['node', 'build.js'] },
  { exe: '/usr/bin/bash', args: ['bash', '-c', 'true'], leader: true },
  { exe: '/usr/bin/bash', args: ['bash', '-c', 'true'], leader: true, env: [['CODEX_TOOL_CALL_ID', 'call_1']] },
  { exe: '/usr/bin/git', args: ['git', 'status'], env: [['TRACEPARENT', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01']] },
  { exe: '/bin/true', args: ['true'] },
]

type Step =
  | { readonly do: 'newcomer'; readonly program: number }
  | { readonly do: 'spawn' | 'exec'; readonly who: number; readonly program: number }
  | { readonly do: 'fork' | 'exit' | 'again' | 'connect' | 'proof' | 'reuse' | 'record' | 'seen' | 'unknown'; readonly who: number }
  | { readonly do: 'open'; readonly who: number; readonly repeats: boolean; readonly write: boolean }
  | { readonly do: 'sockEnd'; readonly who: number; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'loss' }
  | { readonly do: 'seeded'; readonly fresh: boolean }

const who = fc.nat(200)
const program = fc.nat(PROGRAMS.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('newcomer' as const), program }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('spawn' as const, 'exec' as const), who, program }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('fork' as const, 'exit' as const, 'connect' as const, 'proof' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('again' as const, 'reuse' as const, 'record' as const, 'seen' as const, 'unknown' as const), who }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), who, repeats: fc.boolean(), write: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sockEnd' as const), who, which: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 5, 30, 300, 2_500, 11_000, 31_000, 130_000) }) },
  { weight: 1, arbitrary: fc.oneof(fc.record({ do: fc.constant('loss' as const) }), fc.record({ do: fc.constant('seeded' as const), fresh: fc.boolean() })) },
)

/** Runs the steps on a machine; the processes and sockets it knows are the test's own, not the machine's. */
function perform(m: Machine, steps: readonly Step[], restartAt: number, forget = true): void {
  const procs: Proc[] = []
  const sockets: { readonly proc: Proc; readonly cookie: bigint }[] = []
  const drop = (proc: Proc): void => {
    if (forget) procs.splice(procs.indexOf(proc), 1)
  }
  const pick = (index: number): Proc | undefined => procs[procs.length - 1 - (index % Math.max(procs.length, 1))]
  for (const [index, each] of steps.entries()) {
    if (index === restartAt) m.restart()
    m.pass(0.3)
    if (each.do === 'newcomer') procs.push(m.exec(m.newcomer(), PROGRAMS[each.program]!))
    else if (each.do === 'wait') m.wait(each.ms, 500)
    else if (each.do === 'loss') m.lose(3)
    else if (each.do === 'seeded') {
      for (const proc of procs) m.seen(proc, '/bin/true', ['true'])
      m.sessions.seeded(m.now, each.fresh)
    } else if (each.do === 'sockEnd') {
      const socket = sockets[each.which % Math.max(sockets.length, 1)]
      if (socket !== undefined) m.sockEnd(socket.proc, socket.cookie, 10n, 20n)
    } else {
      const proc = pick(each.who)
      if (proc === undefined) continue
      if (each.do === 'spawn') procs.push(m.spawn(proc, PROGRAMS[each.program]!))
      else if (each.do === 'exec') m.exec(proc, PROGRAMS[each.program]!)
      else if (each.do === 'fork') procs.push(m.fork(proc))
      else if (each.do === 'exit') {
        m.exit(proc, 0, each.who % 7 === 0 ? 9 : 0)
        drop(proc)
      } else if (each.do === 'again') {
        m.exit(proc)
        m.exit(proc)
        drop(proc)
      } else if (each.do === 'connect') sockets.push({ proc, cookie: m.connect(proc, each.who % 5 === 0 ? -111 : -115) })
      else if (each.do === 'proof') m.open(proc, '/opt/npm/node_modules/@google/gemini-cli/package.json')
      else if (each.do === 'reuse') {
        m.pass(1_100)
        drop(proc)
        procs.push(m.exec(m.at(proc.task.pid, proc.task.startTicks + 100), PROGRAMS[each.who % PROGRAMS.length]!))
      } else if (each.do === 'record') m.record(proc, 'job')
      else if (each.do === 'seen') m.seen(proc, CLAUDE, ['claude'])
      else if (each.do === 'unknown') m.open(m.newcomer(), '/tmp/x')
      else if (each.do === 'open') m.open(proc, '/work/a', { repeats: each.repeats, count: each.repeats ? 3 : 1, access: each.write ? 'write' : 'read' })
    }
  }
}

/** A copy as it was when it came out: processes and totals go on changing. */
const record = (into: string[]) => (activity: SessionActivity) => {
  into.push(JSON.stringify(activity, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)))
}

test('whatever happens: every span has its parent, all that begins ends once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 160, size: 'max' }), (steps) => {
      const m = createMachine()
      perform(m, steps, -1)
      m.stop()
      checkSpans(m.out)
      assert.equal(m.sessions.state.sessions.size, 0)
      assert.equal(m.sessions.state.heldItems, 0)
    }),
    { numRuns: 300 },
  )
})

test('a snapshot in the middle changes nothing of what follows', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), fc.nat(100), (steps, at) => {
      const plain: string[] = []
      const resumed: string[] = []
      const one = createMachine({ onActivity: record(plain) })
      const two = createMachine({ onActivity: record(resumed) })
      perform(one, steps, -1)
      perform(two, steps, at)
      one.stop()
      two.stop()
      assert.deepEqual(resumed, plain)
      assert.deepEqual(two.orders, one.orders)
      assert.deepEqual(two.sessions.state.filtered, one.sessions.state.filtered)
    }),
    { numRuns: 150 },
  )
})

test('left alone, it forgets: every ended process, hold and order leaves the state', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const m = createMachine()
      perform(m, steps, -1)
      m.stop()
      m.wait(200_000, 1_000)
      const { standings, holds, releases, released, draining, waiting, stragglers, gone } = m.sessions.state
      assert.deepEqual(
        [standings, holds, releases, released, draining, waiting, stragglers, gone].map((map) => map.size),
        [0, 0, 0, 0, 0, 0, 0, 0],
      )
      assert.equal(m.lineage.state.ended.size, 0)
    }),
    { numRuns: 60 },
  )
})

test('contradictions (the dead fork, exec, connect; lists that lack the living) are never an error, and end no session twice', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const m = createMachine()
      perform(m, steps, -1, false)
      m.sessions.seeded(m.now, true)
      m.stop()
      const ends = m.of('session.end').map((each) => each.session.id)
      assert.equal(new Set(ends).size, ends.length)
      assert.equal(m.of('session.start').length, ends.length)
      assert.equal(m.of('turn.start').length, m.of('turn.end').length)
      assert.equal(m.of('tool_call.start').length, m.of('tool_call.end').length)
    }),
    { numRuns: 150 },
  )
})
