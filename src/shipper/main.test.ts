import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SPOOR_ID } from '../identity/accounts.ts'
import { type Journal, openJournal } from '../journal/journal.ts'
import type { Signal } from '../ship/config.ts'
import { opened, runStart, settled } from '../ship/entries.fixture.ts'
import { parseShipLine, type ShipLine } from '../ship/report.ts'
import { certificate, OK, recordsIn, type Sink, startSink } from '../ship/sink.fixture.ts'

const ENTRY = join(dirname(fileURLToPath(import.meta.url)), '../cli/main.ts')
const root = process.getuid?.() === 0

async function until(what: string, holds: () => boolean, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !holds(); ) {
    assert.ok(Date.now() < end, `in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A state directory in a folder that only its owner may enter, as /root is, with a journal that is being written. */
async function state(t: TestContext): Promise<{ dir: string; journal: Journal; records: Buffer[]; append(count: number): Promise<void> }> {
  const closed = mkdtempSync(join(tmpdir(), 'spoor-shipper-'))
  t.after(() => rmSync(closed, { recursive: true, force: true }))
  const dir = join(closed, 'state')
  mkdirSync(join(dir, 'journal'), { recursive: true, mode: 0o750 })
  chmodSync(closed, 0o700)
  if (root) {
    chmodSync(dir, 0o751)
    chownSync(join(dir, 'journal'), 0, SPOOR_ID)
    chmodSync(join(dir, 'journal'), 0o750)
  }
  const made = await openJournal({ dir: join(dir, 'journal'), syncEveryMs: 0 })
  assert.ok(made.ok)
  if (root) {
    chownSync(join(dir, 'journal', 'seg'), 0, SPOOR_ID)
    chmodSync(join(dir, 'journal', 'seg'), 0o750)
  }
  const { journal } = made
  t.after(() => journal.close())
  const records: Buffer[] = []
  const append = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const index = records.length
      const record = index === 0 ? runStart(0, 'testhost') : index % 10 === 3 ? settled(index) : opened(index)
      assert.equal(journal.append(record), index)
      records.push(record)
    }
    await journal.sync()
  }
  return { dir, journal, records, append }
}

type Ship = { child: ChildProcess; lines: ShipLine[]; ledger(signal: Signal): Record<string, unknown> | null; ended: Promise<number | null>; stderr(): string }
function ship(t: TestContext, dir: string, env: Record<string, string>): Ship {
  const child = spawn(process.execPath, [ENTRY, '__shipper', '--state-dir', dir], { env: { PATH: process.env['PATH'], ...env }, stdio: 'pipe' })
  t.after(() => child.kill('SIGKILL'))
  const lines: ShipLine[] = []
  let stderr = ''
  child.stderr!.on('data', (chunk) => (stderr += chunk))
  child.stdin!.on('error', () => {})
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const parsed = parseShipLine(line)
    assert.ok(parsed !== null, line)
    lines.push(parsed)
  })
  const ledger = (signal: Signal): Record<string, unknown> | null => {
    const last = lines.findLast((line) => line.type === 'ledger')
    return last === undefined ? null : (Object.values(last.destinations)[0]?.[signal] ?? null)
  }
  return { child, lines, ledger, ended: once(child, 'close').then(([code]) => code), stderr: () => stderr }
}
const text = (record: Buffer): string => record.toString('latin1')
/** Not assert.deepEqual: its report of a difference between thousands of buffers takes minutes. */
const sameBytes = (got: readonly { record: Buffer }[], sent: readonly Buffer[]): boolean => {
  const [a, b] = [got.map(({ record }) => text(record)).sort(), sent.map(text).sort()]
  return a.length === b.length && a.every((each, i) => each === b[i])
}
const endpoint = (sink: Sink): Record<string, string> => ({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
const recordsOf = (sink: Sink): { resource: Buffer; record: Buffer }[] => sink.got.filter((got) => got.path === '/v1/logs').flatMap((got) => recordsIn(got.body))
const spansOf = (sink: Sink): { spanId: string }[] =>
  sink.got
    .filter((got) => got.path === '/v1/traces')
    .flatMap((got) => JSON.parse(got.body.toString()).resourceSpans.flatMap((r: { scopeSpans: { spans: unknown[] }[] }) => r.scopeSpans.flatMap((s) => s.spans)))

test('journal to sink: records byte for byte, spans of what is settled, the ledger; stop; and a next life sends nothing twice', async (t) => {
  const sink = await startSink()
  t.after(() => sink.close())
  const { dir, records, append } = await state(t)
  await append(3000)
  const first = ship(t, dir, { ...endpoint(sink), OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' })
  await until('the first 3000', () => recordsOf(sink).length === 3000 && spansOf(sink).length === 300)
  await append(500)
  await until('500 more, told by the watch', () => recordsOf(sink).length === 3500 && spansOf(sink).length === 350, 1500)
  // Two requests are under way at a time: the order on the wire is not that of the journal.
  assert.ok(sameBytes(recordsOf(sink), records))
  assert.ok(recordsOf(sink).every(({ resource }) => resource.includes('testhost')))
  assert.equal(sink.got[0]!.headers['content-encoding'], 'gzip')
  await append(100)
  first.child.stdin!.end('stop\n')
  assert.equal(await first.ended, 0, first.stderr())
  assert.equal(recordsOf(sink).length, 3600)
  assert.deepEqual(first.ledger('logs'), { entries: '3600', acknowledged: '3600', rejected: {}, parked: '0', pending: '0', expired: '0' })
  assert.deepEqual(first.ledger('traces'), { entries: '360', acknowledged: '360', rejected: {}, parked: '0', pending: '0', expired: '0' })
  const second = ship(t, dir, endpoint(sink))
  await append(1)
  await until('one more', () => recordsOf(sink).length >= 3601)
  second.child.stdin!.end()
  assert.equal(await second.ended, 0)
  assert.equal(recordsOf(sink).length, 3601)
  assert.deepEqual(recordsOf(sink).at(-1)!.resource, recordsOf(sink)[0]!.resource)
  assert.equal(second.stderr(), '')
})

test('kill -9 in the middle: everything arrives, and what arrives twice is the same bytes', async (t) => {
  const sink = await startSink()
  t.after(() => sink.close())
  const { dir, records, append } = await state(t)
  await append(60_000)
  for (let life = 0; life < 3; life++) {
    const { child, ended } = ship(t, dir, endpoint(sink))
    const before = sink.got.length
    await until('some requests', () => sink.got.length >= before + 5)
    child.kill('SIGKILL')
    await ended
  }
  const last = ship(t, dir, endpoint(sink))
  await until('all', () => last.ledger('logs')?.['pending'] === '0' && last.ledger('logs')?.['entries'] === '60000')
  const got = recordsOf(sink).map(({ record }) => text(record))
  assert.equal(new Set(got).size, 60_000)
  const sent = new Set(records.map(text))
  assert.ok(got.every((record) => sent.has(record)))
  assert.equal(last.ledger('logs')?.['acknowledged'], '60000')
  assert.equal(new Set(spansOf(sink).map((span) => span.spanId)).size, 6000)
})

test('the sink is away and comes back on its port: all of it arrives', async (t) => {
  const gone = await startSink()
  const port = Number(new URL(gone.url).port)
  await gone.close()
  const { dir, append } = await state(t)
  await append(100)
  const shipper = ship(t, dir, endpoint(gone))
  await until('the failure is told', () => shipper.lines.some((line) => line.type === 'ledger' && Object.values(line.health)[0]?.logs?.state === 'retrying'))
  await append(10_000)
  await until('the backlog is told', () => shipper.ledger('logs')?.['pending'] === '10100' && shipper.ledger('traces')?.['pending'] === '1010')
  const sink = await startSink({ port })
  t.after(() => sink.close())
  await until('all', () => recordsOf(sink).length === 10_100 && spansOf(sink).length === 1010, 20_000)
})

test('refused for good: parked, told once, and nothing is blocked', async (t) => {
  const sink = await startSink()
  t.after(() => sink.close())
  sink.otherwise = (got) => ({ status: got.path === '/v1/logs' ? 404 : 200 })
  const { dir, append } = await state(t)
  await append(5000)
  const shipper = ship(t, dir, endpoint(sink))
  await until('parked', () => shipper.ledger('logs')?.['parked'] === '5000' && shipper.ledger('traces')?.['acknowledged'] === '500')
  await append(1000)
  await until('parked too', () => shipper.ledger('logs')?.['parked'] === '6000')
  const told = shipper.lines.filter((line) => line.type === 'parked')
  assert.ok(told.length >= 1 && told.length <= 2, String(told.length))
  assert.deepEqual([told[0]!.signal, told[0]!.reason], ['logs', 'http_404'])
  shipper.child.stdin!.end()
  await shipper.ended
  // A new life asks once.
  sink.got.length = 0
  const still = ship(t, dir, endpoint(sink))
  await append(10)
  await until('asked, and the new ones parked too', () => still.ledger('logs')?.['parked'] === '6010')
  assert.deepEqual(recordsOf(sink).length, 11)
  still.child.stdin!.end()
  await still.ended
  // Now it is mended.
  sink.got.length = 0
  sink.otherwise = OK
  const mended = ship(t, dir, endpoint(sink))
  await until('all of it', () => mended.ledger('logs')?.['acknowledged'] === '6010' && mended.ledger('logs')?.['parked'] === '0')
  assert.equal(new Set(recordsOf(sink).map(({ record }) => text(record))).size, 6010)
  assert.ok(recordsOf(sink).every(({ resource }) => resource.includes('testhost')))
})

test('the end of standard input ends it in time, even when the far side never answers; signals do not', async (t) => {
  const sink = await startSink()
  t.after(() => sink.close())
  sink.otherwise = 'never'
  const { dir, append } = await state(t)
  await append(10)
  const { child, ended } = ship(t, dir, endpoint(sink))
  await until('a request', () => sink.got.length > 0)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) child.kill(signal)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(child.exitCode, null)
  assert.equal(child.signalCode, null)
  const began = Date.now()
  child.stdin!.end()
  assert.equal(await ended, 0)
  assert.ok(Date.now() - began < 6500, String(Date.now() - began))
})

test('started by root it becomes nobody, below a folder that only root may enter', { skip: root ? false : 'needs root' }, async (t) => {
  const sink = await startSink()
  t.after(() => sink.close())
  const { dir, append } = await state(t)
  await append(1)
  const { child, stderr } = ship(t, dir, endpoint(sink))
  await until('delivery', () => recordsOf(sink).length === 1)
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const field = (name: string): string => (new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '').trim()
  const ids = [SPOOR_ID, SPOOR_ID, SPOOR_ID, SPOOR_ID].join('\t')
  assert.deepEqual([field('Uid'), field('Gid'), field('Groups'), field('CapEff'), field('CapPrm')], [ids, ids, '', '0000000000000000', '0000000000000000'])
  const folder = statSync(join(dir, 'ship'))
  assert.deepEqual([folder.uid, folder.mode & 0o777], [SPOOR_ID, 0o700])
  assert.equal(stderr(), '')
})

test('over TLS, with a certificate that only root may read', async (t) => {
  const { dir, append } = await state(t)
  const pair = certificate(dirname(dir))
  if (pair === null) return t.skip('openssl is not installed')
  const sink = await startSink({ tls: pair })
  t.after(() => sink.close())
  await append(20)
  ship(t, dir, { ...endpoint(sink), OTEL_EXPORTER_OTLP_CERTIFICATE: join(dirname(dir), 'cert.pem'), OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20t' })
  await until('delivery', () => recordsOf(sink).length === 20 && spansOf(sink).length === 2)
  assert.ok(sink.got.every((got) => got.headers.authorization === 'Bearer t'))
})

test('its ledger as metrics, where the environment asks for them', async (t) => {
  const sink = await startSink()
  t.after(() => sink.close())
  const { dir, append } = await state(t)
  await append(20)
  const { child, ended } = ship(t, dir, { ...endpoint(sink), OTEL_METRICS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '300', OTEL_METRIC_EXPORT_TIMEOUT: '200' })
  const bodies = (): string =>
    sink.got
      .filter((got) => got.path === '/v1/metrics')
      .map((got) => got.body.toString('latin1'))
      .join('')
  await until('metrics of what was delivered', () => /spoor\.ship\.items/.test(bodies()) && /acknowledged/.test(bodies()))
  assert.match(bodies(), /service\.name/)
  child.stdin!.end()
  assert.equal(await ended, 0)
})

test('what it cannot do it says in one sentence', async (t) => {
  const { dir } = await state(t)
  const cases: [string, Record<string, string>, number, RegExp][] = [
    [dir, {}, 2, /no endpoint is configured/],
    [dir, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:1', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 2, /grpc is not supported/],
    [join(dir, 'nowhere'), { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:1' }, 1, /cannot be used for shipping/],
    [join(dir, 'journal'), { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:1' }, 1, /journal/],
  ]
  for (const [where, env, code, message] of cases) {
    const { ended, stderr } = ship(t, where, env)
    assert.equal(await ended, code)
    assert.match(stderr(), message)
    assert.equal(stderr().trim().split('\n').length, 1)
  }
})
