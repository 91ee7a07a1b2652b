import type { Capabilities } from './sensor.ts'
import type { Origin, SessionTotals } from './session.ts'

/** A 64-bit number in decimal: JSON numbers are doubles for most readers. */
export type Count = string
/** Unix nanoseconds in decimal. */
export type UnixNano = string

/** `observed = single + folded + rolledUp + coalesced + filtered{reason} + lost{reason}` */
export type KindLedger = {
  readonly observed: Count
  readonly single: Count
  readonly folded: Count
  readonly rolledUp: Count
  readonly coalesced: Count
  readonly filtered: Readonly<Record<string, Count>>
  readonly lost: Readonly<Record<string, Count>>
}

/** `entries = acknowledged + rejected{reason} + parked + pending + expired` */
export type SignalLedger = {
  readonly entries: Count
  readonly acknowledged: Count
  readonly rejected: Readonly<Record<string, Count>>
  readonly parked: Count
  readonly pending: Count
  readonly expired: Count
}

export type Ledger = {
  /** By sensor id, then by observation kind. */
  readonly sensors: Readonly<Record<string, Readonly<Record<string, KindLedger>>>>
  readonly entries: Count
  /** By event name: entries that are no observation (session, turn, settled, health ...). */
  readonly derived: Readonly<Record<string, Count>>
  readonly destinations: Readonly<Record<string, { readonly logs: SignalLedger | null; readonly traces: SignalLedger | null }>>
}

/** What one of our own processes costs. `cpuNs` is user + system time since its start. */
export type SelfUse = { readonly pid: number; readonly rssBytes: Count | null; readonly cpuNs: Count | null }

/** `spoor status --json`. Unknown is null, never 0. */
export type StatusDocument = {
  readonly schema: 'spoor.status/1'
  readonly state: 'healthy' | 'degraded' | 'disabled'
  /** One sentence each; empty only when healthy. */
  readonly why: readonly string[]
  readonly run: { readonly id: string; readonly startedAt: UnixNano; readonly stateDir: string; readonly version: string; readonly openSessions: number } | null
  readonly sensor: { readonly name: string; readonly rung: string; readonly capabilities: Capabilities; readonly pinned: string | null; readonly ringBytes: number } | null
  readonly ledger: Ledger | null
  readonly journal: { readonly first: Count; readonly next: Count; readonly durable: Count; readonly bytes: Count } | null
  readonly self: { readonly observer: SelfUse | null; readonly shipper: SelfUse | null; readonly intake: SelfUse | null }
}

/** One row of `spoor sessions --json`, and the head of `spoor show --json`. */
export type SessionDocument = {
  readonly id: string
  readonly agent: {
    readonly name: string
    readonly version: string | null
    readonly kind: string
    readonly evidence: readonly string[]
    readonly sanction: string
  }
  readonly state: 'open' | 'ended'
  readonly startedAt: UnixNano | null
  readonly endedAt: UnixNano | null
  readonly user: { readonly id: string | null; readonly name: string | null }
  readonly origin: Origin | string
  readonly cwd: string | null
  readonly parentId: string | null
  readonly coverage: { readonly fidelity: string | null; readonly reasons: readonly string[] }
  /** Null while the session is open. */
  readonly totals: SessionTotals | null
  /** Null: no rule ran in this version. */
  readonly findings: number | null
}

/** What the observer knows of a session right now: `spoor record` prints it when its command has ended. */
export type SessionSummary = {
  readonly id: string
  readonly agent: string
  readonly userId: number
  readonly ended: boolean
  /** All is told of it: what its agent said of itself has been read, or waited for. */
  readonly settled?: boolean
  readonly startedAt: UnixNano
  readonly endedAt: UnixNano | null
  readonly totals: SessionTotals
  /** Processes that outlived the command, gaps: one sentence each. */
  readonly incomplete: readonly string[]
}

/** One line to `run/control.sock` is one of these; one line comes back. */
export type ControlRequest =
  | { readonly op: 'status' }
  | { readonly op: 'record'; readonly pid: number; readonly startTicks: number; readonly name: string | null }
  | { readonly op: 'summary'; readonly session: string }

export type ControlReply =
  | { readonly ok: true; readonly op: 'status'; readonly status: StatusDocument }
  | { readonly ok: true; readonly op: 'record'; readonly session: string }
  | { readonly ok: true; readonly op: 'summary'; readonly summary: SessionSummary }
  | { readonly ok: false; readonly error: string }
