import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import fc from 'fast-check'
import { ulidMs } from '../identity/ulid.ts'
import type { Attributes, EntryDraft, Value } from '../model/entry.ts'
import { SEVERITY } from '../model/entry.ts'
import { decodeEntry } from './decode.ts'
import { createEncoder, ENTRY_MAX_BYTES, uidOf } from './encode.ts'

/** logs.proto and common.proto of OTLP 1.11, as far as a LogRecord needs them. */
const PROTO = `syntax = "proto3";
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message LogRecord { fixed64 time_unix_nano = 1; fixed64 observed_time_unix_nano = 11; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5; repeated KeyValue attributes = 6;
  uint32 dropped_attributes_count = 7; fixed32 flags = 8; bytes trace_id = 9; bytes span_id = 10; string event_name = 12; }
message ScopeLogs { repeated LogRecord log_records = 2; }
message ResourceLogs { repeated ScopeLogs scope_logs = 2; }
message Request { repeated ResourceLogs resource_logs = 1; }`

type ProtoRecord = {
  timeUnixNano: string
  observedTimeUnixNano: string
  severityNumber: number
  severityText: string
  eventName: string
  body?: ProtoValue
  attributes: { key: string; value: ProtoValue }[]
  flags: number
  traceId: Uint8Array
  spanId: Uint8Array
}
type ProtoValue = {
  stringValue?: string
  boolValue?: boolean
  intValue?: string
  doubleValue?: number
  bytesValue?: Uint8Array
  arrayValue?: { values?: ProtoValue[] }
  kvlistValue?: { values?: { key: string; value: ProtoValue }[] }
}
type Protobuf = { parse(source: string): { root: { lookupType(name: string): { decode(bytes: Uint8Array): unknown; toObject(message: unknown, options: object): unknown } } } }
const protobuf = createRequire(import.meta.url)('protobufjs') as Protobuf
const { root } = protobuf.parse(PROTO)
const LogRecord = root.lookupType('LogRecord')
const Request = root.lookupType('Request')
const asProto = (bytes: Uint8Array): ProtoRecord => LogRecord.toObject(LogRecord.decode(bytes), { longs: String }) as ProtoRecord

function plain(value: ProtoValue): unknown {
  if (value.stringValue !== undefined) return value.stringValue
  if (value.boolValue !== undefined) return value.boolValue
  if (value.intValue !== undefined) return BigInt(value.intValue)
  if (value.doubleValue !== undefined) return value.doubleValue
  if (value.bytesValue !== undefined) return [...value.bytesValue]
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain)
  if (value.kvlistValue !== undefined) return Object.fromEntries((value.kvlistValue.values ?? []).map((kv) => [kv.key, plain(kv.value)]))
  return undefined
}

const context = { journalId: 'a'.repeat(32), runId: 'b'.repeat(32), index: 7, observedTimeUnixNano: 1795160030000000001n }
const draft = (attributes: Attributes, more: Partial<EntryDraft> = {}): EntryDraft => ({
  eventName: 'spoor.process.exec',
  timeUnixNano: 1795160029238123456n,
  severity: SEVERITY.info,
  attributes,
  ...more,
})
const encode = createEncoder()

test('a record reads back in protobufjs with OTLP field numbers', () => {
  const attributes = {
    'process.pid': 4711,
    negative: -5,
    big: 2n ** 62n,
    'least.big': -(2n ** 63n),
    beyond: 2n ** 64n - 1n,
    half: 0.5,
    yes: true,
    raw: new Uint8Array([0, 255, 10]),
    args: ['bash', '-c', 'echo ü', 'x'.repeat(300)],
    map: { observed: 5, filtered: { self: 2 }, list: [1, 'two'] },
    empty: '',
    none: [],
  }
  const bytes = encode(draft(attributes, { severity: SEVERITY.warn, body: 'a body', traceId: '0123456789abcdef0123456789abcdef', spanId: 'fedcba9876543210' }), context)
  const record = asProto(bytes)
  assert.equal(record.timeUnixNano, '1795160029238123456')
  assert.equal(record.observedTimeUnixNano, '1795160030000000001')
  assert.equal(record.severityNumber, 13)
  assert.equal(record.severityText, 'WARN')
  assert.equal(record.eventName, 'spoor.process.exec')
  assert.equal(record.body?.stringValue, 'a body')
  assert.equal(Buffer.from(record.traceId).toString('hex'), '0123456789abcdef0123456789abcdef')
  assert.equal(Buffer.from(record.spanId).toString('hex'), 'fedcba9876543210')
  assert.equal(record.flags, 1)
  const read = Object.fromEntries(record.attributes.map((a) => [a.key, plain(a.value)]))
  assert.deepEqual(read, {
    'log.record.uid': uidOf(draft(attributes), context),
    'process.pid': 4711n,
    negative: -5n,
    big: 2n ** 62n,
    'least.big': -(2n ** 63n),
    beyond: '18446744073709551615',
    half: 0.5,
    yes: true,
    raw: [0, 255, 10],
    args: ['bash', '-c', 'echo ü', 'x'.repeat(300)],
    map: { observed: 5n, filtered: { self: 2n }, list: [1n, 'two'] },
    empty: '',
    none: [],
  })
})

test('the same record by OpenTelemetry own serialiser has the same fields', () => {
  const attributes = { 'process.pid': 4711, half: 0.5, yes: true, args: ['a', 'b'], text: 'ü'.repeat(200), raw: new Uint8Array([1, 2]), map: { k: 'v' } }
  const record = {
    hrTime: [1795160029, 238123456],
    hrTimeObserved: [1795160030, 1],
    severityNumber: 9,
    severityText: 'INFO',
    eventName: 'spoor.process.exec',
    body: 'a body',
    attributes: { 'log.record.uid': uidOf(draft({}), context), ...attributes },
    spanContext: { traceId: '0123456789abcdef0123456789abcdef', spanId: 'fedcba9876543210', traceFlags: 1 },
    resource: { attributes: {} },
    instrumentationScope: { name: 'spoor' },
    droppedAttributesCount: 0,
  }
  const request = ProtobufLogsSerializer.serializeRequest([record] as unknown as Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0])
  const how = { longs: String, bytes: String }
  const theirs = (Request.toObject(Request.decode(request!), how) as { resourceLogs: { scopeLogs: { logRecords: object[] }[] }[] }).resourceLogs[0]!.scopeLogs[0]!.logRecords[0]!
  const bytes = encode(draft(attributes, { body: 'a body', traceId: record.spanContext.traceId, spanId: record.spanContext.spanId }), context)
  assert.deepEqual({ ...(LogRecord.toObject(LogRecord.decode(bytes), how) as object), droppedAttributesCount: 0 }, theirs)
})

test('the uid is a ULID of the event time and depends on journal, run and index', () => {
  const one = uidOf(draft({}), context)
  assert.equal(ulidMs(one), 1795160029238)
  assert.equal(one, uidOf(draft({}), { ...context, observedTimeUnixNano: 0n }))
  const others = [
    { ...context, index: 8 },
    { ...context, runId: 'c'.repeat(32) },
    { ...context, journalId: 'c'.repeat(32) },
  ].map((c) => uidOf(draft({}), c))
  assert.equal(new Set([one, ...others]).size, 4)
  for (const index of [0, 1, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5]) {
    for (const timeUnixNano of [0n, 999_999n, 1_000_000n, 1795160029238999999n, 2n ** 64n - 1n]) {
      const where = { ...context, index }
      const decoded = decodeEntry(encode(draft({}, { timeUnixNano }), where), index)
      assert.ok(decoded.ok)
      assert.equal(decoded.entry.uid, uidOf(draft({}, { timeUnixNano }), where))
    }
  }
})

test('lengths at the edges of their varints survive', () => {
  for (const n of [0, 1, 19, 20, 21, 100, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 5461, 16_380, 16_383, 16_384, 16_385, 60_000]) {
    for (const unit of ['x', 'ä', '€', '😀']) {
      const text = unit.repeat(Math.floor(n / Buffer.byteLength(unit)))
      const record = asProto(encode(draft({ text, list: [text.slice(0, 100)] }), context))
      assert.equal(record.attributes[1]?.value.stringValue, text, unit + ' x ' + n)
    }
  }
})

const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ maxLength: 400 }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => (n >= BigInt(Number.MIN_SAFE_INTEGER) && n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n)),
  fc.double({ noNaN: true }).filter((n) => !Object.is(n, -0)),
  fc.boolean(),
  fc.uint8Array({ maxLength: 300 }),
)
const value = fc.oneof({ depthSize: 'small' }, leaf, fc.array(leaf, { maxLength: 6 }), fc.dictionary(fc.string(), leaf, { maxKeys: 6 }))
const attributesOf = fc.dictionary(fc.string(), value, { maxKeys: 12 }).filter((a) => !('log.record.uid' in a))

test('what is encoded decodes to the same entry', () => {
  fc.assert(
    fc.property(attributesOf, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (attributes, timeUnixNano) => {
      const made = draft(attributes, { timeUnixNano })
      const decoded = decodeEntry(encode(made, context), context.index)
      assert.ok(decoded.ok)
      assert.deepEqual(decoded.entry, {
        ...made,
        attributes: Object.fromEntries(Object.entries(attributes).map(([k, v]) => [k, restored(v)])),
        index: context.index,
        observedTimeUnixNano: context.observedTimeUnixNano,
        uid: uidOf(made, context),
      })
    }),
    { numRuns: 300 },
  )
})

/** fast-check's dictionaries have no prototype, decoded ones do; a double that is an integer is an int. */
const restored = (v: Value): Value =>
  v instanceof Uint8Array ? v : Array.isArray(v) ? v.map(restored) : typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, restored(x)])) : v

test('an entry too long is cut in its longest values and says which', () => {
  const args = Array.from({ length: 3000 }, (_, i) => 'argument number ' + i)
  const bytes = encode(
    draft({ 'process.pid': 1, 'process.command_args': args, 'spoor.command': 'ä'.repeat(40_000), short: 'kept whole', 'spoor.truncated': ['file.path'] }),
    context,
  )
  assert.ok(bytes.length <= ENTRY_MAX_BYTES && bytes.length > 60_000, String(bytes.length))
  const decoded = decodeEntry(bytes, 0)
  assert.ok(decoded.ok)
  const { attributes } = decoded.entry
  assert.equal(attributes['short'], 'kept whole')
  assert.deepEqual(attributes['spoor.truncated'], ['file.path', 'process.command_args', 'spoor.command'])
  assert.match(String(attributes['spoor.command']), /^ä+$/)
  const kept = attributes['process.command_args'] as string[]
  assert.deepEqual(kept.slice(0, -1), args.slice(0, kept.length - 1))
})

test('a map or bytes too long are cut too', () => {
  const map = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => ['kind number ' + i, { lost: i }]))
  for (const huge of [map, new Uint8Array(100_000)]) {
    const bytes = encode(draft({ huge, id: 'abc' }), context)
    assert.ok(bytes.length <= ENTRY_MAX_BYTES)
    const decoded = decodeEntry(bytes, 0)
    assert.ok(decoded.ok && decoded.entry.attributes['id'] === 'abc')
  }
})

test('garbage is a value, never an exception', () => {
  const good = encode(draft({ a: 'x', b: [1, { c: 'd' }] }), context)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeEntry(bytes, 0)),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (i, byte) => {
      const bytes = new Uint8Array(good)
      bytes[i] = byte
      decodeEntry(bytes, 0)
    }),
    { numRuns: 2000 },
  )
  for (let n = 0; n < good.length; n++) {
    const decoded = decodeEntry(good.subarray(0, n), 0)
    if (!decoded.ok) assert.match(decoded.why, /at byte|no event name/)
  }
  assert.equal(decodeEntry(new Uint8Array(0), 0).ok, false)
  assert.deepEqual(decodeEntry(new Uint8Array(100), 0), { ok: false, why: 'erased', erased: true })
})

test('nesting without end is refused', () => {
  let value = Buffer.from([0x0a, 1, 0x41])
  for (let i = 0; i < 2000; i++) {
    const item = Buffer.concat([Buffer.from([0x0a]), varint(value.length), value])
    value = Buffer.concat([Buffer.from([0x2a]), varint(item.length), item])
  }
  const record = Buffer.concat([Buffer.from([0x62, 1, 0x41, 0x2a]), varint(value.length), value])
  const decoded = decodeEntry(record, 0)
  assert.ok(!decoded.ok)
  assert.match(decoded.why, /nested/)
})

test('an attribute named __proto__ is an attribute', () => {
  const attributes = Object.defineProperty({}, '__proto__', { value: 'x', enumerable: true }) as Attributes
  const decoded = decodeEntry(encode(draft(attributes), context), 0)
  assert.ok(decoded.ok)
  assert.deepEqual(Object.keys(decoded.entry.attributes), ['__proto__'])
})

function varint(n: number): Buffer {
  const bytes: number[] = []
  for (; n > 127; n = Math.floor(n / 128)) bytes.push((n % 128) | 128)
  return Buffer.from([...bytes, n])
}
