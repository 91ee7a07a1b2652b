import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { SessionId } from '../model/ids.ts'
import type { SessionSummary, StatusDocument } from '../model/status.ts'
import { askControl } from './client.ts'
import { answer, type ControlHandlers, type Peer, serveControl } from './control.ts'
import { parseRequest } from './requests.ts'

const folder = mkdtempSync(join(tmpdir(), 'spoor-control-'))
after(() => rmSync(folder, { recursive: true }))

const status: StatusDocument = {
  schema: 'spoor.status/1',
  state: 'healthy',
  why: [],
  run: null,
  sensor: null,
  ledger: null,
  journal: null,
  self: { observer: null, shipper: null, intake: null },
}
const totals = { processes: 1, execs: 1, filesRead: 0, filesChanged: 0, connections: 0, bytesOut: 0, turns: 1, toolCalls: 0 }
const SESSION = 'ab'.repeat(16)
const summary: SessionSummary = { id: SESSION, agent: 'x', userId: 1000, ended: true, startedAt: '1', endedAt: '2', totals, incomplete: [] }
const handlers: ControlHandlers = {
  status: () => status,
  record: ({ pid }) => (pid === 77 ? (SESSION as SessionId) : null),
  summary: (id) => (id === SESSION ? summary : null),
  ownerOf: (pid) => (pid === 99 ? null : 1000),
}
const root: Peer = { pid: 1, uid: 0, gid: 0 }
const owner: Peer = { pid: 2, uid: 1000, gid: 1000 }
const stranger: Peer = { pid: 3, uid: 1001, gid: 1001 }
const record = (pid: number) => JSON.stringify({ op: 'record', pid, startTicks: 5, name: null })

test('record is for the owner of the process and for root', () => {
  assert.deepEqual(answer(record(77), owner, handlers), { ok: true, op: 'record', session: SESSION })
  assert.deepEqual(answer(record(77), root, handlers), { ok: true, op: 'record', session: SESSION })
  assert.deepEqual(answer(record(77), stranger, handlers), { ok: false, error: 'process 77 belongs to another user' })
  assert.deepEqual(answer(record(99), root, handlers), { ok: false, error: 'process 99 has ended' })
  assert.deepEqual(answer(record(78), owner, handlers), { ok: false, error: 'process 78 could not be tracked' })
})

test("a session's summary is for its user and for root; others cannot tell that it exists", () => {
  const ask = (session: string) => JSON.stringify({ op: 'summary', session })
  assert.deepEqual(answer(ask(SESSION), owner, handlers), { ok: true, op: 'summary', summary })
  assert.deepEqual(answer(ask(SESSION), stranger, handlers), answer(ask('cd'.repeat(16)), stranger, handlers))
})

test('malformed requests are named', () => {
  const bad: readonly [string, RegExp][] = [
    ['', /not a JSON object/],
    ['[]', /not a JSON object/],
    ['null', /not a JSON object/],
    ['{"op":"stop"}', /op must be/],
    ['{"op":"record","pid":0,"startTicks":1}', /pid must be/],
    ['{"op":"record","pid":1.5,"startTicks":1}', /pid must be/],
    ['{"op":"record","pid":1,"startTicks":"1"}', /startTicks must be/],
    [`{"op":"record","pid":1,"startTicks":1,"name":"${'n'.repeat(129)}"}`, /name must be/],
    ['{"op":"summary","session":"../../etc"}', /session must be/],
  ]
  for (const [line, expected] of bad) {
    const result = parseRequest(line)
    assert.equal(typeof result, 'string', line)
    assert.match(result as string, expected)
  }
})

test('a client asks over the socket and gets one reply; a dead socket file is replaced', async () => {
  const path = join(folder, 'control.sock')
  writeFileSync(path, '')
  const control = await serveControl({ path, mode: 0o600, handlers, peer: () => owner })
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(await askControl(path, { op: 'status' }), { ok: true, op: 'status', status })
  assert.deepEqual(await askControl(path, { op: 'record', pid: 77, startTicks: 1, name: 'x' }), { ok: true, op: 'record', session: SESSION })
  await control.close()
  const gone = await askControl(path, { op: 'status' })
  assert.ok('unreachable' in gone && gone.because === 'none')
})

test('a state directory with a very long path still has a socket', async () => {
  const deep = join(folder, 'd'.repeat(120), 'run')
  mkdirSync(deep, { recursive: true })
  const path = join(deep, 'control.sock')
  const control = await serveControl({ path, mode: 0o600, handlers, peer: () => owner })
  assert.ok(statSync(path).isSocket())
  assert.deepEqual(await askControl(path, { op: 'status' }), { ok: true, op: 'status', status })
  await control.close()
  assert.throws(() => statSync(path), /ENOENT/)
})

test('a long line is refused, a flood of requests is answered in order, half-closing clients get their reply', async () => {
  const path = join(folder, 'flood.sock')
  const control = await serveControl({ path, mode: 0o600, handlers, peer: () => owner })
  assert.match(await raw(path, 'x'.repeat(70_000)), /request too long/)
  const replies = (await raw(path, '{"op":"status"}\n'.repeat(2000))).trim().split('\n')
  assert.equal(replies.length, 2000)
  assert.deepEqual(JSON.parse(replies[1999] ?? ''), { ok: true, op: 'status', status })
  await control.close()
})

test('one user cannot take all places, root still gets one', async () => {
  const path = join(folder, 'places.sock')
  let peer = stranger
  const control = await serveControl({ path, mode: 0o600, handlers, peer: () => peer })
  const idle = await Promise.all(Array.from({ length: 8 }, () => hold(path)))
  const refused = await askControl(path, { op: 'status' })
  assert.deepEqual(refused, { ok: false, error: 'too many clients of this user' })
  peer = owner
  assert.equal('ok' in (await askControl(path, { op: 'status' })), true)
  peer = root
  assert.deepEqual(await askControl(path, { op: 'status' }), { ok: true, op: 'status', status })
  for (const socket of idle) socket.destroy()
  await control.close()
})

test('a peer whose credentials cannot be read is refused', async () => {
  const path = join(folder, 'unknown.sock')
  const control = await serveControl({ path, mode: 0o600, handlers, peer: () => null })
  assert.deepEqual(await askControl(path, { op: 'status' }), { ok: false, error: 'peer credentials unknown' })
  await control.close()
})

test('a server that answers nonsense or never is one sentence', async () => {
  const path = join(folder, 'odd.sock')
  const server = createServer((socket) => socket.once('data', (data) => (data.includes('status') ? socket.write('nonsense\n') : undefined))).listen(path)
  const nonsense = await askControl(path, { op: 'status' })
  assert.ok('unreachable' in nonsense && /not understood/.test(nonsense.unreachable))
  const silence = await askControl(path, { op: 'summary', session: SESSION }, 50)
  assert.ok('unreachable' in silence && /no answer within 50 ms/.test(silence.unreachable))
  server.close()
})

const hold = (path: string) =>
  new Promise<ReturnType<typeof connect>>((done) => {
    const socket = connect(path, () => setTimeout(() => done(socket), 10))
  })

const raw = (path: string, text: string) =>
  new Promise<string>((done) => {
    let said = ''
    const socket = connect(path, () => socket.end(text))
    socket.on('data', (chunk) => (said += chunk))
    socket.on('error', () => done(said))
    socket.on('close', () => done(said))
  })
