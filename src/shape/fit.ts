import type { Attributes, Value } from '../model/entry.ts'

/** `spoor.truncated` itself. */
const NOTICE_BYTES = 1024
/** Above this the names in `spoor.truncated` would be the problem. */
const NAMED_MAX = 16

/**
 * The same attributes in at most `budget` bytes when encoded: the longest values are cut to a common length (so that a short one is
 * never touched for a long one's sake), and their names are in `spoor.truncated`.
 */
export function fitTo(attributes: Attributes, budget: number): Attributes {
  const sized = Object.entries(attributes).map(([name, value]) => ({ name, value, size: sizeOf(value) }))
  let total = NOTICE_BYTES
  for (const { name, size } of sized) total += Buffer.byteLength(name) + 12 + size
  const limit = levelFor(
    sized.map((s) => s.size),
    total - budget,
  )
  const kept: Record<string, Value> = {}
  const cut: string[] = []
  for (const { name, value, size } of sized) {
    if (size <= limit) kept[name] = value
    else {
      kept[name] = shorten(value, limit)
      cut.push(name)
    }
  }
  const before = attributes['spoor.truncated']
  const named = [...(Array.isArray(before) ? (before as readonly Value[]) : []), ...cut]
  kept['spoor.truncated'] = [...new Set(named)].slice(0, NAMED_MAX)
  return kept
}

/** The largest length to which all longer ones must be cut for the sum to shrink by `excess`. */
function levelFor(sizes: readonly number[], excess: number): number {
  const falling = [...sizes].sort((a, b) => b - a)
  let gained = 0
  for (let i = 0; i < falling.length; i++) {
    const next = falling[i + 1] ?? 0
    const step = (falling[i]! - next) * (i + 1)
    if (gained + step >= excess) return Math.max(0, Math.floor(falling[i]! - (excess - gained) / (i + 1)))
    gained += step
  }
  return 0
}

/** A value's encoded size with its own length prefix; a number counts as the longest. */
function sizeOf(value: Value): number {
  if (typeof value === 'string') return field(field(Buffer.byteLength(value)))
  if (value instanceof Uint8Array) return field(field(value.length))
  if (typeof value !== 'object') return 12
  let size = 0
  if (isList(value)) for (const item of value) size += 1 + sizeOf(item)
  else for (const key in value) size += pairSize(key, value[key]!)
  return field(field(size))
}

const pairSize = (key: string, value: Value): number => field(field(Buffer.byteLength(key)) + 1 + sizeOf(value))

/** Tag (or none) and length in front of n bytes. */
const field = (n: number): number => n + (n < 0x80 ? 2 : n < 0x4000 ? 3 : 4)

function shorten(value: Value, limit: number): Value {
  if (typeof value === 'string') return cutText(value, limit - 8)
  if (value instanceof Uint8Array) return value.subarray(0, Math.max(0, limit - 8))
  if (typeof value !== 'object') return value
  let left = limit - 8
  if (isList(value)) {
    const items: Value[] = []
    for (const item of value) {
      const size = 1 + sizeOf(item)
      if (size > left) {
        if (typeof item === 'string' && left > 16) items.push(cutText(item, left - 16))
        break
      }
      items.push(item)
      left -= size
    }
    return items
  }
  const map: Record<string, Value> = {}
  for (const key in value) {
    const size = pairSize(key, value[key]!)
    if (size > left) break
    map[key] = value[key]!
    left -= size
  }
  return map
}

/** At most `bytes` of UTF-8, never in the middle of a character. */
export function cutText(text: string, bytes: number): string {
  if (bytes <= 0) return ''
  if (text.length * 3 <= bytes || Buffer.byteLength(text) <= bytes) return text
  const raw = Buffer.from(text.slice(0, bytes), 'utf8')
  let end = Math.min(bytes, raw.length)
  while (end > 0 && (raw[end]! & 0xc0) === 0x80) end--
  return raw.toString('utf8', 0, end)
}

const isList = (value: object): value is readonly Value[] => Array.isArray(value)
