import type { BootNs } from '../model/observation.ts'
import { bootNow, wallNow } from './libc.ts'

/** A difference of this much between two samples is a step of the wall clock and becomes an entry; less is its ordinary slewing. */
export const STEP_NS = 100_000_000n
/** A sample is taken again when the two readings of the boot clock around it lie further apart: we were interrupted. */
const SPREAD_NS = 50_000n
const TRIES = 5
/** Steps remembered, so that an older stamp gets the wall time of its day. */
const STEPS_MAX = 16

/** Unix time minus boot time, as it was at `boot`. */
export type Sample = { readonly boot: BootNs; readonly offsetNs: bigint }
/** Plain data: it is part of the observer's state. `earlier`: offsets that held until `until`, oldest first. */
export type ClockState = { offsetNs: bigint; latestNs: bigint; sampled: boolean; earlier: { readonly until: BootNs; readonly offsetNs: bigint }[] }
export type Step = { readonly at: BootNs; readonly fromOffsetNs: bigint; readonly toOffsetNs: bigint; readonly byNs: bigint }

/** Samples the offset, to some microseconds. */
export function sampleOffset(boot: () => BootNs = bootNow, wall: () => bigint = wallNow): Sample {
  let best: Sample | null = null
  let bestSpread = 0n
  for (let i = 0; i < TRIES; i++) {
    const before = boot()
    const now = wall()
    const after = boot()
    const spread = after - before
    if (best === null || spread < bestSpread) {
      best = { boot: after, offsetNs: now - (before + spread / 2n) }
      bestSpread = spread
    }
    if (spread <= SPREAD_NS) break
  }
  return best!
}

export const emptyClock = (): ClockState => ({ offsetNs: 0n, latestNs: 0n, sampled: false, earlier: [] })

/**
 * Takes a sample into account. Returns the step it shows, else null. Slewing is followed only while `idle` (nothing is open that began by the old offset):
 * within a session the same stamp must give the same time, or a child would begin before its parent. So times are off by less than a step.
 */
export function adjust(state: ClockState, sample: Sample, idle: boolean): Step | null {
  const by = sample.offsetNs - state.offsetNs
  const step = by >= STEP_NS || by <= -STEP_NS
  const before = state.offsetNs
  state.latestNs = sample.offsetNs
  if (!state.sampled || step || idle) state.offsetNs = sample.offsetNs
  if (!state.sampled || !step) {
    state.sampled = true
    return null
  }
  state.earlier.push({ until: sample.boot, offsetNs: before })
  if (state.earlier.length > STEPS_MAX) state.earlier.shift()
  return { at: sample.boot, fromOffsetNs: before, toOffsetNs: sample.offsetNs, byNs: by }
}

/** Unix nanoseconds of a boot stamp, by the offset that held then. */
export function wallOf(state: ClockState, boot: BootNs): bigint {
  for (const past of state.earlier) if (boot < past.until) return boot + past.offsetNs
  return boot + state.offsetNs
}

/** The boot stamp of a Unix time that somebody else took of late: by the last sample, since slewing is no matter of ours there. */
export function bootOf(state: ClockState, unixNs: bigint): BootNs {
  for (const past of state.earlier) if (unixNs - past.offsetNs < past.until) return unixNs - past.offsetNs
  return unixNs - state.latestNs
}
