import { spanId } from '../identity/ids.ts'
import type { BootNs } from '../model/observation.ts'
import type { Stage } from '../sessions/stage.ts'
import { GRACE_NS, HELD_MAX, HELD_TOTAL } from './bounds.ts'
import { slotAt, start } from './slots.ts'
import type { ClaimedSession, Row, Settled, Slot } from './state.ts'
import { grant, later, over, parentSpan } from './trees.ts'

/** A helper of the agent's own has settled: its turn is the one that was on when it began, known once the agent's record has been read up to then. */
export function settleHelper(stage: Stage, session: ClaimedSession, settled: Settled): void {
  const { claims } = stage.state
  if (isKnown(session, settled)) tell(stage, session, settled)
  else {
    session.helpers.push(settled)
    session.held++
    claims.held++
    if (session.held > HELD_MAX || claims.held > HELD_TOTAL) tellHelpers(stage, session, null, true)
  }
}

const isKnown = ({ watermark }: ClaimedSession, { process }: Settled): boolean => watermark !== null && watermark >= process.startedAt

export function tellHelpers(stage: Stage, session: ClaimedSession, now: BootNs | null, force: boolean): void {
  const { helpers } = session
  if (helpers.length === 0) return
  const waiting = helpers.splice(0)
  for (const settled of waiting) {
    if (!force && !isKnown(session, settled) && (now === null || now < settled.at + GRACE_NS)) {
      helpers.push(settled)
      continue
    }
    session.held--
    stage.state.claims.held--
    tell(stage, session, settled)
  }
}

/** The turn of a helper; the same whoever asks first, itself or one that hangs on it. */
export function slotOfRow(session: ClaimedSession, row: Row): Slot | null {
  if (row.slot === undefined) row.slot = slotAt(session, row.startedAt, row.own)
  return row.slot
}

function tell(stage: Stage, session: ClaimedSession, settled: Settled): void {
  const { process, place } = settled
  const row = session.rows.get(spanId('process', process.id))
  const slot = row === undefined ? slotAt(session, process.startedAt, place.turn) : slotOfRow(session, row)
  if (slot !== null) start(stage, session, slot)
  const may = (above: Row): boolean => above.tree === null && slotOfRow(session, above) === slot && grantIn(above, slot)
  const granted = !settled.omitted && grantIn(row, slot)
  const container = slot === null ? session.record.spanId : slot.turn.spanId
  const begin = slot === null ? session.record.session.startedAt : slot.startedAt
  if (slot !== null) {
    slot.counts.processes++
    slot.counts.connections += settled.totals.connections
  }
  const startedAt = later(process.startedAt, begin)
  stage.out({
    ...settled,
    place: { ...place, turn: slot === null ? null : slot.turn, toolCall: null },
    parentSpanId: parentSpan(session, settled.parentSpanId, may, container),
    startedAt,
    omitted: !granted,
    at: later(settled.at, startedAt),
  })
  over(session, row, granted)
}

/** In the session's own trace the session keeps the budget. */
function grantIn(row: Row | undefined, slot: Slot | null): boolean {
  if (slot !== null) return grant(row, slot)
  if (row === undefined) return true
  row.granted ??= true
  return row.granted
}
