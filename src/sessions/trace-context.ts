import type { Bytes } from '../model/bytes.ts'
import type { TraceContext } from '../model/session.ts'

/** W3C Trace Context level 1: version-trace-parent-flags. Later versions may append fields; version ff is invalid, and so are all-zero ids. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/

export function traceContextOf(env: ReadonlyArray<readonly [string, Bytes]>): TraceContext | null {
  for (const [name, value] of env) {
    if (name !== 'TRACEPARENT') continue
    const match = TRACEPARENT.exec(value)
    return match === null ? null : { traceId: match[1]!, spanId: match[2]! }
  }
  return null
}

export const variable = (env: ReadonlyArray<readonly [string, Bytes]>, name: string): Bytes | null => env.find(([key]) => key === name)?.[1] ?? null
