import { deserialize, serialize } from 'node:v8'

/**
 * A look-up whose answers are written to the open-state log, and are taken from there when inputs are repeated after a crash:
 * the machine would answer otherwise by then.
 */
export type Recorder = {
  /** Wraps one look-up. */
  wrap<A extends readonly unknown[], R>(lookUp: (...args: A) => R): (...args: A) => R
  /** Answers to give, in order, before any look-up is made again. */
  replay(answers: readonly Uint8Array[]): void
}

export function createRecorder(write: (answer: Uint8Array) => void): Recorder {
  let queue: readonly Uint8Array[] = []
  let next = 0
  return {
    wrap<A extends readonly unknown[], R>(lookUp: (...args: A) => R) {
      return (...args: A): R => {
        const recorded = queue[next]
        if (recorded !== undefined) {
          next++
          return deserialize(recorded) as R
        }
        const answer = lookUp(...args)
        write(serialize(answer))
        return answer
      }
    },
    replay(answers) {
      queue = answers
      next = 0
    },
  }
}
