import type { Bytes, Clip } from './bytes.ts'
import type { ProcessId } from './ids.ts'
import type { BootNs, Ids, Task } from './observation.ts'

/** One program a process ran: number 0 is what it was forked with (absent until its first exec where that was not seen). */
export type Image = {
  readonly number: number
  readonly path: Bytes
  readonly called: Bytes
  readonly args: Clip<readonly Bytes[]>
  readonly argsBytes: number
  readonly cwd: Bytes
  readonly env: ReadonlyArray<readonly [string, Bytes]>
  readonly at: BootNs
}

/** A row of the process table. Plain data: the table is written to a state file as it is. Only lineage writes it. */
export type Process = {
  readonly id: ProcessId
  readonly task: Task
  /** Parent by the kernel at fork time. */
  readonly parentId: ProcessId | null
  readonly parentPid: number
  readonly startedAt: BootNs
  /** The last 16; `imagesTotal` counts all. The last one is the present one. */
  images: Image[]
  imagesTotal: number
  ids: Ids | null
  endedAt: BootNs | null
  exit: { readonly code: number; readonly signal: number } | null
}

export const imageOf = (process: Process): Image | undefined => process.images[process.images.length - 1]
