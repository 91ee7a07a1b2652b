import type { Bytes } from './bytes.ts'
import type { BootNs } from './observation.ts'
import type { Process } from './process.ts'
import type { Place, SessionActivity } from './session.ts'

export type Observed = Extract<SessionActivity, { kind: 'observed' }>
/** An observation that stays single because of what its file is. */
export type SensitiveObserved = Observed & { readonly sensitivity: string }
/** An exit that takes along what its process last opened in system and library trees: every short program has some, none is worth an entry. */
export type ExitObserved = Observed & { readonly system: Rollup }

/** File observations of one process that were counted instead of kept one by one. Plain data. */
export type Rollup = {
  readonly kind: 'rollup'
  readonly process: Process
  readonly place: Place
  /** `system`: every system and library tree in one, only its first paths named; `folder`: all paths named. */
  readonly scope: 'folder' | 'system'
  /** The folder, or the nearest one above all that were put together. With a slash at its end. */
  readonly folder: Bytes
  readonly access: 'read' | 'write'
  /** All opens counted here: failed ones and repeats too. */
  readonly opens: number
  /** Those among them that the sensor had coalesced already: no observations of their own. */
  readonly coalesced: number
  /** Of paths, opened or changed, without those that failed. Exact. */
  readonly distinct: number
  readonly paths: readonly Bytes[]
  /** Failed opens and changes by error name, and the first of their paths. */
  readonly errors: Readonly<Record<string, number>>
  readonly failedPaths: readonly Bytes[]
  /** Changes (rename, unlink, ...) counted here. */
  readonly operations: Readonly<Record<string, number>>
  /** First and last observation. */
  readonly from: BootNs
  readonly at: BootNs
}

/** What stage 5 makes entries of. */
export type Shapeable = SessionActivity | SensitiveObserved | ExitObserved | Rollup
