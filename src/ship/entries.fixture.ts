import type { Item } from '../journal/reader.ts'
import type { Attributes, EntryDraft } from '../model/entry.ts'
import { createEncoder } from '../shape/encode.ts'
import { RESOURCE_ATTRIBUTE, RUN_START } from './feed.ts'
import type { Source } from './source.ts'

export const JOURNAL = '0123456789abcdef0123456789abcdef'
const encode = createEncoder()
const START = 1_790_000_000_000_000_000n

export const entryBytes = (index: number, eventName: string, attributes: Attributes, more: Partial<EntryDraft> = {}): Buffer =>
  Buffer.from(
    encode(
      { eventName, timeUnixNano: START + BigInt(index) * 1_000_000n, severity: 9, attributes, ...more },
      { journalId: JOURNAL, runId: 'run', index, observedTimeUnixNano: START + BigInt(index) * 1_000_000n + 5n },
    ),
  )

export const runStart = (index: number, host: string): Buffer =>
  entryBytes(index, RUN_START, { 'spoor.run.id': 'r' + index, [RESOURCE_ATTRIBUTE]: { 'service.name': 'spoor', 'host.name': host } })
export const opened = (index: number, path = '/home/dev/project/src/file' + index): Buffer =>
  entryBytes(index, 'spoor.file.open', { 'session.id': 's'.repeat(32), 'process.pid': 4242, 'file.path': path, 'spoor.file.access': 'read', 'spoor.file.count': 1 })
export const settled = (index: number, attributes: Attributes = {}): Buffer =>
  entryBytes(
    index,
    'spoor.process.settled',
    { 'process.executable.name': 'gcc', 'spoor.start_time': START - 10n ** 9n, 'process.exit.code': 0, 'spoor.parent.span_id': 'b'.repeat(16), ...attributes },
    { traceId: 'a'.repeat(32), spanId: index.toString(16).padStart(16, '0') },
  )

export type MemorySource = Source & { readonly entries: Buffer[]; first: number; durable: number; damaged: Set<number>; erased: Set<number> }

/** A journal in memory. Durable as a whole unless told otherwise. */
export function memorySource(entries: Buffer[]): MemorySource {
  const source: MemorySource = {
    id: JOURNAL,
    entries,
    first: 0,
    durable: Number.POSITIVE_INFINITY,
    damaged: new Set(),
    erased: new Set(),
    bounds: () => ({ first: source.first, durable: Math.min(source.durable, entries.length) }),
    read(from, { maxBytes, maxEntries }) {
      const items: Item[] = []
      const end = source.bounds().durable
      let index = from
      if (index < source.first) {
        items.push({ kind: 'pruned', from: index, to: source.first })
        index = source.first
      }
      for (let room = maxBytes; index < end && items.length < maxEntries && room > 0; index++) {
        if (source.damaged.has(index)) items.push({ kind: 'damaged', from: index, to: index + 1, why: 'test' })
        else if (source.erased.has(index)) items.push({ kind: 'erased', index })
        else {
          room -= entries[index]!.length
          items.push({ kind: 'entry', index, bytes: entries[index]! })
        }
      }
      return { items, next: index }
    },
  }
  return source
}
