import { isCount, isRecord, readJson, writeFileAtomic } from './atomic.ts'
import { emptyTally, type Tally } from './ledger.ts'
import type { RunResource } from './logs.ts'

/** How far one destination has one signal. Everything below `index` is in `tally`; nothing at or above it is. */
export type Cursor = {
  /** Of which journal. */
  readonly journal: string
  readonly index: number
  /** The resource in force at `index`: its entry may be pruned by the time it is needed. */
  readonly run: RunResource | null
  readonly tally: Tally
}

export type CursorFile = {
  /** Null: none, or one of another journal, or unreadable (`why` says so): delivery then begins with the oldest entry, which loses nothing. */
  load(journal: string): { readonly cursor: Cursor | null; readonly why: string | null }
  /** At most once in `SAVE_EVERY_MS` unless forced. False: throttled, or it could not be written (then the old one stands, and more is sent twice). */
  save(cursor: Cursor, nowMs: number, force?: boolean): boolean
}

/** What kill -9 costs is sent again: this long. */
const SAVE_EVERY_MS = 200
/** What a power cut may cost. A sync on each save would compete with the journal's own. */
const SYNC_EVERY_MS = 5000
const SCHEMA = 'spoor.cursor/1'

export function openCursor(path: string): CursorFile {
  let savedAt = Number.NEGATIVE_INFINITY
  let syncedAt = Number.NEGATIVE_INFINITY
  return {
    load(journal) {
      const found = readJson(path)
      if (found === null) return { cursor: null, why: null }
      const cursor = parse(found)
      if (cursor === null) return { cursor: null, why: `${path} is not a cursor: delivery begins with the oldest entry` }
      if (cursor.journal !== journal) return { cursor: null, why: `${path} belongs to another journal: delivery begins with the oldest entry` }
      return { cursor, why: null }
    },
    save(cursor, nowMs, force = false) {
      if (!force && nowMs - savedAt < SAVE_EVERY_MS) return false
      const sync = force || nowMs - syncedAt >= SYNC_EVERY_MS
      const run = cursor.run === null ? null : { index: cursor.run.index, resource: Buffer.from(cursor.run.bytes).toString('base64') }
      savedAt = nowMs
      try {
        writeFileAtomic(path, JSON.stringify({ schema: SCHEMA, journal: cursor.journal, index: cursor.index, run, tally: cursor.tally }) + '\n', sync)
      } catch {
        return false
      }
      if (sync) syncedAt = nowMs
      return true
    },
  }
}

function parse(value: unknown): Cursor | null {
  if (!isRecord(value) || value['schema'] !== SCHEMA || typeof value['journal'] !== 'string' || !isCount(value['index'])) return null
  const tally = parseTally(value['tally'])
  if (tally === null) return null
  const run = value['run']
  if (run === null) return { journal: value['journal'], index: value['index'], run: null, tally }
  if (!isRecord(run) || !Number.isSafeInteger(run['index']) || typeof run['resource'] !== 'string') return null
  return { journal: value['journal'], index: value['index'], run: { index: run['index'] as number, bytes: Buffer.from(run['resource'], 'base64') }, tally }
}

function parseTally(value: unknown): Tally | null {
  if (!isRecord(value) || !isCount(value['acknowledged']) || !isCount(value['parked']) || !isCount(value['expired']) || !isRecord(value['rejected'])) return null
  const tally: Tally = { ...emptyTally(), acknowledged: value['acknowledged'], parked: value['parked'], expired: value['expired'] }
  for (const [reason, count] of Object.entries(value['rejected'])) {
    if (!isCount(count)) return null
    tally.rejected[reason] = count
  }
  return tally
}
