import type { Kind } from '../model/observation.ts'
import type { SensorStats } from '../model/sensor.ts'
import type { KindLedger } from '../model/status.ts'

type Filtered = Partial<Record<Kind, Readonly<Record<string, number>>>>

/** What stages 2 to 5 count, each where it happens; none of it is a difference of others. */
export type PipelineCounts = {
  readonly kinds: Readonly<
    Partial<Record<Kind, { readonly single: number; readonly folded: number; readonly rolledUp: number; readonly filtered: Readonly<Record<string, number>> }>>
  >
  readonly lineage: Filtered
  readonly sessions: Filtered
  /** Waiting for the verdict on a candidate: not yet anything else. */
  readonly held: Partial<Record<Kind, number>>
}

/** The ledger of one sensor by kind: `observed`, `coalesced`, the kernel's `filtered` and `lost` from the sensor, the rest from the pipeline. */
export function ledgerOf(stats: SensorStats, counts: PipelineCounts): Record<string, KindLedger> {
  const ledger: Record<string, KindLedger> = {}
  for (const [kind, sensed] of Object.entries(stats) as [Kind, SensorStats[Kind]][]) {
    if (sensed === undefined || sensed.observed === 0n) continue
    const shaped = counts.kinds[kind]
    const filtered: Record<string, bigint> = { ...sensed.filtered }
    for (const part of [shaped?.filtered, counts.lineage[kind], counts.sessions[kind]]) {
      for (const [reason, n] of Object.entries(part ?? {})) filtered[reason] = (filtered[reason] ?? 0n) + BigInt(n)
    }
    const held = counts.held[kind] ?? 0
    if (held > 0) filtered['held'] = BigInt(held)
    ledger[kind] = {
      observed: String(sensed.observed),
      single: String(shaped?.single ?? 0),
      folded: String(shaped?.folded ?? 0),
      rolledUp: String(shaped?.rolledUp ?? 0),
      coalesced: String(sensed.coalesced),
      filtered: nonZero(filtered),
      lost: nonZero(sensed.lost),
    }
  }
  return ledger
}

function nonZero(counts: Readonly<Partial<Record<string, bigint>>>): Record<string, string> {
  const named: Record<string, string> = {}
  for (const [name, n] of Object.entries(counts)) if (n !== undefined && n > 0n) named[name] = String(n)
  return named
}

/** Does `observed = single + folded + rolledUp + coalesced + filtered + lost` hold, with nothing under way? */
export function balances(kind: KindLedger): boolean {
  const sum = (counts: Readonly<Record<string, string>>): bigint => Object.values(counts).reduce((total, n) => total + BigInt(n), 0n)
  return BigInt(kind.observed) === BigInt(kind.single) + BigInt(kind.folded) + BigInt(kind.rolledUp) + BigInt(kind.coalesced) + sum(kind.filtered) + sum(kind.lost)
}
