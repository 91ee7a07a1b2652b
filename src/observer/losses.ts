import type { BootNs, Kind, LossReason, ObservationOf, SensorId } from '../model/observation.ts'
import type { SensorStats } from '../model/sensor.ts'

/** Turns the sensor's loss counters into `loss` observations: one for each reason that went up since the last look. */
export function createLossWatch(sensor: SensorId, pid: number): (stats: SensorStats, now: BootNs) => readonly ObservationOf<'loss'>[] {
  const known = new Map<string, bigint>()
  let before: BootNs = 0n
  return (stats, now) => {
    const grown = new Map<LossReason, { kinds: string[]; count: bigint }>()
    for (const [kind, counts] of Object.entries(stats) as [Kind, SensorStats[Kind]][]) {
      for (const [reason, count] of Object.entries(counts?.lost ?? {}) as [LossReason, bigint][]) {
        const more = count - (known.get(kind + reason) ?? 0n)
        if (more <= 0n) continue
        known.set(kind + reason, count)
        const sum = grown.get(reason) ?? { kinds: [], count: 0n }
        sum.kinds.push(kind)
        sum.count += more
        grown.set(reason, sum)
      }
    }
    const from = before === 0n ? now : before
    before = now
    return [...grown].map(([reason, { kinds, count }]) => ({
      kind: 'loss',
      sensor,
      seq: 0n,
      boot: now,
      task: { pid, tid: pid, startTicks: 0 },
      fidelity: 'exact',
      reason,
      kinds,
      fromBoot: from,
      toBoot: now,
      atLeast: Number(count),
    }))
  }
}
