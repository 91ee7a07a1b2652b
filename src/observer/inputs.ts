import { deserialize, serialize } from 'node:v8'
import type { FilePosition } from '../intake/frames.ts'
import type { Claim } from '../model/claim.ts'
import type { EntryDraft } from '../model/entry.ts'
import type { BootNs, ObservationOf } from '../model/observation.ts'

/**
 * Everything the observer acts on, in the order in which it acted. Each input is written to the open-state log before it is
 * reduced, so that a crash at any point can be repeated: same inputs, same state, same entries.
 */
export type Input =
  /** A new life of the observer begins: entries from here on carry its id; the sensor's positions and counts start anew unless it resumed. */
  | { readonly kind: 'run'; readonly runId: string; readonly resumed: boolean }
  /** Bytes as the sensor delivered them; `position` in its stream, `boot` when they were read. */
  | { readonly kind: 'batch'; readonly position: bigint; readonly boot: BootNs; readonly bytes: Uint8Array }
  /** Time went on. `offsetNs` = Unix time minus boot time, as sampled. */
  | { readonly kind: 'tick'; readonly boot: BootNs; readonly offsetNs: bigint }
  /** All processes of the machine, as read from /proc. `fresh`: the kernel began to record only now, so what is not listed has ended unseen. */
  | { readonly kind: 'seed'; readonly boot: BootNs; readonly processes: readonly ObservationOf<'process.seen'>[]; readonly fresh: boolean }
  /** `spoor record` hands over its child. */
  | { readonly kind: 'record'; readonly boot: BootNs; readonly seen: ObservationOf<'process.seen'>; readonly name: string | null }
  /** The sensor's loss counters went up. */
  | { readonly kind: 'loss'; readonly loss: ObservationOf<'loss'> }
  /** What agents of one user say of themselves, as their intake read it; `boot` = when. */
  | { readonly kind: 'claims'; readonly boot: BootNs; readonly uid: number; readonly claims: readonly Claim[]; readonly file: FilePosition }
  /** The intake of a user is gone (`why`) or back (null). */
  | { readonly kind: 'intake'; readonly boot: BootNs; readonly uid: number; readonly why: string | null }
  /** An entry about Spoor itself. */
  | { readonly kind: 'own'; readonly draft: EntryDraft }
  /** The observer ends in good order: everything open is settled. */
  | { readonly kind: 'end'; readonly boot: BootNs }

/** Frame kinds of the open-state log. 0 is the snapshot (src/journal/open-state.ts). */
export const FRAME = { snapshot: 0, batch: 1, input: 2, answer: 3 } as const

const HEAD_BYTES = 16

/** Kind and chunks of an input's frame. A batch is not copied. */
export function frameOf(input: Input): readonly [kind: number, ...chunks: Uint8Array[]] {
  if (input.kind !== 'batch') return [FRAME.input, serialize(input)]
  const head = Buffer.allocUnsafe(HEAD_BYTES)
  head.writeBigUInt64LE(input.position, 0)
  head.writeBigUInt64LE(input.boot, 8)
  return [FRAME.batch, head, input.bytes]
}

/** The input of a frame that `frameOf` made; null for frames that are none (snapshot, answer, a later version's). */
export function inputOf(kind: number, bytes: Buffer): Input | null {
  switch (kind) {
    case FRAME.batch:
      return { kind: 'batch', position: bytes.readBigUInt64LE(0), boot: bytes.readBigUInt64LE(8), bytes: bytes.subarray(HEAD_BYTES) }
    case FRAME.input:
      return deserialize(bytes) as Input
    default:
      return null
  }
}
