import { ownKey, STARTUP_KEY, spanId, traceIdOfTurn, turnId } from '../identity/ids.ts'
import type { BootNs } from '../model/observation.ts'
import type { Turn } from '../model/session.ts'
import { GAP_NS, STARTUP_NS } from './bounds.ts'
import type { Stage } from './stage.ts'
import type { Member, SessionRecord, TurnRecord } from './state.ts'

/** Start times of processes are whole clock ticks, rounded down: a turn must not seem to begin after the process that began it. */
const TICK_NS = 10_000_000n
export const floorTick = (boot: BootNs): BootNs => boot - (boot % TICK_NS)

/**
 * Turns without claims. Start-up is turn 0 and ends with the agent's first session-leader child, or after 10 s. Later a turn begins with an exec or
 * connect and ends when neither came for 120 s. A turn is told (`turn.start`) once its key is known: its first child process. One without children is
 * keyed by its beginning when it ends. A recorded command is one turn.
 */
export function beginTurn(stage: Stage, session: SessionRecord, basis: Turn['basis'], at: BootNs): TurnRecord {
  const turn: TurnRecord = {
    number: session.nextTurn++,
    basis,
    startedAt: at,
    until: basis === 'startup' ? at + STARTUP_NS : null,
    lastAt: at,
    turn: null,
    endedAt: null,
    closedAt: null,
    live: 0,
    spans: 0,
    told: false,
    counts: { processes: 0, toolCalls: 0, connections: 0 },
  }
  session.turn = turn
  if (basis !== 'burst') key(stage, session, turn, STARTUP_KEY)
  return turn
}

/** The turn to which something belongs that the agent (or a helper of its own) does now; begins one where there is none. */
export function turnAt(stage: Stage, session: SessionRecord, at: BootNs): TurnRecord {
  passTime(stage, session, at)
  const turn = session.turn ?? beginTurn(stage, session, 'burst', floorTick(at))
  if (at > turn.lastAt) turn.lastAt = at
  return turn
}

/** Gives the turn its id, if it has none yet: the key is its first child. One that gave its name to an earlier turn (it execs anew, much later) cannot again. */
export function keyTurn(stage: Stage, session: SessionRecord, turn: TurnRecord, firstChild: Member): void {
  if (turn.turn !== null) return
  key(stage, session, turn, firstChild.namedTurn ? byBeginning(turn) : ownKey(firstChild.process.id))
  firstChild.namedTurn = true
}

const byBeginning = (turn: TurnRecord): string => 'b:' + turn.startedAt

function key(stage: Stage, session: SessionRecord, record: TurnRecord, text: string): void {
  const id = turnId(session.session.id, text)
  record.turn = { id, basis: record.basis, number: record.number, traceId: traceIdOfTurn(id), spanId: spanId('turn', id), startedAt: record.startedAt }
  session.session.totals.turns++
  stage.emit({ kind: 'turn.start', session: session.session, turn: record.turn, at: record.startedAt })
}

/** Ends the present turn where its time is over. */
export function passTime(stage: Stage, session: SessionRecord, now: BootNs): void {
  const turn = session.turn
  if (turn === null) return
  if (turn.until !== null) {
    if (now >= turn.until) endTurn(stage, session, turn.until, now)
  } else if (turn.basis !== 'record' && now - turn.lastAt > GAP_NS) endTurn(stage, session, turn.lastAt, now)
}

/** `at`: when it ended; `now`: when that became known, 120 s later after a gap. */
export function endTurn(stage: Stage, session: SessionRecord, at: BootNs, now: BootNs): void {
  const turn = session.turn
  if (turn === null) return
  session.turn = null
  turn.endedAt = at > turn.startedAt ? at : turn.startedAt
  turn.closedAt = now
  if (turn.live === 0) tellEnd(stage, session, turn)
  else session.closing.push(turn)
}

/** The turn is over, and so are its processes. */
export function tellEnd(stage: Stage, session: SessionRecord, turn: TurnRecord): void {
  if (turn.told || turn.endedAt === null) return
  turn.told = true
  const at = session.closing.indexOf(turn)
  if (at >= 0) session.closing.splice(at, 1)
  if (turn.turn === null) key(stage, session, turn, byBeginning(turn))
  if (turn.turn !== null) stage.emit({ kind: 'turn.end', session: session.session, turn: turn.turn, counts: { ...turn.counts }, at: turn.endedAt })
}
