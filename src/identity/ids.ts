import type { ConnectionId, ProcessId, SessionId, SpanId, ToolCallId, TraceId, TurnId } from '../model/ids.ts'
import { digest } from './digest.ts'
import { ulid } from './ulid.ts'

/** Hex digits of 16 bytes and of 8 bytes. */
const WIDE = 32
const NARROW = 16

/**
 * The same process has the same id on every sensor and after a restart.
 * `machineId` is the raw value (the 16 bytes of /etc/machine-id), whatever host id is exported; `bootId` the 16 bytes of the kernel's boot_id.
 * `life` is n for the n-th *further* life seen of that pid within one clock tick; 0 for the first.
 */
export const processId = (machineId: Uint8Array, bootId: Uint8Array, pid: number, startTicks: number, life = 0): ProcessId =>
  digest('spoor/process/1', life === 0 ? [machineId, bootId, pid, startTicks] : [machineId, bootId, pid, startTicks, life]).slice(0, WIDE) as ProcessId

/** `root` is the outermost process that matched. */
export const sessionId = (root: ProcessId): SessionId => digest('spoor/session/1', [root]).slice(0, WIDE) as SessionId

/** `key`: the agent's own prompt or turn id; else `ownKey(its first child)`; `STARTUP_KEY` for what ran before the first request. */
export const turnId = (session: SessionId, key: string): TurnId => digest('spoor/turn/1', [session, key]).slice(0, WIDE) as TurnId
export const STARTUP_KEY = '0'

/** `key`: the agent's own call id; else `ownKey(the tool-root process)`. */
export const toolCallId = (session: SessionId, key: string): ToolCallId => digest('spoor/tool_call/1', [session, key]).slice(0, WIDE) as ToolCallId

/** The key of a turn or tool call that no claim names. */
export const ownKey = (process: ProcessId): string => 'p:' + process

export const connectionId = (opener: ProcessId, bootId: Uint8Array, cookie: bigint): ConnectionId =>
  digest('spoor/connection/1', [opener, bootId, cookie]).slice(0, WIDE) as ConnectionId

export const traceIdOfTurn = (turn: TurnId): TraceId => traceId(turn)
export const traceIdOfSession = (session: SessionId): TraceId => traceId(session)
const traceId = (id: string): TraceId => notZero(digest('spoor/trace/1', [id]).slice(0, WIDE)) as TraceId

export type SpanKind = 'session' | 'turn' | 'tool_call' | 'process'
export const spanId = (kind: SpanKind, id: string): SpanId => notZero(digest('spoor/span/1', [kind, id]).slice(0, NARROW)) as SpanId

/** The `log.record.uid` of an entry: a ULID of the event's time, and a hash of the place it has in the journal. */
export function recordUid(journalId: string, runId: string, index: number, unixMs: number): string {
  return ulid(unixMs, digest('spoor/uid/1', [journalId, runId, index], 'latin1'))
}

/** W3C Trace Context forbids all-zero ids. Exported for its test: no input is known that hashes to zero. */
export function notZero(hex: string): string {
  for (let i = 0; i < hex.length; i++) if (hex.charCodeAt(i) !== 0x30) return hex
  return hex.slice(0, -1) + '1'
}
