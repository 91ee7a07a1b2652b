import { closeSync, ftruncateSync, openSync, readSync, unlinkSync } from 'node:fs'
import { leafPath, leavesOf, listSegments, openOwned, readMark, type SegmentFile, segmentPath } from './files.ts'
import { isErased, LEAF_BYTES, leafText, SEGMENT_ENTRIES } from './format.ts'
import { scan } from './scan.ts'

/** Entries before the durable mark whose hash is checked at each start: some seconds of ordinary work, 5 ms to read. */
export const REHASH_ENTRIES = 4096
/** Damage is reported piece by piece up to here; more is a sign that the file is not ours, and the count says the rest. */
const DAMAGES_MAX = 64

/** What a start removed: bytes behind the durable mark that form no entry, and hashes without one. */
export type Cut = { readonly from: number; readonly bytes: number; readonly entries: number; readonly durable: number }
/**
 * What a start found wrong before the durable mark and left as it is: `to` is exclusive. `mismatch`: bytes and leaf hash differ;
 * `structure`: from there the segment cannot be walked; `missing`: no file holds them; `leaves`: their hashes are gone; `mark`: the mark was unreadable.
 */
export type Damage = { readonly kind: 'mismatch' | 'structure' | 'missing' | 'leaves' | 'mark'; readonly from: number; readonly to: number }

export type Segment = { readonly first: number; end: number; bytes: number; leafBytes: number }
export type Recovered = {
  /** In index order; the last one takes further entries unless `sealed`. */
  readonly segments: Segment[]
  readonly sealed: boolean
  readonly next: number
  readonly durable: number
  readonly cut: Cut | null
  readonly damages: readonly Damage[]
  readonly damagesTotal: number
  readonly erased: number
}

/**
 * Brings the files of a journal into a state to go on from: cuts a torn tail behind the durable mark (and nothing else),
 * re-hashes the last entries before it. Throws only where files cannot be opened, read or truncated.
 */
export function recover(dir: string, rehash = REHASH_ENTRIES): Recovered {
  const files = listSegments(dir)
  const damages: Damage[] = []
  let damagesTotal = 0
  const damage = (kind: Damage['kind'], from: number, to: number): void => {
    damagesTotal++
    if (damages.length < DAMAGES_MAX) damages.push({ kind, from, to })
  }
  const last = files[files.length - 1]
  let mark = readMark(dir)
  // A segment's file is made before the mark can move into it: a mark further away is garbage.
  if (mark !== null && last !== undefined && (mark > last.first + SEGMENT_ENTRIES || mark < files[0]!.first)) mark = null
  if (mark === null && last !== undefined) damage('mark', last.first, last.first)
  if (last === undefined) {
    const next = mark ?? 0
    if (next > 0) damage('missing', 0, next)
    return { segments: [], sealed: false, next, durable: next, cut: null, damages, damagesTotal, erased: 0 }
  }

  const segments: Segment[] = []
  let sealed = false
  let erased = 0
  let cut: { from: number; bytes: number; entries: number } | null = null
  // Without a mark nothing is known to be behind it: all but a structural tear at the very end is kept, and reported.
  const durable = mark ?? Number.MAX_SAFE_INTEGER
  const rehashFrom = (mark ?? last.first) - rehash

  for (const [at, file] of files.entries()) {
    const following = files[at + 1]
    const known: Segment = { first: file.first, end: following?.first ?? file.first, bytes: file.bytes, leafBytes: file.leafBytes }
    if (cut !== null) {
      cut.bytes += file.bytes
      cut.entries += leavesOf(file.leafBytes)
      remove(dir, file.first)
      continue
    }
    segments.push(known)
    if (following !== undefined && following.first <= Math.min(rehashFrom, durable)) continue

    const found = check(dir, file, Math.max(rehashFrom, file.first), durable, damage)
    erased += found.erased
    const end = file.first + found.entries
    if (found.whole && following !== undefined && end === following.first) continue
    if (end >= durable || (mark === null && following === undefined)) {
      // Behind the mark: what is torn goes, and with it whatever followed.
      const bytes = file.bytes - found.offset
      const entries = Math.max(leavesOf(file.leafBytes) - found.entries, 0)
      const leavesShort = found.entries - leavesOf(file.leafBytes)
      if (leavesShort > 0) {
        damage('leaves', end - leavesShort, end)
        sealed = true
      }
      if (bytes > 0 || entries > 0 || file.leafBytes % LEAF_BYTES !== 0) {
        truncate(dir, segmentPath(dir, file.first), found.offset)
        if (leavesShort <= 0) truncate(dir, leafPath(dir, file.first), found.entries * LEAF_BYTES)
        cut = { from: end, bytes, entries }
      } else if (following !== undefined) cut = { from: end, bytes: 0, entries: 0 }
      known.end = end
      known.bytes = found.offset
      known.leafBytes = leavesShort > 0 ? file.leafBytes : found.entries * LEAF_BYTES
    } else if (following !== undefined) {
      damage(found.whole && end < following.first ? 'missing' : 'structure', Math.min(end, following.first), Math.max(end, following.first))
    } else {
      // The end of what is known to have been there cannot be reached: new entries begin a new segment after it.
      damage(found.whole ? 'missing' : 'structure', end, durable)
      known.end = durable
      sealed = true
    }
  }
  const next = segments[segments.length - 1]!.end
  // Where the mark was lost the writer syncs the last segment anew and marks that.
  const marked = Math.min(mark ?? last.first, next)
  return { segments, sealed, next, durable: marked, cut: cut === null ? null : { ...cut, durable: marked }, damages, damagesTotal, erased }
}

type Checked = { readonly entries: number; readonly offset: number; readonly whole: boolean; readonly erased: number }

/** Walks one segment. Before `durable` a wrong hash is damage; from there on it is the tear. */
function check(dir: string, file: SegmentFile, rehashFrom: number, durable: number, damage: (kind: Damage['kind'], from: number, to: number) => void): Checked {
  const leaves = readLeaves(dir, file, rehashFrom)
  const leafCount = leavesOf(file.leafBytes)
  let entries = 0
  let erased = 0
  const fd = openSync(segmentPath(dir, file.first), 'r')
  try {
    const end = scan(fd, 0, file.bytes, (record) => {
      const index = file.first + entries
      if (entries >= leafCount) {
        if (index >= durable) return false
      } else if (index >= rehashFrom) {
        const at = (index - rehashFrom) * LEAF_BYTES
        if (leafText(record) !== leaves.toString('latin1', at, at + LEAF_BYTES)) {
          if (index >= durable) return false
          if (isErased(record)) erased++
          else damage('mismatch', index, index + 1)
        }
      }
      entries++
      return true
    })
    return { entries, offset: end.offset, whole: end.at === 'end', erased }
  } finally {
    closeSync(fd)
  }
}

/** The leaf hashes of a segment from index `from` on. */
function readLeaves(dir: string, file: SegmentFile, from: number): Buffer {
  const start = (from - file.first) * LEAF_BYTES
  const bytes = Buffer.alloc(Math.max(leavesOf(file.leafBytes) * LEAF_BYTES - start, 0))
  if (bytes.length === 0) return bytes
  const fd = openSync(leafPath(dir, file.first), 'r')
  try {
    let have = 0
    while (have < bytes.length) {
      const got = readSync(fd, bytes, have, bytes.length - have, start + have)
      if (got === 0) break
      have += got
    }
    return bytes
  } finally {
    closeSync(fd)
  }
}

function truncate(dir: string, path: string, bytes: number): void {
  const fd = openOwned(dir, path)
  try {
    ftruncateSync(fd, bytes)
  } finally {
    closeSync(fd)
  }
}

function remove(dir: string, first: number): void {
  unlinkSync(segmentPath(dir, first))
  try {
    unlinkSync(leafPath(dir, first))
  } catch {
    // It may never have been made.
  }
}
