import { recordUid } from '../identity/ids.ts'
import { ULID_LENGTH } from '../identity/ulid.ts'
import type { Attributes, EntryDraft, Severity, Value } from '../model/entry.ts'
import { fitTo } from './fit.ts'
import { createUidWriter, type WriteUid } from './uid.ts'

/** The journal's length prefix is a u16. */
export const ENTRY_MAX_BYTES = 65_535
/** What is left when the fields beside the attributes are written. */
const ATTRIBUTES_MAX_BYTES = ENTRY_MAX_BYTES - 512
/** A draft is written once and measured afterwards: room for one far above the limit, so that what overflows can be cut and not only refused. */
const SCRATCH_BYTES = 4 * ENTRY_MAX_BYTES
/** Attribute names are the registry's (~200), and those of maps (ledger reasons, kinds). More would be a bug or a hostile key: not cached. */
const KEYS_MAX = 2048
/** Below this a loop over char codes is cheaper than a call into C++ (measured: 16 chars 30 against 35 ns, 8 chars 8 against 20 ns). */
const LOOP_MAX = 20
/** Text whose own length and that of what holds it take one byte each. */
const SHORT_MAX = 125
/** Deeper values are written as null; `Value` is made by our own code, at most 4 deep. */
const DEPTH_MAX = 16
const NS_PER_MS = 1_000_000n
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
/** W3C trace flags: sampled. What has a span id has a settled entry, which makes the span. */
const FLAG_SAMPLED = 1

/** Field number and wire type, one byte each (opentelemetry/proto/logs/v1/logs.proto, common/v1/common.proto). */
const LOG = {
  time: 0x09,
  severityNumber: 0x10,
  severityText: 0x1a,
  body: 0x2a,
  attributes: 0x32,
  flags: 0x45,
  traceId: 0x4a,
  spanId: 0x52,
  observedTime: 0x59,
  eventName: 0x62,
} as const
const KEY = 0x0a
const VALUE = 0x12
const ANY = { string: 0x0a, bool: 0x10, int: 0x18, double: 0x21, array: 0x2a, map: 0x32, bytes: 0x3a } as const
const ITEM = 0x0a

const SEVERITY_TEXT: Record<Severity, string> = { 9: 'INFO', 13: 'WARN', 17: 'ERROR' }

export type EncodeContext = {
  readonly journalId: string
  readonly runId: string
  /** The entry's index in the journal. */
  readonly index: number
  readonly observedTimeUnixNano: bigint
}

/** Node's Buffer has it, its types do not; `write` costs three times as much. */
type Scratch = Buffer<ArrayBuffer> & { utf8Write(text: string, at: number): number }

/** Bytes of one LogRecord message, at most ENTRY_MAX_BYTES; the caller owns them. What had to be cut is listed in `spoor.truncated`. */
export type Encode = (draft: EntryDraft, context: EncodeContext) => Uint8Array

/** `log.record.uid` of an entry, for those that refer to it. */
export const uidOf = (draft: EntryDraft, context: EncodeContext): string => recordUid(context.journalId, context.runId, context.index, Number(draft.timeUnixNano / NS_PER_MS))

/**
 * An encoder with its own scratch buffer. Hand-written because it runs for every entry: OpenTelemetry's serialiser costs 2.8 us a record
 * and wants objects that we would make only for it.
 */
export function createEncoder(): Encode {
  let out = Buffer.allocUnsafeSlow(SCRATCH_BYTES) as Scratch
  let view = new DataView(out.buffer, out.byteOffset, out.length)
  let at = 0
  const keys = new Map<string, Uint8Array>()
  const halves = new DataView(new ArrayBuffer(8))
  let uids: WriteUid | undefined
  let uidRun = ''
  let uidJournal = ''

  /** Everything that writes at most n bytes asks first; n counts UTF-16 units three times. */
  function room(n: number): void {
    if (at + n <= out.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, at + n)) as Scratch
    larger.set(out.subarray(0, at))
    out = larger
    view = new DataView(out.buffer, out.byteOffset, out.length)
  }

  function varint(n: number): void {
    while (n > 0x7f) {
      out[at++] = (n % 128) | 0x80
      n = Math.floor(n / 128)
    }
    out[at++] = n
  }

  /** Two's complement in 64 bits, as protobuf has negative int64. In two halves: arithmetic on bigints costs 80 ns a step. */
  function varint64(n: bigint): void {
    halves.setBigInt64(0, n)
    let high = halves.getUint32(0)
    let low = halves.getUint32(4)
    while (high > 0) {
      out[at++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    while (low > 0x7f) {
      out[at++] = (low & 0x7f) | 0x80
      low >>>= 7
    }
    out[at++] = low
  }

  /** Length prefix and UTF-8 of a string. Lone surrogates become U+FFFD. */
  function text(s: string): void {
    const length = s.length
    room(3 * length + 5)
    if (length <= LOOP_MAX) {
      const into = out
      let p = at
      into[p++] = length
      for (let i = 0; i < length; i++) {
        const c = s.charCodeAt(i)
        if (c > 0x7f) {
          long(s)
          return
        }
        into[p++] = c
      }
      at = p
      return
    }
    long(s)
  }

  /** Writes where the bytes begin if the length has as many digits as the string's own, and moves them in the rare other case. */
  function long(s: string): void {
    const start = at
    const guess = sizeOfVarint(s.length)
    const written = out.utf8Write(s, start + guess)
    const needed = sizeOfVarint(written)
    if (needed !== guess) out.copyWithin(start + needed, start + guess, start + guess + written)
    varint(written)
    at = start + needed + written
  }

  /** A message whose size is known only when it has been written: one byte is kept for its length, more are made room for. */
  function close(start: number): void {
    const size = at - start - 1
    if (size < 0x80) {
      out[start] = size
      return
    }
    const needed = sizeOfVarint(size)
    room(needed)
    out.copyWithin(start + needed, start + 1, at)
    at = start
    varint(size)
    at += size
  }

  function anyValue(value: Value, depth: number): void {
    room(32)
    const start = at++
    switch (typeof value) {
      case 'string':
        out[at++] = ANY.string
        text(value)
        break
      case 'number':
        if (Number.isSafeInteger(value)) {
          out[at++] = ANY.int
          if (value >= 0) varint(value)
          else varint64(BigInt(value))
        } else {
          out[at++] = ANY.double
          view.setFloat64(at, value, true)
          at += 8
        }
        break
      case 'bigint':
        // An int64 holds it, or it is a decimal string: never a wrong number.
        if (value >= INT64_MIN && value <= INT64_MAX) {
          out[at++] = ANY.int
          varint64(value)
        } else {
          out[at++] = ANY.string
          text(value.toString())
        }
        break
      case 'boolean':
        out[at++] = ANY.bool
        out[at++] = value ? 1 : 0
        break
      default:
        if (depth < DEPTH_MAX) compound(value, depth + 1)
    }
    close(start)
  }

  /** An AnyValue of text, written where it stays when both its lengths take one byte. */
  function shortItem(value: string): boolean {
    const n = value.length
    if (n > SHORT_MAX) return false
    room(3 * n + 8)
    const into = out
    const first = at + 3
    let written = n
    if (n <= LOOP_MAX) {
      for (let i = 0; i < n; i++) {
        const c = value.charCodeAt(i)
        if (c > 0x7f) return false
        into[first + i] = c
      }
    } else written = into.utf8Write(value, first)
    if (written > SHORT_MAX) return false
    into[at] = written + 2
    into[at + 1] = ANY.string
    into[at + 2] = written
    at = first + written
    return true
  }

  function compound(value: Uint8Array | readonly Value[] | { readonly [key: string]: Value }, depth: number): void {
    if (value instanceof Uint8Array) {
      room(value.length + 8)
      out[at++] = ANY.bytes
      varint(value.length)
      out.set(value, at)
      at += value.length
      return
    }
    if (isList(value)) {
      out[at++] = ANY.array
      const start = at++
      for (const item of value) {
        room(8)
        out[at++] = ITEM
        if (typeof item !== 'string' || !shortItem(item)) anyValue(item, depth)
      }
      close(start)
      return
    }
    out[at++] = ANY.map
    const start = at++
    for (const key in value) {
      room(8)
      out[at++] = ITEM
      keyValue(keyBytes(key), value[key]!, depth)
    }
    close(start)
  }

  /** A KeyValue's first bytes, up to where its value's length goes. */
  function keyBytes(key: string): Uint8Array {
    const cached = keys.get(key)
    if (cached !== undefined) return cached
    const before = at
    room(3 * key.length + 16)
    out[at++] = KEY
    text(key)
    out[at++] = VALUE
    const bytes = new Uint8Array(out.subarray(before, at))
    at = before
    if (keys.size < KEYS_MAX) keys.set(key, bytes)
    return bytes
  }

  function keyValue(prefix: Uint8Array, value: Value, depth: number): void {
    room(prefix.length + 8)
    const start = at++
    for (let i = 0; i < prefix.length; i++) out[at++] = prefix[i]!
    anyValue(value, depth)
    close(start)
  }

  /** Text that leaves every length in one byte is most of all values: written once, with no byte moved. False: it is not short after all. */
  function shortAttribute(prefix: Uint8Array, value: string): boolean {
    const head = prefix.length
    let n = value.length
    room(head + 3 * n + 8)
    const into = out
    const first = at + head + 5
    if (n <= LOOP_MAX) {
      for (let i = 0; i < n; i++) {
        const c = value.charCodeAt(i)
        if (c > 0x7f) return false
        into[first + i] = c
      }
    } else {
      n = into.utf8Write(value, first)
      if (head + n + 3 > 0x7f) return false
    }
    let p = at
    into[p++] = LOG.attributes
    into[p++] = head + n + 3
    for (let i = 0; i < head; i++) into[p++] = prefix[i]!
    into[p++] = n + 2
    into[p++] = ANY.string
    into[p] = n
    at = first + n
    return true
  }

  /** The same for a number of at most 5 bytes. */
  function smallAttribute(prefix: Uint8Array, value: number): void {
    const head = prefix.length
    room(head + 16)
    const into = out
    let p = at + 1
    const start = p++
    into[start - 1] = LOG.attributes
    for (let i = 0; i < head; i++) into[p++] = prefix[i]!
    const size = p++
    into[p++] = ANY.int
    while (value > 0x7f) {
      into[p++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    into[p++] = value
    into[size] = p - size - 1
    into[start] = p - start - 1
    at = p
  }

  function attribute(key: string, value: Value): void {
    const prefix = keyBytes(key)
    if (typeof value === 'string') {
      if (prefix.length + value.length + 3 <= 0x7f && shortAttribute(prefix, value)) return
    } else if (typeof value === 'number' && value >= 0 && value <= 0xffff_ffff && prefix.length < 100 && Number.isInteger(value)) {
      smallAttribute(prefix, value)
      return
    }
    room(8)
    out[at++] = LOG.attributes
    keyValue(prefix, value, 0)
  }

  function id(tag: number, hex: string): void {
    room(hex.length + 2)
    out[at++] = tag
    out[at++] = hex.length >> 1
    for (let i = 0; i + 1 < hex.length; i += 2) out[at++] = (nibble(hex.charCodeAt(i)) << 4) | nibble(hex.charCodeAt(i + 1))
  }

  function uid(draft: EntryDraft, context: EncodeContext): void {
    if (uids === undefined || context.runId !== uidRun || context.journalId !== uidJournal) {
      uidRun = context.runId
      uidJournal = context.journalId
      uids = createUidWriter(uidJournal, uidRun)
    }
    const prefix = keyBytes('log.record.uid')
    room(prefix.length + ULID_LENGTH + 8)
    out[at++] = LOG.attributes
    out[at++] = prefix.length + ULID_LENGTH + 3
    for (let i = 0; i < prefix.length; i++) out[at++] = prefix[i]!
    out[at++] = ULID_LENGTH + 2
    out[at++] = ANY.string
    out[at++] = ULID_LENGTH
    uids(out, at, context.index, Number(draft.timeUnixNano / NS_PER_MS))
    at += ULID_LENGTH
  }

  function write(draft: EntryDraft, attributes: Attributes, context: EncodeContext): void {
    at = 0
    out[at++] = LOG.time
    view.setBigUint64(at, draft.timeUnixNano, true)
    at += 8
    out[at++] = LOG.observedTime
    view.setBigUint64(at, context.observedTimeUnixNano, true)
    at += 8
    out[at++] = LOG.severityNumber
    out[at++] = draft.severity
    out[at++] = LOG.severityText
    text(SEVERITY_TEXT[draft.severity])
    out[at++] = LOG.eventName
    text(draft.eventName)
    if (draft.body !== undefined) {
      room(8)
      out[at++] = LOG.body
      anyValue(draft.body, 0)
    }
    uid(draft, context)
    for (const key in attributes) attribute(key, attributes[key]!)
    if (draft.traceId !== undefined) id(LOG.traceId, draft.traceId)
    if (draft.spanId !== undefined) {
      id(LOG.spanId, draft.spanId)
      room(8)
      out[at++] = LOG.flags
      view.setUint32(at, FLAG_SAMPLED, true)
      at += 4
    }
  }

  return (draft, context) => {
    write(draft, draft.attributes, context)
    if (at > ENTRY_MAX_BYTES) write(draft, fitTo(draft.attributes, ATTRIBUTES_MAX_BYTES - 3 * (draft.body?.length ?? 0)), context)
    // Only a body or thousands of attributes of our own making get here; their entry still has its place.
    if (at > ENTRY_MAX_BYTES) write({ ...draft, body: 'too long' }, { 'spoor.truncated': ['*'] }, context)
    const bytes = Buffer.allocUnsafe(at)
    bytes.set(out.subarray(0, at))
    return bytes
  }
}

const isList = (value: object): value is readonly Value[] => Array.isArray(value)

const nibble = (c: number): number => (c <= 0x39 ? c & 15 : (c & 15) + 9)

function sizeOfVarint(n: number): number {
  if (n < 0x80) return 1
  if (n < 0x4000) return 2
  if (n < 0x20_0000) return 3
  return n < 0x1000_0000 ? 4 : 5
}
