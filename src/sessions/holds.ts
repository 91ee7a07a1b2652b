import { type Match, opened } from '../agents/match.ts'
import { imageOfExec } from '../lineage/images.ts'
import type { Activity } from '../model/activity.ts'
import type { BootNs, ObservationOf } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import { beginSession } from './begin.ts'
import { HELD_ITEMS_MAX, HOLD_ITEMS_MAX, HOLD_NS, HOLDS_MAX } from './bounds.ts'
import { matchExec } from './exec.ts'
import { release, track } from './release.ts'
import { filter, type Stage } from './stage.ts'
import type { Held, Hold } from './state.ts'

/**
 * A suspect goes by an agent's name but has not shown that it is one: `.bin/gemini` is a link that only its user may resolve. What it and its
 * descendants do waits (5 s, 2,048 observations) until it opens a file of the agent's package or execs something that tells; then it is told in
 * order, as the agent's or not at all. False: no room, decide now.
 */
export function beginHold(stage: Stage, activity: Activity, exec: ObservationOf<'exec'>, found: Match, otherwise: Hold['otherwise']): boolean {
  const { state } = stage
  if (state.holds.size >= HOLDS_MAX || state.heldItems >= HELD_ITEMS_MAX) {
    state.overflow.holds++
    return false
  }
  const { process } = activity
  const hold: Hold = { root: process, since: exec.boot, agents: [found.agent], evidence: [...found.evidence], items: [], processes: [], live: 0, otherwise }
  state.holds.set(process.id, hold)
  join(stage, hold, process)
  put(stage, hold, activity, null)
  return true
}

function join(stage: Stage, hold: Hold, process: Process): void {
  stage.state.standings.set(process.id, { kind: 'held', hold, process })
  hold.processes.push(process.id)
  hold.live++
}

function put(stage: Stage, hold: Hold, activity: Activity, child: Process | null): boolean {
  const { state } = stage
  if (hold.items.length >= HOLD_ITEMS_MAX || state.heldItems >= HELD_ITEMS_MAX) {
    state.overflow.holds++
    return false
  }
  hold.items.push({ activity, child })
  state.heldItems++
  return true
}

/** An observation of a process that is held. */
export function observeHeld(stage: Stage, activity: Activity, held: Held, child: Process | null): void {
  const { hold } = held
  const { observation } = activity
  if (observation.kind === 'exec') {
    const found = matchExec(stage, observation)
    if (found === null ? held.process === hold.root : found.certain) {
      const proven = found !== null && (held.process === hold.root || hold.agents.includes(found.agent))
      resolve(stage, hold, proven ? found : null)
      stage.handle(activity, child)
      return
    }
    if (found !== null && !hold.agents.includes(found.agent)) hold.agents.push(found.agent)
  }
  if (!put(stage, hold, activity, child)) {
    resolve(stage, hold, null)
    stage.handle(activity, child)
    return
  }
  switch (observation.kind) {
    case 'fork':
      if (child !== null && !stage.state.standings.has(child.id)) join(stage, hold, child)
      return
    case 'open': {
      if (observation.result < 0) return
      const proof = opened(stage.catalogue, hold.agents, observation.file.path)
      if (proof !== null) resolve(stage, hold, { agent: proof.agent, evidence: [...hold.evidence, proof.evidence], version: null, certain: true, named: true })
      return
    }
    case 'exit':
      if (--hold.live === 0) resolve(stage, hold, null)
      return
    default:
  }
}

/** The verdict: `match` is what it is, null that it never showed. What waited is repeated in order. */
export function resolve(stage: Stage, hold: Hold, match: Match | null): void {
  const { state } = stage
  if (!state.holds.delete(hold.root.id)) return
  state.heldItems -= hold.items.length
  const live: Process[] = []
  for (const id of hold.processes) {
    const standing = state.standings.get(id)
    if (standing?.kind !== 'held' || standing.hold !== hold) continue
    state.standings.delete(id)
    if (standing.process.endedAt === null) live.push(standing.process)
  }
  const { otherwise } = hold
  const above = otherwise.kind === 'member' ? otherwise.member : otherwise.kind === 'record' ? otherwise.awaiting.member : null
  const record = otherwise.kind === 'record' ? { name: otherwise.awaiting.name } : null
  if (match !== null || record !== null) {
    const first = hold.items[0]?.activity.observation
    const begun =
      first?.kind === 'exec' &&
      beginSession(stage, {
        process: hold.root,
        image: imageOfExec(first, 0),
        ids: first.ids,
        at: first.boot,
        match,
        record,
        joinedLate: false,
        fidelity: first.fidelity === 'exact' ? 'exact' : 'sampled',
        above,
      }) !== null
    if (begun) {
      for (const process of live) track(stage, process)
      repeat(stage, hold)
      return
    }
  }
  if (above !== null) {
    state.standings.set(hold.root.id, above)
    repeat(stage, hold)
    return
  }
  for (const process of live) release(stage, process, hold.since)
  for (const item of hold.items) filter(stage, item.activity.observation, 'not_agent')
}

function repeat(stage: Stage, hold: Hold): void {
  const before = stage.replaying
  stage.replaying = true
  for (const { activity, child } of hold.items) stage.handle(activity, child)
  stage.replaying = before
}

export const isDue = (hold: Hold, now: BootNs): boolean => now >= hold.since + HOLD_NS
