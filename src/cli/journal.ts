import { join } from 'node:path'
import { follow } from '../journal/follow.ts'
import { type Item, openReader, type Reader } from '../journal/reader.ts'
import type { Entry } from '../model/entry.ts'
import { decodeEntry } from '../shape/decode.ts'
import { printable } from './printable.ts'
import { say } from './say.ts'

export type OpenedJournal = { readonly ok: true; readonly reader: Reader } | { readonly ok: false; readonly message: string }

/** The journal of a state directory; where there is none to read, a sentence with what to do. */
export function openJournalOf(stateDir: string): OpenedJournal {
  const opened = openReader(join(stateDir, 'journal'))
  if (opened.ok) return opened
  if (/EACCES|EPERM/.test(opened.message)) return { ok: false, message: `${stateDir} cannot be read by this user: use sudo, or name another directory with --state-dir` }
  if (/There is no journal/.test(opened.message)) return { ok: false, message: `there is no journal in ${stateDir}: start spoor run, or name another directory with --state-dir` }
  return { ok: false, message: opened.message }
}

/** Only entries whose bytes hold one of these texts are decoded: a session's id, an event's name. */
export type Containing = readonly string[] | null

/** Durable entries, oldest first, in batches. */
export function* readBatches(reader: Reader, containing: Containing): Generator<readonly Entry[]> {
  const needles = needlesOf(containing)
  for (let next = reader.bounds().first; ; ) {
    const batch = reader.read(next)
    if (batch.items.length > 0) yield decodeItems(batch.items, needles)
    if (batch.next === next) return
    next = batch.next
  }
}

/** As `readBatches`, then on and on as the journal grows, until `signal`. */
export async function* followBatches(stateDir: string, reader: Reader, containing: Containing, signal: AbortSignal): AsyncGenerator<readonly Entry[]> {
  const needles = needlesOf(containing)
  for await (const items of follow(join(stateDir, 'journal'), reader, reader.bounds().first, signal)) yield decodeItems(items, needles)
}

export function* readEntries(reader: Reader, containing: Containing): Generator<Entry> {
  for (const batch of readBatches(reader, containing)) yield* batch
}

/** What is missing or damaged is said on standard error: a gap must not look like silence. */
function decodeItems(items: readonly Item[], needles: readonly Buffer[] | null): readonly Entry[] {
  const entries: Entry[] = []
  for (const item of items) {
    switch (item.kind) {
      case 'entry': {
        if (needles !== null && !holdsOne(item.bytes, needles)) break
        const decoded = decodeEntry(item.bytes, item.index)
        if (decoded.ok) entries.push(decoded.entry)
        else warn(item.index, item.index + 1, decoded.why)
        break
      }
      case 'damaged':
        warn(item.from, item.to, item.why)
        break
      case 'pruned':
        warn(item.from, item.to, 'removed by the bound of the journal')
        break
      case 'erased':
        break // on purpose, and signed for
      default:
        item satisfies never
    }
  }
  return entries
}

const needlesOf = (containing: Containing): readonly Buffer[] | null => containing?.map((text) => Buffer.from(text)) ?? null

function holdsOne(bytes: Uint8Array, needles: readonly Buffer[]): boolean {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return needles.some((needle) => buffer.includes(needle))
}

const warn = (from: number, to: number, why: string): void =>
  say(`spoor: ${to - from === 1 ? `entry ${from} cannot be read` : `entries ${from} to ${to - 1} cannot be read`}: ${printable(why)}`)
