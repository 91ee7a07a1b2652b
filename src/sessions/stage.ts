import type { Catalogue } from '../agents/catalogue.ts'
import type { Lineage } from '../lineage/lineage.ts'
import type { Activity } from '../model/activity.ts'
import type { Kind, Observation } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import type { Orders } from '../model/sensor.ts'
import type { SessionActivity } from '../model/session.ts'
import type { Host } from './origin.ts'
import type { SessionsState } from './state.ts'

/** What the verbs of this folder work on. */
export type Stage = {
  readonly state: SessionsState
  readonly catalogue: Catalogue
  readonly host: Host
  readonly orders: Pick<Orders, 'track' | 'release'>
  readonly lineage: Pick<Lineage, 'find' | 'get' | 'forget' | 'end'>
  /** Through the join with claims, where the session's agent makes any. */
  readonly emit: (activity: SessionActivity) => void
  /** Past it. */
  readonly out: (activity: SessionActivity) => void
  /** Claims are read here. */
  readonly claims: boolean
  /** Takes an activity through the whole stage; `child` of a fork. */
  readonly handle: (activity: Activity, child: Process | null) => void
  /** Set while held observations are repeated: their suspicion has been settled. */
  replaying: boolean
}

/** Counts an observation that becomes no activity. A report of repeats is no observation of its own. */
export function filter(stage: Stage, observation: Observation, reason: string): void {
  if (observation.kind === 'open' && observation.repeats) return
  count(stage, observation.kind, reason)
}

export function count(stage: Stage, kind: Kind, reason: string): void {
  const reasons = (stage.state.filtered[kind] ??= {})
  reasons[reason] = (reasons[reason] ?? 0) + 1
}
