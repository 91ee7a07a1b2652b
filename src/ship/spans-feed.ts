import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { decodeEntry } from '../shape/decode.ts'
import { type Batch, count, type Feed, type Limits, RESOURCE_ATTRIBUTE, RUN_START, runOf } from './feed.ts'
import { type RunResource, resourceRecord, type Scope } from './logs.ts'
import { eventNameOf } from './record.ts'
import type { Source } from './source.ts'
import { makesSpan, resourceOf, spanOf } from './spans.ts'
import { asBuffer } from './wire.ts'

export type SpanItem = { readonly index: number; readonly span: ReadableSpan }

/** One slice of looking ahead: about 2 ms. */
const SCAN_BYTES = 512 * 1024
const SCAN_ENTRIES = 2048
/** Places of spans that are known and not delivered yet, 8 bytes each. What a full journal can hold is less; beyond it the look ahead waits. */
const QUEUE_MAX = 2_000_000
/** The part of the queue that has been handed out is cut off when it has grown to this. */
const QUEUE_CUT = 65_536
/** Exporters' usual batch. As OTLP/JSON a span is about 2 kB. */
const SPANS_MAX = 512
const OMITTED = Buffer.from('spoor.span.omitted', 'latin1')

/**
 * Only settled entries make spans: it keeps the places of those, so that the backlog is known exactly, and decodes them when they are due.
 * `ahead` is the same journal; a reader of its own, so that neither has to search its place anew.
 */
export function createSpansFeed(
  source: Source,
  ahead: Source,
  start: { readonly index: number; readonly run: RunResource | null },
  fallback: RunResource,
  scope: Scope,
): Feed<SpanItem> {
  let head = start.index
  let scanned = start.index
  let queue: number[] = []
  let taken = 0
  /** Runs in force from their index on, the oldest first. */
  let runs: RunResource[] = start.run === null ? [] : [start.run]
  const resources = new Map<RunResource, Resource>()

  const runAt = (index: number): RunResource | null => runs.findLast((run) => run.index <= index) ?? null

  function resourceFor(index: number): Resource {
    const run = runAt(index) ?? fallback
    let resource = resources.get(run)
    if (resource === undefined) {
      const decoded = decodeEntry(resourceRecord(run, RESOURCE_ATTRIBUTE), 0)
      const attributes = decoded.ok ? decoded.entry.attributes[RESOURCE_ATTRIBUTE] : undefined
      resource = resourceOf(typeof attributes === 'object' && !Array.isArray(attributes) && !(attributes instanceof Uint8Array) ? (attributes as Record<string, string>) : {})
      resources.set(run, resource)
    }
    return resource
  }

  function scan(): boolean {
    if (queue.length - taken >= QUEUE_MAX) return false
    const { items, next: to } = ahead.read(scanned, { maxBytes: SCAN_BYTES, maxEntries: SCAN_ENTRIES })
    const moved = to > scanned
    scanned = to
    for (const item of items) {
      // What cannot be read cannot be told to be a span: the logs lane counts it.
      if (item.kind !== 'entry') continue
      const name = eventNameOf(item.bytes)
      if (name === RUN_START) {
        const run = runOf(item.index, item.bytes)
        if (run !== null) runs.push(run)
      } else if (name !== null && makesSpan(name) && !isOmitted(item.bytes)) queue.push(item.index)
    }
    return moved && queue.length - taken < QUEUE_MAX
  }

  function next(limits: Limits): Batch<SpanItem> | null {
    const from = head
    const items: SpanItem[] = []
    const unusable: Record<string, number> = {}
    let expired = 0
    const most = Math.min(SPANS_MAX, limits.entries)
    let room = limits.bytes
    while (taken < queue.length && items.length < most && room > 0) {
      // Neighbours come in one read; what is no span is passed over.
      const found = source.read(queue[taken]!, { maxBytes: room, maxEntries: SCAN_ENTRIES })
      if (found.items.length === 0) break
      for (const item of found.items) {
        if (taken === queue.length || items.length === most) break
        if (item.kind === 'damaged' || item.kind === 'pruned') {
          for (; taken < queue.length && queue[taken]! < item.to; taken++) {
            if (item.kind === 'pruned') expired++
            else count(unusable, 'damaged')
          }
        } else if (item.index === queue[taken]) {
          taken++
          if (item.kind === 'erased') {
            count(unusable, 'erased')
            continue
          }
          room -= item.bytes.length
          const decoded = decodeEntry(item.bytes, item.index)
          const span = decoded.ok ? spanOf(decoded.entry, resourceFor(item.index), scope) : null
          if (span !== null) items.push({ index: item.index, span })
          else count(unusable, decoded.ok ? 'without_ids' : 'malformed')
        }
      }
    }
    head = taken < queue.length ? queue[taken]! : scanned
    if (taken >= QUEUE_CUT || taken === queue.length) {
      queue = queue.slice(taken)
      taken = 0
    }
    const run = runAt(head - 1)
    runs = runs.filter((known) => known === run || known.index >= head)
    for (const known of resources.keys()) if (known !== fallback && !runs.includes(known)) resources.delete(known)
    return head === from ? null : { from, to: head, items, unusable, expired, run }
  }
  return { next, scan, waiting: () => queue.length - taken }
}

/** Beyond the span budget. The name could also stand in a value: then the entry is decoded to tell. */
function isOmitted(bytes: Uint8Array): boolean {
  if (!asBuffer(bytes).includes(OMITTED)) return false
  const decoded = decodeEntry(bytes, 0)
  return decoded.ok && Boolean(decoded.entry.attributes['spoor.span.omitted'])
}
