import type { Bytes } from '../model/bytes.ts'
import type { Claim } from '../model/claim.ts'
import type { ProcessId, SessionId, SpanId, ToolCallId, TurnId } from '../model/ids.ts'
import type { BootNs } from '../model/observation.ts'
import type { Join, SessionActivity, ToolCall, Turn, Verdict } from '../model/session.ts'
import type { CallRecord, SessionRecord } from '../sessions/state.ts'

type Of<K extends SessionActivity['kind']> = Extract<SessionActivity, { kind: K }>
export type Settled = Of<'process.settled'>

/** A claim and when it was made, on the kernel's clock. */
export type TimedClaim = { readonly claim: Claim; readonly at: BootNs }

/** All that the join of claims and observations remembers. Plain data, written in one call with the sessions' state: both hold the same records. */
export type ClaimsState = {
  /** Sessions of agents that make claims, until their end has been told. */
  readonly sessions: Map<SessionId, ClaimedSession>
  /** By `keyOf(uid, agent, conversation)`. */
  readonly conversations: Map<string, Conversation>
  /** Users whose intake does not run or does not answer, and why. */
  readonly lost: Map<number, string>
  held: number
  waiting: number
  readonly counts: ClaimCounts
  lookAt: BootNs
}

export type ClaimCounts = {
  /** Claims read; of these, those that belong to a session, to none, or came after what they are about had been settled. */
  read: number
  bound: number
  unbound: number
  late: number
  /** Said before. */
  repeated: number
  /** For want of room. */
  dropped: number
}

/** What shows that a conversation is a session's, strongest first. */
export type Evidence = 'registry' | 'environment' | 'transcript' | 'place'

export type Conversation = {
  readonly uid: number
  readonly agent: string
  readonly id: string
  session: SessionId | null
  evidence: Evidence | null
  /** Where it began, as the agent says: for want of anything better. */
  cwd: string | null
  startedAt: BootNs | null
  readonly waiting: TimedClaim[]
  /** When the first of those that wait was read. */
  since: BootNs
}

export type ClaimedSession = {
  readonly record: SessionRecord
  readonly slots: Slot[]
  /** Of claimed turns, by the agent's own id; of the others by theirs. */
  readonly byKey: Map<string, Slot>
  readonly byTurn: Map<TurnId, Slot>
  /** By the id that a tool call has without claims. */
  readonly trees: Map<ToolCallId, Tree>
  /** Without a decision, or going on. */
  readonly calls: Map<string, ClaimedCall>
  /** Ids of the last calls that are over: each makes one span. */
  readonly over: Set<string>
  readonly rows: Map<SpanId, Row>
  /** Settled helpers whose turn is not known yet. */
  readonly helpers: Settled[]
  /** In the order of time. */
  acts: Act[]
  connects: BootNs[]
  /** Decided without a claim, the oldest first. */
  readonly late: LateTree[]
  /** Conversations that are this session's. */
  readonly conversations: string[]
  /** Ids of dialogues that the session's own program was started with: another session's. */
  readonly inherited: string[]
  /** Up to here the agent's record has been read. */
  watermark: BootNs | null
  nextNumber: number
  turns: number
  toolCalls: number
  /** Prompts and calls that were claimed: an agent that says nothing cannot be caught in a lie. */
  said: number
  /** Nothing from before was seen. */
  readonly since: BootNs
  /** Turns without claims that are over; they count where no claim covers them. */
  readonly bursts: Of<'turn.end'>[]
  /** Settled helpers and tree members held. */
  held: number
  /** All its processes have ended; told when all is decided. */
  end: Of<'session.end'> | null
}

/** A turn: claimed, or as the session has it without claims. */
export type Slot = {
  readonly key: string
  readonly claimed: boolean
  readonly number: number
  readonly startedAt: BootNs
  readonly turn: Turn
  /** Said by the agent, or without claims by the session. */
  endedAt: BootNs | null
  conversation: string | null
  prompt: { readonly sha256: string; readonly length: number } | null
  model: string | null
  mode: string | null
  started: boolean
  told: boolean
  spans: number
  calls: number
  readonly counts: { processes: number; toolCalls: number; connections: number }
}

/** A tool-root process and what is below it. */
export type Tree = {
  readonly record: CallRecord
  /** As it would be called without claims. */
  readonly own: ToolCall
  readonly execAt: BootNs
  /** The agent's id of the call, from the environment of the tool-root process. */
  readonly callId: string | null
  /** What it was asked to run; null: not known. */
  text: CommandText | null
  held: Settled[]
  /** When the first of those held ended. */
  heldSince: BootNs | null
  end: Of<'tool_call.end'> | null
  decided: Decision | null
  omitted: number
  told: boolean
}

/** Head and tail of a command; `tail` null = all of it is in `head`. */
export type CommandText = { readonly head: string; readonly tail: string | null }

export type Decision = {
  readonly slot: Slot
  readonly toolCall: ToolCall
  readonly call: ClaimedCall | null
  readonly verdict: Verdict
  readonly why: string
  readonly join: Join
  /** Without a span of its own: its processes hang on the turn. */
  readonly spanless: boolean
}

export type CallKind = 'shell' | 'read' | 'write' | 'program' | 'other'

export type ClaimedCall = {
  readonly id: string
  readonly conversation: string
  readonly tool: string
  readonly kind: CallKind
  readonly command: string | null
  readonly text: CommandText | null
  /** Absolute. */
  readonly paths: readonly Bytes[]
  readonly saidPaths: readonly string[]
  readonly parentId: string | null
  readonly turnKey: string | null
  readonly at: BootNs
  result: { readonly at: BootNs; readonly ok: boolean | null; readonly exitCode: number | null; readonly running: boolean } | null
  decision: { readonly decision: string; readonly by: string | null } | null
  /** Its tool call, once told to have started. */
  toolCall: ToolCall | null
  readonly slot: Slot
  /** A tree has been joined to it. */
  joined: boolean
  /** Several trees are equally good. */
  rivals: number
  /** Of a program: calls it made that were joined, and that were made. */
  children: number
  joinedChildren: number
  spanless: boolean
  told: boolean
}

/** A process with a span, or one that may get one. */
export type Row = {
  readonly process: ProcessId
  readonly startedAt: BootNs
  readonly tree: Tree | null
  /** Its turn without claims. */
  readonly own: Turn | null
  /** Of a helper: decided when it settles or when another hangs on it. `undefined`: not yet. */
  slot: Slot | null | undefined
  /** null: not asked for yet. */
  granted: boolean | null
  settled: boolean
}

export type Act = { readonly path: Bytes; readonly write: boolean; readonly failed: boolean; readonly at: BootNs; readonly process: ProcessId; used: boolean }

export type LateTree = { readonly toolCall: ToolCall; readonly execAt: BootNs; readonly callId: string | null; readonly text: CommandText | null; at: BootNs }

export const emptyClaims = (): ClaimsState => ({
  sessions: new Map(),
  conversations: new Map(),
  lost: new Map(),
  held: 0,
  waiting: 0,
  counts: { read: 0, bound: 0, unbound: 0, late: 0, repeated: 0, dropped: 0 },
  lookAt: 0n,
})
