import { createHash } from 'node:crypto'
import type { Clip } from './bytes.ts'
import { CLAIM_BOUNDS } from './claim.ts'

/** What every decoder of claims needs of an unknown JSON value. */
export type Fields = Readonly<Record<string, unknown>>

export const fields = (value: unknown): Fields | null => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null)
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
/** An id or a name: not empty, bounded. */
export const name = (value: unknown): string | null => (typeof value === 'string' && value.length > 0 && value.length <= CLAIM_BOUNDS.id ? value : null)
export const whole = (value: unknown): number | null => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null)
export const path = (value: unknown): string | null => (typeof value === 'string' && value.length > 0 && value.length <= CLAIM_BOUNDS.path ? value : null)

export const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex')

/** Of any JSON value; null where it is nested deeper than the stack allows. */
export function digestOf(value: unknown): string | null {
  try {
    return sha256(JSON.stringify(value) ?? '')
  } catch {
    return null
  }
}

/** ISO 8601 with any number of decimals -> Unix nanoseconds. `Date` keeps milliseconds only; the agents write no more. */
export function nanoseconds(value: unknown): bigint | null {
  if (typeof value !== 'string' || value.length > 40) return null
  const ms = Date.parse(value)
  return Number.isFinite(ms) && ms > 0 ? BigInt(ms) * 1_000_000n : null
}

/** Head and tail of a command that is longer than its bound, never cut inside a surrogate pair. */
export function clip(command: string): Clip<string> {
  const total = Buffer.byteLength(command)
  const { commandHead, commandTail } = CLAIM_BOUNDS
  if (total <= commandHead + commandTail) return { head: command, total }
  const bytes = Buffer.from(command)
  return { head: uncut(bytes.subarray(0, commandHead)), tail: uncut(bytes.subarray(total - commandTail)), total }
}

/** Without the bytes of characters cut at either end. */
function uncut(bytes: Buffer): string {
  let from = 0
  while (from < 4 && from < bytes.length && (bytes[from]! & 0xc0) === 0x80) from++
  let to = bytes.length
  let lead = to - 1
  while (lead >= 0 && lead > to - 4 && (bytes[lead]! & 0xc0) === 0x80) lead--
  const byte = bytes[lead] ?? 0
  const width = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
  if (lead + width > to) to = lead
  return bytes.toString('utf8', from, to)
}

/** The first paths within the bounds, each once. */
export function boundPaths(values: Iterable<unknown>): string[] {
  const kept: string[] = []
  let total = 0
  for (const value of values) {
    const one = path(value)
    if (one === null || kept.includes(one)) continue
    total += one.length
    if (kept.length === CLAIM_BOUNDS.paths || total > CLAIM_BOUNDS.pathsTotal) break
    kept.push(one)
  }
  return kept
}
