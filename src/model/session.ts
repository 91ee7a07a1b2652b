import type { Activity } from './activity.ts'
import type { Bytes } from './bytes.ts'
import type { ProcessId, SessionId, SpanId, ToolCallId, TraceId, TurnId } from './ids.ts'
import type { BootNs } from './observation.ts'
import type { Process } from './process.ts'

export type Origin = 'terminal' | 'ide' | 'ssh' | 'cron' | 'ci' | 'service' | 'unknown'
export type AgentKind = 'agent' | 'record' | 'unknown'
/** `method:value`, e.g. `exe:…/claude.exe`, `package:@openai/codex`. */
export type Evidence = string

export type SessionTotals = {
  processes: number
  execs: number
  /** Successful opens for reading, not distinct files: that would need a set without bound. */
  filesRead: number
  /** Successful changes, and opens of regular files for writing (repeats of the same open are one). */
  filesChanged: number
  connections: number
  bytesOut: number
  turns: number
  toolCalls: number
}

export type Session = {
  readonly id: SessionId
  readonly root: ProcessId
  readonly rootPid: number
  readonly agent: {
    readonly name: string
    readonly version: string | null
    readonly kind: AgentKind
    readonly evidence: readonly Evidence[]
    readonly sanction: 'approved' | 'denied' | 'unknown'
  }
  readonly joinedLate: boolean
  readonly parentId: SessionId | null
  readonly startedAt: BootNs
  readonly user: { readonly id: number; readonly name: string | null }
  readonly origin: Origin
  readonly originVia: readonly string[]
  readonly image: { readonly path: Bytes; readonly args: readonly Bytes[]; readonly cwd: Bytes }
  readonly coverage: { readonly fidelity: 'exact' | 'sampled'; readonly reasons: string[] }
  readonly totals: SessionTotals
  readonly incomplete: string[]
}

export type TurnBasis = 'claim' | 'burst' | 'startup' | 'record'
export type Turn = { readonly id: TurnId; readonly basis: TurnBasis; readonly number: number; readonly traceId: TraceId; readonly spanId: SpanId; readonly startedAt: BootNs }

export type Verdict = 'confirmed' | 'declared_not_seen' | 'seen_not_declared' | 'differs' | 'ambiguous' | 'not_observable'
export type ToolCall = {
  readonly id: ToolCallId
  readonly turn: Turn
  readonly name: string
  readonly callId: string | null
  readonly spanId: SpanId
  readonly startedAt: BootNs
  /** The tool-root process; for a call that the agent's own program carried out, that program. */
  readonly rootProcess: ProcessId
  /** Span of the call that started this one (Codex code mode); absent: the turn. */
  readonly parentSpanId?: SpanId
}

/** What the agent said of a turn. */
export type TurnClaim = {
  readonly conversation: string
  readonly prompt: { readonly sha256: string; readonly length: number } | null
  readonly model: string | null
  readonly mode: string | null
}
/** What the agent said of a tool call. `command` and `paths` are the agent's words: to be redacted like all others. */
export type CallClaim = {
  readonly conversation: string
  readonly command: string | null
  readonly paths: readonly string[]
  readonly decision: { readonly decision: string; readonly by: string | null } | null
  /** The agent's own word for it; null: no result was claimed, or it says nothing of that. */
  readonly ok: boolean | null
}

/** `agent`: the agent's own program; `tool`: below a tool-root process; `harness`: the agent's own helpers; `member`: below a recorded command. */
export type Role = 'agent' | 'tool' | 'harness' | 'member'
export type Join = { readonly method: 'lineage' | 'environment' | 'command' | 'path' | 'none'; readonly confidence: 'certain' | 'strong' | 'weak' }

export type ProcessTotals = { opensRead: number; opensWrite: number; filesChanged: number; connections: number; bytesOut: number; bytesIn: number }

/** Where a process stands in its session; turn and tool call are null until known. */
export type Place = {
  readonly session: Session
  readonly role: Role
  readonly turn: Turn | null
  readonly toolCall: ToolCall | null /** The tool-root process above it or itself, where the tool call is not known yet. */
  readonly toolRoot?: ProcessId
}

/** Stage 3's output. `at` is when it happened. */
export type SessionActivity =
  | { readonly kind: 'observed'; readonly activity: Activity; readonly place: Place; readonly at: BootNs }
  | { readonly kind: 'session.start'; readonly session: Session; readonly process: Process; readonly at: BootNs }
  | {
      readonly kind: 'session.end'
      readonly session: Session
      readonly reason: 'exit' | 'signal' | 'observer_stop' | 'observer_gap'
      readonly at: BootNs
      readonly process: Process
    }
  | { readonly kind: 'turn.start'; readonly session: Session; readonly turn: Turn; readonly claim?: TurnClaim; readonly at: BootNs }
  | {
      readonly kind: 'turn.end'
      readonly session: Session
      readonly turn: Turn
      readonly counts: { readonly processes: number; readonly toolCalls: number; readonly connections: number }
      readonly claim?: TurnClaim
      readonly at: BootNs
    }
  | { readonly kind: 'tool_call.start'; readonly session: Session; readonly toolCall: ToolCall; readonly claim?: CallClaim; readonly at: BootNs }
  | {
      readonly kind: 'tool_call.end'
      readonly session: Session
      readonly toolCall: ToolCall
      readonly verdict: Verdict
      readonly why: string
      readonly join: Join
      readonly spansOmitted: number
      readonly claim?: CallClaim
      /** Beyond the span budget of its turn: makes no span, and none hangs on it. */
      readonly omitted?: boolean
      readonly at: BootNs
    }
  /** A claim came after what it is about had been settled: says what belongs together, makes no second span. */
  | {
      readonly kind: 'join.late'
      readonly session: Session
      /** As it was settled. */
      readonly toolCall: ToolCall
      /** As the agent calls it. */
      readonly name: string
      readonly callId: string
      readonly verdict: Verdict
      readonly join: Join
      readonly at: BootNs
    }
  /** A process and its join are over. `truncated`: it still runs, its turn ended 30 s ago. `omitted`: beyond the span budget. */
  | {
      readonly kind: 'process.settled'
      readonly process: Process
      readonly place: Place
      readonly totals: ProcessTotals
      readonly parentSpanId: SpanId | null
      /** Start of its span: when it was forked, but never before its parent span's start (a shell of yesterday may exec an agent today). */
      readonly startedAt: BootNs
      readonly join: Join
      readonly truncated: boolean
      readonly omitted: boolean
      readonly linked: TraceContext | null
      readonly at: BootNs
    }
  /** A gap in what the sensor could tell. */
  | {
      readonly kind: 'gap'
      readonly activity: Activity | null
      readonly from: BootNs
      readonly to: BootNs
      readonly kinds: readonly string[]
      readonly atLeast: number | 'unknown'
      readonly reason: string
      readonly at: BootNs
    }

/** A foreign W3C trace context found in a process's environment: linked, never adopted. */
export type TraceContext = { readonly traceId: string; readonly spanId: string }
