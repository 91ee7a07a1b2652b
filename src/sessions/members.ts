import type { BootNs } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import type { Role } from '../model/session.ts'
import { EARLY_MAX, STANDINGS_MAX } from './bounds.ts'
import { placeOf } from './place.ts'
import { carries, closeCall, giveSpanBack, settle, settleUp, takeSpan } from './settle.ts'
import type { Stage } from './stage.ts'
import type { CallRecord, Member, SessionRecord, TurnRecord } from './state.ts'
import { tellEnd } from './turns.ts'

export type Position = { readonly role: Role; readonly turn: TurnRecord | null; readonly call: CallRecord | null }

/** Makes a process a member of the session; null when there is no room (counted). */
export function addMember(stage: Stage, session: SessionRecord, process: Process, parent: Member | null, position: Position): Member | null {
  const { standings, overflow } = stage.state
  if (standings.size >= STANDINGS_MAX) {
    overflow.standings++
    return null
  }
  const member: Member = {
    kind: 'member',
    process,
    session,
    parent: parent === null ? null : parent.process.id,
    ofAgent: parent !== null && parent.role === 'agent',
    role: position.role,
    turn: null,
    call: null,
    place: { session: session.session, role: position.role, turn: null, toolCall: null },
    namedTurn: false,
    execs: 0,
    totals: { opensRead: 0, opensWrite: 0, filesChanged: 0, connections: 0, bytesOut: 0, bytesIn: 0 },
    span: 'none',
    own: null,
    near: null,
    early: null,
    linked: null,
    open: 0,
    sockets: null,
    endedAt: null,
    closed: false,
    settled: false,
  }
  standings.set(process.id, member)
  session.live++
  session.unsettled++
  session.session.totals.processes++
  if (position.role === 'agent') session.agents++
  enter(member, position)
  if (parent !== null) {
    parent.open++
    if (carries(parent, member)) member.near = parent.own
    else if (parent.role !== 'agent' && parent.turn === member.turn && parent.call === member.call) member.near = parent.near
    if (parent.span === 'none' && (parent.early ??= []).length < EARLY_MAX) parent.early.push(process.id)
  }
  return member
}

function enter(member: Member, { role, turn, call }: Position): void {
  member.role = role
  member.turn = turn
  member.call = call
  if (turn !== null) {
    turn.live++
    turn.counts.processes++
  }
  if (call !== null) call.live++
  member.place = placeOf(member.session, role, turn, call)
}

/** Moves a process within its session: a helper turns out to be a tool call, say. Only before it has children of its own does that happen in practice. */
export function moveMember(stage: Stage, member: Member, position: Position): void {
  const { role, turn, call } = member
  if (role === position.role && turn === position.turn && call === position.call) {
    if (turn !== null && member.place.turn !== turn.turn) member.place = placeOf(member.session, role, turn, call)
    return
  }
  giveSpanBack(member)
  const { session } = member
  if (role === 'agent' && position.role !== 'agent' && --session.agents === 0) session.agentsEndedAt = session.lastEnd
  if (role !== 'agent' && position.role === 'agent') session.agents++
  if (turn !== null) turn.counts.processes--
  // Enter first: what it leaves must not end between the two.
  enter(member, position)
  member.near = null
  if (turn !== null && --turn.live === 0) tellEnd(stage, session, turn)
  if (call !== null) closeCall(stage, session, call, call.lastEnd)
  if (member.execs > 0) grant(stage, member)
}

/** At the first exec: a place in the span budget; children forked before hang on it from now on. */
export function grant(stage: Stage, member: Member): void {
  if (member.span !== 'none') return
  takeSpan(member)
  const { early, own } = member
  member.early = null
  if (early === null || own === null) return
  for (const id of early) {
    const child = stage.state.standings.get(id)
    if (child?.kind === 'member' && child.parent === member.process.id && carries(member, child)) child.near = own
  }
}

/** A process goes over into a session of its own: another agent, run by this one. Its tool call waits for that session. */
export function leave(stage: Stage, member: Member, at: BootNs): void {
  const { session, turn } = member
  giveSpanBack(member)
  // What it did here is over, and others hang on it: its part of this session is settled by itself.
  if (member.own !== null) settle(stage, member, false, at)
  session.live--
  session.session.totals.processes--
  if (member.role === 'agent' && --session.agents === 0) session.agentsEndedAt = at
  if (turn !== null) {
    turn.counts.processes--
    if (--turn.live === 0) tellEnd(stage, session, turn)
  }
  if (at > session.lastEnd) session.lastEnd = at
  member.closed = true
  settleUp(stage, member)
}
