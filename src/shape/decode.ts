import type { Entry, Severity, Value } from '../model/entry.ts'
import { SEVERITY } from '../model/entry.ts'

/** Nesting that our own writer never reaches; a hostile journal could nest until the stack ends. */
const DEPTH_MAX = 16
/** 65,535 bytes hold at most this many attributes of the smallest kind. */
const ATTRIBUTES_MAX = 16_384

/** Why bytes are no entry of ours. Erased entries (all bytes zero) are told apart: they are no damage. */
export type Undecodable = { readonly ok: false; readonly why: string; readonly erased: boolean }
export type Decoded = { readonly ok: true; readonly entry: Entry } | Undecodable

/**
 * The LogRecord in `bytes`, as the encoder writes it; unknown fields are skipped (a later minor version). Never throws: the journal is
 * read by programs with more rights than those that could have written to it.
 */
export function decodeEntry(bytes: Uint8Array, index: number): Decoded {
  if (isErased(bytes)) return { ok: false, why: 'erased', erased: true }
  const reader: Reader = { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), at: 0, end: bytes.length, bad: null }
  const entry: { -readonly [K in keyof Entry]: Entry[K] } = {
    index,
    eventName: '',
    timeUnixNano: 0n,
    observedTimeUnixNano: 0n,
    severity: SEVERITY.info,
    attributes: {},
    uid: '',
  }
  const attributes: Record<string, Value> = {}
  let count = 0
  while (reader.at < reader.end && reader.bad === null) {
    const tag = varint(reader)
    switch (tag) {
      case 0x09:
        entry.timeUnixNano = fixed64(reader)
        break
      case 0x59:
        entry.observedTimeUnixNano = fixed64(reader)
        break
      case 0x10:
        entry.severity = severityOf(varint(reader))
        break
      case 0x62:
        entry.eventName = text(reader)
        break
      case 0x2a: {
        const body = message(reader, (inner) => anyValue(inner, 0))
        if (typeof body === 'string') entry.body = body
        break
      }
      case 0x32:
        if (++count > ATTRIBUTES_MAX) fail(reader, 'too many attributes')
        else message(reader, (inner) => keyValue(inner, attributes, 0))
        break
      case 0x4a:
        entry.traceId = hex(reader)
        break
      case 0x52:
        entry.spanId = hex(reader)
        break
      default:
        skip(reader, tag)
    }
  }
  if (reader.bad !== null) return { ok: false, why: reader.bad, erased: false }
  if (entry.eventName === '') return { ok: false, why: 'no event name', erased: false }
  const uid = attributes['log.record.uid']
  delete attributes['log.record.uid']
  entry.uid = typeof uid === 'string' ? uid : ''
  entry.attributes = attributes
  return { ok: true, entry }
}

const isErased = (bytes: Uint8Array): boolean => bytes.length > 0 && bytes[0] === 0 && bytes.every((byte) => byte === 0)

/** `bad` is set once and ends everything: the readers then return nothing of worth, and every loop looks at it. */
type Reader = { readonly bytes: Buffer; at: number; end: number; bad: string | null }

function fail(reader: Reader, why: string): void {
  reader.bad ??= why + ' at byte ' + reader.at
  reader.at = reader.end
}

/** Exact up to 2^53: tags, lengths, small numbers. */
function varint(reader: Reader): number {
  let n = 0
  let scale = 1
  for (let i = 0; i < 10; i++) {
    if (reader.at >= reader.end) break
    const byte = reader.bytes[reader.at++]!
    n += (byte & 0x7f) * scale
    if (byte < 0x80) return n
    scale *= 128
  }
  fail(reader, 'a number has no end')
  return 0
}

function int64(reader: Reader): number | bigint {
  const start = reader.at
  const n = varint(reader)
  if (Number.isSafeInteger(n)) return n
  reader.at = start
  let big = 0n
  for (let shift = 0n; shift < 70n && reader.at < reader.end; shift += 7n) {
    const byte = reader.bytes[reader.at++]!
    big |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  const signed = BigInt.asIntN(64, big)
  return signed >= -9007199254740991n && signed <= 9007199254740991n ? Number(signed) : signed
}

function fixed64(reader: Reader): bigint {
  if (reader.at + 8 > reader.end) {
    fail(reader, 'a time is cut')
    return 0n
  }
  const value = reader.bytes.readBigUInt64LE(reader.at)
  reader.at += 8
  return value
}

/** The bytes of a length-delimited field, as a span of the reader's own; null where they go beyond its end. */
function span(reader: Reader): { readonly from: number; readonly to: number } | null {
  const length = varint(reader)
  if (reader.bad !== null) return null
  const from = reader.at
  const to = from + length
  if (!(to <= reader.end)) {
    fail(reader, 'a field of ' + length + ' bytes goes beyond the entry')
    return null
  }
  reader.at = to
  return { from, to }
}

function text(reader: Reader): string {
  const where = span(reader)
  return where === null ? '' : reader.bytes.toString('utf8', where.from, where.to)
}

function hex(reader: Reader): string {
  const where = span(reader)
  return where === null ? '' : reader.bytes.toString('hex', where.from, where.to)
}

function message<T>(reader: Reader, read: (inner: Reader) => T): T | undefined {
  const where = span(reader)
  if (where === null) return undefined
  const end = reader.end
  reader.at = where.from
  reader.end = where.to
  const result = read(reader)
  if (reader.bad !== null) return undefined
  reader.at = where.to
  reader.end = end
  return result
}

function keyValue(reader: Reader, into: Record<string, Value>, depth: number): void {
  let key = ''
  let value: Value = ''
  while (reader.at < reader.end && reader.bad === null) {
    const tag = varint(reader)
    if (tag === 0x0a) key = text(reader)
    else if (tag === 0x12) value = message(reader, (inner) => anyValue(inner, depth)) ?? ''
    else skip(reader, tag)
  }
  if (reader.bad !== null) return
  // A key of that name would set the prototype.
  if (key === '__proto__') Object.defineProperty(into, key, { value, enumerable: true, writable: true, configurable: true })
  else into[key] = value
}

function anyValue(reader: Reader, depth: number): Value {
  let value: Value = ''
  if (depth > DEPTH_MAX) {
    fail(reader, 'values are nested too deep')
    return value
  }
  while (reader.at < reader.end && reader.bad === null) {
    const tag = varint(reader)
    switch (tag) {
      case 0x0a:
        value = text(reader)
        break
      case 0x10:
        value = varint(reader) !== 0
        break
      case 0x18:
        value = int64(reader)
        break
      case 0x21:
        if (reader.at + 8 > reader.end) fail(reader, 'a number is cut')
        else {
          value = reader.bytes.readDoubleLE(reader.at)
          reader.at += 8
        }
        break
      case 0x2a:
        value = message(reader, (inner) => list(inner, depth + 1)) ?? ''
        break
      case 0x32:
        value = message(reader, (inner) => map(inner, depth + 1)) ?? ''
        break
      case 0x3a: {
        const where = span(reader)
        if (where !== null) value = new Uint8Array(reader.bytes.subarray(where.from, where.to))
        break
      }
      default:
        skip(reader, tag)
    }
  }
  return value
}

function list(reader: Reader, depth: number): readonly Value[] {
  const items: Value[] = []
  while (reader.at < reader.end && reader.bad === null) {
    const tag = varint(reader)
    if (tag === 0x0a) items.push(message(reader, (inner) => anyValue(inner, depth)) ?? '')
    else skip(reader, tag)
  }
  return items
}

function map(reader: Reader, depth: number): { readonly [key: string]: Value } {
  const into: Record<string, Value> = {}
  while (reader.at < reader.end && reader.bad === null) {
    const tag = varint(reader)
    if (tag === 0x0a) message(reader, (inner) => keyValue(inner, into, depth))
    else skip(reader, tag)
  }
  return into
}

function skip(reader: Reader, tag: number): void {
  if (reader.bad !== null) return
  const size = tag < 8 ? -1 : [-1, 8, -1, -1, -1, 4][tag % 8]
  if (tag >= 8 && tag % 8 === 0) varint(reader)
  else if (tag >= 8 && tag % 8 === 2) span(reader)
  else if (size === undefined || size < 0) fail(reader, 'not a protobuf field')
  else if (reader.at + size > reader.end) fail(reader, 'a field is cut')
  else reader.at += size
}

function severityOf(n: number): Severity {
  if (n >= SEVERITY.error) return SEVERITY.error
  return n >= SEVERITY.warn ? SEVERITY.warn : SEVERITY.info
}
