import { readSync } from 'node:fs'
import { LEAF_BYTES, leafText, PREFIX_BYTES } from './format.ts'

/** How far behind the damage the next whole entry is looked for: twice the largest entry. */
export const WINDOW_BYTES = 128 * 1024
/** Only entries up to this size are recognised there: nearly all are, and hashing 64 KiB at each byte would take seconds. */
const RECORD_BYTES_MAX = 8 * 1024
/** Entries that the window may hold at most; their hashes are the ones looked for. */
export const RESYNC_LEAVES = 1024

/**
 * Finds the first whole entry behind bytes that form none, by its leaf hash: one broken length would otherwise hide the rest of a segment.
 * `leaves` are the hashes of entry `index` and those after it. Null: none found (some 50 ms).
 */
export function resync(fd: number, offset: number, size: number, index: number, leaves: Uint8Array): { readonly index: number; readonly offset: number } | null {
  const wanted = new Map<string, number>()
  for (let at = 0; at + LEAF_BYTES <= leaves.length && at < RESYNC_LEAVES * LEAF_BYTES; at += LEAF_BYTES) {
    const key = Buffer.from(leaves.buffer, leaves.byteOffset + at, LEAF_BYTES).toString('latin1')
    if (!wanted.has(key)) wanted.set(key, index + at / LEAF_BYTES)
  }
  const window = Buffer.allocUnsafe(Math.max(Math.min(WINDOW_BYTES + PREFIX_BYTES + RECORD_BYTES_MAX, size - offset), 0))
  const have = window.length === 0 ? 0 : readSync(fd, window, 0, window.length, offset)
  for (let at = 0; at < WINDOW_BYTES && at + PREFIX_BYTES < have; at++) {
    const length = (window[at]! << 8) | window[at + 1]!
    const end = at + PREFIX_BYTES + length
    if (length === 0 || length > RECORD_BYTES_MAX || end > have) continue
    const found = wanted.get(leafText(window.subarray(at + PREFIX_BYTES, end)))
    if (found !== undefined) return { index: found, offset: offset + at }
  }
  return null
}
