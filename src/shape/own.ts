import type { Attributes, EntryDraft, Severity, Value } from '../model/entry.ts'
import { SEVERITY } from '../model/entry.ts'

// Entries that Spoor writes about itself. Times are Unix nanoseconds; plain data in, a draft out.

type At = { readonly at: bigint }

const own = (eventName: string, timeUnixNano: bigint, attributes: Record<string, Value | undefined>, severity: Severity = SEVERITY.info): EntryDraft => ({
  eventName,
  timeUnixNano,
  severity,
  attributes: defined(attributes),
})

function defined(attributes: Record<string, Value | undefined>): Attributes {
  const kept: Record<string, Value> = {}
  for (const name in attributes) {
    const value = attributes[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

/** How the run before this one ended, as far as the state directory tells. */
export type PreviousEnd = 'clean' | 'crash' | 'reboot' | 'unknown'

export type RunStart = At & {
  readonly runId: string
  readonly previousId: string | null
  /** Null: there was none. */
  readonly previousEnd: PreviousEnd | null
  /** OpenTelemetry resource of all that this run records: the shipper sends it with each request. */
  readonly resource: Attributes
  readonly sensor: { readonly name: string; readonly rung: string }
  /** Fidelity by observation kind. */
  readonly capabilities: Readonly<Record<string, string>>
  /** Pinned kernel objects of the run before were taken over: nothing was missed in between. */
  readonly resumed: boolean
  readonly hooksMissing: readonly string[]
}

export const runStart = (run: RunStart): EntryDraft =>
  own('spoor.run.start', run.at, {
    'spoor.run.id': run.runId,
    'spoor.run.previous_id': run.previousId ?? undefined,
    'spoor.run.previous_end': run.previousEnd ?? undefined,
    'spoor.run.resumed': run.resumed,
    'spoor.resource': run.resource,
    'spoor.sensor.name': run.sensor.name,
    'spoor.sensor.rung': run.sensor.rung,
    'spoor.sensor.hooks_missing': run.hooksMissing.length > 0 ? [...run.hooksMissing] : undefined,
    'spoor.capabilities': run.capabilities,
  })

export const runEnd = (run: At & { readonly runId: string; readonly reason: string; readonly startedAt: bigint; readonly ledger?: Value }): EntryDraft =>
  own('spoor.run.end', run.at, { 'spoor.run.id': run.runId, 'spoor.end.reason': run.reason, 'spoor.start_time': run.startedAt, 'spoor.ledger': run.ledger })

export type Health = At & {
  /** By sensor and kind, and by destination, as `spoor status` shows it. */
  readonly ledger: Value
  /** Index of the session.start of the oldest open session; null = none open. */
  readonly oldestOpenIndex: number | null
  readonly openSessions: number
  readonly cpuNs: bigint
  readonly rssBytes: number
  readonly state?: string
  readonly why?: readonly string[]
}

export const health = (h: Health): EntryDraft =>
  own(
    'spoor.health',
    h.at,
    {
      'spoor.ledger': h.ledger,
      'spoor.health.oldest_open_index': h.oldestOpenIndex ?? undefined,
      'spoor.health.open_sessions': h.openSessions,
      'spoor.health.cpu_ns': h.cpuNs,
      'spoor.health.rss_bytes': h.rssBytes,
      'spoor.health.state': h.state,
      'spoor.health.why': h.why !== undefined && h.why.length > 0 ? [...h.why] : undefined,
    },
    h.state === undefined || h.state === 'healthy' ? SEVERITY.info : SEVERITY.warn,
  )

export type Gap = At & { readonly from: bigint; readonly to: bigint; readonly kinds: readonly string[]; readonly atLeast: number | 'unknown'; readonly reason: string }

/** The same entry as a sensor's own `loss` makes, for gaps that only the observer knows of (it did not run). */
export const sensorGap = (gap: Gap): EntryDraft =>
  own(
    'spoor.sensor.gap',
    gap.at,
    {
      'spoor.gap.from': gap.from,
      'spoor.gap.to': gap.to,
      'spoor.gap.kinds': [...gap.kinds],
      'spoor.gap.reason': gap.reason,
      'spoor.gap.at_least': gap.atLeast === 'unknown' ? undefined : gap.atLeast,
    },
    SEVERITY.warn,
  )

/** `stepNs`: how far the wall clock jumped against the boot clock; `offsetNs`: Unix time minus boot time from now on. */
export const clockStep = (step: At & { readonly stepNs: bigint; readonly offsetNs: bigint }): EntryDraft =>
  own('spoor.clock.step', step.at, { 'spoor.clock.step_ns': step.stepNs, 'spoor.clock.offset_ns': step.offsetNs }, SEVERITY.warn)

/** Entries `from` on were cut from the torn end; none of them was durable. */
export const journalCut = (cut: At & { readonly from: number; readonly bytes: number; readonly entries: number; readonly durable: number }): EntryDraft =>
  own(
    'spoor.journal.cut',
    cut.at,
    { 'spoor.journal.from': cut.from, 'spoor.journal.bytes': cut.bytes, 'spoor.journal.entries': cut.entries, 'spoor.journal.durable': cut.durable },
    SEVERITY.warn,
  )

/** What is wrong before the durable mark, and was left as it is. `to` is exclusive. */
export const journalDamaged = (damage: At & { readonly kind: string; readonly from: number; readonly to: number }): EntryDraft =>
  own('spoor.journal.damaged', damage.at, { 'spoor.journal.damage': damage.kind, 'spoor.journal.from': damage.from, 'spoor.journal.to': damage.to }, SEVERITY.error)

export type Parked = At & {
  readonly destination: string
  readonly signal: 'logs' | 'traces'
  readonly entries: number
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** A batch that the far side refuses for good, set aside so that what follows goes on. `to` is exclusive. */
export const shipParked = (parked: Parked): EntryDraft =>
  own(
    'spoor.ship.parked',
    parked.at,
    {
      'spoor.ship.destination': parked.destination,
      'spoor.ship.signal': parked.signal,
      'spoor.ship.entries': parked.entries,
      'spoor.ship.from': parked.from,
      'spoor.ship.to': parked.to,
      'spoor.ship.reason': parked.reason,
    },
    SEVERITY.error,
  )

/** `digest`: SHA-256 of the configuration in force, as hex; `previous`: that of the one before. */
export const policyApplied = (policy: At & { readonly digest: string; readonly previous: string | null; readonly source: string; readonly volume: string }): EntryDraft =>
  own('spoor.policy.applied', policy.at, {
    'spoor.policy.digest': policy.digest,
    'spoor.policy.previous_digest': policy.previous ?? undefined,
    'spoor.policy.source': policy.source,
    'spoor.policy.volume': policy.volume,
  })
