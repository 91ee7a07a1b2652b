import type { RunResource } from './logs.ts'
import { kvlistOf } from './record.ts'

/** What can be sent and settled as one: entries `from`..`to` (exclusive) of the journal, of which `items` are for this signal. */
export type Batch<Item> = {
  readonly from: number
  readonly to: number
  readonly items: readonly Item[]
  /** Items that cannot be sent, by reason. */
  readonly unusable: Readonly<Record<string, number>>
  /** Items that were pruned before they could be read. */
  readonly expired: number
  /** In force at `to`. */
  readonly run: RunResource | null
}

export type Limits = { readonly bytes: number; readonly entries: number }

/** Reads the journal for one signal, ahead of its cursor. */
export type Feed<Item> = {
  /** The next batch, each entry once, in order; null while there is nothing more that is durable. */
  next(limits: Limits): Batch<Item> | null
  /** Looks a bounded bit further, so that `waiting` tells the whole backlog; true: there is more to look at. */
  scan(): boolean
  /** Items known that no batch has held yet. */
  waiting(): number
}

export const RUN_START = 'spoor.run.start'
/** Where a run's first entry keeps the resource of all its entries, as a map. */
export const RESOURCE_ATTRIBUTE = 'spoor.resource'

/** The resource in a `spoor.run.start` record. A KeyValueList and a Resource share their wire form: field 1, KeyValue. */
export function runOf(index: number, record: Uint8Array): RunResource | null {
  const list = kvlistOf(record, RESOURCE_ATTRIBUTE)
  return list === null ? null : { index, bytes: Buffer.from(list) }
}

export const count = (into: Record<string, number>, reason: string, by = 1): void => {
  into[reason] = (into[reason] ?? 0) + by
}
