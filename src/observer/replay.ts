import { deserialize } from 'node:v8'
import { type Snapshot, STATE_VERSION } from './engine.ts'
import { FRAME, type Input, inputOf } from './inputs.ts'

/** What an earlier observer left in the open-state log. */
export type Remains = {
  /** Null: none was written yet, its pipeline began empty. */
  readonly snapshot: Snapshot | null
  readonly inputs: readonly Input[]
  /** Answers of host look-ups, in the order in which the inputs asked. */
  readonly answers: readonly Uint8Array[]
}

/** Null where another version of Spoor wrote it: its state has another shape. */
function snapshotOf(bytes: Buffer): Snapshot | null {
  try {
    const found = deserialize(bytes) as Snapshot
    return found.version === STATE_VERSION ? found : null
  } catch {
    return null
  }
}

const NONE: Remains = { snapshot: null, inputs: [], answers: [] }

/**
 * Gathers frames into remains; a snapshot makes all before it void. Of another boot nothing is left to go on with: its processes are gone and its clock
 * is another; what it saw is in the journal.
 */
export function createRemains(): { readonly take: (kind: number, bytes: Buffer) => void; readonly remains: (bootId: Uint8Array) => Remains } {
  let snapshot: Snapshot | null = null
  let inputs: Input[] = []
  let answers: Uint8Array[] = []
  return {
    take(kind, bytes) {
      if (kind === FRAME.snapshot) {
        snapshot = snapshotOf(bytes)
        inputs = []
        answers = []
      } else if (kind === FRAME.answer) answers.push(bytes)
      else {
        const input = inputOf(kind, bytes)
        if (input !== null) inputs.push(input)
      }
    },
    remains: (bootId) => (snapshot !== null && Buffer.from(bootId).equals(snapshot.pipeline.bootId) ? { snapshot, inputs, answers } : NONE),
  }
}
