import type { Cursor } from './cursor.ts'
import { type Feed, RUN_START, runOf } from './feed.ts'
import type { RunResource } from './logs.ts'
import type { Outcome } from './outcome.ts'
import type { Parked, ParkedRange } from './parked.ts'
import { eventNameOf } from './record.ts'
import type { Source } from './source.ts'

export type Start = Pick<Cursor, 'index' | 'run' | 'tally'>

const SLICE = { maxBytes: 1024 * 1024, maxEntries: 4096 }
/** Asked for one by one until there is one that can be sent; an unusable one is as rare as damage. */
const TRIES_MAX = 16

/**
 * A wrong token or address has everything parked; who mends it and starts anew expects it to arrive. So a new life asks once, with one item
 * of what was parked last for the destination's own sake: if it is taken, delivery goes back there. (Within one life nothing that was
 * refused is sent again, as OTLP demands.) What was parked before something else arrived stays parked.
 */
export async function revive<Item>(
  source: Source,
  start: Start,
  parked: Parked,
  feedFrom: (start: Start) => Feed<Item>,
  send: (items: readonly Item[]) => Promise<Outcome>,
): Promise<Start> {
  const ranges = suffix(parked.ranges(), start.index)
  const oldest = ranges[0]
  if (oldest === undefined) return start
  const count = ranges.reduce((sum, range) => sum + range.count, 0)
  const { first } = source.bounds()
  if (oldest.from < first) return start
  const back: Start = { index: oldest.from, run: runAt(source, first, oldest.from, start.run), tally: { ...start.tally, parked: start.tally.parked - count } }
  if (back.tally.parked < 0) return start
  const feed = feedFrom(back)
  while (feed.waiting() === 0 && feed.scan());
  for (let i = 0; i < TRIES_MAX; i++) {
    const batch = feed.next({ bytes: 1, entries: 1 })
    if (batch === null || batch.from >= start.index) return start
    if (batch.items.length === 0) continue
    if ((await send(batch.items)).kind !== 'accepted') return start
    parked.cutAt(back.index, back.tally.parked)
    return back
  }
  return start
}

/** The ranges that reach without a gap up to `end` and speak of the destination, not of what was sent. */
function suffix(ranges: readonly ParkedRange[], end: number): readonly ParkedRange[] {
  let at = ranges.length
  while (at > 0 && ranges[at - 1]!.fault === 'destination' && ranges[at - 1]!.to === end) {
    at--
    end = ranges[at]!.from
  }
  return ranges.slice(at)
}

/** The resource in force at `index`: that of the cursor, or of the last run that began before. */
function runAt(source: Source, first: number, index: number, known: RunResource | null): RunResource | null {
  if (known !== null && known.index < index) return known
  let run: RunResource | null = null
  for (let at = first; at < index; ) {
    const { items, next } = source.read(at, SLICE)
    if (next === at) break
    for (const item of items) if (item.kind === 'entry' && item.index < index && eventNameOf(item.bytes) === RUN_START) run = runOf(item.index, item.bytes)
    at = next
  }
  return run
}
