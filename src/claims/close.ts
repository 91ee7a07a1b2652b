import type { BootNs } from '../model/observation.ts'
import { truncate } from '../sessions/end.ts'
import type { Stage } from '../sessions/stage.ts'
import { GRACE_NS, LOOK_NS, TURN_OVER_NS, UNBOUND_NS } from './bounds.ts'
import { considerCall, forgetLate } from './calls.ts'
import { slotOfRow, tellHelpers } from './helpers.ts'
import { claimOf, slotAt, start } from './slots.ts'
import type { ClaimedSession, Slot } from './state.ts'
import { consider } from './trees.ts'

/** What time alone decides. */
export function look(stage: Stage, now: BootNs): void {
  const { claims } = stage.state
  if (now < claims.lookAt) return
  claims.lookAt = now + LOOK_NS
  for (const session of claims.sessions.values()) lookAt(stage, session, now)
  for (const [key, conversation] of claims.conversations) {
    if (conversation.waiting.length === 0 || now < conversation.since + UNBOUND_NS) continue
    claims.counts.unbound += conversation.waiting.length
    claims.waiting -= conversation.waiting.length
    conversation.waiting.length = 0
    if (conversation.session === null) claims.conversations.delete(key)
  }
}

/** Decides, tells and ends what is due in a session; all of it with `force`. */
export function lookAt(stage: Stage, session: ClaimedSession, now: BootNs, force = false): void {
  const last = force || isLast(session, now)
  for (const tree of session.trees.values()) consider(stage, session, tree, now, last)
  for (const call of [...session.calls.values()]) if (call.kind !== 'program') considerCall(stage, session, call, now, last)
  // What they started comes before them.
  for (const call of [...session.calls.values()]) if (call.kind === 'program') considerCall(stage, session, call, now, last)
  tellHelpers(stage, session, now, last)
  tellBursts(session, now, last)
  for (const slot of [...session.slots]) if (!slot.told) closeSlot(stage, session, slot, now, last)
  forgetTrees(session)
  forgetLate(session, now)
  if (last) finish(stage, session, now)
}

/** What an agent wrote of its last moments may come as late as all else. */
const isLast = ({ end }: ClaimedSession, now: BootNs): boolean => end !== null && now >= end.at + GRACE_NS

function finish(stage: Stage, session: ClaimedSession, now: BootNs): void {
  const { end, record } = session
  if (end === null) return
  tellBursts(session, now, true)
  for (const slot of [...session.slots]) {
    slot.endedAt ??= end.at
    closeSlot(stage, session, slot, now, true)
  }
  const { totals } = record.session
  totals.turns = session.turns
  totals.toolCalls = session.toolCalls
  stage.state.claims.sessions.delete(record.session.id)
  stage.out(end)
}

/** Bursts without a tool call or helper, in which the agent only talked to its model: turns where no claimed one covers them. */
function tellBursts(session: ClaimedSession, now: BootNs, force: boolean): void {
  const waiting = session.bursts.splice(0)
  for (const burst of waiting) {
    if (!force && now < burst.at + GRACE_NS) {
      session.bursts.push(burst)
      continue
    }
    const slot = slotAt(session, burst.turn.startedAt, burst.turn)
    if (slot === null || slot.claimed) continue
    if (slot.endedAt === null || slot.endedAt < burst.at) slot.endedAt = burst.at
  }
}

/** Tells a turn's end once all that began in it is over; 30 s after it what still runs is settled as truncated. */
function closeSlot(stage: Stage, session: ClaimedSession, slot: Slot, now: BootNs, force: boolean): void {
  if (slot.told || slot.endedAt === null) return
  // A call made within the grace goes on with the turn, and it may be read a grace later.
  if (!force && now < slot.endedAt + 2n * GRACE_NS) return
  if (isBusy(session, slot)) {
    if (!force && now < slot.endedAt + TURN_OVER_NS) return
    truncateSlot(stage, session, slot, now)
  }
  start(stage, session, slot)
  slot.told = true
  session.turns++
  const { endedAt } = slot
  const from = slot.startedAt
  const connects = session.connects.filter((at) => ownerOf(session, at) === slot).length
  const counts = { ...slot.counts, connections: slot.counts.connections + connects }
  stage.out({ kind: 'turn.end', session: session.record.session, turn: slot.turn, counts, ...claimOf(slot), at: endedAt > from ? endedAt : from })
}

/** The turn in which the agent's own program connected: the last begun of those that were on. */
const ownerOf = ({ slots }: ClaimedSession, at: BootNs): Slot | undefined => slots.findLast((slot) => slot.startedAt <= at && (slot.endedAt === null || at <= slot.endedAt))

const until = (slot: Slot): BootNs => (slot.endedAt ?? 0n) + GRACE_NS

function isBusy(session: ClaimedSession, slot: Slot): boolean {
  for (const tree of session.trees.values()) {
    if (tree.decided === null ? tree.execAt >= slot.startedAt && tree.execAt <= until(slot) : tree.decided.slot === slot && (!tree.told || tree.record.live > 0)) return true
  }
  for (const call of session.calls.values()) if (call.slot === slot) return true
  for (const { process } of session.helpers) if (process.startedAt >= slot.startedAt && process.startedAt <= until(slot)) return true
  for (const row of session.rows.values())
    if (!row.settled && row.tree === null && (row.slot === slot || (row.slot === undefined && mayBe(session, row.startedAt, slot)))) return true
  return false
}

const mayBe = (session: ClaimedSession, at: BootNs, slot: Slot): boolean =>
  at >= slot.startedAt && at <= until(slot) && !session.slots.some((other) => other !== slot && other.startedAt > slot.startedAt && other.startedAt <= at)

function truncateSlot(stage: Stage, session: ClaimedSession, slot: Slot, now: BootNs): void {
  for (const tree of session.trees.values()) if (tree.decided === null && tree.execAt >= slot.startedAt && tree.execAt <= until(slot)) consider(stage, session, tree, now, true)
  tellHelpers(stage, session, now, true)
  const trees = new Set([...session.trees.values()].filter((tree) => tree.decided?.slot === slot).map((tree) => tree.record))
  const rows = new Set([...session.rows.values()].filter((row) => !row.settled && row.tree === null && slotOfRow(session, row) === slot).map((row) => row.process))
  truncate(stage, session.record, (member) => (member.call !== null && trees.has(member.call)) || rows.has(member.process.id), now)
  tellHelpers(stage, session, now, true)
  for (const call of [...session.calls.values()]) if (call.slot === slot) considerCall(stage, session, call, now, true)
  for (const tree of session.trees.values()) if (tree.decided?.slot === slot) consider(stage, session, tree, now, true)
}

/** Told, and nothing of it runs: no process can hang on it any more. */
function forgetTrees(session: ClaimedSession): void {
  for (const [id, tree] of session.trees) {
    if (!tree.told || tree.record.live > 0) continue
    if ([...session.rows.values()].some((row) => row.tree === tree && !row.settled)) continue
    session.trees.delete(id)
    for (const [span, row] of session.rows) if (row.tree === tree) session.rows.delete(span)
  }
}
