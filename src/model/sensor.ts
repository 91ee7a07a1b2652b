import type { Kind, LossReason, Observation, SensorId, Task } from './observation.ts'

export type Green = { readonly ok: true; readonly rung: string; readonly notes: readonly string[] }
/** One sentence each: what cannot be done here, why, and how to mend it. */
export type Unavailable = { readonly ok: false; readonly unavailable: string; readonly why: string; readonly mend: string }

export type Fidelity = 'exact' | 'sampled' | 'intent' | 'none'
export type Capabilities = Readonly<Record<Kind, Fidelity>>

/** Counted in the sensor (for linux-ebpf: in the kernel, per CPU), per observation kind, from the tracked filter on. */
export type KindCounts = {
  observed: bigint
  coalesced: bigint
  /** Records handed to user space (each is one observation, `repeats` excepted). */
  delivered: bigint
  filtered: Record<string, bigint>
  lost: Partial<Record<LossReason, bigint>>
}
export type SensorStats = Readonly<Partial<Record<Kind, KindCounts>>>

/**
 * What a sensor delivers: whole batches of its own bytes, so that the observer can write them down before it acts on them
 * (a crash replays them). `position` is that of the first byte; the sensor frees the batch once `batch` has returned.
 */
export type BatchSink = {
  batch(bytes: Uint8Array, position: bigint): void
}

export type SensorOptions = {
  /** Basenames (of the path passed to execve, or of the executable) whose exec is reported at once, as provisional. At most 15 bytes count. */
  readonly candidates: readonly string[]
  /** Names of environment variables that may be read, exactly. */
  readonly environment: readonly string[]
  /** Power of two. */
  readonly ringBytes: number
  /** Folder name for pinned objects, or null: never pin (`record`). */
  readonly pinName: string | null
  /** Processes of our own, filtered with all their descendants. */
  readonly self: readonly Task[]
}

/** Orders by which user space steers the kernel's filter. Each takes effect at once; false = that process is gone. */
export type Orders = {
  /** Report this process and all it forks from now on. */
  track(task: Pick<Task, 'pid' | 'startTicks'>): boolean
  /** Stop reporting this one process (its tracked descendants stay). */
  release(task: Pick<Task, 'pid' | 'startTicks'>): boolean
  /** Filter this process and all it forks as our own. */
  own(task: Pick<Task, 'pid' | 'startTicks'>): boolean
}

export type Running = {
  readonly orders: Orders
  /** True when pinned objects of an earlier observer were taken over: nothing was missed in between. */
  readonly resumed: boolean
  /** Position up to which batches have been delivered and freed. */
  position(): bigint
  /** Reads all there is now. */
  drain(): void
  /** The sign of life that keeps the pinned programs from returning early. */
  heartbeat(): void
  stats(): SensorStats
  describe(): { readonly rung: string; readonly hooks: readonly string[]; readonly missing: readonly string[]; readonly pinned: string | null; readonly ringBytes: number }
  /** Drains, then detaches. `keep`: leave pinned objects recording for the next start. */
  stop(how?: { readonly keep?: boolean }): Promise<void>
}

export type Sensor = {
  readonly id: SensorId
  readonly capabilities: Capabilities
  probe(): Green | Unavailable
  start(options: SensorOptions, sink: BatchSink): Promise<Running | Unavailable>
  /** Pure: the observations in a batch, in order. Never throws; what cannot be decoded is counted in the returned number of malformed records. */
  decode(bytes: Uint8Array, position: bigint, each: (observation: Observation) => void): number
}
