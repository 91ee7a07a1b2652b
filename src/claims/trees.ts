import { spanId, toolCallId } from '../identity/ids.ts'
import type { SpanId } from '../model/ids.ts'
import type { BootNs } from '../model/observation.ts'
import { imageOf, type Process } from '../model/process.ts'
import type { SessionActivity, ToolCall } from '../model/session.ts'
import { SPANS_MAX } from '../sessions/bounds.ts'
import type { Stage } from '../sessions/stage.ts'
import { variable } from '../sessions/trace-context.ts'
import { AFTER_EXIT_NS, CALL_SPANS_MAX, GRACE_NS, HELD_MAX, HELD_TOTAL, LATE_MAX, SLACK_NS } from './bounds.ts'
import { announce, callClaimOf, endCall } from './calls.ts'
import { sameText, textOf } from './commands.ts'
import { type Declared, matchRuns, within } from './join.ts'
import { slotAt, start } from './slots.ts'
import type { ClaimedCall, ClaimedSession, CommandText, Decision, Row, Settled, Slot, Tree } from './state.ts'
import { ambiguous, byCommand, byId, byPlace, type Judgement, silent, undeclared, unread } from './verdict.ts'

type Of<K extends SessionActivity['kind']> = Extract<SessionActivity, { kind: K }>

/** A tool-root process has been seen: whose call it is will be decided. */
export function beginTree(stage: Stage, session: ClaimedSession, { toolCall }: Of<'tool_call.start'>): void {
  const record = session.record.calls.get(toolCall.id)
  if (record === undefined) return
  const root = stage.lineage.get(toolCall.rootProcess)
  const image = root === undefined ? undefined : imageOf(root)
  const name = stage.catalogue.find((entry) => entry.name === session.record.session.agent.name)?.toolCallVariable
  const tree: Tree = {
    record,
    own: toolCall,
    execAt: image?.at ?? toolCall.startedAt,
    callId: name === undefined || image === undefined ? null : (variable(image.env, name) as string | null),
    text: null,
    held: [],
    heldSince: null,
    end: null,
    decided: null,
    omitted: 0,
    told: false,
  }
  session.trees.set(toolCall.id, tree)
}

/** The tool-root process runs a program. What it was asked to run is read now: lineage lets it go some seconds after its end. */
export function readText(tree: Tree, root: Process): void {
  if (tree.text === null && root.id === tree.own.rootProcess) tree.text = textOf(root)
}

const ranText = (tree: Tree, text: CommandText | null): boolean => text !== null && tree.text !== null && sameText(tree.text, text)

/** Settled below a tool call: told at once where that is decided. */
export function settleInTree(stage: Stage, session: ClaimedSession, tree: Tree, settled: Settled): void {
  if (tree.decided !== null) tell(stage, session, tree, tree.decided, settled)
  else if (session.held >= HELD_MAX || stage.state.claims.held >= HELD_TOTAL) withoutPlace(stage, session, tree, settled)
  else {
    tree.held.push(settled)
    tree.heldSince ??= settled.at
    session.held++
    stage.state.claims.held++
  }
}

export function endTree(stage: Stage, session: ClaimedSession, tree: Tree, end: Of<'tool_call.end'>): void {
  tree.end = end
  consider(stage, session, tree, null)
}

/** Decides what can be decided, tells what can be told. `now` null: only what no later claim could change. */
export function consider(stage: Stage, session: ClaimedSession, tree: Tree, now: BootNs | null, force = false): void {
  if (tree.decided === null) {
    const overdue =
      now !== null && ((tree.end !== null && now >= tree.end.at + GRACE_NS) || (tree.heldSince !== null && now >= tree.heldSince + AFTER_EXIT_NS) || isAwaited(session, tree, now))
    const due = force || overdue
    const joined = byCallId(session, tree) ?? (due ? byText(session, tree) : plainly(session, tree))
    if (joined !== null) decide(stage, session, tree, joined.call, joined.judgement)
    else if (due) decide(stage, session, tree, null, unjoined(stage, session, tree))
  }
  if (tree.decided !== null && tree.end !== null && !tree.told) {
    const { call } = tree.decided
    const answered = call === null || call.result !== null
    if (answered || force || (now !== null && now >= tree.end.at + GRACE_NS)) endTold(stage, session, tree, tree.decided, tree.end)
  }
}

/** A call that was answered a grace ago may be this one, which goes on (a server in the background). */
function isAwaited(session: ClaimedSession, tree: Tree, now: BootNs): boolean {
  if (tree.callId !== null) return false
  for (const call of session.calls.values())
    if (isOpen(call) && call.result !== null && now >= call.result.at + GRACE_NS && within(tree.execAt, declared(call), SLACK_NS)) return true
  return false
}

type Joined = { readonly call: ClaimedCall; readonly judgement: Judgement }

/** The id in the environment is the agent's own: nothing that comes later can be better. */
function byCallId(session: ClaimedSession, tree: Tree): Joined | null {
  const call = tree.callId === null ? undefined : session.calls.get(tree.callId)
  if (call === undefined || call.joined) return null
  return { call, judgement: byId(null) }
}

const declared = (call: ClaimedCall, until: BootNs | null = null): Declared => ({
  id: call.id,
  at: call.at,
  resultAt: call.result === null || call.result.running || (until !== null && call.result.at > until) ? null : call.result.at,
})
const isOpen = (call: ClaimedCall): boolean => call.kind === 'shell' && !call.joined && !call.told
const withText = (session: ClaimedSession, text: CommandText | null): ClaimedCall[] =>
  text === null ? [] : [...session.calls.values()].filter((call) => isOpen(call) && call.text !== null && sameText(text, call.text))
const rivalsOf = (session: ClaimedSession, tree: Tree): Tree[] =>
  [...session.trees.values()].filter((other) => other.decided === null && other.callId === null && ranText(other, tree.text))

/** Before the grace is over: the one call of that text, answered, and the one process tree. Records are read in their order, so no later one can fit as well. */
function plainly(session: ClaimedSession, tree: Tree): Joined | null {
  if (tree.end === null || tree.callId !== null || tree.text === null) return null
  const calls = withText(session, tree.text)
  const [call] = calls
  if (call === undefined || calls.length > 1 || call.result === null || !within(tree.execAt, declared(call), 0n)) return null
  return rivalsOf(session, tree).length === 1 ? { call, judgement: byCommand } : null
}

function byText(session: ClaimedSession, tree: Tree): Joined | null {
  if (tree.callId !== null || tree.text === null) return null
  const until = (tree.end?.at ?? tree.heldSince ?? tree.execAt) + SLACK_NS
  const calls = withText(session, tree.text).filter((call) => call.at <= until)
  const ran = rivalsOf(session, tree).filter((other) => other.execAt <= until)
  const found = matchRuns(
    ran.map((each) => ({ id: each.own.id, at: each.execAt })),
    calls.map((call) => declared(call, until)),
  ).get(tree.own.id)
  if (found === undefined) return null
  if ('claim' in found) return { call: session.calls.get(found.claim)!, judgement: byCommand }
  for (const id of found.ambiguous) session.calls.get(id)!.rivals = found.ambiguous.length
  return null
}

function unjoined(stage: Stage, session: ClaimedSession, tree: Tree): Judgement {
  const rivals = withText(session, tree.text).filter((call) => call.rivals > 0 && within(tree.execAt, declared(call), SLACK_NS))
  if (rivals.length > 0) return ambiguous(rivals.length)
  const lost = stage.state.claims.lost.get(session.record.session.user.id)
  if (lost !== undefined) return unread(lost)
  return session.said === 0 ? silent : undeclared
}

/** Where a command was declared and did not run, and an undeclared one did: the same place. Only where neither has another to go with. */
function atPlace(session: ClaimedSession, tree: Tree): ClaimedCall | null {
  if (tree.callId !== null) return null
  const open = (call: ClaimedCall): boolean => isOpen(call) && call.rivals === 0 && !stillRuns(session, call)
  const calls = [...session.calls.values()].filter((call) => open(call) && within(tree.execAt, declared(call), 0n))
  const [call] = calls
  if (call === undefined || calls.length > 1) return null
  const others = [...session.trees.values()].filter((other) => other !== tree && other.callId === null && isLoose(other) && within(other.execAt, declared(call), 0n))
  return others.some((other) => !hasOwn(session, other)) ? null : call
}

const isLoose = (tree: Tree): boolean => tree.decided === null || (tree.decided.call === null && tree.decided.verdict === 'seen_not_declared')
const hasOwn = (session: ClaimedSession, tree: Tree): boolean => withText(session, tree.text).some((call) => within(tree.execAt, declared(call), SLACK_NS))
const stillRuns = (session: ClaimedSession, call: ClaimedCall): boolean =>
  [...session.trees.values()].some((tree) => tree.decided === null && ranText(tree, call.text) && within(tree.execAt, declared(call), SLACK_NS))

function decide(stage: Stage, session: ClaimedSession, tree: Tree, found: ClaimedCall | null, judgement: Judgement): void {
  const { own } = tree
  let call = found
  if (call === null && judgement === undeclared) {
    call = atPlace(session, tree)
    if (call !== null) judgement = byPlace
  }
  if (call !== null) {
    call.joined = true
    const parent = call.parentId === null ? undefined : session.calls.get(call.parentId)
    if (parent !== undefined) parent.joinedChildren++
  }
  const slot = call === null ? slotAt(session, tree.execAt, own.turn)! : call.slot
  start(stage, session, slot)
  const spanless = slot.calls >= CALL_SPANS_MAX
  slot.calls++
  slot.counts.toolCalls++
  session.toolCalls++
  const toolCall = call === null ? { ...own, turn: slot.turn, callId: tree.callId, startedAt: later(own.startedAt, slot.startedAt) } : announced(stage, session, tree, call, slot)
  const decision: Decision = { slot, toolCall, call, ...judgement, spanless }
  tree.decided = decision
  tree.record.proven = { turn: slot.turn, toolCall }
  if (call !== null) {
    call.toolCall = toolCall
    call.spanless = spanless
  } else remember(session, tree, toolCall)
  stage.out({ kind: 'tool_call.start', session: session.record.session, toolCall, ...callClaimOf(call), at: toolCall.startedAt })
  const { held } = tree
  tree.held = []
  session.held -= held.length
  stage.state.claims.held -= held.length
  for (const settled of held) tell(stage, session, tree, decision, settled)
}

function announced(stage: Stage, session: ClaimedSession, tree: Tree, call: ClaimedCall, slot: Slot): ToolCall {
  const id = toolCallId(session.record.session.id, call.id)
  const parent = announce(stage, session, call, slot)
  const begun = call.at < tree.own.startedAt ? call.at : tree.own.startedAt
  return {
    id,
    turn: slot.turn,
    name: call.tool,
    callId: call.id,
    spanId: spanId('tool_call', id),
    startedAt: later(begun, parent?.startedAt ?? slot.startedAt),
    rootProcess: tree.own.rootProcess,
    ...(parent !== null && { parentSpanId: parent.spanId }),
  }
}

/** For a claim that comes late. */
function remember(session: ClaimedSession, tree: Tree, toolCall: ToolCall): void {
  session.late.push({ toolCall, execAt: tree.execAt, callId: tree.callId, text: tree.text, at: tree.end?.at ?? tree.execAt })
  if (session.late.length > LATE_MAX) session.late.shift()
}

function tell(stage: Stage, session: ClaimedSession, tree: Tree, decision: Decision, settled: Settled): void {
  const { slot, toolCall, spanless, join } = decision
  const { process } = settled
  const row = session.rows.get(spanId('process', process.id))
  const granted = !settled.omitted && grant(row, slot)
  if (!granted) tree.omitted++
  const container = spanless ? slot.turn.spanId : toolCall.spanId
  const parent = toolCall.rootProcess === process.id ? container : parentSpan(session, settled.parentSpanId, (above) => above.tree === tree && grant(above, slot), container)
  slot.counts.processes++
  slot.counts.connections += settled.totals.connections
  const startedAt = later(process.startedAt, spanless ? slot.startedAt : toolCall.startedAt)
  stage.out({
    ...settled,
    place: { session: session.record.session, role: settled.place.role, turn: slot.turn, toolCall },
    parentSpanId: parent,
    startedAt,
    join,
    omitted: !granted,
    at: later(settled.at, startedAt),
  })
  over(session, row, granted)
}

/** No room to wait for the decision. */
function withoutPlace(stage: Stage, session: ClaimedSession, tree: Tree, settled: Settled): void {
  tree.omitted++
  const row = session.rows.get(spanId('process', settled.process.id))
  if (row !== undefined) row.granted = false
  stage.out({ ...settled, place: { ...settled.place, turn: null, toolCall: null }, parentSpanId: session.record.spanId, omitted: true })
  over(session, row, false)
}

/** The span to hang on: that of the process above where it is certain to come in this turn. */
export function parentSpan(session: ClaimedSession, above: SpanId | null, may: (row: Row) => boolean, container: SpanId): SpanId {
  const row = above === null ? undefined : session.rows.get(above)
  return row !== undefined && above !== null && may(row) ? above : container
}

/** A place in the turn's span budget, once and for all: asked for by the process itself, or by one that hangs on it and settles first. */
export function grant(row: Row | undefined, slot: Slot): boolean {
  if (row === undefined) return false
  if (row.granted === null) {
    row.granted = slot.spans < SPANS_MAX
    if (row.granted) slot.spans++
  }
  return row.granted
}

/** What got no span is not looked for again. */
export function over(session: ClaimedSession, row: Row | undefined, granted: boolean): void {
  if (row === undefined) return
  row.settled = true
  if (!granted) session.rows.delete(spanId('process', row.process))
}

function endTold(stage: Stage, session: ClaimedSession, tree: Tree, decision: Decision, end: Of<'tool_call.end'>): void {
  tree.told = true
  const { toolCall, call, spanless, join } = decision
  // What it ran is known by now: an agent's set-up stages come before it in the same process.
  const { verdict, why } = join.method === 'environment' && call?.text != null && tree.text !== null ? byId(sameText(tree.text, call.text)) : decision
  const result = call?.result
  const at = result == null || result.running ? end.at : later(end.at, result.at)
  stage.out({
    kind: 'tool_call.end',
    session: session.record.session,
    toolCall,
    verdict,
    why,
    join,
    spansOmitted: tree.omitted,
    ...callClaimOf(call),
    ...(spanless && { omitted: true }),
    at: later(at, toolCall.startedAt),
  })
  if (call !== null) endCall(session, call)
}

export const later = (a: BootNs, b: BootNs): BootNs => (a > b ? a : b)
