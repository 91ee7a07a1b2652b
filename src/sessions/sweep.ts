import { basename } from '../agents/paths.ts'
import type { BootNs } from '../model/observation.ts'
import { imageOf } from '../model/process.ts'
import { CLAIM_LINGER_NS, DRAIN_NS, LINGER_NS, OUTLIVE_NS, OUTLIVED_MAX, SOCKET_LINGER_NS, STANDINGS_MAX, SWEEP_NS, TRUNCATE_NS, WAIT_NS } from './bounds.ts'
import { isOverdue, truncateTurn } from './end.ts'
import { isDue, resolve } from './holds.ts'
import { flushReleases, forgetReleased } from './release.ts'
import { note } from './seeds.ts'
import { close, settle, settleUp } from './settle.ts'
import type { Stage } from './stage.ts'
import type { SessionRecord } from './state.ts'
import { passTime } from './turns.ts'

/** What time alone decides. Cheap to call after every batch: looks around ten times a second only. */
export function sweep(stage: Stage, now: BootNs): void {
  const { state } = stage
  flushReleases(stage)
  if (now < state.sweepAt) return
  state.sweepAt = now + SWEEP_NS
  for (const hold of [...state.holds.values()]) if (isDue(hold, now)) resolve(stage, hold, null)
  drain(stage, now)
  for (const session of [...state.sessions.values()]) {
    passTime(stage, session, now)
    for (const turn of [...session.closing]) if (isOverdue(turn, now)) truncateTurn(stage, session, turn, now)
    if (session.agents === 0 && session.agentsEndedAt !== null && !session.outlivedListed && now >= session.agentsEndedAt + OUTLIVE_NS) listOutlived(stage, session)
  }
  settleLate(stage, now)
  forgetGone(stage, now)
  forgetReleased(stage, now)
}

/** Sockets that did not end with their process: the peer keeps silent. */
function drain(stage: Stage, now: BootNs): void {
  const { draining, standings } = stage.state
  for (const [id, at] of draining) {
    if (at + DRAIN_NS > now) return
    draining.delete(id)
    const member = standings.get(id)
    if (member?.kind === 'member') close(stage, member, at)
  }
}

/** Processes that ended long ago and wait for descendants; processes that began after their turn had been told. */
function settleLate(stage: Stage, now: BootNs): void {
  const { waiting, stragglers, standings } = stage.state
  for (const [id, at] of waiting) {
    if (at + WAIT_NS > now) break
    waiting.delete(id)
    const member = standings.get(id)
    if (member?.kind === 'member') settleUp(stage, member)
  }
  for (const [id, at] of stragglers) {
    if (at + TRUNCATE_NS > now) break
    stragglers.delete(id)
    const member = standings.get(id)
    if (member?.kind === 'member' && member.role !== 'agent') settle(stage, member, member.endedAt === null, member.endedAt ?? now)
  }
}

/** After the last process of the agent's own program: names what still runs. */
function listOutlived(stage: Stage, session: SessionRecord): void {
  session.outlivedListed = true
  if (session.live === 0) return
  let more = 0
  let named = 0
  for (const member of stage.state.standings.values()) {
    if (member.kind !== 'member' || member.session !== session || member.endedAt !== null) continue
    if (named++ < OUTLIVED_MAX) note(session, `outlived:${basename(imageOf(member.process)?.path ?? '') || 'unknown'}[${member.process.task.pid}]`)
    else more++
  }
  if (more > 0) note(session, `outlived:${more} more`)
}

/** Ended members stay for late words about them, longer where sockets are still open, and as long as they wait for descendants. */
export function forgetGone(stage: Stage, now: BootNs): void {
  const { gone, standings, draining, waiting } = stage.state
  const crowded = standings.size > STANDINGS_MAX - STANDINGS_MAX / 4
  for (const [id, at] of gone) {
    if (!crowded && at + LINGER_NS > now) return
    gone.delete(id)
    const member = standings.get(id)
    if (member?.kind !== 'member' || member.endedAt === null || !member.closed) continue
    const since = member.endedAt
    const awaited = member.sockets !== null && member.sockets.size > 0 && now < since + SOCKET_LINGER_NS
    if (!crowded && (awaited || waiting.has(id) || (member.session.claimed && now < since + CLAIM_LINGER_NS))) {
      gone.set(id, now)
      continue
    }
    if (crowded && !member.settled) settleUp(stage, member)
    standings.delete(id)
    draining.delete(id)
    // Nobody asks for its row any more; claims may.
    if (!member.session.claimed) stage.lineage.forget(member.process)
  }
}
