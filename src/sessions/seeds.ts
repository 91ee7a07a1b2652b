import { match } from '../agents/match.ts'
import type { Activity } from '../model/activity.ts'
import type { BootNs, ObservationOf } from '../model/observation.ts'
import { imageOf, type Process } from '../model/process.ts'
import { beginSession, isRoot } from './begin.ts'
import { addMember, grant } from './members.ts'
import { release, track } from './release.ts'
import { close } from './settle.ts'
import { filter, type Stage } from './stage.ts'
import type { Member, SessionRecord } from './state.ts'
import { traceContextOf } from './trace-context.ts'

/**
 * The machine's processes have been listed: finds agents that already run, and their descendants. `fresh`: nothing was recorded before, so members
 * of an earlier run that are not listed have ended unseen. Parents come before their children, whatever the order they were listed in.
 */
export function takeSeeds(stage: Stage, now: BootNs, fresh: boolean): void {
  const { state, lineage } = stage
  const seeds = [...state.seeds.values()].sort((a, b) => a.process.task.startTicks - b.process.task.startTicks || a.process.task.pid - b.process.task.pid)
  if (fresh) endUnlisted(stage, now)
  state.seeds.clear()
  for (const seed of seeds) {
    const { observation } = seed
    // What lineage has now: it may have ended, or been let go, since it was listed.
    const process = lineage.get(seed.process.id)
    if (observation.kind !== 'process.seen') continue
    if (process === undefined || process.endedAt !== null || state.standings.has(process.id)) {
      filter(stage, observation, 'known')
      continue
    }
    if (seeded(stage, process, observation)) {
      track(stage, process)
      continue
    }
    filter(stage, observation, 'not_agent')
    // The kernel may follow it since an earlier run whose memory is lost.
    if (fresh) lineage.forget(process)
    else release(stage, process, now)
  }
}

function seeded(stage: Stage, process: Process, seen: ObservationOf<'process.seen'>): boolean {
  const above = process.parentId === null ? undefined : stage.state.standings.get(process.parentId)
  const parent = above?.kind === 'member' && above.session.endedAt === null ? above : null
  const image = imageOf(process)
  const found = match(stage.catalogue, { exe: seen.exe, called: seen.exe, args: seen.args.head, cwd: seen.cwd })
  // It opened its package long ago: that a script of the agent's name runs in Node must do, and the evidence says so.
  const same = found?.named === true && parent?.role === 'agent' && parent.session.agent === found.agent
  if (found !== null && image !== undefined && !same && (parent === null || parent.session.agent !== found.agent || (found.named && parent.role === 'tool'))) {
    const begun = beginSession(stage, { process, image, ids: seen.ids, at: seen.boot, match: found, record: null, joinedLate: true, fidelity: 'sampled', above: parent })
    return begun !== null
  }
  if (parent === null) return false
  const role = parent.role === 'agent' ? (same ? 'agent' : seen.ids.sid === seen.task.pid ? 'tool' : 'harness') : parent.role
  const member = addMember(stage, parent.session, process, parent, { role, turn: null, call: null })
  if (member === null) return false
  member.execs = 1
  member.linked = traceContextOf(seen.env)
  grant(stage, member)
  stage.emit({ kind: 'observed', activity: { observation: seen, process, parent: parent.process }, place: member.place, at: seen.boot })
  return true
}

function endUnlisted(stage: Stage, now: BootNs): void {
  const { standings, seeds } = stage.state
  const missing: Member[] = []
  for (const [id, standing] of standings) {
    if (standing.kind === 'member' && standing.endedAt === null && !seeds.has(id) && standing.process.startedAt < now) missing.push(standing)
  }
  // Youngest first: a parent's settlement waits for its children.
  for (const member of missing.reverse()) endUnseen(stage, member, now, 'observer_gap')
}

/** A process has ended, and nobody saw how. */
export function endUnseen(stage: Stage, member: Member, at: BootNs, why: string): void {
  if (member.endedAt !== null) return
  note(member.session, isRoot(member) ? `${why}:agent` : why)
  member.endedAt = at
  stage.lineage.end(member.process, at)
  close(stage, member, at)
}

/** Once each, and not without end. */
export function note(session: SessionRecord, what: string): void {
  const { incomplete } = session.session
  if (incomplete.length < 64 && !incomplete.includes(what)) incomplete.push(what)
}

export type Seed = Activity
