import type { SignalLedger } from '../model/status.ts'
import { isCount, isRecord } from './atomic.ts'
import type { Signal } from './config.ts'
import type { ParkedRange } from './parked.ts'

export type LaneHealth = { readonly state: 'ok' | 'retrying' | 'refused'; readonly why: string | null }

/** What the shipper tells the observer: one JSON line each on its standard output. */
export type ShipLine =
  /** When something changed, at most once a second. */
  | {
      readonly type: 'ledger'
      readonly destinations: Readonly<Record<string, { readonly logs: SignalLedger | null; readonly traces: SignalLedger | null }>>
      readonly health: Readonly<Record<string, { readonly logs: LaneHealth | null; readonly traces: LaneHealth | null }>>
    }
  /** Material for a `spoor.ship.parked` entry. Rare: for one reason at most once a minute, then ever more seldom, since the entry it leads to may be refused as well. */
  | ({ readonly type: 'parked'; readonly destination: string; readonly signal: Signal } & Omit<ParkedRange, 'at' | 'fault'>)
  | { readonly type: 'note'; readonly message: string }

/** One line of the shipper's standard output; null where it is none (another program's output, a newer version's). */
export function parseShipLine(line: string): ShipLine | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  if (!isRecord(value)) return null
  switch (value['type']) {
    case 'ledger':
      return isRecord(value['destinations']) && isRecord(value['health']) ? (value as ShipLine) : null
    case 'parked':
      return isCount(value['from']) && isCount(value['to']) && isCount(value['count']) && typeof value['reason'] === 'string' ? (value as ShipLine) : null
    case 'note':
      return typeof value['message'] === 'string' ? (value as ShipLine) : null
    default:
      return null
  }
}

export type ParkedReporter = {
  add(signal: Signal, range: ParkedRange): void
  /** What is due to be told now. */
  due(nowMs: number): readonly ShipLine[]
}

const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 3_600_000
/** Reasons told apart; each is an HTTP status or a word of ours. */
const REASONS_MAX = 64

/** Gathers what was parked by signal and reason, and tells it at growing distances. */
export function createParkedReporter(destination: string): ParkedReporter {
  const byReason = new Map<string, { signal: Signal; range: ParkedRange | null; next: number; pause: number }>()
  return {
    add(signal, range) {
      const key = `${signal} ${range.reason}`
      const known = byReason.get(key)
      if (known === undefined) {
        if (byReason.size < REASONS_MAX) byReason.set(key, { signal, range, next: 0, pause: FIRST_PAUSE_MS })
      } else known.range = known.range === null ? range : { ...range, from: known.range.from, count: known.range.count + range.count }
    },
    due(nowMs) {
      const lines: ShipLine[] = []
      for (const known of byReason.values()) {
        if (known.range === null || nowMs < known.next) continue
        const { from, to, count, reason, message } = known.range
        lines.push({ type: 'parked', destination, signal: known.signal, from, to, count, reason, message })
        known.range = null
        known.next = nowMs + known.pause
        known.pause = Math.min(known.pause * 2, LONGEST_PAUSE_MS)
      }
      return lines
    },
  }
}
