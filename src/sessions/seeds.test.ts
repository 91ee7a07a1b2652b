import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf } from '../model/bytes.ts'
import { createMachine } from './machine.fixture.ts'
import { checkSpans } from './spans.fixture.ts'

const GEMINI = '/opt/npm/node_modules/.bin/gemini'

test('agents that run already are found with their descendants, joined late; everybody else is let go', () => {
  const m = createMachine({
    ancestry: [
      { pid: 500, startTicks: 40, comm: bytesOf('bash'), exe: bytesOf('/usr/bin/bash') },
      { pid: 400, startTicks: 30, comm: bytesOf('sshd'), exe: bytesOf('/usr/sbin/sshd') },
    ],
  })
  const agent = m.newcomer()
  m.pass(3_600_000)
  const shell = m.newcomer(agent.task)
  shell.sid = shell.task.pid
  const sleep = m.newcomer(shell.task)
  const other = m.newcomer()
  // A child may be listed before its parent: pids wrap around.
  m.seen(sleep, '/usr/bin/sleep', ['sleep', '9'])
  m.seen(other, '/usr/bin/vim', ['vim'])
  m.seen(shell, '/usr/bin/bash', ['bash', '-c', 'sleep 9'])
  m.seen(agent, '/usr/bin/node', ['node', GEMINI])
  m.sessions.seeded(m.now, true)
  const [start] = m.of('session.start')
  assert.equal(start?.session.agent.name, 'gemini-cli')
  assert.deepEqual([start?.session.joinedLate, start?.session.origin, start?.session.originVia], [true, 'ssh', ['bash', 'sshd']])
  assert.deepEqual(start?.session.agent.evidence, [`script:${GEMINI}`])
  assert.deepEqual(m.orders, [`track ${agent.task.pid}`, `track ${shell.task.pid}`, `track ${sleep.task.pid}`])
  assert.deepEqual(
    m.places(sleep).map((each) => each.place.role),
    ['tool'],
  )
  assert.equal(m.lineage.state.byId.size, 3)
  // A new command of it is an ordinary tool call.
  const next = m.spawn(agent, { exe: '/usr/bin/bash', args: ['bash', '-c', 'ls'], leader: true })
  assert.equal(m.places(next).at(-1)?.place.toolCall?.name, 'shell')
  for (const proc of [next, sleep, shell, agent]) m.exit(proc)
  assert.deepEqual(m.of('session.end')[0]?.session.incomplete, ['joined_late'])
  checkSpans(m.out)
})

test('after a restart in which nothing was recorded: what is not listed any more has ended unseen', () => {
  const m = createMachine()
  const agent = m.exec(m.newcomer(), { exe: '/usr/local/bin/claude', args: ['claude'] })
  const gone = m.exec(m.newcomer(), { exe: '/usr/local/bin/codex', args: ['codex'] })
  m.restart()
  m.pass(60_000)
  m.seen(agent, '/usr/local/bin/claude', ['claude'])
  m.sessions.seeded(m.now, true)
  assert.deepEqual(
    m.of('session.end').map((each) => [each.session.rootPid, each.reason, each.session.incomplete]),
    [[gone.task.pid, 'observer_gap', ['observer_gap:agent']]],
  )
  m.exit(agent)
  assert.equal(m.of('session.end').length, 2)
  assert.equal(m.of('session.start').length, 2, 'the one that goes on is not begun again')
  checkSpans(m.out)
})

test('after a restart with the kernel recording on, a list ends nobody', () => {
  const m = createMachine()
  m.exec(m.newcomer(), { exe: '/usr/local/bin/claude', args: ['claude'] })
  m.sessions.seeded(m.now, false)
  assert.equal(m.of('session.end').length, 0)
})
