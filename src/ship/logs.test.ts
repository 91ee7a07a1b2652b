import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import fc from 'fast-check'
import { entryBytes, opened, runStart } from './entries.fixture.ts'
import { runOf } from './feed.ts'
import { type LogItem, logsRequest, resourceBytes } from './logs.ts'
import { logsJson } from './logs-json.ts'
import { eventNameOf, kvlistOf } from './record.ts'
import { recordsIn } from './sink.fixture.ts'
import { walk } from './wire.ts'

const SCOPE = { name: 'spoor', version: '1.0' }
type SdkRecords = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0]

const attributes = {
  text: 'ä\u0000\n"',
  int: 42,
  big: 2 ** 40,
  minus: -7,
  double: 0.25,
  yes: true,
  list: ['a', 1, [false]],
  map: { k: 'v', deep: { n: 1 } },
  bytes: new Uint8Array([0, 255]),
}
const sdkRecord = (resource: ReturnType<typeof resourceFromAttributes>): SdkRecords =>
  [
    {
      hrTime: [1_790_000_000, 123_456_789],
      hrTimeObserved: [1_790_000_001, 5],
      spanContext: { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: 1 },
      severityNumber: 13,
      severityText: 'WARN',
      eventName: 'spoor.test',
      body: 'what happened',
      attributes,
      resource,
      instrumentationScope: SCOPE,
      droppedAttributesCount: 0,
    },
  ] as unknown as SdkRecords

test('a request is what the SDK would have built of the same record', () => {
  const resource = { 'service.name': 'spoor', 'host.name': 'h' }
  const whole = Buffer.from(ProtobufLogsSerializer.serializeRequest(sdkRecord(resourceFromAttributes(resource)))!)
  const [found] = recordsIn(whole)
  const ours = logsRequest([{ index: 0, bytes: found!.record, run: { index: 0, bytes: found!.resource } }], SCOPE)
  assert.deepEqual(ours, whole)
  // Attributes only: the SDK also writes the (zero) number of dropped ones.
  assert.ok(found!.resource.subarray(0, resourceBytes(resource).length).equals(resourceBytes(resource)))
})

test('and so is its JSON form', () => {
  const records = sdkRecord(resourceFromAttributes({ 'service.name': 'spoor' }))
  const [found] = recordsIn(Buffer.from(ProtobufLogsSerializer.serializeRequest(records)!))
  const ours = JSON.parse(logsJson([{ index: 0, bytes: found!.record, run: { index: 0, bytes: found!.resource } }], SCOPE).toString())
  const sdk = JSON.parse(Buffer.from(JsonLogsSerializer.serializeRequest(records)!).toString())
  // proto3 JSON: a 64-bit integer is a string; the SDK writes a number. Zero counts may be left out.
  const normal = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(normal)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'droppedAttributesCount')
        .map(([key, inner]) => [key, key === 'intValue' ? String(inner) : normal(inner)]),
    )
  }
  assert.deepEqual(normal(ours), normal(sdk))
})

test('records of two runs stand under their own resources, in order, byte for byte', () => {
  const runs = [runOf(0, runStart(0, 'one'))!, runOf(3, runStart(3, 'two'))!]
  const items: LogItem[] = [0, 1, 2, 3, 4].map((index) => ({ index, bytes: opened(index, '/x'.repeat(index * 100)), run: runs[index < 3 ? 0 : 1]! }))
  const found = recordsIn(logsRequest(items, SCOPE))
  assert.deepEqual(
    found.map(({ record }) => record),
    items.map((item) => item.bytes),
  )
  assert.ok(found[2]!.resource.includes('one') && found[3]!.resource.includes('two'))
  const json = JSON.parse(logsJson(items, SCOPE).toString())
  assert.deepEqual(
    json.resourceLogs.map((each: { resource: { attributes: unknown[] }; scopeLogs: { logRecords: unknown[] }[] }) => [
      each.resource.attributes[1],
      each.scopeLogs[0]!.logRecords.length,
    ]),
    [
      [{ key: 'host.name', value: { stringValue: 'one' } }, 3],
      [{ key: 'host.name', value: { stringValue: 'two' } }, 2],
    ],
  )
})

test('64-bit integers and doubles that JSON cannot hold', () => {
  const bytes = entryBytes(1, 'x', { big: 2n ** 63n - 1n, low: -(2n ** 63n), inf: Number.POSITIVE_INFINITY })
  const json = JSON.parse(logsJson([{ index: 1, bytes, run: { index: 0, bytes: Buffer.alloc(0) } }], SCOPE).toString())
  const values = Object.fromEntries(json.resourceLogs[0].scopeLogs[0].logRecords[0].attributes.map((a: { key: string; value: unknown }) => [a.key, a.value]))
  assert.deepEqual([values.big, values.low, values.inf], [{ intValue: '9223372036854775807' }, { intValue: '-9223372036854775808' }, { doubleValue: 'Infinity' }])
})

test('the event name and the resource are found without decoding; garbage is null', () => {
  assert.equal(eventNameOf(opened(1)), 'spoor.file.open')
  assert.equal(eventNameOf(Buffer.alloc(10)), null)
  assert.equal(eventNameOf(opened(1).subarray(0, 60)), null)
  assert.equal(kvlistOf(opened(1), 'spoor.resource'), null)
  assert.ok(kvlistOf(runStart(0, 'host-1'), 'spoor.resource')!.includes(104))
})

test('garbage never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      walk(bytes, 0, bytes.length, () => {})
      eventNameOf(bytes)
      kvlistOf(bytes, 'a')
      logsJson([{ index: 0, bytes, run: { index: 0, bytes } }], SCOPE)
    }),
    { numRuns: 500 },
  )
})
