import { join } from 'node:path'
import { listFirsts, readMark, readMeta } from './files.ts'
import { PREFIX_BYTES } from './format.ts'
import { SegmentReader } from './segment-reader.ts'

/** One batch of a reader that asks for no other bound. */
const BATCH_ENTRIES = 4096
const BATCH_BYTES = 4 * 1024 * 1024

/** `bytes` is the LogRecord; it stays valid. Ranges are exclusive of `to`. */
export type Item =
  | { readonly kind: 'entry'; readonly index: number; readonly bytes: Uint8Array }
  | { readonly kind: 'erased'; readonly index: number }
  | { readonly kind: 'damaged'; readonly from: number; readonly to: number; readonly why: string }
  /** Gone by the journal's bound before this reader came to them. */
  | { readonly kind: 'pruned'; readonly from: number; readonly to: number }

/** `durable`: what is on the disk (the shipper, reports). `written`: also what was handed to the system since (a live view). */
export type Until = 'durable' | 'written'
export type ReadOptions = {
  readonly until?: Until
  readonly maxEntries?: number
  readonly maxBytes?: number
}
/** `next`: the index to go on from. */
export type Batch = { readonly items: readonly Item[]; readonly next: number }

/** `verify` (default): what does not match its leaf hash is `damaged`, so that no garbage is taken for an entry (0.6 us each). */
export type ReaderOptions = { readonly verify?: boolean }

export type Reader = {
  readonly id: string
  readonly origin: string
  bounds(): { readonly first: number; readonly durable: number }
  /** The items from index `from` on, in order, none where there is nothing yet. Going on from `next` costs no search. */
  read(from: number, options?: ReadOptions): Batch
  at(index: number, options?: Pick<ReadOptions, 'until'>): Item | null
  close(): void
}

/** Opens a journal for reading, beside its writer or without one. Nothing in the files is trusted: what is not an entry becomes an item that says so. */
export function openReader(dir: string, { verify = true }: ReaderOptions = {}): { readonly ok: true; readonly reader: Reader } | { readonly ok: false; readonly message: string } {
  try {
    const meta = readMeta(dir)
    if (meta === null) return { ok: false, message: `There is no journal in ${dir} (no meta.json there).` }
    if (typeof meta === 'string') return { ok: false, message: `${join(dir, 'meta.json')} ${meta}.` }
    listFirsts(dir)
    return { ok: true, reader: createReader(dir, meta.journalId, meta.origin, verify) }
  } catch (error) {
    return { ok: false, message: `The journal in ${dir} cannot be read: ${(error as Error).message}` }
  }
}

function createReader(dir: string, id: string, origin: string, verify: boolean): Reader {
  let segment: SegmentReader | null = null
  /** First indices of the segments, as last listed. */
  let firsts: readonly number[] = []

  const list = (): readonly number[] => {
    firsts = listFirsts(dir)
    return firsts
  }

  function enter(first: number): SegmentReader | null {
    if (segment?.first === first) return segment
    segment?.close()
    segment = null
    try {
      segment = new SegmentReader(dir, first, verify)
    } catch {
      // Pruned since it was listed.
    }
    return segment
  }

  function read(from: number, options: ReadOptions = {}): Batch {
    const { until = 'durable', maxEntries = BATCH_ENTRIES, maxBytes = BATCH_BYTES } = options
    const items: Item[] = []
    let bytes = 0
    let index = from
    const mark = readMark(dir)
    if (until === 'durable' && mark !== null && from >= mark) return { items, next: from }
    const full = (): boolean => items.length >= maxEntries || bytes >= maxBytes
    let listed = false
    while (!full()) {
      const at = firsts.findLastIndex((first) => first <= index)
      // Only the last one known may have got a successor, or the first one be gone. After the mark was read: what it promises is then in the list.
      if (!listed && (at < 0 || at === firsts.length - 1)) {
        list()
        listed = true
        continue
      }
      const first = firsts[Math.max(at, 0)]
      if (at < 0) {
        // Before the first one; or the mark says there were entries, and no file is left.
        const to = first ?? (until === 'durable' ? mark : null)
        if (to === null || to <= index) break
        items.push({ kind: 'pruned', from: index, to })
        index = to
        continue
      }
      const current = enter(first!)
      if (current === null) {
        if (list().includes(first!)) break
        continue
      }
      const following = firsts[at + 1] ?? Number.POSITIVE_INFINITY
      const limit = until === 'durable' && mark !== null ? Math.min(mark, following) : following
      // Without a mark (a foreign hand removed it) whole entries are all there is to go by.
      const promised = Math.min(limit, Number.isFinite(following) ? following : (mark ?? 0))
      const next = current.read(index, promised, {
        entry(at, record, erased) {
          if (at >= limit || full()) return false
          items.push(erased ? { kind: 'erased', index: at } : { kind: 'entry', index: at, bytes: record })
          bytes += PREFIX_BYTES + record.length
          return true
        },
        gap(from, to, why) {
          if (full()) return false
          items.push({ kind: 'damaged', from, to, why })
          return true
        },
      })
      index = next
      if (index < following) break
    }
    return { items, next: index }
  }

  return {
    id,
    origin,
    bounds() {
      const first = list()[0]
      const durable = readMark(dir) ?? first ?? 0
      return { first: first ?? durable, durable }
    },
    read,
    at: (index, options) => read(index, { ...options, maxEntries: 1 }).items[0] ?? null,
    close() {
      segment?.close()
      segment = null
    },
  }
}
