import { parseRetryAfter } from './retry.ts'
import type { Answer } from './transport.ts'
import { varintAt, WIRE, walk } from './wire.ts'

/** What the caller has to do about a request. `reason` is a short key for counting, `message` a sentence part for people, safe to print. */
export type Outcome =
  /** The far side has it, `rejected` of its items excepted: those must not be sent again. */
  | { readonly kind: 'accepted'; readonly rejected: number; readonly message: string | null }
  | { readonly kind: 'retry'; readonly afterMs: number | null; readonly reason: string; readonly message: string }
  | { readonly kind: 'too_large'; readonly reason: string; readonly message: string }
  /** Must not be sent again as it is. `items`: something in the request may be at fault; `destination`: everything would be refused. */
  | { readonly kind: 'refused'; readonly fault: 'items' | 'destination'; readonly reason: string; readonly message: string }

/** OTLP specification, "Failures": all others must not be retried. */
const RETRYABLE = new Set([429, 502, 503, 504])
/** About the address, the credentials or the protocol, whatever the request holds. */
const DESTINATION = new Set([401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426, 501, 505])
const MESSAGE_MAX = 300

export function outcomeOf(answer: Answer, nowMs: number): Outcome {
  if (answer.kind === 'silent') return { kind: 'retry', afterMs: null, reason: answer.reason, message: printable(answer.message) }
  const { status, body } = answer
  if (status >= 200 && status < 300) {
    // A login page or a proxy's own page is no collector, whatever its status says; to take it for one would lose everything silently.
    if (/^\s*text\/html\b/i.test(answer.contentType))
      return { kind: 'refused', fault: 'destination', reason: 'not_otlp', message: `answered ${status} with an HTML page: this is no OTLP endpoint` }
    const partial = partialSuccess(body, answer.contentType)
    return { kind: 'accepted', rejected: partial?.rejected ?? 0, message: partial?.message ?? null }
  }
  const reason = `http_${status}`
  const message = `answered ${status}${excerpt(body)}`
  if (RETRYABLE.has(status)) return { kind: 'retry', afterMs: parseRetryAfter(answer.retryAfter, nowMs), reason, message }
  if (status === 413) return { kind: 'too_large', reason, message }
  return { kind: 'refused', fault: status < 400 || DESTINATION.has(status) ? 'destination' : 'items', reason, message }
}

export type PartialSuccess = { readonly rejected: number; readonly message: string | null }

/** The partial success of an Export{Logs,Trace}ServiceResponse, which have the same shape; null where there is none or the body is something else. */
export function partialSuccess(body: Buffer, contentType: string): PartialSuccess | null {
  if (body.length === 0) return null
  return /^\s*application\/json\b/i.test(contentType) || body[0] === 0x7b ? jsonPartial(body) : protobufPartial(body)
}

function protobufPartial(body: Buffer): PartialSuccess | null {
  let rejected = 0
  let message = ''
  let partial = false
  let sound = true
  const whole = walk(body, 0, body.length, (field, wire, from, to) => {
    if (field !== 1 || wire !== WIRE.bytes) return
    partial = true
    sound &&= walk(body, from, to, (inner, innerWire, innerFrom, innerTo) => {
      if (inner === 1 && innerWire === WIRE.varint) rejected = Number(BigInt.asIntN(64, varintAt(body, innerFrom, innerTo)))
      if (inner === 2 && innerWire === WIRE.bytes) message = body.toString('utf8', innerFrom, innerTo)
    })
  })
  return whole && sound && partial ? { rejected: Math.max(0, rejected), message: message === '' ? null : printable(message) } : null
}

function jsonPartial(body: Buffer): PartialSuccess | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    return null
  }
  const partial = property(parsed, 'partialSuccess') ?? property(parsed, 'partial_success')
  if (partial === undefined) return null
  let rejected = 0
  for (const name of ['rejectedLogRecords', 'rejectedSpans', 'rejected_log_records', 'rejected_spans']) {
    // proto3 JSON: a 64-bit integer is a string; many write a number.
    const count = Number(property(partial, name) ?? 0)
    if (Number.isSafeInteger(count) && count > 0) rejected = count
  }
  const message = property(partial, 'errorMessage') ?? property(partial, 'error_message')
  return { rejected, message: typeof message === 'string' && message !== '' ? printable(message) : null }
}

const property = (value: unknown, name: string): unknown => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined)

/** What a stranger wrote, for a terminal: one line, no control characters, bounded. */
export const printable = (text: string): string =>
  text
    .slice(0, MESSAGE_MAX * 2)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, MESSAGE_MAX)
const excerpt = (body: Buffer): string => {
  const text = printable(body.subarray(0, MESSAGE_MAX).toString('utf8'))
  return text === '' ? '' : `: ${text}`
}
