import type { Match } from '../agents/match.ts'
import { basename } from '../agents/paths.ts'
import { makesClaims, openClaimed } from '../claims/claims.ts'
import { sessionId, spanId } from '../identity/ids.ts'
import type { ProcessId } from '../model/ids.ts'
import type { BootNs, Ids } from '../model/observation.ts'
import type { Image, Process } from '../model/process.ts'
import type { Session } from '../model/session.ts'
import { SESSIONS_MAX, STANDINGS_MAX } from './bounds.ts'
import { addMember, grant, leave } from './members.ts'
import { originOf } from './origin.ts'
import type { Stage } from './stage.ts'
import type { Member, SessionRecord } from './state.ts'
import { traceContextOf } from './trace-context.ts'
import { beginTurn, floorTick } from './turns.ts'

/** An exec (or /proc) that begins a session. `match` null: the command of `spoor record`, no known agent. */
export type Beginning = {
  readonly process: Process
  readonly image: Image
  readonly ids: Ids
  readonly at: BootNs
  readonly match: Match | null
  readonly record: { readonly name: string | null } | null
  readonly joinedLate: boolean
  readonly fidelity: 'exact' | 'sampled'
  /** The member of another session that the process has been until now (or its parent there). */
  readonly above: Member | null
}

/** Fork and first exec are a few ms apart; a longer time means that an old process execs the agent: its session begins with the exec. */
const FORK_TO_EXEC_NS = 2_000_000_000n

/** Begins the session; null (counted) when there are too many, or when this process's session has been ended (by mistake: it lives). */
export function beginSession(stage: Stage, beginning: Beginning): Member | null {
  const { state } = stage
  const { process, image, ids, match, record, above } = beginning
  const id = sessionId(process.id)
  if (state.sessions.size >= SESSIONS_MAX || state.standings.size >= STANDINGS_MAX || state.sessions.has(id) || state.recent.has(id)) {
    state.overflow.sessions++
    return null
  }
  const startedAt = startOf(beginning)
  const ancestry = ancestryOf(stage, process)
  const { origin, via } = originOf(ancestry, image.env, ids.tty)
  const session: Session = {
    id,
    root: process.id,
    rootPid: process.task.pid,
    agent:
      match === null
        ? { name: record?.name ?? (basename(image.args.head[0] ?? image.path) || 'unknown'), version: null, kind: 'record', evidence: ['record'], sanction: 'unknown' }
        : { name: match.agent, version: match.version, kind: 'agent', evidence: record === null ? match.evidence : [...match.evidence, 'record'], sanction: 'unknown' },
    joinedLate: beginning.joinedLate,
    parentId: above === null ? null : above.session.session.id,
    startedAt,
    user: { id: ids.uid, name: stage.host.userName(ids.uid) },
    origin,
    originVia: via,
    image: { path: image.path, args: image.args.head, cwd: image.cwd },
    coverage: { fidelity: beginning.fidelity, reasons: beginning.joinedLate ? ['joined_late'] : [] },
    totals: { processes: 0, execs: 0, filesRead: 0, filesChanged: 0, connections: 0, bytesOut: 0, turns: 0, toolCalls: 0 },
    incomplete: beginning.joinedLate ? ['joined_late'] : [],
  }
  const made: SessionRecord = {
    session,
    spanId: spanId('session', id),
    root: process,
    agent: match === null ? null : match.agent,
    claimed: makesClaims(stage, match === null ? null : match.agent),
    parent: session.parentId,
    parentCall: above === null ? null : above.call,
    turn: null,
    nextTurn: beginning.joinedLate ? 1 : 0,
    closing: [],
    calls: new Map(),
    live: 0,
    children: 0,
    agents: 0,
    agentsEndedAt: null,
    outlivedListed: false,
    unsettled: 0,
    spans: 0,
    lastEnd: startedAt,
    endedAt: null,
  }
  if (above !== null) {
    above.session.children++
    if (above.process.id === process.id) {
      // The tool call's count of live processes passes to the new session.
      leave(stage, above, beginning.at)
    } else if (above.call !== null) above.call.live++
  }
  state.sessions.set(id, made)
  state.standings.delete(process.id)
  stage.emit({ kind: 'session.start', session, process, at: startedAt })
  if (made.claimed) openClaimed(stage, made, beginning.at)
  const turn = match === null ? beginTurn(stage, made, 'record', startedAt) : beginning.joinedLate ? null : beginTurn(stage, made, 'startup', startedAt)
  const member = addMember(stage, made, process, null, match === null ? { role: 'member', turn, call: null } : { role: 'agent', turn: null, call: null })
  if (member !== null && beginning.joinedLate) {
    member.execs = 1
    member.linked = traceContextOf(image.env)
    grant(stage, member)
  }
  return member
}

function startOf({ process, at, joinedLate }: Beginning): BootNs {
  const { startedAt } = process
  return startedAt <= at && (joinedLate || at - startedAt < FORK_TO_EXEC_NS) ? startedAt : floorTick(at)
}

/** A short-lived root may be gone already; then the look goes from its parent. */
function ancestryOf(stage: Stage, process: Process) {
  const above = stage.host.ancestry(process.task.pid)
  return above.length > 0 || process.parentPid <= 1 ? above : stage.host.ancestry(process.parentPid)
}

/** Whether a process is the root of an open session. */
export const isRoot = (member: Member): boolean => member.session.session.root === (member.process.id as ProcessId)
