import { closeSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createMeta, leafPath, listSegments, makeFolder, makeSegmentFolder, markPath, openOwned, readMeta, segmentPath, syncFolder } from './files.ts'
import { encodeMark, MAX_ENTRY_BYTES, SEGMENT_BYTES, SEGMENT_ENTRIES, TILE_ENTRIES } from './format.ts'
import { type Cut, type Damage, recover, type Segment } from './recover.ts'
import { type Disk, realDisk, Tail } from './tail.ts'

/** 1 GiB: some months of a developer's agents. Beyond it whole segments go from the front. */
const JOURNAL_BYTES = 1024 ** 3
/** The fsync policy: what was appended is on the disk at most this much later (and the time of one fdatasync). */
const SYNC_EVERY_MS = 200
/** Pruning works in whole segments: a small bound needs smaller ones. */
const SEGMENTS_MIN = 8

export type JournalOptions = {
  /** The folder `journal`; made when missing. */
  readonly dir: string
  readonly maxBytes?: number
  /** 0: nothing is synced but by `sync` and `close`. */
  readonly syncEveryMs?: number
  readonly segmentEntries?: number
  readonly disk?: Disk
  /** Entries gone by the bound: `to` is exclusive. Called outside `append` and `flush`. */
  readonly onPrune?: (range: { readonly from: number; readonly to: number; readonly bytes: number }) => void
  /** The disk takes nothing, or does so again (null). Called outside `append` and `flush`. */
  readonly onTrouble?: (trouble: Trouble | null) => void
}

export type Trouble = { readonly code: string; readonly message: string; readonly doing: 'write' | 'sync' | 'prune' }
export type JournalStats = {
  readonly first: number
  readonly next: number
  readonly written: number
  readonly durable: number
  /** Of all segments and their leaf hashes. */
  readonly bytes: number
  /** Entries (and their bytes) that found no room because the disk took nothing. */
  readonly lost: { readonly entries: number; readonly bytes: number }
  readonly pruned: { readonly entries: number; readonly bytes: number }
  readonly trouble: Trouble | null
  readonly syncs: number
}

export type Journal = {
  readonly id: string
  /** Name of the log in its checkpoints. */
  readonly origin: string
  /** Index that the next entry gets. */
  readonly next: number
  readonly durable: number
  /** Takes one entry (1 to 65,535 bytes, copied) and returns its index, or -1 when it was lost (counted in `stats().lost`). */
  append(entry: Uint8Array): number
  /** Writes what was appended to the files, with one write(2) each: then a kill cannot lose it. False: the disk did not take all (`stats().trouble`). */
  flush(): boolean
  /** Flushes, brings it to the disk (fdatasync, off-thread) and moves the durable mark. False: not all of it. */
  sync(): Promise<boolean>
  stats(): JournalStats
  /** Syncs and closes. */
  close(): Promise<boolean>
}

/** What the start found; the caller writes the entry `spoor.journal.cut` where `cut` is not null. */
export type OpenReport = { readonly created: boolean; readonly cut: Cut | null; readonly damages: readonly Damage[]; readonly damagesTotal: number; readonly erased: number }
export type Opened = { readonly ok: true; readonly journal: Journal; readonly report: OpenReport } | { readonly ok: false; readonly message: string }

/** Opens the journal for its one writer. Who calls it holds the state directory's lock. */
export async function openJournal(options: JournalOptions): Promise<Opened> {
  const { dir } = options
  try {
    makeFolder(dir, 0o750)
    makeSegmentFolder(dir)
    let meta = readMeta(dir)
    const created = meta === null
    if (typeof meta === 'string') return { ok: false, message: `${join(dir, 'meta.json')} ${meta}: restore it from a copy, or move the folder ${dir} away to begin a new journal.` }
    if (meta === null) {
      if (listSegments(dir).length > 0) {
        return {
          ok: false,
          message: `${join(dir, 'meta.json')} is missing though there are segments: restore it from a copy, or move the folder ${dir} away to begin a new journal.`,
        }
      }
      meta = createMeta(dir)
    }
    const recovered = recover(dir)
    const journal = createWriter(options, meta, recovered)
    // What was written before a kill is not yet on the disk.
    await journal.sync()
    const { cut, damages, damagesTotal, erased } = recovered
    return { ok: true, journal, report: { created, cut, damages, damagesTotal, erased } }
  } catch (error) {
    return { ok: false, message: `The journal in ${dir} cannot be opened: ${(error as Error).message}` }
  }
}

function createWriter(options: JournalOptions, meta: { readonly journalId: string; readonly origin: string }, recovered: ReturnType<typeof recover>): Journal {
  const { dir, disk = realDisk, syncEveryMs = SYNC_EVERY_MS, maxBytes = JOURNAL_BYTES, segmentEntries = SEGMENT_ENTRIES } = options
  const segmentBytes = Math.min(SEGMENT_BYTES, Math.floor(maxBytes / SEGMENTS_MIN))
  const { segments } = recovered
  const newSegment = (first: number): Segment => {
    const segment = { first, end: first, bytes: 0, leafBytes: 0 }
    segments.push(segment)
    return segment
  }
  const last = segments[segments.length - 1]
  let tail = new Tail(dir, last === undefined || recovered.sealed ? newSegment(recovered.next) : last, disk)
  /** Full segments whose bytes may not be on the disk yet; those before the mark at start are. */
  let unsynced = segments.filter((segment) => segment !== tail.segment && segment.end > recovered.durable).map((segment) => new Tail(dir, segment, disk))
  for (const each of unsynced) each.open()
  const markFd = openOwned(dir, markPath(dir))
  let durable = recovered.durable
  // There from the first moment on, so that readers can watch it.
  disk.write(markFd, encodeMark(durable), 0, 8, 0)
  let folderDirty = true
  let syncing: Promise<boolean> | null = null
  let timer: NodeJS.Timeout | null = null
  let trouble: Trouble | null = null
  let told: string | null = null
  let closed = false
  let syncs = 0
  let lostEntries = 0
  let lostBytes = 0
  let prunedEntries = 0
  let prunedBytes = 0

  const troubled = (doing: Trouble['doing'], error: unknown): false => {
    const { code = 'unknown', message } = error as NodeJS.ErrnoException
    trouble = { doing, code, message }
    return false
  }

  function flush(): boolean {
    try {
      tail.flush()
      if (trouble?.doing === 'write') trouble = null
      return true
    } catch (error) {
      return troubled('write', error)
    }
  }

  const isFull = ({ first, end, bytes }: Segment): boolean => end - first >= segmentEntries || (bytes >= segmentBytes && (end - first) % TILE_ENTRIES === 0)

  /** Begins the next segment. A full one must be in its file before. */
  function rotate(): boolean {
    if (!flush()) return false
    unsynced.push(tail)
    tail = new Tail(dir, newSegment(tail.segment.end), disk)
    folderDirty = true
    return true
  }

  function append(entry: Uint8Array): number {
    if (entry.length === 0 || entry.length > MAX_ENTRY_BYTES) throw new RangeError(`a journal entry has 1 to ${MAX_ENTRY_BYTES} bytes, not ${entry.length}`)
    if (closed) throw new Error('the journal is closed')
    if (timer === null) schedule()
    const fits = (!isFull(tail.segment) || rotate()) && (tail.add(entry) || ((flush() || tail.grow()) && tail.add(entry)))
    if (fits) return tail.segment.end - 1
    lostEntries++
    lostBytes += entry.length
    return -1
  }

  function schedule(): void {
    if (timer !== null || syncEveryMs === 0 || closed) return
    timer = setTimeout(() => {
      timer = null
      void sync()
    }, syncEveryMs)
    timer.unref()
  }

  const dirty = (): boolean => durable < tail.segment.end

  function sync(): Promise<boolean> {
    // One at a time; who asks in the middle of one waits for the next, since theirs may have come after its flush.
    const turn = (syncing ?? Promise.resolve(true)).then(syncOnce)
    const mine = turn.finally(() => {
      if (syncing === mine) syncing = null
      if (dirty()) schedule()
    })
    syncing = mine
    return mine
  }

  async function syncOnce(): Promise<boolean> {
    const flushed = flush()
    const upTo = tail.written
    const present = tail
    const older = unsynced
    if (upTo > durable) {
      try {
        for (const each of older) await each.sync()
        await present.sync()
        if (folderDirty) syncFolder(join(dir, 'seg'))
        disk.write(markFd, encodeMark(upTo), 0, 8, 0)
        if (older.length > 0 || folderDirty) await disk.datasync(markFd)
        durable = upTo
        folderDirty = false
        syncs++
        for (const each of older) each.close()
        unsynced = unsynced.filter((each) => !older.includes(each))
        if (trouble?.doing === 'sync') trouble = null
      } catch (error) {
        troubled('sync', error)
      }
    }
    prune()
    if ((trouble?.code ?? null) !== told) {
      told = trouble?.code ?? null
      options.onTrouble?.(trouble)
    }
    return flushed && durable >= upTo
  }

  const bytes = (): number => segments.reduce((sum, segment) => sum + segment.bytes + segment.leafBytes, 0)

  function prune(): void {
    let total = bytes()
    const from = segments[0]!.first
    let gone = 0
    try {
      while (total > maxBytes && segments.length > 1 && segments[0]!.end <= durable) {
        const segment = segments[0]!
        rmSync(segmentPath(dir, segment.first), { force: true })
        rmSync(leafPath(dir, segment.first), { force: true })
        segments.shift()
        total -= segment.bytes + segment.leafBytes
        gone += segment.bytes + segment.leafBytes
      }
      if (trouble?.doing === 'prune') trouble = null
    } catch (error) {
      troubled('prune', error)
    }
    const to = segments[0]!.first
    if (to === from) return
    prunedEntries += to - from
    prunedBytes += gone
    options.onPrune?.({ from, to, bytes: gone })
  }

  return {
    id: meta.journalId,
    origin: meta.origin,
    get next() {
      return tail.segment.end
    },
    get durable() {
      return durable
    },
    append,
    flush,
    sync,
    stats: () => ({
      first: segments[0]!.first,
      next: tail.segment.end,
      written: tail.written,
      durable,
      bytes: bytes(),
      lost: { entries: lostEntries, bytes: lostBytes },
      pruned: { entries: prunedEntries, bytes: prunedBytes },
      trouble,
      syncs,
    }),
    async close() {
      closed = true
      const complete = await sync()
      if (timer !== null) clearTimeout(timer)
      for (const each of unsynced) each.close()
      tail.close()
      closeSync(markFd)
      return complete && !dirty()
    },
  }
}
