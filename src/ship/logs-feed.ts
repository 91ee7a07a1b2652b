import { type Batch, count, type Feed, type Limits, RUN_START, runOf } from './feed.ts'
import type { LogItem, RunResource } from './logs.ts'
import { eventNameOf } from './record.ts'
import type { Source } from './source.ts'

/** Every entry is a log record. `fallback` stands in for a run whose first entry is gone. */
export function createLogsFeed(source: Source, start: { readonly index: number; readonly run: RunResource | null }, fallback: RunResource): Feed<LogItem> {
  let head = start.index
  let run = start.run

  function next(limits: Limits): Batch<LogItem> | null {
    const from = head
    const { items: found, next: to } = source.read(head, { maxBytes: limits.bytes, maxEntries: limits.entries })
    if (to === from) return null
    const items: LogItem[] = []
    const unusable: Record<string, number> = {}
    let expired = 0
    for (const item of found) {
      switch (item.kind) {
        case 'entry': {
          const name = eventNameOf(item.bytes)
          if (name === RUN_START) run = runOf(item.index, item.bytes) ?? fallback
          if (name === null) count(unusable, 'malformed')
          else items.push({ index: item.index, bytes: item.bytes, run: run ?? fallback })
          break
        }
        case 'erased':
          count(unusable, 'erased')
          break
        case 'damaged':
          count(unusable, 'damaged', item.to - item.from)
          break
        case 'pruned':
          expired += item.to - item.from
          break
        default:
          item satisfies never
      }
    }
    head = to
    return { from, to, items, unusable, expired, run }
  }
  return { next, scan: () => false, waiting: () => Math.max(0, source.bounds().durable - head) }
}
