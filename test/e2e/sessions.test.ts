import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionDocument } from '../../src/model/status.ts'
import { balances } from '../support/ledger.ts'
import { need } from '../support/need.ts'
import { events, list, type Observer, sessions, startRun, text, until } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'
import { compileWork } from '../support/work.ts'

const kernel = need('root', 'ebpf', 'compiler')
const here = tempFolder('sessions')
const state = join(here, 'state')
const known = new Set<string>()
let work = ''
let claude = ''
let gemini = ''
let late: ReturnType<typeof spawn>
let observer: Observer

/** The layout npm makes: node_modules/.bin/NAME -> ../PACKAGE/FILE. */
function install(name: string, packageName: string, file: string): string {
  const folder = join(here, 'node_modules', packageName)
  mkdirSync(join(folder, file, '..'), { recursive: true })
  mkdirSync(join(here, 'node_modules/.bin'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: packageName, version: '9.9.9' }))
  symlinkSync(join('..', packageName, file), join(here, 'node_modules/.bin', name))
  return join(folder, file)
}

before(async () => {
  if (kernel.skip !== false) return
  work = compileWork(here)
  // A native agent: bash under claude's name and package. A script agent that relaunches itself: gemini.
  copyFileSync('/bin/bash', install('claude', '@anthropic-ai/claude-code', 'bin/claude.exe'))
  claude = join(here, 'node_modules/.bin/claude')
  writeFileSync(
    install('gemini', '@google/gemini-cli', 'bundle/gemini.js'),
    `#!/usr/bin/env node
const { spawnSync } = require('child_process')
if (!process.env.CHILD) process.exit(spawnSync(process.execPath, [process.argv[1], ...process.argv.slice(2)], { stdio: 'inherit', env: { ...process.env, CHILD: '1' } }).status)
spawnSync('/bin/bash', ['-c', process.argv[2] || 'true'], { stdio: 'inherit', detached: true })
`,
    { mode: 0o755 },
  )
  gemini = join(here, 'node_modules/.bin/gemini')
  late = spawn(claude, ['-c', 'sleep 3; /bin/true after the start'], { stdio: 'ignore' })
  await sleep(300)
  observer = await startRun(state)
})
after(async () => {
  if (kernel.skip !== false) return
  await observer?.stop()
})

/** The observer watches the machine: agents that others run meanwhile are none of this test. */
const ours = (): SessionDocument[] => sessions(state).filter((one) => one.agent.evidence.some((line) => line.includes(here)))
const newSession = (agent: string, ended = true): Promise<SessionDocument> =>
  until(`a session of ${agent}`, () => {
    const found = ours().find((one) => one.agent.name === agent && !known.has(one.id) && (!ended || one.state === 'ended'))
    if (found !== undefined) known.add(found.id)
    return found
  })

test('an agent that was running before is found, marked joined late, and followed', { ...kernel, timeout: 30_000 }, async () => {
  const session = await newSession('claude-code')
  const entries = events(state, '--session', session.id)
  const start = entries.find((event) => event.eventName === 'session.start')!
  assert.equal(start.attributes['spoor.session.joined_late'], true)
  const execs = entries
    .filter((event) => event.eventName === 'spoor.process.exec')
    .map((event) => `${event.attributes['spoor.fidelity'] ?? 'exact'}: ${list(event, 'process.command_args').join(' ')}`)
  assert.deepEqual(execs, ['sampled: sleep 3', 'exact: /bin/true after the start'], 'what ran already is told from the snapshot, and says so')
  void late
})

test('a native agent is recognised by its package, from its first instruction on', kernel, async () => {
  const done = spawnSync(claude, ['-c', `read -r line < /etc/hostname; ${work} short one 0; setsid ${work} short two 0; exit 4`], { stdio: 'ignore' }) // bash takes a socket as its input for an rshd's, and reads ~/.bashrc
  assert.equal(done.status, 4)
  const session = await newSession('claude-code')
  assert.ok(
    session.agent.evidence.some((line) => line.includes('@anthropic-ai/claude-code')),
    session.agent.evidence.join(),
  )
  assert.equal(session.agent.kind, 'agent')
  const entries = events(state, '--session', session.id)
  assert.deepEqual(
    entries.filter((event) => event.eventName === 'spoor.process.exec').map((event) => list(event, 'process.command_args').slice(1, 3).join(' ')),
    [`-c read -r line < /etc/hostname; ${work} short one 0; setsid ${work} short two 0; exit 4`, 'short one', `${work} short`, 'short two'],
  )
  assert.match(JSON.stringify(entries), /hostname/)
})

test('launcher and relaunched child are one agent; its shell is a tool call', kernel, async () => {
  const done = spawnSync(gemini, [`${work} short inside 0`], { encoding: 'utf8' })
  assert.equal(done.status ?? 0, 0, done.stderr)
  const session = await newSession('gemini-cli')
  assert.equal(ours().filter((one) => one.agent.name === 'gemini-cli').length, 1)
  const entries = events(state, '--session', session.id)
  assert.equal(entries.filter((event) => event.eventName === 'spoor.tool_call.end').length, 1)
  const inside = entries.find((event) => event.eventName === 'spoor.process.exec' && list(event, 'process.command_args').includes('inside'))
  assert.ok(inside)
  assert.equal(text(inside, 'spoor.process.role'), 'tool')
})

test('a nested agent is a child session, linked', kernel, async () => {
  spawnSync(claude, ['-c', `${gemini} "${work} short nested 0"; exit 0`])
  const outer = await newSession('claude-code')
  const inner = await newSession('gemini-cli')
  assert.equal(inner.parentId, outer.id)
  const nested = events(state).filter(
    (event) => event.eventName === 'spoor.process.exec' && list(event, 'process.command_args').includes('nested') && list(event, 'process.command_args')[0] === work,
  )
  assert.deepEqual(
    nested.map((event) => event.sessionId),
    [inner.id],
  )
})

test('a program that only has an agent’s name is none; nothing of it is kept', kernel, async () => {
  const impostor = join(here, 'claude')
  symlinkSync('/bin/bash', impostor) // its comm and the called name are an agent’s, its executable is not
  spawnSync(impostor, ['-c', 'cat /etc/hostname > /dev/null; exit 0'])
  spawnSync('node', ['-e', '0'])
  await sleep(1000)
  assert.equal(ours().filter((one) => !known.has(one.id)).length, 0)
  const now = await balances(state)
  const filtered = Object.values(Object.values(now.ledger!.sensors)[0]!).some((kind) => Number(kind.filtered['not_agent'] ?? 0) > 0)
  assert.ok(filtered, 'released processes are counted as not_agent')
})

test('who asked: user and origin', kernel, async () => {
  spawnSync(claude, ['-c', 'true; exit 0'], { env: { ...process.env, SSH_CONNECTION: '' } })
  const session = await newSession('claude-code')
  assert.equal(session.user.id, '0')
  assert.equal(session.user.name, 'root')
  assert.ok(['terminal', 'ide', 'ssh', 'cron', 'ci', 'service', 'unknown'].includes(session.origin), session.origin)
})
