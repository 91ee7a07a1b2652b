/**
 * Just enough of the protobuf wire format (https://protobuf.dev/programming-guides/encoding) to find a field in bytes that somebody else wrote.
 * Nothing here throws and nothing allocates per field: garbage is `false` or null.
 */
export type Visit = (field: number, wire: number, from: number, to: number) => void

export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** Calls `visit` for every field; for a length-delimited one `from` and `to` enclose its payload. False where the bytes are not a message. */
export function walk(bytes: Uint8Array, start: number, end: number, visit: Visit): boolean {
  let at = start
  while (at < end) {
    const tag = varintNumber(bytes, at, end)
    if (tag < 0) return false
    at = varintEnd(bytes, at, end)
    const field = Math.floor(tag / 8)
    const wire = tag & 7
    if (field === 0) return false
    switch (wire) {
      case WIRE.varint: {
        const to = varintEnd(bytes, at, end)
        if (to < 0) return false
        visit(field, wire, at, to)
        at = to
        break
      }
      case WIRE.fixed64:
      case WIRE.fixed32: {
        const to = at + (wire === WIRE.fixed64 ? 8 : 4)
        if (to > end) return false
        visit(field, wire, at, to)
        at = to
        break
      }
      case WIRE.bytes: {
        const length = varintNumber(bytes, at, end)
        if (length < 0) return false
        at = varintEnd(bytes, at, end)
        if (length > end - at) return false
        visit(field, wire, at, at + length)
        at += length
        break
      }
      default:
        return false // groups: not in proto3
    }
  }
  return true
}

/** Position after the varint, -1 where it does not end within 10 bytes. */
function varintEnd(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + 10)
  for (let i = at; i < limit; i++) if (bytes[i]! < 0x80) return i + 1
  return -1
}

/** A varint below 2^53, -1 where it is longer or cut: a tag or a length has no need of more. */
function varintNumber(bytes: Uint8Array, at: number, end: number): number {
  let value = 0
  let scale = 1
  for (let i = at; i < end && scale < 2 ** 49; i++) {
    const byte = bytes[i]!
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value
    scale *= 128
  }
  return -1
}

/** The varint in `from`..`to` (as `walk` gave them) as an unsigned 64-bit integer. */
export function varintAt(bytes: Uint8Array, from: number, to: number): bigint {
  let value = 0n
  let shift = 0n
  for (let i = from; i < to; i++) {
    value |= BigInt(bytes[i]! & 0x7f) << shift
    shift += 7n
  }
  return BigInt.asUintN(64, value)
}

export const varintSize = (value: number): number => (value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5)

/** Writes `value` (below 2^32) at `at`; returns the position after it. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  while (value > 0x7f) {
    into[at++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  into[at++] = value
  return at
}

/** A view that has Buffer's methods on the same memory. */
export const asBuffer = (bytes: Uint8Array): Buffer => (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
