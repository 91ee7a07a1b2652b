import type { SessionId } from '../model/ids.ts'
import type { SessionSummary } from '../model/status.ts'
import type { Pipeline } from './pipeline.ts'

/** What is known of a session, open or lately ended; null where there is none such. */
export function summaryOf(pipeline: Pick<Pipeline, 'sessions' | 'state'>, id: SessionId): SessionSummary | null {
  const found = pipeline.sessions.find(id)
  if (found === null) return null
  const { session, ended } = found
  const { offsetNs } = pipeline.state.clock
  return {
    id,
    agent: session.agent.name,
    userId: session.user.id,
    ended: ended !== null,
    settled: pipeline.sessions.isSettled(id),
    startedAt: String(session.startedAt + offsetNs),
    endedAt: ended === null ? null : String(ended.endedAt + offsetNs),
    totals: session.totals,
    incomplete: session.incomplete,
  }
}
