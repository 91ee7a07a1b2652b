import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Claim } from '../model/claim.ts'
import { createMachine } from '../sessions/machine.fixture.ts'
import { checkSpans } from '../sessions/spans.fixture.ts'
import { createAgent } from './agent.fixture.ts'

const OTHER = '7c9e6679-7425-40de-944b-e07fc1f90ae7'
const machine = () => createMachine({ claims: true })
const counts = (m: ReturnType<typeof machine>) => m.sessions.state.claims.counts
const confirmed = (m: ReturnType<typeof machine>): (string | null)[] => m.of('tool_call.end').flatMap(({ verdict, toolCall }) => (verdict === 'confirmed' ? [toolCall.callId] : []))

test('a conversation is bound by what the kernel saw, whichever comes first; until then its claims wait', () => {
  const ways: Readonly<Record<string, (a: ReturnType<typeof createAgent>) => void>> = {
    registry: (a) => a.register(),
    environment: (a) => a.m.exit(a.m.spawn(a.proc, { exe: '/bin/bash', args: ['bash', '-c', 'x'], leader: true, env: [['CLAUDE_CODE_SESSION_ID', a.conversation]] })),
    transcript: (a) => a.m.open(a.proc, `/home/ann/.claude/projects/-work/${a.conversation}.jsonl`, { access: 'write' }),
  }
  for (const [way, show] of Object.entries(ways)) {
    for (const first of [true, false]) {
      const a = createAgent()
      if (first) show(a)
      a.prompt('p1')
      const id = a.read('/work/a')
      if (!first) show(a)
      assert.deepEqual(confirmed(a.m), [id], `${way}, ${first ? 'before' : 'after'}`)
      const key = [...a.m.sessions.state.claims.conversations.values()][0]
      assert.equal(key?.evidence, way)
    }
  }
})

test('two agents of one user in one folder: each its own; codex by folder and time only where one fits', () => {
  const m = machine()
  const one = createAgent({ machine: m, conversation: OTHER })
  const two = createAgent({ machine: m })
  one.register()
  two.register()
  one.prompt('p1')
  two.prompt('p2')
  one.run('ls')
  two.run('ls')
  assert.deepEqual(
    m.of('turn.start').flatMap(({ session, turn, claim }) => (turn.basis === 'claim' ? [[session.rootPid, claim?.conversation]] : [])),
    [
      [one.proc.task.pid, OTHER],
      [two.proc.task.pid, two.conversation],
    ],
  )
  assert.equal(confirmed(m).length, 2)

  for (const agents of [1, 2]) {
    const at = machine()
    const codexes = Array.from({ length: agents }, (_, i) => createAgent({ agent: 'codex', machine: at, conversation: i === 0 ? OTHER : '11111111-1111-4111-8111-111111111111' }))
    const [codex] = codexes
    codex!.write({ kind: 'registry', id: 'm', pid: null, startTicks: null, pidNamespace: null, cwd: '/work', version: '0.169.0' })
    codex!.prompt('t1')
    assert.equal(at.of('turn.start').filter(({ turn }) => turn.basis === 'claim').length, agents === 1 ? 1 : 0, `${agents} codex there`)
  }
})

test("another user's claims, a claim of another agent, a registry that names somebody else's process: not believed", () => {
  const a = createAgent()
  const claim = {
    source: 'test',
    agent: 'claude-code',
    conversation: OTHER,
    order: 0,
    at: a.m.now,
    id: 'r',
    kind: 'registry',
    pid: a.proc.task.pid,
    startTicks: a.proc.task.startTicks,
    pidNamespace: null,
    cwd: '/work',
    version: null,
  } as const satisfies Claim
  a.m.claim(1001, claim)
  a.m.claim(1000, { ...claim, agent: 'codex' })
  a.m.claim(1000, { ...claim, startTicks: claim.startTicks + 1 })
  const shell = a.shell('sleep 9')
  a.m.claim(1000, { ...claim, pid: shell.task.pid, startTicks: shell.task.startTicks })
  assert.ok([...a.m.sessions.state.claims.conversations.values()].every((each) => each.id !== OTHER || each.session === null))
  a.wait(70_000)
  assert.equal(counts(a.m).unbound, 4)
  assert.equal(counts(a.m).bound, 0)
})

test('forged ids: from an unrelated process, from a command itself, inherited from the agent above', () => {
  const m = machine()
  const victim = createAgent({ machine: m, conversation: OTHER })
  victim.prompt('p1')
  // Unrelated: no member of any session.
  m.exec(m.newcomer(), { exe: '/bin/bash', args: ['bash'], leader: true, env: [['CLAUDE_CODE_SESSION_ID', OTHER]] })
  const rogue = createAgent({ machine: m })
  rogue.register()
  rogue.prompt('p2')
  // A command that execs with the id, or whose child does.
  const shell = rogue.shell('x')
  m.exec(shell, { exe: '/bin/bash', args: ['bash', '-c', 'y'], env: [['CLAUDE_CODE_SESSION_ID', OTHER]] })
  m.spawn(shell, { exe: '/bin/true', args: ['true'], env: [['CLAUDE_CODE_SESSION_ID', OTHER]] })
  const state = m.sessions.state.claims.conversations
  assert.equal(state.get(`1000 claude-code ${OTHER}`)?.session ?? null, null)
  // Started below a tool of the victim's: it inherits the id, which is not its own.
  victim.register()
  const tool = victim.shell('claude -p hi')
  const inner = m.spawn(tool, { exe: '/opt/npm/node_modules/@anthropic-ai/claude-code/bin/claude.exe', args: ['claude', '-p', 'hi'], env: [['CLAUDE_CODE_SESSION_ID', OTHER]] })
  m.exit(m.spawn(inner, { exe: '/bin/bash', args: ['bash', '-c', 'z'], leader: true, env: [['CLAUDE_CODE_SESSION_ID', OTHER]] }))
  const session = m.of('session.start').find(({ session }) => session.rootPid === victim.proc.task.pid)!.session
  assert.equal(state.get(`1000 claude-code ${OTHER}`)?.session, session.id)
})

test('a claim that comes after the grace: one join.late, no second span; said twice counts once', () => {
  const a = createAgent({ delayMs: 15_000 })
  a.register()
  a.prompt('p1')
  a.run('ls')
  a.wait(20_000)
  a.endTurn()
  a.exit()
  a.wait(60_000)
  assert.deepEqual(
    a.m.of('join.late').map(({ callId, verdict, join }) => `${callId} ${verdict} ${join.method}`),
    ['call_0 confirmed command'],
  )
  assert.deepEqual(a.verdicts(), ['- shell not_observable lineage/strong'])
  assert.equal(a.m.of('join.late')[0]?.toolCall.id, a.m.of('tool_call.end')[0]?.toolCall.id)
  checkSpans(a.m.out)

  const b = createAgent()
  b.register()
  b.prompt('p1')
  const id = b.run('ls')
  b.declare('Bash', { command: 'ls', id })
  b.wait(20_000)
  assert.deepEqual(b.verdicts(), ['call_0 Bash confirmed command/strong'])
  assert.equal(counts(b.m).repeated, 1)
})

test('the intake is gone: the session says so, what it does is not called undeclared', () => {
  const a = createAgent()
  a.register()
  a.prompt('p1')
  a.run('ls')
  a.m.sessions.intake(1000, 'stuck', a.m.now)
  a.m.sessions.intake(1000, 'stuck', a.m.now)
  a.m.exit(a.shell('make'))
  a.exit()
  a.wait(10_000)
  assert.deepEqual(
    a.m.of('gap').map(({ reason, kinds }) => [reason, kinds]),
    [['intake_lost', ['claim']]],
  )
  assert.deepEqual(a.m.of('session.end')[0]?.session.coverage.reasons, ['intake_lost:stuck'])
  assert.deepEqual(
    a.m.of('tool_call.end').map(({ verdict }) => verdict),
    ['confirmed', 'not_observable'],
  )
  checkSpans(a.m.out)
})

test('a server in the background is settled as truncated 30 s after the turn that its agent declared over', () => {
  const a = createAgent()
  a.register()
  a.prompt('p1')
  const id = a.declare('Bash', { command: 'npm run dev' })
  const shell = a.shell('npm run dev')
  const server = a.m.spawn(shell, { exe: '/usr/bin/node', args: ['node', 'dev.js'] })
  a.result(id, true, null, true)
  a.endTurn()
  a.wait(20_000)
  assert.equal(a.m.settled(server).length, 0)
  a.wait(20_000)
  assert.deepEqual(
    a.m.settled(server).map(({ truncated, place }) => [truncated, place.toolCall?.callId]),
    [[true, id]],
  )
  assert.deepEqual(a.verdicts(), ['call_0 Bash confirmed command/strong'])
  const late = a.m.spawn(server, { exe: '/bin/true', args: ['true'] })
  a.m.exit(late)
  assert.equal(a.m.settled(late)[0]?.place.toolCall?.callId, id)
  assert.equal(a.m.places(late).at(-1)?.place.toolCall?.callId, id, 'what is proven stands in the facts, too')
  a.m.exit(server)
  a.m.exit(shell)
  a.exit()
  a.wait(20_000)
  checkSpans(a.m.out)
})

test('1,500 processes and 1,200 calls in one turn: spans within the budget, the rest counted', () => {
  const a = createAgent()
  a.register()
  a.prompt('p1')
  const id = a.declare('Bash', { command: 'make' })
  const shell = a.shell('make')
  for (let i = 0; i < 1500; i++) a.m.exit(a.m.spawn(shell, { exe: '/bin/true', args: ['true'] }))
  a.m.exit(shell)
  a.result(id, true, 0)
  for (let i = 0; i < 1200; i++) a.read(`/work/${i}`)
  a.endTurn()
  a.exit()
  a.wait(20_000)
  assert.equal(a.m.of('tool_call.end').length, 1201)
  assert.equal(a.m.of('tool_call.end').filter(({ omitted }) => omitted === true).length, 301)
  assert.equal(a.m.of('tool_call.end')[0]?.spansOmitted, 501)
  checkSpans(a.m.out)
})

test('left alone it forgets all but counts', () => {
  const a = createAgent()
  a.register()
  a.prompt('p1')
  for (let i = 0; i < 50; i++) a.run(`make ${i}`)
  a.endTurn()
  a.wait(40_000)
  const [session] = a.m.sessions.state.claims.sessions.values()
  assert.deepEqual([session!.trees.size, session!.calls.size, session!.rows.size, session!.held], [0, 0, 0, 0])
  a.exit()
  a.wait(20_000)
  assert.equal(a.m.sessions.state.claims.sessions.size, 0)
  assert.equal(a.m.sessions.state.claims.held, 0)
})
