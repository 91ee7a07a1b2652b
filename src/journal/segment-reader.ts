import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { leafPath, segmentPath } from './files.ts'
import { isErased, LEAF_BYTES, leafText, PREFIX_BYTES } from './format.ts'
import { RESYNC_LEAVES, resync, WINDOW_BYTES } from './resync.ts'
import { scan } from './scan.ts'

/** A byte offset is remembered for every so many entries, so that random access scans no further than this. */
const STRIDE = 1024
/** Leaf hashes read at once. */
const LEAVES = 2048

export type SegmentSink = {
  /** False: not this one, stop. `erased`: its bytes are blank. */
  entry(index: number, record: Buffer, erased: boolean): boolean
  /** Entries `from` to `to` (exclusive) cannot be read. False: not these, stop. */
  gap(from: number, to: number, why: string): boolean
}

type Place = { readonly index: number; readonly offset: number }

/** One segment file opened for reading. The file may be growing, torn, damaged or foreign. */
export class SegmentReader {
  readonly first: number
  readonly #dir: string
  readonly #fd: number
  readonly #verify: boolean
  /** Where entries are known to begin, in order. */
  readonly #marks: Place[]
  /** Where the last read stopped: sequential reading never searches. */
  #place: Place
  #leaves: Buffer = Buffer.alloc(0)
  #leavesFrom = 0
  /** From this index on there are none. */
  #leavesEnd = Number.POSITIVE_INFINITY
  /** Up to this offset a search for whole entries has been in vain. */
  #searched = 0

  /** `verify`: compare each record with its leaf hash. Throws as openSync does. */
  constructor(dir: string, first: number, verify: boolean) {
    this.#dir = dir
    this.first = first
    this.#verify = verify
    this.#fd = openSync(segmentPath(dir, first), 'r')
    this.#place = { index: first, offset: 0 }
    this.#marks = [this.#place]
  }

  /**
   * Gives the entries from `index` on to the sink. Those below `promised` must be there: what cannot be read of them is a gap;
   * from there on the file's end, or a half entry, is just the present end. Returns the index to go on from.
   */
  read(index: number, promised: number, sink: SegmentSink): number {
    const size = fstatSync(this.#fd).size
    let { index: at, offset } = this.#nearest(index, size)
    this.#leavesEnd = Number.POSITIVE_INFINITY
    for (;;) {
      let wrong: { readonly end: number } | null = null
      const end = scan(
        this.#fd,
        offset,
        size,
        (record, start) => {
          if (at - this.#marks[this.#marks.length - 1]!.index >= STRIDE) this.#marks.push({ index: at, offset: start })
          if (at >= index) {
            const erased = record[0] === 0 && isErased(record)
            if (this.#verify && !erased && at < promised) {
              const leaf = this.#leaf(at, promised)
              // Without its hash an entry is taken for what it is: that it cannot be proven is for `spoor verify` to say.
              if (leaf !== '' && leaf !== leafText(record)) {
                wrong = { end: start + PREFIX_BYTES + record.length }
                return false
              }
            }
            if (!sink.entry(at, record, erased)) return false
          }
          at++
          return true
        },
        true,
      )
      offset = end.offset
      if (wrong !== null) {
        const found = this.#behind(at, offset, (wrong as { readonly end: number }).end, size, promised)
        if (!sink.gap(at, found.index, 'the bytes there do not match their leaf hash')) break
        at = found.index
        offset = found.offset
        if (at >= promised) break
        continue
      }
      if (end.at === 'stopped' || at >= promised) break
      // Torn or short where there must be more.
      const found = end.at === 'torn' ? resync(this.#fd, offset, size, at, this.leaves(at, RESYNC_LEAVES)) : null
      const to = found === null ? promised : Math.min(found.index, promised)
      const why = end.at === 'torn' ? 'the bytes there form no entry' : 'the segment ends before them'
      if (to > index && !sink.gap(Math.max(at, index), to, why)) break
      if (found === null || found.index >= promised) return Math.max(to, index)
      at = found.index
      offset = found.offset
    }
    this.#place = { index: at, offset }
    return Math.max(at, index)
  }

  /**
   * Where to go on behind an entry that does not match its hash: at the next one where that one does, else wherever a whole one is found.
   * A wrong length would otherwise make garbage of all that follows.
   */
  #behind(index: number, offset: number, end: number, size: number, promised: number): Place {
    const next = { index: index + 1, offset: end }
    const last = index + 1 >= promised
    let following = ''
    scan(this.#fd, end, Math.min(end + WINDOW_BYTES, size), (record) => {
      following = leafText(record)
      return false
    })
    if (last || offset < this.#searched || (following !== '' && following === this.#leaf(index + 1, promised))) return next
    const found = resync(this.#fd, offset, size, index, this.leaves(index, RESYNC_LEAVES))
    if (found !== null && found.index < promised && found.index > index) return found
    this.#searched = offset + WINDOW_BYTES
    return next
  }

  #nearest(index: number, size: number): Place {
    let best = this.#marks[0]!
    for (const mark of this.#marks) if (mark.index <= index && mark.offset <= size) best = mark
    return this.#place.index <= index && this.#place.index >= best.index && this.#place.offset <= size ? this.#place : best
  }

  /** The leaf hash of one entry, one byte in each char; empty where its file ends before. */
  #leaf(index: number, promised: number): string {
    if (index >= this.#leavesEnd) return ''
    let at = (index - this.#leavesFrom) * LEAF_BYTES
    if (at < 0 || at + LEAF_BYTES > this.#leaves.length) {
      this.#leaves = this.leaves(index, Math.min(LEAVES, Math.max(promised - index, 1)))
      this.#leavesFrom = index
      at = 0
      if (this.#leaves.length === 0) this.#leavesEnd = index
    }
    return this.#leaves.toString('latin1', at, at + LEAF_BYTES)
  }

  /** Leaf hashes of up to `count` entries from `index` on; fewer where their file ends. */
  leaves(index: number, count: number): Buffer {
    let fd: number
    try {
      fd = openSync(leafPath(this.#dir, this.first), 'r')
    } catch {
      return Buffer.alloc(0)
    }
    try {
      const bytes = Buffer.alloc(count * LEAF_BYTES)
      const start = (index - this.first) * LEAF_BYTES
      let have = 0
      while (have < bytes.length) {
        const got = readSync(fd, bytes, have, bytes.length - have, start + have)
        if (got === 0) break
        have += got
      }
      return bytes.subarray(0, have - (have % LEAF_BYTES))
    } finally {
      closeSync(fd)
    }
  }

  close(): void {
    closeSync(this.#fd)
  }
}
