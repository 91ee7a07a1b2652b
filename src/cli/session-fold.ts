import type { Attributes, Entry, Value } from '../model/entry.ts'
import type { SessionTotals } from '../model/session.ts'
import type { SessionDocument } from '../model/status.ts'
import { flagOf, listOf, numberOf, textOf, timeOf } from './attributes.ts'

/** Sessions listed at most; older ones are in the journal all the same, and the listing says that it was cut. */
export const SESSIONS_MAX = 100_000

export const SESSION_EVENTS = ['session.start', 'session.end'] as const

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Begins and ends of sessions, folded into one row each. Feed entries in index order. */
export type SessionFold = { add(entry: Entry): void; readonly sessions: ReadonlyMap<string, SessionDocument>; readonly omitted: number }

export function createSessionFold(): SessionFold {
  const sessions = new Map<string, Mutable<SessionDocument>>()
  let omitted = 0

  function rowOf(id: string): Mutable<SessionDocument> {
    let row = sessions.get(id)
    if (row === undefined) {
      if (sessions.size >= SESSIONS_MAX) {
        const [oldest] = sessions.keys()
        if (oldest !== undefined) sessions.delete(oldest)
        omitted++
      }
      sessions.set(id, (row = unknownSession(id)))
    }
    return row
  }

  return {
    add(entry) {
      const id = textOf(entry.attributes, 'session.id')
      if (id === null) return
      if (entry.eventName === 'session.start') begin(rowOf(id), entry)
      else if (entry.eventName === 'session.end') end(rowOf(id), entry)
    },
    sessions,
    get omitted() {
      return omitted
    },
  }
}

/** A session whose beginning has been pruned, or is not there yet. */
const unknownSession = (id: string): Mutable<SessionDocument> => ({
  id,
  agent: { name: 'unknown', version: null, kind: 'unknown', evidence: [], sanction: 'unknown' },
  state: 'open',
  startedAt: null,
  endedAt: null,
  user: { id: null, name: null },
  origin: 'unknown',
  cwd: null,
  parentId: null,
  coverage: { fidelity: null, reasons: [] },
  totals: null,
  findings: null,
})

function begin(row: Mutable<SessionDocument>, { attributes, timeUnixNano }: Entry): void {
  row.agent = agentOf(attributes) ?? row.agent
  row.startedAt = String(timeUnixNano)
  row.user = { id: textOf(attributes, 'user.id'), name: textOf(attributes, 'user.name') }
  row.origin = textOf(attributes, 'spoor.origin') ?? 'unknown'
  row.cwd = textOf(attributes, 'process.working_directory')
  row.parentId = textOf(attributes, 'spoor.session.parent_id')
  row.coverage = coverageOf(attributes, row.coverage)
}

function end(row: Mutable<SessionDocument>, { attributes, timeUnixNano }: Entry): void {
  if (row.startedAt === null) row.agent = agentOf(attributes) ?? row.agent // its beginning has been pruned
  row.state = 'ended'
  row.endedAt = String(timeUnixNano)
  row.startedAt ??= timeOf(attributes, 'spoor.start_time')
  row.coverage = coverageOf(attributes, row.coverage)
  row.totals = totalsOf(attributes)
}

function agentOf(attributes: Attributes): SessionDocument['agent'] | null {
  const name = textOf(attributes, 'gen_ai.agent.name')
  if (name === null) return null
  return {
    name,
    version: textOf(attributes, 'gen_ai.agent.version'),
    kind: textOf(attributes, 'spoor.agent.kind') ?? 'unknown',
    evidence: listOf(attributes, 'spoor.agent.evidence'),
    sanction: textOf(attributes, 'spoor.agent.sanction') ?? 'unknown',
  }
}

function coverageOf(attributes: Attributes, known: SessionDocument['coverage']): SessionDocument['coverage'] {
  const value: Value | undefined = attributes['spoor.coverage']
  const reasons = [...new Set([...known.reasons, ...(flagOf(attributes, 'spoor.session.joined_late') ? ['joined_late'] : []), ...listOf(attributes, 'spoor.incomplete')])]
  if (typeof value === 'string') return { fidelity: value, reasons }
  if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    const map = value as Attributes
    return { fidelity: textOf(map, 'fidelity'), reasons: [...new Set([...reasons, ...listOf(map, 'reasons')])] }
  }
  return { fidelity: known.fidelity, reasons }
}

export function totalsOf(attributes: Attributes): SessionTotals | null {
  const total = (name: string) => numberOf(attributes, `spoor.totals.${name}`)
  if (total('processes') === null) return null
  return {
    processes: total('processes') ?? 0,
    execs: total('execs') ?? 0,
    filesRead: total('files_read') ?? 0,
    filesChanged: total('files_changed') ?? 0,
    connections: total('connections') ?? 0,
    bytesOut: total('bytes_out') ?? 0,
    turns: total('turns') ?? 0,
    toolCalls: total('tool_calls') ?? 0,
  }
}
