import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { SessionId } from '../model/ids.ts'
import type { SessionSummary } from '../model/status.ts'
import { type Control, serveControl } from '../observer/control.ts'
import { startTicksOf } from './shim.ts'
import { spoor, startSpoor } from './try-spoor.ts'

// An observer stands in at the control socket: what is tested is the command's side. The whole way is tested in test/e2e.

const linux = { skip: process.platform === 'linux' ? false : 'needs /proc' }
const folder = mkdtempSync(join(tmpdir(), 'spoor-record-'))
const dir = join(folder, 'state')
const SESSION = 'cafe0123'.repeat(4)
const asked: { pid: number; startTicks: number; name: string | null; ticks: number | null; comm: string }[] = []
let refuse = false
let control: Control
const summary: SessionSummary = {
  id: SESSION,
  agent: 'sh',
  userId: process.getuid?.() ?? 0,
  ended: true,
  startedAt: '1',
  endedAt: '2',
  totals: { processes: 2, execs: 3, filesRead: 1, filesChanged: 4, connections: 1, bytesOut: 1234, turns: 1, toolCalls: 0 },
  incomplete: [],
}
before(async () => {
  mkdirSync(join(dir, 'run'), { recursive: true })
  control = await serveControl({
    path: join(dir, 'run', 'control.sock'),
    mode: 0o600,
    peer: () => ({ pid: 1, uid: process.getuid?.() ?? 0, gid: 0 }),
    handlers: {
      status: () => ({
        schema: 'spoor.status/1',
        state: 'healthy',
        why: [],
        run: null,
        sensor: null,
        ledger: null,
        journal: null,
        self: { observer: null, shipper: null, intake: null },
      }),
      record(task, name) {
        asked.push({ ...task, name, ticks: startTicksOf(task.pid), comm: readFileSync(`/proc/${task.pid}/comm`, 'utf8').trim() })
        return refuse ? null : (SESSION as SessionId)
      },
      summary: () => summary,
      ownerOf: () => process.getuid?.() ?? 0,
    },
  })
})
after(async () => {
  await control.close()
  rmSync(folder, { recursive: true })
})
const record = (...args: string[]) => spoor(['record', '--state-dir', dir, ...args])

test('a running observer gets the process before its command begins; streams are the command s own', linux, async () => {
  const { code, out, err } = await record('--name', 'my build', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3')
  assert.equal(code, 3)
  assert.equal(out, 'out\n')
  assert.deepEqual(
    err.split('\n').map((line) => line.replace(/: [\d.]+ m?s, /, ': TIME, ')),
    [
      'err',
      'spoor: session cafe0123 (sh): TIME, exit 3',
      `spoor: 2 processes, 3 execs, 1 file read, 4 changed, 1 connection (1.2 kB out); spoor show cafe0123 --state-dir ${dir}`,
      '',
    ],
  )
  const [task] = asked
  assert.deepEqual([task?.name, task?.startTicks, task?.comm], ['my build', task?.ticks, 'sh'])
})

test('a signal that ends the command is 128 + its number', linux, async () => {
  const { code, err } = await record('--', 'sh', '-c', 'kill -KILL $$')
  assert.equal(code, 137)
  assert.match(err, /SIGKILL \(9\)/)
})

test('SIGTERM is passed on; SIGINT is the terminal s and the command s business', linux, async () => {
  const { child, said, soFar } = startSpoor(['record', '--state-dir', dir, '--', 'sh', '-c', 'trap "echo term; exit 5" TERM; echo ready; while :; do sleep 0.05; done'])
  while (!soFar().includes('ready')) await new Promise((done) => setTimeout(done, 10))
  child.kill('SIGINT')
  await new Promise((done) => setTimeout(done, 100))
  assert.equal(soFar(), 'ready\n')
  child.kill('SIGTERM')
  const { code, out } = await said
  assert.deepEqual([code, out], [5, 'ready\nterm\n'])
})

test('an observer that refuses: the command never runs', linux, async () => {
  refuse = true
  const out = join(folder, 'never')
  const { code, err } = await record('--', 'touch', out)
  refuse = false
  assert.equal(code, 1)
  assert.match(err, /^spoor record: process \d+ could not be tracked\n$/)
  assert.equal(existsSync(out), false)
})

test('not found is 127, not executable 126, wrong use 2; nothing is started', linux, async () => {
  const before = asked.length
  const plain = join(folder, 'plain')
  writeFileSync(plain, '', { mode: 0o644 })
  const cases: readonly [readonly string[], number, RegExp][] = [
    [['--', 'no-such-command-anywhere'], 127, /^spoor record: command not found: no-such-command-anywhere\n$/],
    [['--', plain], 126, /is not executable\n$/],
    [['--', folder], 126, /is a folder\n$/],
    [['--'], 2, /COMMAND is missing/],
    [['ls'], 2, /COMMAND is missing: it stands behind --/],
    [['--nope', '--', 'ls'], 2, /unknown option --nope/],
    [['--user', 'no such user', '--', 'ls'], process.getuid?.() === 0 ? 1 : 2, /there is no user|takes root/],
  ]
  for (const [args, code, message] of cases) {
    const said = await record(...args)
    assert.equal(said.code, code, args.join(' '))
    assert.match(said.err, message)
  }
  assert.equal(asked.length, before)
})

test('--user runs the command as that user with its groups and home', { skip: process.getuid?.() === 0 ? false : 'needs root' }, async () => {
  const { code, out, err } = await record('--user', 'nobody', '--', 'sh', '-c', 'id -un; id -G; echo $HOME $USER $LOGNAME')
  assert.equal(code, 0, err)
  const [name, groups, home] = out.split('\n')
  assert.equal(name, 'nobody')
  assert.equal(groups?.includes('0 '), false)
  assert.match(home ?? '', /^\/\S* nobody nobody$/)
})
