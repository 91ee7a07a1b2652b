import { serialize } from 'node:v8'
import { recordUid } from '../identity/ids.ts'
import type { Journal } from '../journal/journal.ts'
import type { OpenState } from '../journal/open-state.ts'
import type { EntryDraft } from '../model/entry.ts'
import type { Encode } from '../shape/encode.ts'
import { linkExec } from '../shape/exec-uids.ts'
import { FRAME, frameOf, type Input } from './inputs.ts'
import type { Pipeline, PipelineState } from './pipeline.ts'

/** Replaying this much takes well under a second; a snapshot is written at most that often. */
const ROTATE_BYTES = 8 * 1024 * 1024
const NS_PER_MS = 1_000_000n

/** To be raised with every change of what PipelineState holds. */
export const STATE_VERSION = 2
export type Snapshot = { readonly version: number; readonly pipeline: PipelineState; readonly nextIndex: number }

export type Engine = {
  attach(pipeline: Pipeline): void
  /** Writes the input down, reduces it, writes its entries. In this order: see inputs.ts. */
  feed(input: Input): void
  /** The pipeline's append: stage 6. */
  append(draft: EntryDraft, state: PipelineState): void
  /** Writes down what a look-up answered while an input is reduced. */
  answer(bytes: Uint8Array): void
  /** Reduces inputs of an earlier life again. Its entries from `fromIndex` on that the journal has already are not written a second time. */
  repeat(inputs: Iterable<Input>, fromIndex: number): void
  /** Forgets the inputs so far: what they led to stands in a snapshot from now on. */
  snapshot(): void
  /** Inputs that could not be written down: a crash before the next snapshot would lose what they led to. */
  readonly lostInputs: number
}

export type EngineOptions = { readonly inputs: OpenState; readonly journal: Journal; readonly encode: Encode; readonly wallNow: () => bigint }

export function createEngine({ inputs, journal, encode, wallNow }: EngineOptions): Engine {
  let pipeline: Pipeline | null = null
  /** Index of the entry that the pipeline makes next. Behind `journal.next` only while inputs are repeated. */
  let index = journal.next
  let lostInputs = 0

  function snapshot(): void {
    if (pipeline === null) return
    const state: Snapshot = { version: STATE_VERSION, pipeline: pipeline.state, nextIndex: index }
    if (!inputs.rotate(serialize(state))) lostInputs++
  }

  return {
    attach: (attached) => void (pipeline = attached),
    append(draft, { runId, execUids }) {
      const linked = linkExec(execUids, draft, () => recordUid(journal.id, runId, index, Number(draft.timeUnixNano / NS_PER_MS)))
      if (index < journal.next) index++
      else {
        journal.append(encode(linked, { journalId: journal.id, runId, index, observedTimeUnixNano: wallNow() }))
        index = journal.next
      }
    },
    answer(bytes) {
      if (!inputs.append(FRAME.answer, bytes)) lostInputs++
    },
    feed(input) {
      if (!inputs.append(...frameOf(input))) lostInputs++
      pipeline?.reduce(input)
      // While the disk takes nothing, entries wait in memory: only the inputs could make them again.
      if (journal.flush() && inputs.bytes > ROTATE_BYTES) snapshot()
    },
    repeat(repeated, fromIndex) {
      index = Math.min(fromIndex, journal.next)
      for (const input of repeated) pipeline?.reduce(input)
      // What the journal holds beyond this was made of inputs that went with the log's torn end: it stays, and counting goes on behind it.
      index = journal.next
      journal.flush()
    },
    snapshot,
    get lostInputs() {
      return lostInputs
    },
  }
}
