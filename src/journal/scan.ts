import { readSync } from 'node:fs'
import { PREFIX_BYTES } from './format.ts'

/** Holds three of the largest entries (65,537 B), so that a read always brings at least one whole. */
export const CHUNK_BYTES = 256 * 1024

/** Where a scan came to its end: `stopped` by the callee, `end` after a whole entry, or `torn` at bytes that form none. */
export type ScanEnd = { readonly at: 'end' | 'torn' | 'stopped'; readonly offset: number }

/**
 * Walks the entries of a segment file from byte `from` (the beginning of one) to byte `to`. `each` may return false to stop before that entry.
 * The record given to it is a view of a buffer that the next read overwrites, unless `keep`.
 */
export function scan(fd: number, from: number, to: number, each: (record: Buffer, offset: number) => boolean, keep = false): ScanEnd {
  let chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(to - from, 1)))
  let base = from
  let have = 0
  let offset = from
  while (offset < to) {
    const at = offset - base
    const length = at + PREFIX_BYTES <= have ? (chunk[at]! << 8) | chunk[at + 1]! : -1
    if (length === 0) return { at: 'torn', offset }
    if (length > 0 && at + PREFIX_BYTES + length <= have) {
      if (each(chunk.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + length), offset) === false) return { at: 'stopped', offset }
      offset += PREFIX_BYTES + length
      continue
    }
    if (base + have >= to) return { at: 'torn', offset }
    // The rest of a record begun moves to the front; a kept buffer is left to its records.
    const rest = have - at
    const next = keep && have > 0 ? Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(to - offset, rest + 1))) : chunk
    if (rest > 0) next.set(chunk.subarray(at, have), 0)
    chunk = next
    base = offset
    have = Math.max(rest, 0)
    const got = readSync(fd, chunk, have, Math.min(chunk.length - have, to - base - have), base + have)
    if (got === 0) return { at: 'torn', offset }
    have += got
  }
  return { at: 'end', offset }
}
