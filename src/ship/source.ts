import type { Item } from '../journal/reader.ts'

/** What delivery needs of the journal; `src/journal/reader.ts` has this form. */
export type Source = {
  readonly id: string
  /** `first`: the oldest entry that is still there. Entries below `durable` are on disk for good; nothing from it on may leave the machine. */
  bounds(): { readonly first: number; readonly durable: number }
  /** Items from `from` on, in order, never past `durable`; their bytes stay valid. `next` is where to go on. */
  read(from: number, limits: { readonly maxBytes: number; readonly maxEntries: number }): { readonly items: readonly Item[]; readonly next: number }
}
