import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { balances } from '../support/ledger.ts'
import { need } from '../support/need.ts'
import { events, list, number, sessions, show, spoor, startRun, text, until } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'

const here = tempFolder('record')
const kernel = need('root', 'ebpf')
let next = 0
const stateDir = (): string => join(here, `state-${next++}`)
/** The observer watches the machine: agents that others run meanwhile are none of this test. */
const recorded = (state: string) => sessions(state).filter((one) => one.agent.kind === 'record')
const record = (state: string, command: readonly string[], ...flags: string[]) => spoor(['record', '--state-dir', state, ...flags, '--', ...command])

test('record keeps the exit status and writes the whole command as one session', kernel, () => {
  const state = stateDir()
  const done = record(state, ['/bin/sh', '-c', 'cat /etc/hostname >/dev/null; (exit 3); /bin/ls / >/dev/null; exit 5'])
  assert.equal(done.code, 5, done.stderr)
  assert.match(done.stderr, /5/, 'a summary on stderr')
  const all = recorded(state)
  assert.equal(all.length, 1)
  const session = all[0]!
  assert.equal(session.agent.kind, 'record')
  assert.equal(session.state, 'ended')
  assert.notEqual(session.totals, null)
  const entries = events(state, '--session', session.id)
  const execs = entries.filter((event) => event.eventName === 'spoor.process.exec')
  assert.deepEqual(
    execs.map((event) => list(event, 'process.command_args').join(' ')),
    ['/bin/sh -c cat /etc/hostname >/dev/null; (exit 3); /bin/ls / >/dev/null; exit 5', 'cat /etc/hostname', '/bin/ls /'],
  )
  const rootId = text(execs[0]!, 'spoor.process.id')
  assert.deepEqual(
    execs.slice(1).map((event) => text(event, 'spoor.process.parent_id')),
    [rootId, rootId],
  )
  // The subshell never execs: it has an exit entry only.
  assert.deepEqual(
    entries.filter((event) => event.eventName === 'spoor.process.exit').map((event) => number(event, 'process.exit.code')),
    [0, 3, 0, 5],
  )
  for (const name of ['session.start', 'session.end']) assert.equal(entries.filter((event) => event.eventName === name).length, 1, name)
  const shown = show(state, session.id)
  assert.equal(shown.processes.length, 4)
  assert.deepEqual(
    shown.processes.filter((process) => process.id === rootId).map((process) => process.exit?.code),
    [5],
  )
})

test('a command that a signal ended gives 128 + signal', kernel, () => {
  assert.equal(record(stateDir(), ['/bin/sh', '-c', 'kill -KILL $$']).code, 137)
})

test('standard streams are the command’s own', kernel, () => {
  const command = ['/bin/sh', '-c', 'cat; echo err >&2; ls /proc/self/fd | wc -l']
  const done = spoor(['record', '--state-dir', stateDir(), '--', ...command], { input: 'hello\n' })
  assert.equal(done.code, 0, done.stderr)
  // The same descriptors as without us: nothing of ours is inherited.
  assert.equal(done.stdout, spawnSync(command[0]!, command.slice(1), { input: 'hello\n', encoding: 'utf8' }).stdout)
  assert.match(done.stderr, /^err$/m)
})

test('a command that does not exist: 127, not executable: 126, and no session', kernel, () => {
  const state = stateDir()
  const missing = record(state, ['/nonexistent/program'])
  assert.equal(missing.code, 127)
  assert.match(missing.stderr, /\/nonexistent\/program/)
  const plain = join(here, 'not-executable')
  writeFileSync(plain, 'x', { mode: 0o644 })
  assert.equal(record(state, [plain]).code, 126)
})

test('with an observer on the directory the command is handed over to it', kernel, async () => {
  const state = stateDir()
  const observer = await startRun(state)
  try {
    const done = record(state, ['/bin/sh', '-c', 'exit 9'], '--name', 'handed over')
    assert.equal(done.code, 9, done.stderr)
    const handed = await until('the session in the journal', () => recorded(state).find((one) => one.state === 'ended'))
    assert.equal(handed.agent.name, 'handed over')
    assert.equal(recorded(state).length, 1)
    await balances(state)
  } finally {
    assert.equal(await observer.stop(), 0)
  }
})

test('--user runs the command as that user, with that user’s home', kernel, () => {
  const done = record(stateDir(), ['/bin/sh', '-c', 'id -un; echo $HOME $USER'], '--user', 'nobody')
  assert.equal(done.code, 0, done.stderr)
  assert.equal(done.stdout, 'nobody\n/nonexistent nobody\n')
})

test('a recorded catalogued agent is that agent’s session; an agent further below is a child session', kernel, () => {
  const config = join(here, 'agents.yaml')
  const outer = join(here, 'outer-agent')
  const inner = join(here, 'inner-agent')
  writeFileSync(outer, `#!/bin/sh\n${inner} deep\nexit 0\n`, { mode: 0o755 })
  writeFileSync(inner, '#!/bin/sh\n/bin/true inside\nexit 0\n', { mode: 0o755 })
  writeFileSync(config, `agents:\n  - name: outer\n    script: "${outer}"\n  - name: inner\n    script: "${inner}"\n`)
  const state = stateDir()
  const direct = spoor(['record', '--state-dir', state, '--config', config, '--', outer])
  if (direct.code === 2 && /--config/.test(direct.stderr)) return // `record` takes no --config: agents of one's own are for `run`
  assert.equal(direct.code, 0, direct.stderr)
  const all = sessions(state)
  const outerSession = all.find((session) => session.agent.name === 'outer')
  const innerSession = all.find((session) => session.agent.name === 'inner')
  assert.ok(outerSession && innerSession, JSON.stringify(all.map((session) => session.agent.name)))
  assert.equal(innerSession.parentId, outerSession.id)
  const inside = events(state, '--session', innerSession.id).filter((event) => event.eventName === 'spoor.process.exec')
  assert.deepEqual(
    inside.map((event) => list(event, 'process.command_args').join(' ')),
    [`/bin/sh ${inner} deep`, '/bin/true inside'],
  )
})
