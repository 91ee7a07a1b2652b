import type { SessionActivity } from '../model/session.ts'

export type Detail = Readonly<Record<string, unknown>>
/** State changes, for a journal or a supervisor; everything else is counted (`spoor status`). */
export type StateLog = {
  info(message: string, detail?: Detail): void
  warn(message: string, detail?: Detail): void
  /** Sessions that begin and end are state changes. */
  activity(activity: SessionActivity): void
}

/** One JSON object a line on standard error. Synchronous: what is said before a crash is there after it. */
export async function openStateLog(): Promise<StateLog> {
  const { pino } = await import('pino')
  const log = pino({ name: 'spoor', base: { pid: process.pid } }, pino.destination({ fd: 2, sync: true }))
  return {
    info: (message, detail = {}) => log.info(detail, message),
    warn: (message, detail = {}) => log.warn(detail, message),
    activity(activity) {
      if (activity.kind === 'session.start') {
        const { id, agent, user, origin, joinedLate, parentId, rootPid } = activity.session
        log.info({ session: id, agent: agent.name, version: agent.version, user: user.id, origin, joinedLate, parent: parentId, rootPid }, 'session started')
      } else if (activity.kind === 'session.end') {
        const { id, agent, totals } = activity.session
        log.info({ session: id, agent: agent.name, reason: activity.reason, ...totals }, 'session ended')
      } else if (activity.kind === 'gap') log.warn({ reason: activity.reason, kinds: activity.kinds, atLeast: activity.atLeast }, 'gap')
    },
  }
}
