import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { entry, OTHER, SESSION, STORY, spoor, startSpoor, writeJournal } from './try-spoor.ts'

const folder = mkdtempSync(join(tmpdir(), 'spoor-readers-'))
const dir = join(folder, 'state')
const at = ['--state-dir', dir]
after(() => rmSync(folder, { recursive: true }))
before(() => writeJournal(dir, STORY))

const TERMINAL_UNSAFE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/

test('sessions --json has one row a session, by the schema', async () => {
  const { code, out } = await spoor(['sessions', ...at, '--json'])
  assert.equal(code, 0)
  const { schema, sessions } = JSON.parse(out)
  assert.equal(schema, 'spoor.sessions/1')
  assert.deepEqual(sessions[0], {
    id: SESSION,
    agent: { name: 'claude-code', version: '2.1.328', kind: 'agent', evidence: ['package:@anthropic-ai/claude-code'], sanction: 'unknown' },
    state: 'ended',
    startedAt: '1763600001000000000',
    endedAt: '1763600005000000000',
    user: { id: '1000', name: 'ada' },
    origin: 'terminal',
    cwd: '/home/ada/app\x1b[2J',
    parentId: null,
    coverage: { fidelity: null, reasons: [] },
    totals: { processes: 2, execs: 2, filesRead: 1, filesChanged: 1, connections: 1, bytesOut: 0, turns: 1, toolCalls: 1 },
    findings: null,
  })
  assert.deepEqual([sessions[1].id, sessions[1].state, sessions[1].parentId, sessions[1].totals], [OTHER, 'open', SESSION, null])
})

test('show --json ties processes, files and connections together', async () => {
  const { code, out, err } = await spoor(['show', SESSION.slice(0, 6), ...at, '--json'])
  assert.equal(code, 0, err)
  const shown = JSON.parse(out)
  assert.equal(shown.schema, 'spoor.show/1')
  assert.deepEqual(
    shown.processes.map((p: { pid: number; parentId: string | null; role: string; exit: unknown }) => [p.pid, p.parentId === null ? null : Number(p.parentId), p.role, p.exit]),
    [
      [100, null, 'agent', null],
      [101, 100, 'tool', { code: 3, signal: null }],
    ],
  )
  assert.deepEqual(shown.processes[1].images[0].args, ['bash', '-c', 'rm \u202e\x1b]0;owned\x07'])
  assert.equal(shown.processes[1].startedAt, '1763600001900000000')
  assert.deepEqual(
    shown.turns.map((t: { id: string; toolCalls: readonly Record<string, unknown>[] }) => [
      t.id,
      t.toolCalls.map(({ id, name, callId, verdict, join, processIds }) => ({ id, name, callId, verdict, join, processIds })),
    ]),
    [['aa', [{ id: 'bb', name: 'shell', callId: null, verdict: 'not_observable', join: { method: 'lineage', confidence: 'certain' }, processIds: ['101'.padStart(32, '0')] }]]],
  )
  assert.deepEqual(
    shown.files.map((f: { path: string; operations: unknown; sensitivity: string | null }) => [f.path, f.operations, f.sensitivity]),
    [
      ['/home/ada/.aws/credentials', [], 'cloud'],
      [
        '/home/ada/app/a\nb',
        [
          { operation: 'unlink', targetPath: null, error: null, count: 1 },
          { operation: 'unlink', targetPath: null, error: 'ENOENT', count: 1 },
        ],
        null,
      ],
    ],
  )
  assert.deepEqual(
    shown.connections.map((c: { direction: string; peer: unknown }) => [c.direction, c.peer]),
    [['connect', { address: '2001:db8::1', port: 443 }]],
  )
  assert.deepEqual(shown.unattributed, [{ processId: '100'.padStart(32, '0'), why: 'not settled yet' }])
})

test('text for people is escaped, and so is JSON', async () => {
  for (const command of [['sessions'], ['show', SESSION], ['events'], ['events', '--json'], ['show', SESSION, '--json'], ['sessions', '--json']]) {
    const { code, out, err } = await spoor([...command, ...at])
    assert.equal(code, 0, err)
    assert.doesNotMatch(out, TERMINAL_UNSAFE, command.join(' '))
  }
  const { out } = await spoor(['show', SESSION, ...at])
  assert.match(out, /^ {2}100 .*claude -p 'fix it'$/m)
  assert.match(out, /^ {2}└─ 101 \[1\.1 s exit 3\] rm \\u202e\\e\]0;owned\\x07$/m)
  assert.match(out, /\$'\/home\/ada\/app\/a\\nb'/)
  assert.match(out, /-> \[2001:db8::1\]:443/)
  assert.match(out, /contains +3f2a0000 codex/)
})

test('a session that is not there, and a beginning that fits several, are one sentence', async () => {
  const none = await spoor(['show', 'ffff', ...at])
  assert.deepEqual([none.code, none.out], [1, ''])
  assert.match(none.err, /^spoor show: no session ffff in .*\n$/)
  const many = await spoor(['show', '3f2a', ...at])
  assert.equal(many.code, 1)
  assert.match(many.err, /^spoor show: 2 sessions begin with 3f2a: /)
})

test('events are filtered by session and name', async () => {
  const { out } = await spoor(['events', ...at, '--json', '--session', OTHER])
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    events.map((e) => [e.schema, e.index, e.eventName, e.severityText, e.sessionId]),
    [
      ['spoor.event/1', '13', 'session.start', 'INFO', OTHER],
      ['spoor.event/1', '14', 'spoor.process.exec', 'INFO', OTHER],
    ],
  )
  assert.match(events[0].uid, /^[0-9A-HJKMNP-TV-Z]{26}$/)
  assert.equal(events[0].timeUnixNano, '1763600004000000000')
  const named = await spoor(['events', ...at, '--json', '--name', 'spoor.process.*'])
  assert.deepEqual(
    [
      ...new Set(
        named.out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).eventName),
      ),
    ],
    ['spoor.process.exec', 'spoor.process.exit', 'spoor.process.settled'],
  )
})

test('events --follow prints what comes and ends with 0 on Ctrl-C', async () => {
  const growing = join(folder, 'growing')
  await writeJournal(growing, STORY.slice(0, 2))
  const { child, said, soFar } = startSpoor(['events', '--state-dir', growing, '--json', '--follow'])
  const lines = async (n: number) => {
    for (let i = 0; i < 200 && soFar().split('\n').length - 1 < n; i++) await new Promise((done) => setTimeout(done, 25))
    assert.equal(soFar().split('\n').length - 1, n)
  }
  await lines(2)
  await writeJournal(growing, [entry('spoor.process.exec', 9, {})])
  await lines(3)
  child.kill('SIGINT')
  assert.equal((await said).code, 0)
})

test('a reader that leaves early is no error', async () => {
  const long = join(folder, 'long')
  await writeJournal(
    long,
    Array.from({ length: 20_000 }, (_, i) => entry('spoor.process.exec', i, { 'process.pid': i })),
  )
  const { child, said } = startSpoor(['events', '--state-dir', long])
  child.stdout?.once('data', () => child.stdout?.destroy())
  const { code, err } = await said
  assert.deepEqual([code, err], [0, ''])
})

test('damage is said, what is whole is shown', async () => {
  const damaged = join(folder, 'damaged')
  await writeJournal(damaged, STORY)
  const { openSync, writeSync, closeSync } = await import('node:fs')
  const fd = openSync(join(damaged, 'journal', 'seg', '0'.repeat(20) + '.seg'), 'r+')
  writeSync(fd, Buffer.from([0xff]), 0, 1, 2)
  closeSync(fd)
  const { code, out, err } = await spoor(['events', '--state-dir', damaged, '--json'])
  assert.equal(code, 0)
  assert.equal(out.trim().split('\n').length, STORY.length - 1)
  assert.match(err, /^spoor: entry 0 cannot be read: .+\n$/)
})

test('no journal, a foreign one, and wrong arguments are one sentence each', async () => {
  const cases: readonly [readonly string[], number, RegExp][] = [
    [['sessions', '--state-dir', join(folder, 'none')], 1, /^spoor sessions: there is no journal in .*\n$/],
    [['events', '--nope'], 2, /^spoor events: unknown option --nope \(spoor events --help\)\n$/],
    [['events', '-j'], 2, /unknown option -j/],
    [['events', '--name'], 2, /--name needs a value: GLOB/],
    [['events', '--name', '--json'], 2, /--name needs a value: GLOB/],
    [['sessions', '--json=yes'], 2, /--json takes no value/],
    [['sessions', 'x'], 2, /unexpected argument 'x'/],
    [['show'], 2, /SESSION .* is missing/],
    [['show', '../x'], 2, /hexadecimal/],
    [['nope\x1b'], 2, /^spoor: unknown command 'nope\\e'/],
    [['constructor'], 2, /unknown command/],
  ]
  for (const [args, code, message] of cases) {
    const said = await spoor(args)
    assert.deepEqual([said.code, said.out], [code, ''], args.join(' '))
    assert.match(said.err, message)
    assert.equal(said.err.split('\n').length, 2)
  }
  const foreign = join(folder, 'foreign')
  mkdirSync(join(foreign, 'journal'), { recursive: true })
  writeFileSync(join(foreign, 'journal', 'meta.json'), 'not ours')
  const said = await spoor(['sessions', '--state-dir', foreign])
  assert.equal(said.code, 1)
  assert.match(said.err, /meta\.json is no JSON/)
})

test('status without an observer: disabled, why, exit 1, and what the journal holds', async () => {
  const { code, out } = await spoor(['status', ...at, '--json'])
  assert.equal(code, 1)
  const status = JSON.parse(out)
  assert.deepEqual(
    [status.schema, status.state, status.run, status.sensor, status.ledger, status.self],
    ['spoor.status/1', 'disabled', null, null, null, { observer: null, shipper: null, intake: null }],
  )
  assert.deepEqual([status.journal.first, status.journal.durable], ['0', String(STORY.length)])
  assert.match(status.why[0], /^no observer runs: nobody listens on /)
  const text = await spoor(['status', ...at])
  assert.equal(text.code, 1)
  assert.match(text.out, /^state +disabled: no observer runs/)
})

test('every command has its help, main too', async () => {
  for (const command of ['run', 'record', 'sessions', 'show', 'events', 'status']) {
    const { code, out, err } = await spoor([command, '--help'])
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, new RegExp(`^usage: spoor ${command} `))
    assert.match(out, /--state-dir DIR/)
  }
  assert.match((await spoor(['--help'])).out, /^usage: spoor COMMAND/)
  assert.equal((await spoor([])).code, 2)
  assert.match((await spoor(['--version'])).out, /^\d+\.\d+\.\d+/)
})
