import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spanId } from '../identity/ids.ts'
import { createMachine, type Machine, type Proc } from './machine.fixture.ts'
import { checkSpans } from './spans.fixture.ts'

const CLAUDE = { exe: '/usr/local/bin/claude', args: ['claude'] }
const SHELL = { exe: '/usr/bin/bash', args: ['bash', '-c', 'x'], leader: true }
const TRUE = { exe: '/bin/true', args: ['true'] }
const agentOn = (m: Machine): Proc => m.exec(m.newcomer(), CLAUDE)
const kinds = (m: Machine): string[] => m.out.filter((each) => each.kind !== 'observed').map((each) => each.kind)

test('start-up ends after 10 s; a gap of 120 s without exec or connect ends a turn', () => {
  const m = createMachine()
  const agent = agentOn(m)
  m.wait(9_000)
  assert.equal(m.of('turn.end').length, 0)
  m.wait(1_100)
  const [startup] = m.of('turn.end')
  assert.equal(startup?.at, startup!.turn.startedAt + 10_000_000_000n)
  m.wait(60_000)
  m.exit(m.spawn(agent, SHELL))
  m.wait(100_000)
  m.exit(m.spawn(agent, SHELL))
  m.wait(119_000)
  m.connect(agent)
  m.wait(119_000)
  assert.equal(m.of('turn.end').length, 1)
  m.wait(2_000)
  const ended = m.of('turn.end')
  assert.deepEqual(
    ended.map((each) => [each.turn.number, each.turn.basis, each.counts]),
    [
      [0, 'startup', { processes: 0, toolCalls: 0, connections: 0 }],
      [1, 'burst', { processes: 2, toolCalls: 2, connections: 1 }],
    ],
  )
})

test('a turn is told when its key is known: the first child, though it began with a connect; without a child at its end', () => {
  const m = createMachine()
  const agent = agentOn(m)
  m.wait(20_000)
  const connected = m.now
  m.connect(agent)
  assert.equal(m.of('turn.start').length, 1)
  assert.equal(m.places(agent).at(-1)?.place.turn, null)
  m.pass(3_000)
  m.exit(m.spawn(agent, TRUE))
  const turn = m.of('turn.start')[1]!.turn
  assert.ok(turn.startedAt <= connected && connected - turn.startedAt < 10_000_000n)
  m.open(agent, '/work/x')
  assert.equal(m.places(agent).at(-1)?.place.turn?.id, turn.id)
  m.wait(130_000)
  m.connect(agent)
  m.wait(130_000)
  assert.deepEqual(
    m.of('turn.end').map((each) => each.counts),
    [
      { processes: 0, toolCalls: 0, connections: 0 },
      { processes: 1, toolCalls: 0, connections: 1 },
      { processes: 0, toolCalls: 0, connections: 1 },
    ],
  )
  m.exit(agent)
  // Its sockets never end.
  m.wait(3_000)
  checkSpans(m.out)
})

test('what still runs 30 s after its turn is settled as truncated, once; its later children hang on its span', () => {
  const m = createMachine()
  const agent = agentOn(m)
  const shell = m.spawn(agent, SHELL)
  const server = m.spawn(shell, { exe: '/usr/bin/python3.11', args: ['python3', '-m', 'http.server'] })
  m.exit(shell)
  m.wait(121_000)
  assert.equal(m.settled(server).length, 0)
  assert.equal(m.settled(shell).length, 1, 'an ended process waits 30 s for its descendants')
  m.wait(31_000)
  assert.deepEqual(
    m.settled(server).map((each) => each.truncated),
    [true],
  )
  assert.deepEqual(
    m.settled(shell).map((each) => each.truncated),
    [false],
  )
  assert.equal(m.of('tool_call.end').length, 1)
  const late = m.spawn(server, TRUE)
  m.exit(late)
  assert.equal(m.settled(late)[0]?.parentSpanId, spanId('process', m.settled(server)[0]!.process.id))
  const stays = m.spawn(server, TRUE)
  m.wait(31_000)
  assert.deepEqual(
    m.settled(stays).map((each) => each.truncated),
    [true],
  )
  m.exit(stays)
  m.exit(server)
  m.exit(agent)
  assert.equal(m.settled(server).length, 1)
  checkSpans(m.out)
})

test("a helper from start-up that lives on: what it does later is not start-up's, its children belong to the turn that is on", () => {
  const m = createMachine()
  const agent = agentOn(m)
  const mcp = m.spawn(agent, { exe: '/usr/bin/node', args: ['node', 'mcp.mjs'] })
  m.wait(45_000)
  assert.deepEqual(
    m.settled(mcp).map((each) => each.truncated),
    [true],
  )
  m.open(mcp, '/work/.env')
  assert.equal(m.places(mcp).at(-1)?.place.turn, null)
  const child = m.spawn(mcp, TRUE)
  assert.equal(m.places(child).at(-1)?.place.turn?.number, 1)
  m.exit(child)
  m.exit(mcp)
  m.exit(agent)
  checkSpans(m.out)
})

test('1,000 process spans a turn: the rest is settled without a span, counted on the tool call', () => {
  const m = createMachine()
  const agent = agentOn(m)
  const shell = m.spawn(agent, SHELL)
  for (let i = 0; i < 1500; i++) {
    const child = m.spawn(shell, TRUE)
    m.exit(m.spawn(child, TRUE))
    m.exit(child)
  }
  m.exit(shell)
  m.exit(agent)
  const settled = m.of('process.settled')
  assert.equal(settled.length, 3002)
  assert.equal(settled.filter((each) => each.omitted).length, 2001)
  assert.equal(m.of('tool_call.end')[0]?.spansOmitted, 2001)
  checkSpans(m.out)
})

test('sockets that close at exit are waited for, their bytes counted; a silent peer delays no more than 2 s', () => {
  const m = createMachine()
  const agent = agentOn(m)
  const shell = m.spawn(agent, SHELL)
  const curl = m.spawn(shell, { exe: '/usr/bin/curl', args: ['curl', 'x'] })
  const cookie = m.connect(curl)
  assert.equal(m.connect(curl, -111) > 0n, true)
  m.exit(curl)
  assert.equal(m.settled(curl).length, 0)
  m.sockEnd(curl, cookie, 70n, 900n)
  assert.deepEqual(m.settled(curl)[0]?.totals, { opensRead: 0, opensWrite: 0, filesChanged: 0, connections: 1, bytesOut: 70, bytesIn: 900 })
  const silent = m.spawn(shell, { exe: '/usr/bin/curl', args: ['curl', 'y'] })
  const open = m.connect(silent)
  m.exit(silent)
  m.exit(shell)
  m.exit(agent)
  m.wait(1_500, 100)
  assert.equal(m.of('session.end').length, 0)
  m.wait(1_000, 100)
  assert.equal(m.of('session.end').length, 1)
  m.wait(20_000)
  m.sockEnd(silent, open, 1n, 2n)
  assert.equal(m.places(silent).at(-1)?.activity.observation.kind, 'sock.end', 'told in its session, though late')
  m.wait(80_000)
  assert.equal(m.sessions.state.standings.size, 0)
  checkSpans(m.out)
})

test('a process that forks before its first exec: its child hangs on it all the same', () => {
  const m = createMachine()
  const agent = agentOn(m)
  const shell = m.spawn(agent, SHELL)
  const middle = m.fork(shell)
  const child = m.spawn(middle, TRUE)
  m.exec(middle, { exe: '/usr/bin/make', args: ['make'] })
  m.exit(middle)
  m.wait(6_000)
  m.exit(child)
  assert.equal(m.settled(child)[0]?.parentSpanId, spanId('process', m.settled(middle)[0]?.process.id ?? m.places(middle)[0]!.activity.process.id))
  m.exit(shell)
  m.exit(agent)
  checkSpans(m.out)
})

test('an agent that an old shell execs: its span begins with the session, not with the shell', () => {
  const m = createMachine()
  const shell = m.newcomer()
  m.pass(3_600_000)
  m.exec(shell, CLAUDE)
  const [start] = m.of('session.start')
  assert.ok(m.now - start!.session.startedAt < 10_000_000n)
  m.exit(shell)
  assert.equal(m.settled(shell)[0]?.startedAt, start?.session.startedAt)
  checkSpans(m.out)
})

test('the end of the observer settles everything, children before parents', () => {
  const m = createMachine()
  const agent = agentOn(m)
  const shell = m.spawn(agent, SHELL)
  m.spawn(shell, { exe: '/usr/local/bin/codex', args: ['codex'] })
  m.stop()
  assert.deepEqual(
    m.of('session.end').map((each) => [each.session.agent.name, each.reason, each.session.incomplete]),
    [
      ['codex', 'observer_stop', ['observer_stop']],
      ['claude-code', 'observer_stop', ['observer_stop']],
    ],
  )
  assert.ok(m.of('process.settled').every((each) => each.truncated))
  checkSpans(m.out)
})

test('an exit nobody reported: the session ends all the same, and says so', () => {
  const m = createMachine()
  const agent = agentOn(m)
  m.wait(5_000)
  m.exec(m.at(agent.task.pid, agent.task.startTicks + 300), { exe: '/usr/bin/node', args: ['node', 'x.js'] })
  assert.deepEqual(
    m.of('session.end').map((each) => [each.reason, each.session.incomplete]),
    [['observer_gap', ['exit_unseen:agent']]],
  )
  checkSpans(m.out)
})

test('a lost fork: the child is found by its parent, and the session says so; loss is told', () => {
  const m = createMachine()
  const agent = agentOn(m)
  const shell = m.spawn(agent, SHELL)
  const orphan = m.newcomer(shell.task)
  m.exec(orphan, TRUE)
  assert.equal(m.places(orphan).at(-1)?.place.role, 'tool')
  m.lose(17)
  assert.deepEqual(
    m.of('gap').map((each) => each.atLeast),
    [17],
  )
  m.exit(orphan)
  m.exit(shell)
  m.exit(agent)
  assert.deepEqual(m.of('session.end')[0]?.session.incomplete, ['fork_unseen', 'lost:ring_full'])
  checkSpans(m.out)
})

test('a fork bomb of 5,000 below a tool call, in a chain and as a bush', () => {
  for (const chain of [true, false]) {
    const m = createMachine()
    const agent = agentOn(m)
    const shell = m.spawn(agent, SHELL)
    const all: Proc[] = []
    let last = shell
    for (let i = 0; i < 5000; i++) {
      const child = m.fork(chain ? last : shell)
      all.push(child)
      last = child
      if (i % 50 === 0) m.exec(child, TRUE)
    }
    m.restart()
    for (const proc of all) m.exit(proc, 0, 9)
    m.exit(shell)
    m.exit(agent)
    assert.equal(m.of('session.end')[0]?.session.totals.processes, 5002)
    assert.equal(m.of('process.settled').length, 102)
    checkSpans(m.out)
    m.wait(10_000)
    assert.equal(m.sessions.state.standings.size, 0)
  }
})

test('100,000 processes of one session leave nothing but the last seconds, with ticks or without', () => {
  const m = createMachine({ keep: false })
  const agent = agentOn(m)
  const shell = m.spawn(agent, SHELL)
  for (let i = 0; i < 100_000; i++) {
    m.exit(m.spawn(shell, TRUE))
    m.orders.length = 0
  }
  // A spawn takes 2 ms here: 2,500 in 5 s, and up to 4,096 more between two looks.
  assert.ok(m.sessions.state.standings.size < 7_000, `${m.sessions.state.standings.size}`)
  assert.ok(m.lineage.state.byId.size < 3_000)
})

test('a TRACEPARENT in the environment is linked, not adopted', () => {
  const m = createMachine()
  const agent = agentOn(m)
  const shell = m.spawn(agent, { ...SHELL, env: [['TRACEPARENT', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01']] })
  m.exit(shell)
  assert.deepEqual(m.settled(shell)[0]?.linked, { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' })
  assert.equal(kinds(m).includes('tool_call.end'), true)
})
