import type { Place, Role } from '../model/session.ts'
import type { CallRecord, SessionRecord, TurnRecord } from './state.ts'

/** Where a process stands, as far as it is proven: in a session with claims turn and tool call are known only once the join is decided. */
export function placeOf(session: SessionRecord, role: Role, turn: TurnRecord | null, call: CallRecord | null): Place {
  if (!session.claimed) return { session: session.session, role, turn: turn === null ? null : turn.turn, toolCall: call === null ? null : call.toolCall }
  if (call === null) return { session: session.session, role, turn: null, toolCall: null }
  return { session: session.session, role, turn: call.proven?.turn ?? null, toolCall: call.proven?.toolCall ?? null, toolRoot: call.toolCall.rootProcess }
}
