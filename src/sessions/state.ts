import { type ClaimsState, emptyClaims } from '../claims/state.ts'
import type { Activity } from '../model/activity.ts'
import type { ProcessId, SessionId, SpanId, ToolCallId } from '../model/ids.ts'
import type { BootNs, Kind } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import type { Place, ProcessTotals, Role, Session, ToolCall, TraceContext, Turn } from '../model/session.ts'

/**
 * All that stage 3 remembers. Plain data without cycles, and flat: `v8.serialize` recurses, so a chain of parents is a chain of ids.
 * Write it in one `v8.serialize` call with lineage's state: members hold lineage's own `Process` objects.
 */
export type SessionsState = {
  /** Open sessions, in the order of their beginning: a child session comes after its parent. */
  readonly sessions: Map<SessionId, SessionRecord>
  /** What is known of every process that was heard of: one look-up an observation. */
  readonly standings: Map<ProcessId, Standing>
  readonly holds: Map<ProcessId, Hold>
  heldItems: number
  /** The machine's processes as listed at start, until `seeded`. */
  readonly seeds: Map<ProcessId, Activity>
  /** Release orders that wait for the end of the batch: an exec in the same batch may show an agent after all. */
  readonly releases: Map<ProcessId, { readonly pid: number; readonly startTicks: number }>
  /** Each in the order of time; bounded by STANDINGS_MAX together. */
  readonly released: Map<ProcessId, BootNs>
  readonly draining: Map<ProcessId, BootNs>
  readonly waiting: Map<ProcessId, BootNs>
  readonly stragglers: Map<ProcessId, BootNs>
  readonly gone: Map<ProcessId, BootNs>
  /** Sessions that ended lately, for `spoor record`'s summary. */
  readonly recent: Map<SessionId, EndedSession>
  /** Observations that became no activity of a session, by kind and reason: the ledger's `filtered`. */
  readonly filtered: Partial<Record<Kind, Record<string, number>>>
  /** Bounds that were reached. */
  readonly overflow: { sessions: number; standings: number; holds: number; sockets: number }
  sweepAt: BootNs
  /** What agents say of themselves, and what waits for that. */
  readonly claims: ClaimsState
}

export type EndedSession = { readonly session: Session; readonly endedAt: BootNs; readonly exit: { readonly code: number; readonly signal: number } | null }

export type Standing = Member | Held | Released | Awaiting

/** A process of a session. Outlives the process by LINGER_NS, for late words about it. */
export type Member = {
  readonly kind: 'member'
  process: Process
  readonly session: SessionRecord
  /** The kernel's parent, where that is in the same session. */
  readonly parent: ProcessId | null
  /** Forked by the agent's own program: the place where tool calls begin. */
  readonly ofAgent: boolean
  role: Role
  turn: TurnRecord | null
  call: CallRecord | null
  place: Place
  /** A turn has its id from this process. */
  namedTurn: boolean
  /** Execs seen in this session; a process that never execs has no settled entry. */
  execs: number
  readonly totals: ProcessTotals
  span: 'none' | 'granted' | 'omitted'
  /** Its span, from the first exec on. */
  own: SpanRef | null
  /** The nearest ancestor's span when this process was forked; null: the tool call, turn or session itself. */
  near: SpanRef | null
  /** Forked before this process had a span: they take it as parent once it has. */
  early: ProcessId[] | null
  linked: TraceContext | null
  /** Direct children that are not settled. */
  open: number
  /** Cookies of its open sockets. */
  sockets: Set<bigint> | null
  endedAt: BootNs | null
  /** Counted out of its session, turn and tool call: it and its sockets have ended. */
  closed: boolean
  settled: boolean
}

/**
 * Where a process's span stands; shared with those that may hang on it. `used`: a settled entry names it as parent, so that it has to come where
 * it was announced, whatever becomes of the process. `valid` false: it was moved before that.
 */
export type SpanRef = { readonly id: SpanId; readonly turn: TurnRecord | null; readonly call: CallRecord | null; valid: boolean; used: boolean }

/** Below a suspect: what it does waits for the verdict. */
export type Held = { readonly kind: 'held'; readonly hold: Hold; readonly process: Process }

export type Released = { readonly kind: 'released' }

/** Handed over by `spoor record`: its next exec is the command. `member`: where it stood until then. */
export type Awaiting = { readonly kind: 'awaiting'; readonly name: string | null; readonly process: Process; readonly member: Member | null }

export type HeldItem = { readonly activity: Activity; readonly child: Process | null }

/** A suspect and its descendants. The first item is the suspect's exec. */
export type Hold = {
  readonly root: Process
  readonly since: BootNs
  agents: string[]
  readonly evidence: string[]
  readonly items: HeldItem[]
  readonly processes: ProcessId[]
  live: number
  /** What becomes of it without proof: not an agent; part of the session it is in; the recorded command. */
  readonly otherwise: { readonly kind: 'release' } | { readonly kind: 'member'; readonly member: Member } | { readonly kind: 'record'; readonly awaiting: Awaiting }
}

export type SessionRecord = {
  readonly session: Session
  readonly spanId: SpanId
  readonly root: Process
  /** `gen_ai.agent.name` of the catalogue; null while a recorded command is no known agent. */
  agent: string | null
  /** Its agent makes claims: what is settled waits for them (src/claims), and facts name no turn before that. */
  claimed: boolean
  /** Session of which the root was a member, and the tool call that started it. */
  readonly parent: SessionId | null
  readonly parentCall: CallRecord | null
  turn: TurnRecord | null
  nextTurn: number
  /** Ended turns with processes that still run. */
  readonly closing: TurnRecord[]
  readonly calls: Map<ToolCallId, CallRecord>
  /** Processes that have not ended; sessions below that have not. */
  live: number
  children: number
  /** Live processes of the agent's own program. */
  agents: number
  agentsEndedAt: BootNs | null
  outlivedListed: boolean
  unsettled: number
  /** Process spans of the session's own trace. */
  spans: number
  lastEnd: BootNs
  endedAt: BootNs | null
}

export type TurnRecord = {
  readonly number: number
  readonly basis: Turn['basis']
  readonly startedAt: BootNs
  /** Ends by itself then (start-up); null: after a gap. */
  until: BootNs | null
  /** Last exec or connect; a turn's end. */
  lastAt: BootNs
  /** Null until its key is known. */
  turn: Turn | null
  endedAt: BootNs | null
  closedAt: BootNs | null
  live: number
  spans: number
  /** Its end has been told. */
  told: boolean
  readonly counts: { processes: number; toolCalls: number; connections: number }
}

export type CallRecord = {
  readonly toolCall: ToolCall
  readonly turn: TurnRecord
  live: number
  lastEnd: BootNs
  omitted: number
  ended: boolean
  /** Of an agent that makes claims: turn and tool call once the join is decided. */
  proven: { readonly turn: Turn; readonly toolCall: ToolCall } | null
}

export const emptySessions = (): SessionsState => ({
  sessions: new Map(),
  standings: new Map(),
  holds: new Map(),
  heldItems: 0,
  seeds: new Map(),
  releases: new Map(),
  released: new Map(),
  draining: new Map(),
  waiting: new Map(),
  stragglers: new Map(),
  gone: new Map(),
  recent: new Map(),
  filtered: {},
  overflow: { sessions: 0, standings: 0, holds: 0, sockets: 0 },
  sweepAt: 0n,
  claims: emptyClaims(),
})
