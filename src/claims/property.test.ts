import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SessionActivity } from '../model/session.ts'
import { createMachine, type Proc } from '../sessions/machine.fixture.ts'
import { checkSpans } from '../sessions/spans.fixture.ts'
import { createAgent } from './agent.fixture.ts'

type Step =
  | { readonly do: 'prompt' | 'end' | 'helper' | 'server' | 'serverExit' | 'connect' | 'program' | 'together' }
  | { readonly do: 'run' | 'lie' | 'undeclared' | 'ghost' | 'read' | 'write'; readonly what: number }
  | { readonly do: 'wait'; readonly ms: number }

const what = fc.nat(3)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('prompt' as const, 'end' as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('run' as const, 'read' as const, 'write' as const), what }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('lie' as const, 'undeclared' as const, 'ghost' as const), what }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('helper' as const, 'server' as const, 'serverExit' as const, 'connect' as const, 'program' as const, 'together' as const) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(100, 1_000, 2_500, 9_000, 35_000, 130_000) }) },
)
const COMMANDS = ['ls', 'git status', 'npm test', "node -e 'console.log(1)'"] as const

type Run = { readonly delayMs: number; readonly restartAt: number; readonly silent: boolean }

/** The same acts at the same times, whatever the delay with which the agent's word arrives. */
function perform(agent: 'claude-code' | 'codex', steps: readonly Step[], { delayMs, restartAt, silent }: Run): SessionActivity[] {
  const copies: SessionActivity[] = []
  // As it was when it came out: totals go on.
  const machine = createMachine({ claims: true, onActivity: (activity) => copies.push(activity.kind === 'session.end' ? structuredClone(activity) : activity) })
  const a = createAgent({ agent, machine, delayMs: silent ? 1e9 : delayMs })
  const servers: Proc[] = []
  let turns = 0
  a.register()
  a.m.pass(300)
  for (const [index, each] of steps.entries()) {
    if (index === restartAt) a.m.restart()
    const command = 'what' in each ? COMMANDS[each.what]! : ''
    switch (each.do) {
      case 'prompt':
        a.prompt(`p${turns++}`)
        a.m.pass(40)
        break
      case 'end':
        a.endTurn()
        a.m.pass(40)
        break
      case 'run':
        a.run(command)
        break
      case 'lie':
        a.run(command, `curl ${index}`)
        break
      case 'undeclared':
        a.m.exit(a.shell(`nc ${index}`))
        a.m.pass(20)
        break
      case 'ghost': {
        const id = a.declare('Bash', { command: `ghost ${index}` })
        a.m.pass(20)
        a.result(id, true, 0)
        break
      }
      case 'read':
        a.read(`/work/${index}`)
        break
      case 'write':
        a.writeFile(`/work/${each.what}`)
        break
      case 'program': {
        const id = a.declare('exec', { command: 'await tools.exec()', program: true })
        a.m.pass(5)
        const child = a.declare('Bash', { command: `nested ${index}`, parentId: id, id: `exec-${index}` })
        const shell = a.shell(`nested ${index}`, agent === 'codex' ? [['CODEX_TOOL_CALL_ID', child]] : [])
        a.m.pass(5)
        a.m.exit(shell)
        a.result(child, true, 0)
        a.m.pass(5)
        a.result(id)
        break
      }
      case 'together': {
        const ids = [a.declare('Bash', { command: 'true' }), a.declare('Bash', { command: 'true' })]
        a.m.pass(5)
        const shells = ids.map((id) => a.shell('true', agent === 'codex' ? [['CODEX_TOOL_CALL_ID', id]] : []))
        a.m.pass(20)
        for (const shell of shells) a.m.exit(shell)
        for (const id of ids) a.result(id, true, 0)
        a.m.pass(20)
        break
      }
      case 'helper': {
        const helper = a.m.spawn(a.proc, { exe: '/usr/bin/git', args: ['git', 'status'] })
        a.m.exit(a.m.spawn(helper, { exe: '/bin/true', args: ['true'] }))
        a.m.exit(helper)
        break
      }
      case 'server':
        servers.push(a.m.spawn(a.proc, { exe: '/usr/bin/node', args: ['node', 'mcp.js'] }))
        break
      case 'serverExit': {
        const server = servers.pop()
        if (server !== undefined) a.m.exit(server)
        break
      }
      case 'connect':
        a.m.sockEnd(a.proc, a.m.connect(a.proc), 10n, 20n)
        break
      case 'wait':
        a.wait(each.ms, 100)
        break
      default:
        each satisfies never
    }
  }
  a.endTurn()
  a.m.pass(10)
  for (const server of servers) a.m.exit(server)
  a.exit()
  a.wait(60_000, 200)
  a.m.stop()
  return copies
}

/** What makes spans. Turns are numbered as they are met, which is no part of what they are. */
function settled(out: readonly SessionActivity[]): string[] {
  const lines: string[] = []
  for (const each of out) {
    if (each.kind === 'process.settled') {
      const { place, process, parentSpanId, startedAt, at, join, truncated, omitted } = each
      lines.push(`process ${process.task.pid} ${place.role} ${place.turn?.id} ${place.toolCall?.id} ${parentSpanId} ${startedAt} ${at} ${join.method} ${truncated} ${omitted}`)
    } else if (each.kind === 'tool_call.end') {
      const { toolCall, verdict, why, join, at } = each
      lines.push(`call ${toolCall.id} ${toolCall.callId} ${toolCall.turn.id} ${toolCall.startedAt} ${at} ${verdict} ${why} ${join.method} ${toolCall.parentSpanId}`)
    } else if (each.kind === 'turn.end') lines.push(`turn ${each.turn.id} ${each.turn.basis} ${each.turn.startedAt} ${each.at} ${JSON.stringify(each.counts)}`)
    else if (each.kind === 'session.end') lines.push(`session ${each.at} ${each.reason} ${JSON.stringify(each.session.totals)}`)
  }
  return lines.sort()
}

const steps = fc.array(step, { maxLength: 40, size: 'max' })
const agent = fc.constantFrom('claude-code' as const, 'codex' as const)

test('whatever is done and said, and however late: no orphan, no child before its parent, each span once', () => {
  fc.assert(
    fc.property(agent, steps, fc.constantFrom(0, 300, 5_000, 12_000, 60_000), fc.boolean(), (who, acts, delayMs, silent) => {
      checkSpans(perform(who, acts, { delayMs, restartAt: -1, silent }))
    }),
    { numRuns: 150 },
  )
})

test('a delay of up to 5 s changes nothing of what is settled', () => {
  fc.assert(
    fc.property(agent, steps, fc.constantFrom(150, 1_000, 5_000), (who, acts, delayMs) => {
      assert.deepEqual(settled(perform(who, acts, { delayMs, restartAt: -1, silent: false })), settled(perform(who, acts, { delayMs: 0, restartAt: -1, silent: false })))
    }),
    { numRuns: 120 },
  )
})

test('a snapshot in the middle changes nothing', () => {
  fc.assert(
    fc.property(agent, steps, fc.nat(39), fc.constantFrom(0, 1_000, 12_000), (who, acts, restartAt, delayMs) => {
      assert.deepEqual(settled(perform(who, acts, { delayMs, restartAt, silent: false })), settled(perform(who, acts, { delayMs, restartAt: -1, silent: false })))
    }),
    { numRuns: 80 },
  )
})

test('without a word from the agent every exec is there, settled', () => {
  fc.assert(
    fc.property(agent, steps, (who, acts) => {
      const out = perform(who, acts, { delayMs: 0, restartAt: -1, silent: true })
      const execs = new Set(out.flatMap((each) => (each.kind === 'observed' && each.activity.observation.kind === 'exec' ? [each.activity.process.id] : [])))
      const told = new Set(out.flatMap((each) => (each.kind === 'process.settled' ? [each.process.id] : [])))
      assert.deepEqual(told, execs)
      assert.ok(out.every((each) => each.kind !== 'tool_call.end' || each.verdict === 'not_observable'))
    }),
    { numRuns: 60 },
  )
})
