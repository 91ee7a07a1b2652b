import type { Unreadable } from '../model/claim.ts'
import type { IntakeCounters } from './frames.ts'

export type Counters = {
  lines: number
  bytes: number
  claims: number
  readonly unreadable: Partial<Record<Unreadable, number>>
}

export const createCounters = (): Counters => ({ lines: 0, bytes: 0, claims: 0, unreadable: {} })

export function count(counters: Counters, why: Unreadable, by = 1): void {
  counters.unreadable[why] = (counters.unreadable[why] ?? 0) + by
}

export const countersNow = ({ lines, bytes, claims, unreadable }: Counters, files: number, behind: number): IntakeCounters => ({
  lines,
  bytes,
  claims,
  files,
  behind,
  unreadable: { ...unreadable },
})
