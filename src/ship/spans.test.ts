import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { spanId, traceIdOfSession } from '../identity/ids.ts'
import type { Entry } from '../model/entry.ts'
import type { SessionId } from '../model/ids.ts'
import { decodeEntry } from '../shape/decode.ts'
import type { Target } from './config.ts'
import { entryBytes, opened, settled } from './entries.fixture.ts'
import { startSink } from './sink.fixture.ts'
import { makesSpan, replaceDelegate, resourceOf, SpanExporter, spanOf } from './spans.ts'
import { createTransport } from './transport.ts'

const SCOPE = { name: 'spoor', version: '1.0' }
const resource = resourceFromAttributes({ 'service.name': 'spoor' })
const entryOf = (bytes: Uint8Array): Entry => {
  const decoded = decodeEntry(bytes, 7)
  assert.ok(decoded.ok)
  return decoded.entry
}
const target = (url: string, protocol: Target['protocol'] = 'http/json'): Target => ({
  signal: 'traces',
  url: new URL(url + '/v1/traces'),
  protocol,
  headers: {},
  timeoutMs: 2000,
  compression: 'none',
  tls: {},
})

test('the seam is there: a subclass of OTLPTraceExporter sends by our own transport, and by no other', async () => {
  const sink = await startSink()
  const stock = await startSink()
  try {
    const sent: string[] = []
    // The address of the stock delegate and that of our transport differ here: only ours may be asked.
    const exporter = new SpanExporter(target(stock.url), {
      post: async (body, type) => {
        sent.push(type)
        return createTransport(target(sink.url), {}).post(body, type)
      },
      close() {},
    })
    assert.ok(exporter instanceof OTLPTraceExporter && exporter instanceof OTLPExporterBase)
    assert.deepEqual(await exporter.send([spanOf(entryOf(settled(7)), resource, SCOPE)!]), { kind: 'accepted', rejected: 0, message: null })
    assert.deepEqual([sent, sink.got.length, stock.got.length], [['application/json'], 1, 0])
  } finally {
    await sink.close()
    await stock.close()
  }
})

test('an exporter without the seam is refused aloud', () => {
  const exporter = new OTLPTraceExporter()
  delete (exporter as unknown as { _delegate?: unknown })._delegate
  assert.throws(() => replaceDelegate(exporter, {} as Parameters<typeof replaceDelegate>[1]), /no _delegate/)
})

test('one span of each settled entry, as OTLP/JSON', async () => {
  const sink = await startSink()
  try {
    const exporter = new SpanExporter(target(sink.url), createTransport(target(sink.url), {}))
    const linked = { 'spoor.linked.trace_id': 'c'.repeat(32), 'spoor.linked.span_id': 'd'.repeat(16) }
    const entries = [
      settled(1, { 'process.exit.code': 2, big: 2n ** 60n, safe: 3n, nested: { n: 5n, list: [1n, 'x'] }, ...linked }),
      settled(2, { 'spoor.process.exit.signal': 9 }),
      entryBytes(3, 'session.end', { 'gen_ai.agent.name': 'codex' }, { traceId: 'e'.repeat(32), spanId: 'f'.repeat(16) }),
      entryBytes(4, 'spoor.turn.end', { 'gen_ai.agent.name': 'codex', 'session.id': '5'.repeat(32) }, { traceId: 'e'.repeat(32), spanId: '1'.repeat(16) }),
      entryBytes(5, 'spoor.tool_call.end', { 'gen_ai.tool.name': 'shell' }, { traceId: 'e'.repeat(32), spanId: '2'.repeat(16) }),
    ]
    await exporter.send(entries.map((bytes) => spanOf(entryOf(bytes), resource, SCOPE)!))
    const body = JSON.parse(sink.got[0]!.body.toString())
    const { spans, scope } = body.resourceSpans[0].scopeSpans[0]
    assert.deepEqual(scope, SCOPE)
    assert.deepEqual(
      spans.map((span: { name: string }) => span.name),
      ['gcc', 'gcc', 'session codex', 'invoke_agent codex', 'execute_tool shell'],
    )
    const [first, second, session, turn] = spans
    assert.deepEqual(
      turn.links.map((link: { traceId: string; spanId: string }) => [link.traceId, link.spanId]),
      [[traceIdOfSession('5'.repeat(32) as SessionId), spanId('session', '5'.repeat(32))]],
      'a turn links its session',
    )
    assert.deepEqual(
      [first.traceId, first.spanId, first.parentSpanId, first.kind, first.startTimeUnixNano, first.endTimeUnixNano, first.status],
      ['a'.repeat(32), '0000000000000001', 'b'.repeat(16), 1, '1789999999000000000', '1790000000001000000', { code: 2, message: 'exit code 2' }],
    )
    assert.deepEqual(
      first.links.map((link: { traceId: string; spanId: string }) => [link.traceId, link.spanId]),
      [['c'.repeat(32), 'd'.repeat(16)]],
    )
    const attributes = Object.fromEntries(first.attributes.map((a: { key: string; value: unknown }) => [a.key, a.value]))
    assert.deepEqual(attributes.big, { stringValue: '1152921504606846976' })
    assert.deepEqual(attributes.safe, { intValue: 3 })
    assert.deepEqual(attributes.nested, {
      kvlistValue: {
        values: [
          { key: 'n', value: { intValue: 5 } },
          { key: 'list', value: { arrayValue: { values: [{ intValue: 1 }, { stringValue: 'x' }] } } },
        ],
      },
    })
    assert.equal(attributes['log.record.uid'].stringValue.length, 26)
    assert.deepEqual(second.status, { code: 2, message: 'signal 9' })
    assert.deepEqual([session.parentSpanId, session.startTimeUnixNano === session.endTimeUnixNano, session.status], [undefined, true, { code: 0 }])
  } finally {
    await sink.close()
  }
})

test('protobuf where it is asked for', async () => {
  const sink = await startSink()
  try {
    const exporter = new SpanExporter(target(sink.url, 'http/protobuf'), createTransport(target(sink.url), {}))
    await exporter.send([spanOf(entryOf(settled(1)), resource, SCOPE)!])
    assert.equal(sink.got[0]!.headers['content-type'], 'application/x-protobuf')
    assert.equal(sink.got[0]!.body[0], 0x0a)
  } finally {
    await sink.close()
  }
})

test('what the far side says comes through', async () => {
  const sink = await startSink()
  try {
    const exporter = new SpanExporter(target(sink.url), createTransport(target(sink.url), {}))
    const spans = [spanOf(entryOf(settled(1)), resource, SCOPE)!]
    sink.next.push(
      { status: 429, headers: { 'retry-after': '3' } },
      { status: 200, headers: { 'content-type': 'application/json' }, body: '{"partialSuccess":{"rejectedSpans":"1"}}' },
      { status: 400, body: 'no' },
    )
    assert.deepEqual(await exporter.send(spans), { kind: 'retry', afterMs: 3000, reason: 'http_429', message: 'answered 429' })
    assert.deepEqual(await exporter.send(spans), { kind: 'accepted', rejected: 1, message: null })
    assert.deepEqual(await exporter.send(spans), { kind: 'refused', fault: 'items', reason: 'http_400', message: 'answered 400: no' })
    assert.equal(sink.got.length, 3)
  } finally {
    await sink.close()
  }
})

test('no span of facts, beyond the budget, or without ids; never a negative duration', () => {
  assert.equal(makesSpan('spoor.file.open'), false)
  assert.equal(makesSpan('constructor'), false)
  assert.equal(spanOf(entryOf(opened(1)), resource, SCOPE), null)
  assert.equal(spanOf(entryOf(settled(1, { 'spoor.span.omitted': true })), resource, SCOPE), null)
  assert.equal(spanOf(entryOf(entryBytes(1, 'session.end', {})), resource, SCOPE), null)
  const back = spanOf(entryOf(settled(1, { 'spoor.start_time': 1_800_000_000_000_000_000n })), resource, SCOPE)!
  assert.deepEqual(back.startTime, back.endTime)
  assert.deepEqual({ ...resourceOf({ 'a.b': 5n, c: ['x'] }).attributes }, { 'a.b': 5, c: ['x'] })
})
