import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Target } from './config.ts'
import { outcomeOf } from './outcome.ts'
import { certificate, OK, type Sink, startSink } from './sink.fixture.ts'
import { createTransport } from './transport.ts'

const target = (url: string, more: Partial<Target> = {}): Target => ({
  signal: 'logs',
  url: new URL(url),
  protocol: 'http/protobuf',
  headers: {},
  timeoutMs: 300,
  compression: 'none',
  tls: {},
  ...more,
})
async function withSink(use: (sink: Sink) => Promise<void>): Promise<void> {
  const sink = await startSink()
  try {
    await use(sink)
  } finally {
    await sink.close()
  }
}

test('posts over one kept connection, with length and headers, and gives back the whole answer', () =>
  withSink(async (sink) => {
    const transport = createTransport(target(sink.url + '/v1/logs', { headers: { 'x-token': 't' } }), {})
    sink.otherwise = { status: 200, headers: { 'content-type': 'application/json' }, body: '{"partialSuccess":{}}' }
    for (let i = 0; i < 5; i++) {
      const answer = await transport.post(Buffer.from('body' + i), 'application/x-protobuf')
      assert.equal(answer.kind === 'answered' && answer.body.toString(), '{"partialSuccess":{}}')
    }
    transport.close()
    assert.equal(sink.connections(), 1)
    const { path, headers, body } = sink.got[4]!
    assert.deepEqual([path, headers['content-type'], headers['content-length'], headers['x-token'], body.toString()], ['/v1/logs', 'application/x-protobuf', '5', 't', 'body4'])
    assert.equal(headers['transfer-encoding'], undefined)
  }))

test('gzip, with its length, when it pays', () =>
  withSink(async (sink) => {
    const transport = createTransport(target(sink.url, { compression: 'gzip' }), {})
    const long = Buffer.alloc(100_000, 'spoor ')
    await transport.post(long, 'application/x-protobuf')
    await transport.post(Buffer.from('short'), 'application/x-protobuf')
    transport.close()
    assert.equal(sink.got[0]!.headers['content-encoding'], 'gzip')
    assert.ok(Number(sink.got[0]!.headers['content-length']) < 2000)
    assert.deepEqual(sink.got[0]!.body, long)
    assert.equal(sink.got[1]!.headers['content-encoding'], undefined)
  }))

test('what never comes whole is silence within the deadline, and is tried again', () =>
  withSink(async (sink) => {
    const transport = createTransport(target(sink.url), {})
    for (const [behaviour, reason] of [
      ['never', 'timeout'],
      ['drip', 'timeout'],
      ['reset', 'reset'],
      ['hang up', 'reset'],
    ] as const) {
      sink.next.push(behaviour)
      const began = Date.now()
      const answer = await transport.post(Buffer.from('x'), 'application/json')
      assert.equal(answer.kind, 'silent', behaviour)
      assert.equal(answer.kind === 'silent' && answer.reason, reason, behaviour)
      assert.ok(Date.now() - began < 1000, behaviour)
      assert.equal(outcomeOf(answer, 0).kind, 'retry')
    }
    transport.close()
  }))

test('a body without end is cut, its status counts', () =>
  withSink(async (sink) => {
    sink.otherwise = 'flood'
    const transport = createTransport(target(sink.url), {})
    const answer = await transport.post(Buffer.from('x'), 'application/json')
    transport.close()
    assert.ok(answer.kind === 'answered' && answer.status === 200 && answer.body.length === 64 * 1024)
  }))

test('nobody there, and no such name', async () => {
  const gone = await startSink()
  await gone.close()
  const refused = await createTransport(target(gone.url), {}).post(Buffer.from('x'), 'application/json')
  assert.equal(refused.kind === 'silent' && refused.reason, 'refused')
  const nowhere = await createTransport(target('http://spoor.invalid/'), {}).post(Buffer.from('x'), 'application/json')
  assert.ok(nowhere.kind === 'silent' && ['dns', 'timeout', 'unreachable', 'connection'].includes(nowhere.reason))
})

test('an idle connection that the far side closed is replaced without a failure', () =>
  withSink(async (sink) => {
    const transport = createTransport(target(sink.url), {})
    await transport.post(Buffer.from('a'), 'application/json')
    sink.next.push('hang up')
    const answer = await transport.post(Buffer.from('b'), 'application/json')
    transport.close()
    assert.equal(answer.kind, 'answered')
    assert.equal(sink.got.length, 3)
  }))

test('close ends a request in flight', () =>
  withSink(async (sink) => {
    sink.otherwise = 'never'
    const transport = createTransport(target(sink.url, { timeoutMs: 60_000 }), {})
    const answer = transport.post(Buffer.from('x'), 'application/json')
    setTimeout(() => transport.close(), 50)
    assert.equal((await answer).kind, 'silent')
  }))

const folder = mkdtempSync(join(tmpdir(), 'spoor-tls-'))
after(() => rmSync(folder, { recursive: true }))
test('TLS: a self-signed sink is refused, trusted with its certificate, and gets ours where it asks', async (t) => {
  const pair = certificate(folder)
  if (pair === null) return t.skip('openssl is not installed')
  const sink = await startSink({ tls: pair })
  const strange = await createTransport(target(sink.url), {}).post(Buffer.from('x'), 'application/json')
  assert.equal(strange.kind === 'silent' && strange.reason, 'tls')
  const trusting = createTransport(target(sink.url, { tls: { ca: Buffer.from(pair.cert) } }), {})
  const known = await trusting.post(Buffer.from('x'), 'application/json')
  assert.equal(known.kind === 'answered' && known.status, 200)
  trusting.close()
  await sink.close()

  const mutual = await startSink({ tls: { ...pair, ca: pair.cert } })
  const withOurs = createTransport(target(mutual.url, { tls: { ca: Buffer.from(pair.cert), cert: Buffer.from(pair.cert), key: Buffer.from(pair.key) } }), {})
  const without = createTransport(target(mutual.url, { tls: { ca: Buffer.from(pair.cert) } }), {})
  assert.equal((await withOurs.post(Buffer.from('x'), 'application/json')).kind, 'answered')
  assert.equal((await without.post(Buffer.from('x'), 'application/json')).kind, 'silent')
  withOurs.close()
  without.close()
  await mutual.close()
})

test('a proxy of the environment is used', () =>
  withSink(async (proxy) => {
    proxy.otherwise = OK
    const transport = createTransport(target('http://collector.invalid:4318/v1/logs'), { http_proxy: proxy.url })
    const answer = await transport.post(Buffer.from('x'), 'application/json')
    transport.close()
    assert.equal(answer.kind, 'answered')
    assert.equal(proxy.got[0]!.path, 'http://collector.invalid:4318/v1/logs')
  }))
