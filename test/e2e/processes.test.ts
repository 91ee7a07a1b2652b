import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { balances, lost } from '../support/ledger.ts'
import { need } from '../support/need.ts'
import { type Event, events, list, number, type Observer, sessions, spoor, startRun, text, until } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'
import { compileWork } from '../support/work.ts'

const kernel = need('root', 'ebpf', 'compiler')
const here = tempFolder('processes')
const state = join(here, 'state')
let work = ''
let agent = ''
let observer: Observer

before(async () => {
  if (kernel.skip !== false) return
  work = compileWork(here)
  agent = compileWork(here, 'stub-agent')
  observer = await startRun(state, { config: `agents:\n  - name: stub\n    exe: "${agent}"\n` })
})
after(async () => {
  if (kernel.skip === false) await observer?.stop()
})

/** Runs the stub agent and gives the entries of its session, once that has ended. */
async function runAgent(args: readonly string[], code: number | null = 0): Promise<Event[]> {
  const done = spawnSync(agent, args, { encoding: 'utf8' })
  if (code !== null) assert.equal(done.status, code, done.stderr)
  const seen = known
  const session = await until('the session to end', () => sessions(state).find((one) => one.agent.name === 'stub' && one.state === 'ended' && !seen.has(one.id)))
  known.add(session.id)
  assert.equal(session.agent.name, 'stub')
  return events(state, '--session', session.id)
}
const known = new Set<string>()
const named = (entries: readonly Event[], name: string): Event[] => entries.filter((event) => event.eventName === name)

test('10,000 short processes: the multiset of (nonce, parent, exit code) is what was spawned', { ...kernel, timeout: 120_000 }, async () => {
  const total = 10_000
  const entries = await runAgent(['spawn', String(total), String(availableParallelism()), work])
  const rootId = text(named(entries, 'session.start')[0]!, 'spoor.process.id')
  const nonceOf = new Map<string, string>()
  for (const event of named(entries, 'spoor.process.exec')) {
    const args = list(event, 'process.command_args')
    if (args[1] !== 'short') continue
    assert.equal(text(event, 'spoor.process.parent_id'), rootId)
    assert.equal(nonceOf.has(text(event, 'spoor.process.id')), false, 'one process, one id')
    nonceOf.set(text(event, 'spoor.process.id'), args[2]!)
  }
  const seen = named(entries, 'spoor.process.exit')
    .filter((event) => nonceOf.has(text(event, 'spoor.process.id')))
    .map((event) => `${nonceOf.get(text(event, 'spoor.process.id'))} ${number(event, 'process.exit.code')}`)
  const spawned = Array.from({ length: total }, (_, i) => `nonce-${i} ${i % 200}`)
  assert.deepEqual(seen.sort(), spawned.sort())
  const now = await balances(state)
  assert.equal(lost(now), 0n)
})

test('the leader thread exits first: the process goes on, and ends once', kernel, async () => {
  const entries = await runAgent(['leader', '/etc/hostname'], 9)
  const exits = named(entries, 'spoor.process.exit')
  assert.deepEqual(
    exits.map((event) => number(event, 'process.exit.code')),
    [9],
  )
  assert.ok(JSON.stringify(entries).includes('hostname'), 'the open after the leader was gone')
})

test('exec from a second thread keeps the process', kernel, async () => {
  const entries = await runAgent(['thread-exec', '/etc/hostname', work, 'short', 'after', '6'], 6)
  const [first, second] = named(entries, 'spoor.process.exec')
  assert.equal(text(first!, 'spoor.process.id'), text(second!, 'spoor.process.id'))
  assert.deepEqual(list(second!, 'process.command_args'), [work, 'short', 'after', '6'])
  assert.deepEqual(
    named(entries, 'spoor.process.exit').map((event) => number(event, 'process.exit.code')),
    [6],
  )
  assert.ok(JSON.stringify(entries).includes('hostname'), 'the open before the exec')
})

test('an argv of 2 MB: head, tail and true length', kernel, async () => {
  const entries = await runAgent(['long-argv', '2000000'])
  const long = named(entries, 'spoor.process.exec').find((event) => number(event, 'spoor.process.args_bytes') > 1_900_000)
  assert.ok(long, 'args_bytes is the true length')
  assert.equal(list(long, 'process.command_args')[1], 'ok')
  assert.match(JSON.stringify(long.attributes), /the-tail-of-it/)
})

test('a fork bomb of 5,000 is bounded, complete and balanced', kernel, async () => {
  const entries = await runAgent(['bomb', '5000'])
  const exits = named(entries, 'spoor.process.exit')
  assert.equal(exits.length, 5001)
  const now = await balances(state)
  assert.equal(lost(now), 0n)
})

test('what outlives its agent stays in the session and is reported', kernel, async () => {
  const entries = await runAgent(['outlive', '3500'])
  const end = named(entries, 'session.end')[0]!
  assert.ok(JSON.stringify(entries).includes('hostname'), 'what it did after its agent had ended')
  assert.match(JSON.stringify(end.attributes['spoor.incomplete'] ?? []), /outlived/)
})

test('an agent that opens, forks and exits at once, 1,000 times: every open and fork is there', { ...kernel, timeout: 120_000 }, async () => {
  const secret = join(here, '.env')
  spoor(['--version'])
  spawnSync('/bin/sh', ['-c', `echo x > ${secret}`])
  const before = new Set(sessions(state).map((one) => one.id))
  const times = 1000
  spawnSync('/bin/sh', ['-c', `i=0; while [ $i -lt ${times} ]; do ${agent} first ${secret}; i=$((i+1)); done`])
  const mine = await until('all sessions to end', () => {
    const all = sessions(state).filter((one) => one.agent.name === 'stub' && !before.has(one.id))
    return all.length >= times && all.every((one) => one.state === 'ended') && all
  })
  assert.equal(mine.length, times)
  const ids = new Set(mine.map((one) => one.id))
  const entries = events(state).filter((event) => event.sessionId !== null && ids.has(event.sessionId))
  const opens = named(entries, 'spoor.file.open').filter((event) => event.attributes['file.path'] === secret)
  assert.equal(opens.length, times)
  const exits = named(entries, 'spoor.process.exit').map((event) => number(event, 'process.exit.code'))
  assert.equal(exits.filter((code) => code === 4).length, times, 'the forked children')
  assert.equal(exits.filter((code) => code === 3).length, times, 'the agents')
  const now = await balances(state)
  assert.equal(lost(now), 0n)
})
