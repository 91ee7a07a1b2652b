/** What an attribute may hold: OTLP AnyValue without the rarely kept forms. A bigint is an OTLP int; a number is an int where it is a safe integer, else a double. */
export type Value = string | number | bigint | boolean | Uint8Array | readonly Value[] | { readonly [key: string]: Value }
export type Attributes = Readonly<Record<string, Value>>

/** OpenTelemetry severity numbers. */
export const SEVERITY = { info: 9, warn: 13, error: 17 } as const
export type Severity = (typeof SEVERITY)[keyof typeof SEVERITY]

/** A journal entry before it has its index: what stage 5 makes. Times are Unix nanoseconds. */
export type EntryDraft = {
  readonly eventName: string
  readonly timeUnixNano: bigint
  readonly severity: Severity
  readonly attributes: Attributes
  readonly body?: string
  readonly traceId?: string
  readonly spanId?: string
}

/** An entry as read back from the journal. */
export type Entry = EntryDraft & { readonly index: number; readonly observedTimeUnixNano: bigint; readonly uid: string }
