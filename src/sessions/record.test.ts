import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMachine } from './machine.fixture.ts'
import { checkSpans } from './spans.fixture.ts'

test('a recorded command is a session from its exec on; its processes are members of one turn', () => {
  const m = createMachine()
  const shim = m.newcomer()
  const id = m.record(shim, null)
  assert.deepEqual(m.orders, [`track ${shim.task.pid}`])
  m.open(shim, '/usr/lib/node/x')
  assert.deepEqual(m.out, [])
  m.exec(shim, { exe: '/usr/bin/make', args: ['make', 'test'] })
  const cc = m.spawn(shim, { exe: '/usr/bin/cc', args: ['cc', '-c', 'x.c'] })
  m.exit(cc)
  m.exit(shim, 2)
  const [start] = m.of('session.start')
  assert.equal(start?.session.id, id)
  assert.deepEqual([start?.session.agent.kind, start?.session.agent.name, start?.session.agent.evidence], ['record', 'make', ['record']])
  assert.deepEqual(m.story(), [
    'session.start make',
    'turn.start 0 record',
    `exec ${shim.task.pid} member turn 0`,
    `exec ${cc.task.pid} member turn 0`,
    `exit ${cc.task.pid} member turn 0`,
    `settled ${cc.task.pid}`,
    `exit ${shim.task.pid} member turn 0`,
    `settled ${shim.task.pid}`,
    'turn.end 0',
    'session.end make exit',
  ])
  assert.deepEqual(m.filtered('open'), { shim: 1 })
  assert.deepEqual(m.sessions.find(id!)?.ended?.exit, { code: 2, signal: 0 })
  checkSpans(m.out)
})

test('a recorded agent is that agent, at once or once it has proven it', () => {
  const m = createMachine()
  const claude = m.newcomer()
  m.record(claude, 'mine')
  m.exec(claude, { exe: '/usr/local/bin/claude', args: ['claude'] })
  const gemini = m.newcomer()
  m.record(gemini, null)
  const bin = '/opt/npm/node_modules/.bin/gemini'
  m.exec(gemini, { exe: '/usr/bin/env', called: bin, args: ['env', 'node', bin] })
  m.exec(gemini, { exe: '/usr/bin/node', args: ['node', bin] })
  m.open(gemini, '/opt/npm/node_modules/@google/gemini-cli/dist/index.js')
  assert.deepEqual(
    m.of('session.start').map((each) => [each.session.agent.name, each.session.agent.kind, each.session.agent.evidence.at(-1)]),
    [
      ['claude-code', 'agent', 'record'],
      ['gemini-cli', 'agent', 'record'],
    ],
  )
  m.exit(claude)
  m.exit(gemini)
  checkSpans(m.out)
})

test('a recorded suspect that is none is the recorded command: nothing of it is lost', () => {
  const m = createMachine()
  const proc = m.newcomer()
  m.record(proc, 'job')
  m.exec(proc, { exe: '/usr/bin/node', args: ['node', '/home/ann/gemini'] })
  m.open(proc, '/work/x')
  m.wait(6_000)
  assert.deepEqual(
    m.of('session.start').map((each) => [each.session.agent.name, each.session.agent.kind]),
    [['job', 'record']],
  )
  assert.equal(m.places(proc).length, 2)
  m.exit(proc)
  checkSpans(m.out)
})

test('an agent below a recorded shell is a child session; one that the shell execs itself takes the session over', () => {
  const m = createMachine()
  const shell = m.newcomer()
  m.record(shell, null)
  m.exec(shell, { exe: '/usr/bin/bash', args: ['bash', '-c', 'codex exec x; exec claude'] })
  const codex = m.spawn(shell, { exe: '/usr/local/bin/codex', args: ['codex', 'exec', 'x'] })
  m.exit(codex)
  m.exec(shell, { exe: '/usr/local/bin/claude', args: ['claude'] })
  const tool = m.spawn(shell, { exe: '/usr/bin/bash', args: ['bash', '-c', 'ls'], leader: true })
  m.exit(tool)
  m.exit(shell)
  const [outer, nested] = m.of('session.start')
  assert.equal(nested?.session.parentId, outer?.session.id)
  assert.equal(m.of('session.start').length, 2)
  assert.deepEqual([outer?.session.agent.name, outer?.session.agent.kind], ['claude-code', 'agent'])
  assert.equal(m.of('tool_call.end').length, 1)
  checkSpans(m.out)
})

test('a shim that ends before its exec leaves nothing', () => {
  const m = createMachine()
  const shim = m.newcomer()
  m.record(shim, null)
  m.exit(shim, 127)
  m.wait(6_000)
  assert.deepEqual(m.out, [])
  assert.equal(m.sessions.state.standings.size, 0)
})
