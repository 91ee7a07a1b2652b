import type { BootNs } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import { LINGER_NS, RELEASES_MAX, STANDINGS_MAX } from './bounds.ts'
import type { Stage } from './stage.ts'

/**
 * No agent: the kernel shall stop reporting it. The order goes out at the end of the batch, for the process may have exec'd an agent meanwhile
 * (`npx`, a shell that `exec`s): the kernel's filter would lose what that one does until it is tracked.
 */
export function release(stage: Stage, process: Process, at: BootNs): void {
  const { releases, released, standings } = stage.state
  standings.set(process.id, RELEASED)
  released.delete(process.id)
  released.set(process.id, at)
  releases.set(process.id, { pid: process.task.pid, startTicks: process.task.startTicks })
  if (releases.size >= RELEASES_MAX) flushReleases(stage)
  if (standings.size > STANDINGS_MAX) forgetReleased(stage, at + LINGER_NS)
}

const RELEASED = { kind: 'released' } as const

/** Takes back a release that has not gone out, and has the kernel follow the process for good. */
export function track(stage: Stage, process: Process): void {
  stage.state.releases.delete(process.id)
  stage.orders.track(process.task)
}

export function flushReleases(stage: Stage): void {
  const { releases } = stage.state
  if (releases.size === 0) return
  for (const task of releases.values()) stage.orders.release(task)
  releases.clear()
}

/** Released processes are remembered until nothing of them can be under way any more. */
export function forgetReleased(stage: Stage, now: BootNs): void {
  const { lineage } = stage
  const { released, standings } = stage.state
  for (const [id, at] of released) {
    if (at + LINGER_NS > now) return
    released.delete(id)
    if (standings.get(id)?.kind !== 'released') continue
    standings.delete(id)
    const process = lineage.get(id)
    if (process !== undefined) lineage.forget(process)
  }
}
