import { spanId, traceIdOfTurn, turnId } from '../identity/ids.ts'
import type { BootNs } from '../model/observation.ts'
import type { Turn, TurnClaim } from '../model/session.ts'
import type { Stage } from '../sessions/stage.ts'
import { GRACE_NS, TURNS_MAX } from './bounds.ts'
import type { ClaimedSession, Slot } from './state.ts'

type Beginning = Pick<Slot, 'key' | 'claimed' | 'startedAt' | 'turn' | 'number'> & { readonly conversation: string | null; readonly started: boolean }

function add(session: ClaimedSession, beginning: Beginning): Slot {
  const slot: Slot = { ...beginning, endedAt: null, prompt: null, model: null, mode: null, told: false, spans: 0, calls: 0, counts: { processes: 0, toolCalls: 0, connections: 0 } }
  const { slots, byKey, byTurn } = session
  let at = slots.length
  while (at > 0 && slots[at - 1]!.startedAt > slot.startedAt) at--
  slots.splice(at, 0, slot)
  byKey.set(slot.key, slot)
  byTurn.set(slot.turn.id, slot)
  if (slots.length > TURNS_MAX) {
    const oldest = slots.findIndex(({ told }) => told)
    if (oldest >= 0) {
      const [gone] = slots.splice(oldest, 1)
      byKey.delete(gone!.key)
      byTurn.delete(gone!.turn.id)
    }
  }
  return slot
}

/** The turn that the agent names by `key`; begins with the first claim that does. */
export function claimedSlot(session: ClaimedSession, key: string, conversation: string, at: BootNs): Slot {
  const known = session.byKey.get(key)
  if (known !== undefined) return known
  const { session: of } = session.record
  const startedAt = at > of.startedAt ? at : of.startedAt
  const id = turnId(of.id, key)
  const number = session.nextNumber++
  const turn: Turn = { id, basis: 'claim', number, traceId: traceIdOfTurn(id), spanId: spanId('turn', id), startedAt }
  const slot = add(session, { key, claimed: true, number, startedAt, turn, conversation, started: false })
  // A request in the same dialogue ends the one before; whatever it is, start-up is over.
  for (const other of session.slots) {
    if (other === slot) continue
    if (other.startedAt > startedAt) {
      if (other.claimed && other.conversation === conversation && (slot.endedAt === null || slot.endedAt > other.startedAt)) slot.endedAt = other.startedAt
      continue
    }
    if (other.turn.basis === 'startup' || (other.claimed && other.conversation === conversation && other.endedAt === null)) {
      if (other.endedAt === null || other.endedAt > startedAt) other.endedAt = startedAt
    }
  }
  return slot
}

/** What a turn is called that goes on long after its agent had declared it over (a background task reports back). */
const FURTHER = '+'

/** The last part of a turn. */
export function lastPart(session: ClaimedSession, slot: Slot): Slot {
  let last = slot
  for (let next = session.byKey.get(last.key + FURTHER); next !== undefined; next = session.byKey.get(last.key + FURTHER)) last = next
  return last
}

/** A call in a turn that its agent had declared over: within the grace the turn goes on, later a further part of it begins. */
export function goOn(session: ClaimedSession, slot: Slot, at: BootNs): Slot {
  if (slot.conversation === null || slot.endedAt === null || slot.endedAt >= at) return slot
  if (slot.told || at > slot.endedAt + GRACE_NS) return claimedSlot(session, slot.key + FURTHER, slot.conversation, at)
  const followed = session.slots.some(
    (other) => other !== slot && other.claimed && other.conversation === slot.conversation && other.startedAt > slot.startedAt && other.startedAt <= at,
  )
  if (!followed) slot.endedAt = null
  return slot
}

/** The turn as the session has it without claims. */
export function ownSlot(session: ClaimedSession, turn: Turn): Slot {
  const known = session.byTurn.get(turn.id)
  if (known !== undefined) return known
  const first = turn.basis !== 'burst'
  const number = first ? turn.number : session.nextNumber++
  return add(session, { key: turn.id, claimed: false, number, startedAt: turn.startedAt, turn: { ...turn, number }, conversation: null, started: first })
}

/** The turn in which something began: the last one claimed before it, unless that was long over; else as without claims. */
export function slotAt(session: ClaimedSession, at: BootNs, own: Turn | null): Slot | null {
  for (let i = session.slots.length - 1; i >= 0; i--) {
    const slot = session.slots[i]!
    if (!slot.claimed || slot.startedAt > at) continue
    if (slot.endedAt === null || at <= slot.endedAt + GRACE_NS) return slot
    // A dialogue beside this one may go on.
  }
  return own === null ? null : ownSlot(session, own)
}

export const claimOf = (slot: Slot): { readonly claim?: TurnClaim } =>
  slot.conversation === null ? {} : { claim: { conversation: slot.conversation, prompt: slot.prompt, model: slot.model, mode: slot.mode } }

/** Tells that a turn has begun, once; before anything that is in it. */
export function start(stage: Stage, session: ClaimedSession, slot: Slot): void {
  if (slot.started) return
  slot.started = true
  stage.out({ kind: 'turn.start', session: session.record.session, turn: slot.turn, ...claimOf(slot), at: slot.startedAt })
}
