import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { leafPath, segmentPath } from './files.ts'
import { LEAF_BYTES } from './format.ts'
import { RESYNC_LEAVES, resync } from './resync.ts'
import { scan } from './scan.ts'

/** A byte offset is remembered for every so many entries, so that random access scans no further than this. */
const STRIDE = 1024

export type SegmentSink = {
  /** False: not this one, stop. */
  entry(index: number, record: Buffer): boolean
  /** Entries `from` to `to` (exclusive) cannot be read. False: stop. */
  gap(from: number, to: number, why: string): boolean
}

/** One segment file opened for reading. The file may be growing, torn, damaged or foreign. */
export class SegmentReader {
  readonly first: number
  readonly #dir: string
  readonly #fd: number
  /** Where entries are known to begin, in order. */
  readonly #marks: { readonly index: number; readonly offset: number }[]
  /** Where the last read stopped: sequential reading never searches. */
  #place: { readonly index: number; readonly offset: number }

  /** Throws as openSync does. */
  constructor(dir: string, first: number) {
    this.#dir = dir
    this.first = first
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
    for (;;) {
      const end = scan(
        this.#fd,
        offset,
        size,
        (record, start) => {
          if (at - this.#marks[this.#marks.length - 1]!.index >= STRIDE) this.#marks.push({ index: at, offset: start })
          if (at >= index && !sink.entry(at, record)) return false
          at++
          return true
        },
        true,
      )
      offset = end.offset
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

  #nearest(index: number, size: number): { index: number; offset: number } {
    let best = this.#marks[0]!
    for (const mark of this.#marks) if (mark.index <= index && mark.offset <= size) best = mark
    return this.#place.index <= index && this.#place.index >= best.index && this.#place.offset <= size ? this.#place : best
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
