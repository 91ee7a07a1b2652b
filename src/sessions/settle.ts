import { spanId } from '../identity/ids.ts'
import type { SpanId } from '../model/ids.ts'
import type { BootNs } from '../model/observation.ts'
import type { Join } from '../model/session.ts'
import { SPANS_MAX } from './bounds.ts'
import { endSession } from './end.ts'
import type { Stage } from './stage.ts'
import type { CallRecord, Member, SessionRecord, SpanRef, TurnRecord } from './state.ts'
import { tellEnd } from './turns.ts'

/** Parentage comes from the kernel's fork events. */
const BY_KERNEL: Join = { method: 'lineage', confidence: 'certain' }
/** That a session leader forked by the agent is a tool call is a habit of the agents (agents-lab: all but one), not a fact of the kernel. */
const BY_HABIT: Join = { method: 'lineage', confidence: 'strong' }
const NO_CLAIMS = 'no claim source in this version'

/** The spans of one trace are bounded: a place is taken at the first exec, so that a parent has its place before its children settle. */
export function takeSpan(member: Member): void {
  const { turn, call } = member
  const budget = turn ?? member.session
  if (budget.spans < SPANS_MAX) {
    budget.spans++
    member.span = 'granted'
  } else {
    member.span = 'omitted'
    if (call !== null) call.omitted++
  }
  member.own = { id: spanId('process', member.process.id), turn, call, valid: true, used: false }
}

/** The process moves; its span goes with it. Not where another's settled entry has named it: then the span stays. */
export function giveSpanBack(member: Member): void {
  const { own } = member
  if (own === null || own.used) return
  own.valid = false
  if (member.span === 'granted') (own.turn ?? member.session).spans--
  else if (own.call !== null) own.call.omitted--
  member.span = 'none'
  member.own = null
}

/** May `child` hang on `parent`'s span? Only where that span is certain to come, in the same trace and below the same tool call. */
export const carries = (parent: Member, child: Member): parent is Member & { own: SpanRef } =>
  parent.span === 'granted' && parent.role !== 'agent' && parent.session === child.session && parent.own?.turn === child.turn && parent.own.call === child.call

type Above = { readonly id: SpanId; readonly startedAt: BootNs; readonly ref: SpanRef | null }

/** The span on which a process hangs, and the earliest time at which it may begin: the kernel's parent, else the nearest above, else the tool call, the turn, the session. */
function spanAbove(stage: Stage, member: Member, turn: TurnRecord | null, call: CallRecord | null): Above {
  const { session } = member
  const container: Above =
    turn?.turn == null
      ? { id: session.spanId, startedAt: session.session.startedAt, ref: null }
      : call !== null
        ? { id: call.toolCall.spanId, startedAt: call.toolCall.startedAt, ref: null }
        : { id: turn.turn.spanId, startedAt: turn.turn.startedAt, ref: null }
  // Its span stayed behind in another trace than it is in now: what is nearest there is not known any more.
  if (member.role === 'agent' || turn !== member.turn || call !== member.call || call?.toolCall.rootProcess === member.process.id) return container
  const parent = member.parent === null ? undefined : stage.state.standings.get(member.parent)
  const ref = parent?.kind === 'member' && carries(parent, member) ? parent.own : member.near
  return ref?.valid === true ? { id: ref.id, startedAt: container.startedAt, ref } : container
}

/** Writes the settled entry of a process, once. One that never exec'd has none: its exit entry says all. */
export function settle(stage: Stage, member: Member, truncated: boolean, at: BootNs): void {
  if (member.settled) return
  member.settled = true
  member.session.unsettled--
  const { own, process } = member
  if (own === null) return
  const { turn, call } = own
  const above = spanAbove(stage, member, turn, call)
  if (above.ref !== null) above.ref.used = true
  // Forked before what it hangs on began (an old shell that execs an agent): its span begins with that. Kernel parents are never younger.
  const startedAt = process.startedAt > above.startedAt ? process.startedAt : above.startedAt
  stage.emit({
    kind: 'process.settled',
    process,
    place: { session: member.session.session, role: member.role, turn: turn === null ? null : turn.turn, toolCall: call === null ? null : call.toolCall },
    totals: { ...member.totals },
    parentSpanId: above.id,
    startedAt,
    join: BY_KERNEL,
    truncated,
    omitted: member.span !== 'granted',
    linked: member.linked,
    at: at > startedAt ? at : startedAt,
  })
}

/** The process and its sockets have ended: counts it out, settles what is over, from here upwards. */
export function close(stage: Stage, member: Member, at: BootNs): void {
  if (member.closed) return
  member.closed = true
  const { session, turn, call } = member
  if (at > session.lastEnd) session.lastEnd = at
  session.live--
  if (member.role === 'agent' && --session.agents === 0) session.agentsEndedAt = at
  else if (session.agent === null && session.root.id === member.process.id) session.agentsEndedAt = at
  stage.state.gone.set(member.process.id, at)
  if (member.open === 0) settleUp(stage, member)
  else stage.state.waiting.set(member.process.id, at)
  if (call !== null) closeCall(stage, session, call, at)
  if (turn !== null && --turn.live === 0) tellEnd(stage, session, turn)
  endIfOver(stage, session)
}

/** Settles a process whose tree has ended, then its parent if that waited for it, and so on. A loop: trees are deep. */
export function settleUp(stage: Stage, member: Member): void {
  for (let each: Member | null = member; each !== null; ) {
    stage.state.waiting.delete(each.process.id)
    settle(stage, each, false, each.endedAt ?? each.session.lastEnd)
    const parent: Member | null = parentOf(stage, each)
    if (parent === null) return
    parent.open--
    each = parent.closed && parent.open === 0 && !parent.settled ? parent : null
  }
}

export function parentOf(stage: Stage, member: Member): Member | null {
  const parent = member.parent === null ? undefined : stage.state.standings.get(member.parent)
  return parent?.kind === 'member' && parent.session === member.session ? parent : null
}

/** One process (or session) below the tool call is over. */
export function closeCall(stage: Stage, session: SessionRecord, call: CallRecord, at: BootNs): void {
  if (at > call.lastEnd) call.lastEnd = at
  if (--call.live === 0) endCall(stage, session, call, call.lastEnd)
}

export function endCall(stage: Stage, session: SessionRecord, call: CallRecord, at: BootNs): void {
  if (call.ended) return
  call.ended = true
  session.calls.delete(call.toolCall.id)
  const begun = call.toolCall.startedAt
  stage.emit({
    kind: 'tool_call.end',
    session: session.session,
    toolCall: call.toolCall,
    verdict: 'not_observable',
    why: NO_CLAIMS,
    join: BY_HABIT,
    spansOmitted: call.omitted,
    at: at > begun ? at : begun,
  })
}

export function endIfOver(stage: Stage, session: SessionRecord): void {
  if (session.live > 0 || session.children > 0 || session.endedAt !== null) return
  const { exit } = session.root
  endSession(stage, session, exit === null ? 'observer_gap' : exit.signal !== 0 ? 'signal' : 'exit', session.lastEnd)
}
