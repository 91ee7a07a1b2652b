import { fstatSync, readSync } from 'node:fs'
import type { Claim, ClaimDecoder } from '../model/claim.ts'
import { type Counters, count } from './counters.ts'
import { tooDeep } from './nesting.ts'

/** Longer lines are skipped and counted: real ones with a call or a result are below 300 KiB. */
export const LINE_MAX = 1024 * 1024
const CHUNK = 256 * 1024
/** Shorter lines cannot hold enough brackets to matter. */
const DEPTH_CHECKED_FROM = 32 * 1024
/** Bytes before the next line that must still be what they were: a file rewritten in place to a greater length looks grown. */
const MARK = 32
/** Of one file, kept to know again after a rewrite what has been told already. */
const SEEN_MAX = 1024

export type Tail = {
  /** Reads at most `budget` bytes. `claims` come in the file's order; `behind` is what stands there unread. */
  pump(budget: number): { readonly read: number; readonly behind: number; readonly claims: readonly Claim[] }
  /** Where the next unread line begins, and up to where an end of it has been looked for. */
  readonly next: number
  readonly scanned: number
}

export type TailOptions = {
  readonly fd: number
  /** A line's beginning, or anywhere: then the first, cut line is skipped (`cut`). */
  readonly from: number
  readonly cut: boolean
  readonly decoder: () => ClaimDecoder
  /** Claims from before this (Unix nanoseconds) are another session's. */
  readonly since: () => bigint
  readonly counters: Counters
}

// One for all files: everything here is synchronous.
const chunk = Buffer.allocUnsafeSlow(CHUNK)
const mark = Buffer.allocUnsafeSlow(MARK)

/**
 * The whole lines of a file that grows, each once. A line not yet ended stays in the file, not in memory: only its beginning is remembered, and it is read when it has ended.
 * A file that shrank, or whose last read bytes changed, was rewritten: it is read again from its beginning, and what was told before is left out.
 */
export function createTail({ fd, from, cut, decoder: create, since, counters }: TailOptions): Tail {
  let decoder = create()
  /** Beginning of the first line not read; up to `scanned` there is no end of it. */
  let next = from
  let scanned = from
  let skipping = cut
  let before: Buffer | null = null
  const seen = new Set<string>()

  function rewritten(size: number): boolean {
    if (size < scanned) return true
    if (before === null) return false
    return readSync(fd, mark, 0, before.length, next - before.length) !== before.length || !mark.subarray(0, before.length).equals(before)
  }

  function keepMark(): void {
    const length = Math.min(MARK, next)
    if (length === 0) return
    const got = readSync(fd, mark, 0, length, next - length)
    before = got === length ? Buffer.from(mark.subarray(0, length)) : null
  }

  function line(bytes: Buffer, at: number, into: Claim[]): void {
    if (bytes.length === 0) return
    counters.lines++
    if (bytes.length > DEPTH_CHECKED_FROM && tooDeep(bytes)) {
      count(counters, 'line_too_deep')
      return
    }
    const decoded = decoder.line(bytes.toString('utf8'), at)
    if (!decoded.ok) {
      count(counters, decoded.why)
      return
    }
    for (const claim of decoded.claims) {
      if (claim.kind !== 'registry' && claim.at !== null && claim.at < since()) {
        count(counters, 'too_old')
        continue
      }
      const key = claim.kind === 'tool_result' && claim.running ? `running ${claim.id}` : `${claim.kind} ${claim.id}`
      if (seen.has(key)) {
        count(counters, 'duplicate')
        continue
      }
      seen.add(key)
      if (seen.size > SEEN_MAX) seen.delete(seen.values().next().value!)
      counters.claims++
      into.push(claim)
    }
  }

  /** The line from `next` to `end`, which may have begun in an earlier chunk. */
  function whole(end: number, chunkAt: number): Buffer | null {
    if (next >= chunkAt) return chunk.subarray(next - chunkAt, end - chunkAt)
    const bytes = Buffer.allocUnsafe(end - next)
    return readSync(fd, bytes, 0, bytes.length, next) === bytes.length ? bytes : null
  }

  return {
    pump(budget) {
      const claims: Claim[] = []
      let read = 0
      try {
        const { size } = fstatSync(fd)
        if (rewritten(size)) {
          count(counters, 'rewritten')
          decoder = create()
          next = scanned = 0
          before = null
          skipping = false
        }
        while (read < budget && scanned < size) {
          const got = readSync(fd, chunk, 0, Math.min(CHUNK, budget - read, size - scanned), scanned)
          if (got === 0) break
          const chunkAt = scanned
          read += got
          scanned += got
          const piece = chunk.subarray(0, got)
          for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, at + 1)) {
            const end = chunkAt + at
            if (skipping) skipping = false
            else if (end - next > LINE_MAX) count(counters, 'line_too_long')
            else {
              const bytes = whole(end, chunkAt)
              if (bytes === null) count(counters, 'rewritten')
              else line(bytes, next, claims)
            }
            next = end + 1
          }
          if (!skipping && scanned - next > LINE_MAX) {
            count(counters, 'line_too_long')
            skipping = true
          }
          if (skipping) next = scanned
        }
        counters.bytes += read
        if (read > 0) keepMark()
        return { read, behind: Math.max(0, size - scanned), claims }
      } catch {
        count(counters, 'open_failed')
        return { read, behind: 0, claims }
      }
    },
    get next() {
      return next
    },
    get scanned() {
      return scanned
    },
  }
}
