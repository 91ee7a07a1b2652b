import type { Observation } from './observation.ts'
import type { Process } from './process.ts'

/** Stage 2's output: an observation with the process that did it and, where known, that process's parent. */
export type Activity = {
  readonly observation: Observation
  readonly process: Process
  readonly parent: Process | null
}
