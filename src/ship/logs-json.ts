import type { LogItem, Scope } from './logs.ts'
import { ANY, KEY_VALUE, LOG } from './record.ts'
import { asBuffer, varintAt, WIRE, walk } from './wire.ts'

/** The OTLP/JSON form of `logsRequest`: hex ids, 64-bit integers as strings, enum values as numbers (OTLP specification, "JSON Protobuf Encoding"). */
export function logsJson(items: readonly LogItem[], scope: Scope): Buffer {
  const resourceLogs: unknown[] = []
  for (let from = 0; from < items.length; ) {
    const { run } = items[from]!
    const logRecords: unknown[] = []
    for (; from < items.length && items[from]!.run === run; from++) logRecords.push(record(asBuffer(items[from]!.bytes)))
    const whole = asBuffer(run.bytes)
    resourceLogs.push({ resource: { attributes: keyValues(whole, 0, whole.length, 0) }, scopeLogs: [{ scope, logRecords }] })
  }
  return Buffer.from(JSON.stringify({ resourceLogs }), 'utf8')
}

/** Deeper nesting than our own writer's is left out: the journal could have been written by someone else. */
const DEPTH_MAX = 32

type Json = Record<string, unknown>

function record(bytes: Buffer): Json {
  const out: Json = {}
  const attributes: Json[] = []
  walk(bytes, 0, bytes.length, (field, wire, from, to) => {
    switch (field) {
      case LOG.time:
        if (wire === WIRE.fixed64) out['timeUnixNano'] = bytes.readBigUInt64LE(from).toString()
        break
      case LOG.observedTime:
        if (wire === WIRE.fixed64) out['observedTimeUnixNano'] = bytes.readBigUInt64LE(from).toString()
        break
      case LOG.severityNumber:
        if (wire === WIRE.varint) out['severityNumber'] = Number(varintAt(bytes, from, to))
        break
      case LOG.severityText:
        out['severityText'] = bytes.toString('utf8', from, to)
        break
      case LOG.body:
        out['body'] = anyValue(bytes, from, to, 0)
        break
      case LOG.attributes:
        if (wire === WIRE.bytes) attributes.push(keyValue(bytes, from, to, 0))
        break
      case LOG.dropped:
        if (wire === WIRE.varint) out['droppedAttributesCount'] = Number(varintAt(bytes, from, to))
        break
      case LOG.flags:
        if (wire === WIRE.fixed32) out['flags'] = bytes.readUInt32LE(from)
        break
      case LOG.traceId:
        out['traceId'] = bytes.toString('hex', from, to)
        break
      case LOG.spanId:
        out['spanId'] = bytes.toString('hex', from, to)
        break
      case LOG.eventName:
        out['eventName'] = bytes.toString('utf8', from, to)
        break
    }
  })
  out['attributes'] = attributes
  return out
}

function keyValue(bytes: Buffer, start: number, end: number, depth: number): Json {
  const out: Json = { key: '', value: {} }
  walk(bytes, start, end, (field, wire, from, to) => {
    if (wire !== WIRE.bytes) return
    if (field === KEY_VALUE.key) out['key'] = bytes.toString('utf8', from, to)
    if (field === KEY_VALUE.value) out['value'] = anyValue(bytes, from, to, depth)
  })
  return out
}

/** Field 1 of both Resource and KeyValueList. */
function keyValues(bytes: Buffer, start: number, end: number, depth: number): Json[] {
  const out: Json[] = []
  walk(bytes, start, end, (field, wire, from, to) => {
    if (field === 1 && wire === WIRE.bytes) out.push(keyValue(bytes, from, to, depth))
  })
  return out
}

function anyValue(bytes: Buffer, start: number, end: number, depth: number): Json {
  let out: Json = {}
  if (depth > DEPTH_MAX) return out
  walk(bytes, start, end, (field, wire, from, to) => {
    switch (field) {
      case ANY.string:
        out = { stringValue: bytes.toString('utf8', from, to) }
        break
      case ANY.bool:
        out = { boolValue: varintAt(bytes, from, to) !== 0n }
        break
      case ANY.int:
        out = { intValue: BigInt.asIntN(64, varintAt(bytes, from, to)).toString() }
        break
      case ANY.double:
        if (wire === WIRE.fixed64) out = { doubleValue: finite(bytes.readDoubleLE(from)) }
        break
      case ANY.array: {
        const values: Json[] = []
        walk(bytes, from, to, (item, itemWire, itemFrom, itemTo) => {
          if (item === 1 && itemWire === WIRE.bytes) values.push(anyValue(bytes, itemFrom, itemTo, depth + 1))
        })
        out = { arrayValue: { values } }
        break
      }
      case ANY.kvlist:
        out = { kvlistValue: { values: keyValues(bytes, from, to, depth + 1) } }
        break
      case ANY.bytes:
        out = { bytesValue: bytes.toString('base64', from, to) }
        break
    }
  })
  return out
}

/** JSON has no form for these; proto3 JSON writes their names. */
const finite = (value: number): number | string => (Number.isFinite(value) ? value : String(value))
