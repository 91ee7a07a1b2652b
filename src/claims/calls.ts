import { spanId, toolCallId } from '../identity/ids.ts'
import type { BootNs } from '../model/observation.ts'
import type { CallClaim, ToolCall } from '../model/session.ts'
import type { Stage } from '../sessions/stage.ts'
import { ACTS_MAX, CALL_SPANS_MAX, CALLS_MAX, GRACE_NS, LATE_NS, SLACK_NS } from './bounds.ts'
import { sameText } from './commands.ts'
import { type Declared, matchPath, within } from './join.ts'
import { start } from './slots.ts'
import type { Act, ClaimedCall, ClaimedSession, LateTree, Slot } from './state.ts'
import { ambiguous, byChildren, byCommand, byId, byPath, failedBefore, type Judgement, missing, partly, refused, repeat, traceless, unanswered, uncovered } from './verdict.ts'

/** What a call says of itself, for its entries. */
export const callClaimOf = (call: ClaimedCall | null): { readonly claim?: CallClaim } =>
  call === null ? {} : { claim: { conversation: call.conversation, command: call.command, paths: call.saidPaths, decision: call.decision, ok: call.result?.ok ?? null } }

/** Tells that the call which started this one has begun; null: none did, or it is of another turn. */
export function announce(stage: Stage, session: ClaimedSession, call: ClaimedCall, slot: Slot): ToolCall | null {
  const parent = call.parentId === null ? undefined : session.calls.get(call.parentId)
  if (parent === undefined || parent === call || parent.parentId !== null) return null
  if (parent.slot !== slot) return null
  const { toolCall } = parent.toolCall === null ? begin(stage, session, parent, slot, null) : { toolCall: parent.toolCall }
  return parent.spanless ? null : toolCall
}

function begin(stage: Stage, session: ClaimedSession, call: ClaimedCall, slot: Slot, act: Act | null): { readonly toolCall: ToolCall } {
  start(stage, session, slot)
  const parent = announce(stage, session, call, slot)
  const id = toolCallId(session.record.session.id, call.id)
  const floor = parent?.startedAt ?? slot.startedAt
  const toolCall: ToolCall = {
    id,
    turn: slot.turn,
    name: call.tool,
    callId: call.id,
    spanId: spanId('tool_call', id),
    startedAt: call.at > floor ? call.at : floor,
    rootProcess: act?.process ?? session.record.session.root,
    ...(parent !== null && { parentSpanId: parent.spanId }),
  }
  call.spanless = slot.calls >= CALL_SPANS_MAX
  slot.calls++
  slot.counts.toolCalls++
  session.toolCalls++
  call.toolCall = toolCall
  stage.out({ kind: 'tool_call.start', session: session.record.session, toolCall, ...callClaimOf(call), at: toolCall.startedAt })
  return { toolCall }
}

/** A call without a process tree of its own: judged once what could show it must have been seen. */
export function considerCall(stage: Stage, session: ClaimedSession, call: ClaimedCall, now: BootNs, force: boolean): void {
  if (call.joined || call.told) return
  const due = force || isDue(call, now)
  const judged = judge(session, call, due)
  if (judged === null) return
  if (judged.late !== null) {
    tellLate(stage, session, call, judged.late)
    return
  }
  const { slot } = call
  for (const act of judged.acts) act.used = true
  if (judged.judgement.verdict === 'confirmed' && call.parentId !== null) {
    const parent = session.calls.get(call.parentId)
    if (parent !== undefined) parent.joinedChildren++
  }
  const toolCall = call.toolCall ?? begin(stage, session, call, slot, judged.acts[0] ?? null).toolCall
  const { verdict, why, join } = judged.judgement
  const end = call.result?.at ?? call.at
  stage.out({
    kind: 'tool_call.end',
    session: session.record.session,
    toolCall,
    verdict,
    why,
    join,
    spansOmitted: 0,
    ...callClaimOf(call),
    ...(call.spanless && { omitted: true }),
    at: end > toolCall.startedAt ? end : toolCall.startedAt,
  })
  endCall(session, call)
}

function isDue({ result, slot }: ClaimedCall, now: BootNs): boolean {
  if (result !== null) return now >= result.at + GRACE_NS
  return slot.endedAt !== null && now >= slot.endedAt + GRACE_NS
}

type Judged = { readonly judgement: Judgement; readonly acts: readonly Act[]; readonly late: LateTree | null }
const judged = (judgement: Judgement, acts: readonly Act[] = []): Judged => ({ judgement, acts, late: null })

/** Null: not yet. */
function judge(session: ClaimedSession, call: ClaimedCall, due: boolean): Judged | null {
  switch (call.kind) {
    case 'other':
      return call.result !== null || due ? judged(traceless) : null
    case 'program':
      if (!due && (call.result === null || [...session.calls.values()].some((child) => child.parentId === call.id && !child.told))) return null
      return judged(call.joinedChildren > 0 ? byChildren : traceless)
    case 'read':
    case 'write':
      return byPaths(session, call, due)
    case 'shell': {
      if (!due) return null
      if (call.rivals > 0) return judged(ambiguous(call.rivals))
      const late = lateTree(session, call)
      if (late !== null) return { judgement: missing, acts: [], late }
      return judged(withoutTrace(session, call) ?? missing)
    }
    default:
      return call.kind satisfies never
  }
}

const declared = ({ id, at, result }: ClaimedCall): Declared => ({ id, at, resultAt: result === null || result.running ? null : result.at })

function byPaths(session: ClaimedSession, call: ClaimedCall, due: boolean): Judged | null {
  if (call.result === null && !due) return null
  const found: Act[] = []
  let shared = 0
  let repeats = 0
  for (const path of call.paths) {
    const match = matchPath(session.acts, path, call.kind === 'write', call.result?.ok === false, declared(call), due ? SLACK_NS : 0n)
    if (match?.kind === 'seen') found.push(match.act)
    else if (match?.kind === 'shared') shared++
    else if (match?.kind === 'repeat') repeats++
  }
  const all = call.paths.length
  if (found.length === all) return judged(byPath, found)
  if (!due) return null
  if (found.length + shared === all) return judged(ambiguous(shared + 1), found)
  if (found.length + shared + repeats === all) return judged(repeat, found)
  const gone = withoutTrace(session, call)
  if (gone !== null) return judged(gone, found)
  return judged(found.length > 0 ? partly(found.length, all) : missing, found)
}

/** Why nothing was to be seen; null: something was. */
function withoutTrace(session: ClaimedSession, call: ClaimedCall): Judgement | null {
  const { coverage } = session.record.session
  if (call.decision !== null && /^(?:deny|denied|reject|rejected)$/.test(call.decision.decision)) return refused
  if (call.result === null) return unanswered
  if (call.result.ok === false && call.result.exitCode === null) return failedBefore
  const lost = coverage.reasons.find((reason) => reason.startsWith('lost:'))
  if (lost !== undefined) return uncovered(lost)
  if (coverage.fidelity !== 'exact') return uncovered(coverage.fidelity)
  const oldest = session.acts[0]
  if (call.kind !== 'shell' && session.acts.length >= ACTS_MAX && oldest !== undefined && oldest.at > call.at - SLACK_NS) return uncovered('the agent opened too many files')
  return null
}

/** The process tree that had to be settled before this claim came: by its id, else the only one of that text and time. */
function lateTree(session: ClaimedSession, call: ClaimedCall): LateTree | null {
  const byOwnId = session.late.find(({ callId }) => callId === call.id)
  if (byOwnId !== undefined) return byOwnId
  const found = session.late.filter(
    (tree) => tree.callId === null && call.text !== null && tree.text !== null && sameText(tree.text, call.text) && within(tree.execAt, declared(call), SLACK_NS),
  )
  return found.length === 1 ? found[0]! : null
}

function tellLate(stage: Stage, session: ClaimedSession, call: ClaimedCall, tree: LateTree): void {
  session.late.splice(session.late.indexOf(tree), 1)
  stage.state.claims.counts.late++
  const { verdict, join } = tree.callId === call.id ? byId(null) : byCommand
  stage.out({ kind: 'join.late', session: session.record.session, toolCall: tree.toolCall, name: call.tool, callId: call.id, verdict, join, at: call.result?.at ?? call.at })
  endCall(session, call)
}

/** Each call makes one span. */
export function endCall(session: ClaimedSession, call: ClaimedCall): void {
  call.told = true
  session.calls.delete(call.id)
  session.over.add(call.id)
  if (session.over.size > CALLS_MAX) for (const oldest of session.over) if (session.over.delete(oldest)) break
}

export function forgetLate(session: ClaimedSession, now: BootNs): void {
  while (session.late.length > 0 && session.late[0]!.at + LATE_NS < now) session.late.shift()
}
