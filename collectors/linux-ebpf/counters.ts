import type { Kind, LossReason } from '../../src/model/observation.ts'
import type { KindCounts, SensorStats } from '../../src/model/sensor.ts'
import type { Libbpf } from './libbpf.ts'

/** bpf/records.h: counters[kind * TERMS + term]. */
const TERMS = 16
const KINDS: ReadonlyArray<readonly [number, Kind]> = [
  [1, 'fork'],
  [2, 'exec'],
  [3, 'exit'],
  [4, 'open'],
  [5, 'change'],
  [6, 'connect'],
  [7, 'accept'],
  [8, 'listen'],
  [9, 'sock.end'],
]
const OBSERVED = 0
const COALESCED = 1
const DELIVERED = 2
const FILTERED: ReadonlyArray<readonly [number, string]> = [
  [3, 'self'],
  [4, 'stale'],
  [8, 'o_path'],
]
const LOST: ReadonlyArray<readonly [number, LossReason]> = [
  [5, 'ring_full'],
  [6, 'table_full'],
  [7, 'recursion'],
]

/** Sums the CPUs' counters. They go on over a restart that took pinned maps over, as the ring's position does. */
export function createCounters(lib: Libbpf, fd: number, misses: () => ReadonlyMap<Kind, bigint>): () => SensorStats {
  // A per-CPU value has a place for each CPU that could ever be plugged in.
  const perCpu = new BigUint64Array(lib.possibleCpus())
  const key = new Uint32Array(1)
  const read = (kind: number, term: number): bigint => {
    key[0] = kind * TERMS + term
    if (lib.lookup(fd, key, perCpu) < 0) return 0n
    let sum = 0n
    for (const count of perCpu) sum += count
    return sum
  }
  return () => {
    const skipped = misses()
    const stats: Partial<Record<Kind, KindCounts>> = {}
    for (const [index, kind] of KINDS) {
      // Last term first: what happens in between may make `observed` larger than its parts, never smaller.
      const lost: KindCounts['lost'] = {}
      for (const [term, reason] of LOST) {
        const count = read(index, term)
        if (count > 0n) lost[reason] = count
      }
      const filtered: KindCounts['filtered'] = {}
      for (const [term, reason] of FILTERED) {
        const count = read(index, term)
        if (count > 0n) filtered[reason] = count
      }
      const delivered = read(index, DELIVERED)
      const coalesced = read(index, COALESCED)
      // A skipped program counted nothing, so it is missing on both sides of the equation.
      const missed = skipped.get(kind) ?? 0n
      if (missed > 0n) lost.recursion = (lost.recursion ?? 0n) + missed
      stats[kind] = { observed: read(index, OBSERVED) + missed, coalesced, delivered, filtered, lost }
    }
    return stats
  }
}
