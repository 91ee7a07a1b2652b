import type { SignalLedger } from '../model/status.ts'

/** Where every entry (logs) or span (traces) of one destination and signal went. Kept in the cursor file, so that both move together. */
export type Tally = {
  acknowledged: number
  /** By reason; those are given up. */
  rejected: Record<string, number>
  /** Refused for good by the far side; still in the journal, listed under `parked/`. */
  parked: number
  /** Pruned from the journal before they could be delivered. */
  expired: number
}

export const emptyTally = (): Tally => ({ acknowledged: 0, rejected: {}, parked: 0, expired: 0 })

/** A far side or a bug may bring ever new reasons; the rest is counted together. */
const REASONS_MAX = 32

export function reject(tally: Tally, reason: string, count: number): void {
  if (count === 0) return
  const key = Object.hasOwn(tally.rejected, reason) || Object.keys(tally.rejected).length < REASONS_MAX ? reason : 'other'
  tally.rejected[key] = (tally.rejected[key] ?? 0) + count
}

export function addTally(into: Tally, more: Tally): void {
  into.acknowledged += more.acknowledged
  into.parked += more.parked
  into.expired += more.expired
  for (const [reason, count] of Object.entries(more.rejected)) reject(into, reason, count)
}

export const settledCount = (tally: Tally): number => tally.acknowledged + tally.parked + tally.expired + Object.values(tally.rejected).reduce((sum, count) => sum + count, 0)

export const ledgerOf = (tally: Tally, pending: number): SignalLedger => ({
  entries: String(settledCount(tally) + pending),
  acknowledged: String(tally.acknowledged),
  rejected: Object.fromEntries(Object.entries(tally.rejected).map(([reason, count]) => [reason, String(count)])),
  parked: String(tally.parked),
  pending: String(pending),
  expired: String(tally.expired),
})
