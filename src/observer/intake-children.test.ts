import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { need } from '../../test/support/need.ts'
import { tempFolder } from '../../test/support/temp.ts'
import type { Claim } from '../model/claim.ts'
import { type ClaimBatch, createIntakes, type IntakeSession, type Intakes } from './intake-children.ts'

const PROGRAM = fileURLToPath(new URL('../intake/program.fixture.ts', import.meta.url))
/** Root tests as an account that does not exist, anyone else as themselves. */
const UID = process.getuid!() === 0 ? 64_001 : process.getuid!()
/** How long for something that takes some 50 ms when the machine is idle. */
const PATIENCE_MS = 10_000
const fixture = (path: string): readonly string[] =>
  readFileSync(new URL(`../../collectors/${path}`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')

type Started = Intakes & { readonly claims: Claim[]; readonly at: Map<string, number>; readonly batches: ClaimBatch[]; readonly said: string[] }
const running: Intakes[] = []
after(() => Promise.all(running.map((intakes) => intakes.stop())))

function start(options: Partial<Parameters<typeof createIntakes>[0]> = {}): Started {
  const claims: Claim[] = []
  const at = new Map<string, number>()
  const batches: ClaimBatch[] = []
  const said: string[] = []
  const intakes = createIntakes({
    command: [PROGRAM],
    onClaims: (uid, batch) => {
      assert.equal(uid, UID)
      batches.push(batch)
      for (const claim of batch.claims) {
        claims.push(claim)
        at.set(`${claim.kind} ${claim.id}`, performance.now())
      }
    },
    onState: (state) => said.push(state),
    ...options,
  })
  running.push(intakes)
  return { ...intakes, claims, at, batches, said }
}

function home(): string {
  const folder = realpathSync(tempFolder('intake'))
  own(folder)
  return folder
}
const own = (path: string): void => {
  if (process.getuid!() === 0) chownSync(path, UID, UID)
}
function folder(path: string, top: string): void {
  mkdirSync(path, { recursive: true })
  for (let at = path; at !== top; at = dirname(at)) own(at)
}
const session = (home: string, more: Partial<IntakeSession> = {}): IntakeSession => ({
  id: 's1',
  uid: UID,
  home,
  agent: 'claude-code',
  pid: 1,
  cwd: '/home/ann/project',
  env: {},
  since: Date.now(),
  ...more,
})

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!holds()) {
    assert.ok(performance.now() < end, `not within ${PATIENCE_MS} ms: ${what}`)
    await sleep(5)
  }
}
/** A line with the present time, as an agent would write it. */
const call = (id: string, command = 'true'): string =>
  `${JSON.stringify({ type: 'assistant', uuid: `u-${id}`, sessionId: 'abc', timestamp: new Date().toISOString(), message: { content: [{ type: 'tool_use', id, name: 'Bash', input: { command } }] } })}\n`
const ids = (claims: readonly Claim[]): string[] => claims.filter(({ kind }) => kind === 'tool_call').map(({ id }) => id)
const reading = (intakes: Intakes): boolean => intakes.report()[0]?.state === 'reading'

test("Claude Code's files are followed live, as that user, lightly", async () => {
  const intakes = start()
  const top = home()
  assert.equal(intakes.session(session(top)), true)
  await until('the intake reads', () => reading(intakes))
  // Nothing of the agent is there yet: it makes all of it now.
  const projects = join(top, '.claude/projects/-home-ann-project')
  folder(projects, top)
  folder(join(top, '.claude/sessions'), top)
  const path = join(projects, 'abc.jsonl')
  writeFileSync(path, call('first'))
  own(path)
  await until('the first call', () => ids(intakes.claims).includes('first'))

  const registry = join(top, '.claude/sessions/18179.json')
  writeFileSync(registry, fixture('claude-transcript/fixtures/2.1.328/session.json').join('\n'))
  own(registry)
  await until('the registry', () => intakes.claims.some(({ kind }) => kind === 'registry'))

  const times: number[] = []
  for (let turn = 0; turn < 60; turn++) {
    const id = `t${turn}`
    const began = performance.now()
    appendFileSync(path, call(id))
    await until(id, () => intakes.at.has(`tool_call ${id}`))
    times.push(intakes.at.get(`tool_call ${id}`)! - began)
    await sleep(Math.random() * 40)
  }
  times.sort((a, b) => a - b)
  const p95 = times[Math.floor(times.length * 0.95)]!
  assert.ok(p95 < 200, `p95 from append to claim: ${p95} ms`)

  rmSync(registry)
  await until('the end of the registry entry', () => intakes.claims.some((claim) => claim.kind === 'end' && claim.scope === 'conversation'))
  assert.deepEqual(ids(intakes.claims), ['first', ...Array.from({ length: 60 }, (_, turn) => `t${turn}`)])

  const pid = intakes.report()[0]!.pid!
  const proc = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')
  assert.match(proc('status'), new RegExp(`^Uid:\\t${UID}\\t${UID}\\t${UID}\\t${UID}$`, 'm'))
  assert.match(proc('status'), /^CapEff:\t0+$/m)
  assert.equal(proc('environ'), '')
  assert.equal(proc(`task/${pid}/children`), '')
  const sockets = readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) > 2 && readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:'))
  assert.deepEqual(sockets, [], 'no socket but those of its standard streams')
  const pss = Number(/^Pss:\s+(\d+) kB$/m.exec(proc('smaps_rollup'))![1])
  assert.ok(pss <= 80 * 1024, `PSS ${pss} KiB`)
  await intakes.stop()
})

test("Codex's rollout is followed live, also where only the kernel knows of it; code mode too", async () => {
  const intakes = start()
  const top = home()
  const since = Date.parse('2026-11-20T09:00:00Z')
  intakes.session(session(top, { agent: 'codex', since }))
  await until('the intake reads', () => reading(intakes))
  const today = new Date()
  const day = join(top, '.codex/sessions', String(today.getFullYear()), String(today.getMonth() + 1).padStart(2, '0'), String(today.getDate()).padStart(2, '0'))
  folder(day, top)
  const path = join(day, 'rollout-2026-11-20T10-02-56-01a1f868-bfaa-7441-9d74-d4c13a4a8bc7.jsonl')
  writeFileSync(path, '')
  own(path)
  for (const line of fixture('codex-transcript/fixtures/0.169.0/code-mode-coding.jsonl')) {
    // In two pieces, as a pipe or a full buffer may cut it.
    appendFileSync(path, line.slice(0, 100))
    appendFileSync(path, `${line.slice(100)}\n`)
  }
  await until('all calls', () => ids(intakes.claims).length === 14)
  assert.equal(intakes.claims[0]?.kind, 'registry')
  // A resumed thread, in a folder that no variable named: the kernel saw it opened.
  const other = join(top, 'elsewhere/codex/sessions/2026/01/02')
  folder(other, top)
  const resumed = join(other, 'rollout-2026-01-02T10-02-56-aaa.jsonl')
  writeFileSync(resumed, `${fixture('codex-transcript/fixtures/0.169.0/mcp.jsonl').join('\n')}\n`)
  own(resumed)
  intakes.wrote('s1', resumed)
  await until('the calls of the resumed thread', () => ids(intakes.claims).length === 16)
  await intakes.stop()
})

test('what was written before the session is not claimed by it', async () => {
  const intakes = start()
  const top = home()
  const projects = join(top, '.claude/projects/-home-ann-project')
  folder(projects, top)
  const [old, resumed] = [join(projects, 'old.jsonl'), join(projects, 'abc.jsonl')]
  for (const path of [old, resumed]) {
    writeFileSync(path, call('before').replace(/"timestamp":"[^"]+"/, '"timestamp":"2020-01-01T00:00:00Z"'))
    own(path)
    utimesSync(path, 1e9, 1e9)
  }
  intakes.session(session(top))
  await until('the intake reads', () => reading(intakes))
  await sleep(300)
  appendFileSync(resumed, call('now'))
  await until('the call of now', () => ids(intakes.claims).includes('now'))
  assert.deepEqual(ids(intakes.claims), ['now'])
  assert.deepEqual([...new Set(intakes.batches.map(({ file }) => file.path))], [resumed])
  await intakes.stop()
})

test('hostile files: told and counted, and the honest one beside them is read', need('root'), async () => {
  const intakes = start()
  const top = home()
  const projects = join(top, '.claude/projects/-home-ann-project')
  folder(projects, top)
  const at = (name: string): string => join(projects, name)
  intakes.session(session(top))
  await until('the intake reads', () => reading(intakes))
  execFileSync('mkfifo', [at('fifo.jsonl')])
  own(at('fifo.jsonl'))
  writeFileSync(join(top, 'outside.jsonl'), call('outside'))
  own(join(top, 'outside.jsonl'))
  symlinkSync('../../../outside.jsonl', at('link.jsonl'))
  writeFileSync(at('theirs.jsonl'), call('theirs'))
  chownSync(at('theirs.jsonl'), 64_002, 64_002)
  for (const path of [at('fifo.jsonl'), at('link.jsonl')]) intakes.wrote('s1', path)
  writeFileSync(at('binary.jsonl'), Buffer.alloc(300_000, Buffer.from([0, 255, 10, 7])))
  own(at('binary.jsonl'))
  // 24 MB in lines of 8 MB: more than the heap could take as strings at once.
  writeFileSync(at('long.jsonl'), `${`{"x":"${'y'.repeat(8e6)}"}\n`.repeat(3)}${call('after-long')}`)
  own(at('long.jsonl'))
  writeFileSync(at('honest.jsonl'), call('honest'))
  own(at('honest.jsonl'))
  await until('the honest calls', () => ids(intakes.claims).includes('honest') && ids(intakes.claims).includes('after-long'))
  const unreadable = () => intakes.report()[0]!.counters?.unreadable ?? {}
  await until('the counts', () => unreadable().not_own === 1 && unreadable().line_too_long === 3 && (unreadable().not_json ?? 0) > 1000)
  assert.equal(unreadable().not_regular, 1)
  assert.equal(unreadable().outside, 1)
  assert.deepEqual(ids(intakes.claims).toSorted(), ['after-long', 'honest'])
  assert.equal(intakes.report()[0]!.restarts, 0)
  await intakes.stop()
})

test('rewritten, rotated and deleted under the reader', async () => {
  const intakes = start()
  const top = home()
  const projects = join(top, '.claude/projects/-home-ann-project')
  folder(projects, top)
  const path = join(projects, 'abc.jsonl')
  intakes.session(session(top))
  await until('the intake reads', () => reading(intakes))
  const has = (id: string) => until(id, () => ids(intakes.claims).includes(id))
  writeFileSync(path, call('1') + call('2'))
  own(path)
  await has('2')
  truncateSync(path, 0)
  appendFileSync(path, call('3'))
  await has('3')
  appendFileSync(path, call('4'))
  renameSync(path, join(top, 'abc.jsonl.1'))
  writeFileSync(path, call('5'))
  own(path)
  await has('5')
  appendFileSync(path, call('6'))
  rmSync(path)
  await has('6')
  assert.deepEqual(ids(intakes.claims), ['1', '2', '3', '4', '5', '6'])
  await intakes.stop()
})

test('an intake that is killed is started again and reads on where it was; one that is stopped is noticed', async () => {
  const intakes = start({ stuckMs: 6_000 })
  const top = home()
  const projects = join(top, '.claude/projects/-home-ann-project')
  folder(projects, top)
  const path = join(projects, 'abc.jsonl')
  intakes.session(session(top))
  await until('the intake reads', () => reading(intakes))
  writeFileSync(path, call('1'))
  own(path)
  await until('1', () => ids(intakes.claims).includes('1'))
  const first = intakes.report()[0]!.pid!
  process.kill(first, 'SIGKILL')
  appendFileSync(path, call('2'))
  await until('2', () => ids(intakes.claims).includes('2'))
  const second = intakes.report()[0]!.pid!
  assert.notEqual(second, first)
  process.kill(second, 'SIGSTOP')
  appendFileSync(path, call('3'))
  await until('stuck', () => intakes.said.some((line) => line.startsWith('intake is stuck')))
  await until('3', () => ids(intakes.claims).includes('3'))
  assert.deepEqual(ids(intakes.claims), ['1', '2', '3'])
  assert.equal(intakes.report()[0]!.restarts, 2)
  // Over a restart of the observer, the positions go with it.
  await intakes.stop()
  assert.throws(() => process.kill(second, 0), { code: 'ESRCH' })
  appendFileSync(path, call('4'))
  const next = start({ positions: structuredClone(intakes.positions()) })
  next.session(session(top, { since: Date.now() - 60_000 }))
  await until('4', () => ids(next.claims).includes('4'))
  assert.deepEqual(ids(next.claims), ['4'])
  await next.stop()
})

test('what sends no frames is ended; an agent that nobody reads starts nothing', async () => {
  const garbage = join(tempFolder('garbage'), 'g.mjs')
  writeFileSync(garbage, 'process.stdout.write(Buffer.alloc(64, 255)); setInterval(() => {}, 1000)')
  chmodSync(garbage, 0o644)
  const intakes = start({ command: [garbage] })
  assert.equal(intakes.session(session('/nonexistent', { agent: 'gemini' })), false)
  assert.deepEqual(intakes.report(), [])
  intakes.session(session('/nonexistent'))
  await until('the end of what sends garbage', () => intakes.said.includes('intake sent what is no frame: it is ended and started again'))
  assert.ok(intakes.report()[0]!.malformed > 0)
  assert.equal(intakes.claims.length, 0)
  await intakes.stop()
})

test('it works from a folder that the user may not enter', need('root'), async () => {
  const closed = tempFolder('closed')
  chmodSync(closed, 0o700)
  const repository = fileURLToPath(new URL('../../', import.meta.url))
  for (const part of ['src', 'collectors/claude-transcript', 'collectors/codex-transcript', 'package.json']) cpSync(join(repository, part), join(closed, part), { recursive: true })
  for (const part of ['koffi', '@koromix', 'chokidar', 'readdirp']) cpSync(join(repository, 'node_modules', part), join(closed, 'node_modules', part), { recursive: true })
  const intakes = start({ command: [join(closed, 'src/intake/program.fixture.ts')] })
  const top = home()
  const projects = join(top, '.claude/projects/-home-ann-project')
  folder(projects, top)
  intakes.session(session(top))
  await until('the intake reads', () => reading(intakes))
  writeFileSync(join(projects, 'abc.jsonl'), call('1'))
  own(join(projects, 'abc.jsonl'))
  await until('1', () => ids(intakes.claims).includes('1'))
  await intakes.stop()
})
