import type { SessionActivity } from '../model/session.ts'
import { say } from './say.ts'

const LEVEL = { info: 30, warn: 40 } as const

/** One JSON object a line on standard error, in pino's format, for a journal or a supervisor. State changes only: everything else is counted (`spoor status`). */
export function logState(message: string, detail: Readonly<Record<string, unknown>> = {}, level: keyof typeof LEVEL = 'info'): void {
  say(JSON.stringify({ level: LEVEL[level], time: Date.now(), name: 'spoor', pid: process.pid, msg: message, ...detail }))
}

/** Sessions that begin and end are state changes. */
export function logActivity(activity: SessionActivity): void {
  if (activity.kind === 'session.start') {
    const { id, agent, user, origin, joinedLate, parentId, rootPid } = activity.session
    logState('session started', { session: id, agent: agent.name, version: agent.version, user: user.id, origin, joinedLate, parent: parentId, rootPid })
  } else if (activity.kind === 'session.end') {
    const { id, agent, totals } = activity.session
    logState('session ended', { session: id, agent: agent.name, reason: activity.reason, ...totals })
  } else if (activity.kind === 'gap') logState('gap', { reason: activity.reason, kinds: activity.kinds, atLeast: activity.atLeast }, 'warn')
}
