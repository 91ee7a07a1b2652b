import type { BootNs } from '../model/observation.ts'
import type { SessionActivity } from '../model/session.ts'
import { RECENT_MAX, TRUNCATE_NS } from './bounds.ts'
import { closeCall, endCall, endIfOver, settle } from './settle.ts'
import type { Stage } from './stage.ts'
import type { CallRecord, Member, SessionRecord, TurnRecord } from './state.ts'
import { endTurn, tellEnd } from './turns.ts'

type Reason = Extract<SessionActivity, { kind: 'session.end' }>['reason']

/** Settles all of a session: its processes (truncated where they run), tool calls, turns, itself; then what waited for it above. */
export function endSession(stage: Stage, session: SessionRecord, reason: Reason, at: BootNs): void {
  if (session.endedAt !== null) return
  if (at < session.session.startedAt) at = session.session.startedAt
  session.endedAt = at
  if (session.unsettled > 0) {
    for (const member of stage.state.standings.values()) if (member.kind === 'member' && member.session === session) settleAsIs(stage, member, at)
  }
  for (const call of session.calls.values()) endCall(stage, session, call, at)
  endTurn(stage, session, at, at)
  while (session.closing.length > 0) tellEnd(stage, session, session.closing[0]!)
  const process = session.root
  stage.emit({ kind: 'session.end', session: session.session, reason, at, process })
  const { sessions, recent } = stage.state
  const { id } = session.session
  sessions.delete(id)
  recent.set(id, { session: session.session, endedAt: at, exit: process.exit })
  if (recent.size > RECENT_MAX) {
    for (const oldest of recent.keys()) {
      recent.delete(oldest)
      break
    }
  }
  endOfChild(stage, session, at)
}

function endOfChild(stage: Stage, child: SessionRecord, at: BootNs): void {
  const parent = child.parent === null ? undefined : stage.state.sessions.get(child.parent)
  if (parent === undefined) return
  if (at > parent.lastEnd) parent.lastEnd = at
  parent.children--
  if (child.parentCall !== null) closeCall(stage, parent, child.parentCall, at)
  endIfOver(stage, parent)
}

/** A process that has ended is settled as ended, one that runs as truncated. */
function settleAsIs(stage: Stage, member: Member, at: BootNs): void {
  settle(stage, member, member.endedAt === null, member.endedAt ?? at)
  stage.state.waiting.delete(member.process.id)
}

/** What still runs 30 s after its turn's end is settled as truncated, and with it the tool calls it belongs to, and the turn. */
export function truncateTurn(stage: Stage, session: SessionRecord, turn: TurnRecord, now: BootNs): void {
  truncate(stage, session, (member) => member.turn === turn, now)
  for (const call of session.calls.values()) if (call.turn === turn) endCall(stage, session, call, now)
  tellEnd(stage, session, turn)
}

/** Settles processes that run as they are. Their tool calls end, too. */
export function truncate(stage: Stage, session: SessionRecord, which: (member: Member) => boolean, now: BootNs): void {
  const calls = new Set<CallRecord>()
  for (const member of stage.state.standings.values()) {
    if (member.kind !== 'member' || member.session !== session || member.role === 'agent' || !which(member)) continue
    // One that has not exec'd may still do so.
    if (member.execs > 0 || member.closed) settleAsIs(stage, member, now)
    // A helper goes on for whatever comes next; what it does then is not this turn's.
    if (member.role === 'harness' && !member.closed) member.place = { ...member.place, turn: null }
    if (member.call !== null) calls.add(member.call)
  }
  for (const call of calls) endCall(stage, session, call, now)
}

export const isOverdue = (turn: TurnRecord, now: BootNs): boolean => turn.closedAt !== null && now >= turn.closedAt + TRUNCATE_NS
