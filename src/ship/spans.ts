import type { Attributes as ApiAttributes, HrTime, Link, SpanContext } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { createOtlpNetworkExportDelegate, ExporterMetrics, type IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base'
import { JsonTraceSerializer, ProtobufTraceSerializer, TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { spanId, traceIdOfSession } from '../identity/ids.ts'
import type { Attributes, Entry, Value } from '../model/entry.ts'
import type { SessionId } from '../model/ids.ts'
import type { Target } from './config.ts'
import type { Scope } from './logs.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import type { Answer, Transport } from './transport.ts'

/** The settled entries, and what their spans are called. Each makes at most one span; no other entry makes any. */
const SPAN_NAMES: Readonly<Record<string, (attributes: Attributes) => string>> = {
  'session.end': (a) => named('session', a['gen_ai.agent.name']),
  'spoor.turn.end': (a) => named('invoke_agent', a['gen_ai.agent.name']),
  'spoor.tool_call.end': (a) => named('execute_tool', a['gen_ai.tool.name']),
  'spoor.process.settled': (a) => named('', a['process.executable.name']) || 'process',
}
const named = (operation: string, value: Value | undefined): string => [operation, typeof value === 'string' ? value : ''].filter(Boolean).join(' ')

export const makesSpan = (eventName: string): boolean => Object.hasOwn(SPAN_NAMES, eventName)

const NS_PER_S = 1_000_000_000n
/** API numbering. */
const INTERNAL = 0
const STATUS = { unset: 0, error: 2 } as const
const SAMPLED = 1
/** Not the bound: `send` is asked for one at a time. The delegate reports before it counts the request as over, so 1 would refuse every other one. */
const DELEGATE_LIMIT = 16
const ZERO_DURATION: HrTime = [0, 0]

/** Null where a settled entry makes no span: beyond the span budget, or without the ids of one. */
export function spanOf(entry: Entry, resource: Resource, scope: Scope): ReadableSpan | null {
  const { attributes, traceId, spanId } = entry
  const name = SPAN_NAMES[entry.eventName]
  if (name === undefined || traceId === undefined || spanId === undefined || attributes['spoor.span.omitted']) return null
  const context = contextOf(traceId, spanId)
  const end = entry.timeUnixNano
  const start = nanoseconds(attributes['spoor.start_time']) ?? end
  const parent = attributes['spoor.parent.span_id']
  return {
    name: name(attributes),
    kind: INTERNAL,
    spanContext: () => context,
    ...(typeof parent === 'string' && parent !== '' && { parentSpanContext: contextOf(traceId, parent) }),
    // A clock step backwards between the two must not make a negative duration.
    startTime: hrTime(start < end ? start : end),
    endTime: hrTime(end),
    duration: ZERO_DURATION,
    ended: true,
    status: statusOf(attributes),
    attributes: { ...plain(attributes), 'log.record.uid': entry.uid },
    links: [...sessionLink(entry), ...linksOf(attributes)],
    events: [],
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

const contextOf = (traceId: string, spanId: string): SpanContext => ({ traceId, spanId, traceFlags: SAMPLED })
const hrTime = (ns: bigint): HrTime => [Number(ns / NS_PER_S), Number(ns % NS_PER_S)]

function nanoseconds(value: Value | undefined): bigint | null {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return BigInt(value)
  return null
}

/** A process that failed; what the agent makes of that is not known here, so nothing above it is in error. */
function statusOf(attributes: Attributes): ReadableSpan['status'] {
  const signal = attributes['spoor.process.exit.signal']
  const code = attributes['process.exit.code']
  if (signal !== undefined && signal !== 0) return { code: STATUS.error, message: `signal ${String(signal)}` }
  if (code !== undefined && code !== 0) return { code: STATUS.error, message: `exit code ${String(code)}` }
  return { code: STATUS.unset }
}

/** A turn is the root of its own trace; the session that it belongs to is another. */
function sessionLink({ eventName, attributes }: Entry): Link[] {
  const session = attributes['session.id']
  if (eventName !== 'spoor.turn.end' || typeof session !== 'string') return []
  return [{ context: contextOf(traceIdOfSession(session as SessionId), spanId('session', session)), attributes: {} }]
}

/** A foreign trace found in the environment: linked, never adopted. */
function linksOf(attributes: Attributes): Link[] {
  const trace = attributes['spoor.linked.trace_id']
  const span = attributes['spoor.linked.span_id']
  if (typeof trace !== 'string' || typeof span !== 'string' || !/^[0-9a-f]{32}$/.test(trace) || !/^[0-9a-f]{16}$/.test(span)) return []
  return [{ context: contextOf(trace, span), attributes: {} }]
}

/** The SDK's serialisers make an empty value of a bigint, without an error. */
function plain(attributes: Attributes): ApiAttributes {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(attributes)) out[key] = plainValue(value)
  return out as ApiAttributes
}
function plainValue(value: Value): unknown {
  if (typeof value === 'bigint') return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString()
  if (typeof value !== 'object' || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(plainValue)
  return plain(value as Attributes)
}

/** Spans are grouped by the identity of their resource: make one for each run. */
export const resourceOf = (attributes: Attributes): Resource => resourceFromAttributes(plain(attributes))

/**
 * The exporter of the SDK with its delegate replaced: the SDK's own serialiser and export path run over a transport that
 * says what happened. The stock delegate hides status codes, Retry-After and rejected counts, and retries by itself.
 */
export class SpanExporter extends OTLPTraceExporter {
  #answer: Answer | null = null
  readonly #now: () => number

  constructor(target: Target, transport: Transport, now: () => number = Date.now) {
    // The stock delegate that this makes never sends: it is replaced below, and it opens no connection before its first export.
    super({ url: target.url.href })
    this.#now = now
    const json = target.protocol === 'http/json'
    const contentType = json ? 'application/json' : 'application/x-protobuf'
    const metrics = new ExporterMetrics<ReadableSpan[]>({
      componentType: 'spoor_span_exporter',
      metricsHelper: TraceExporterMetricsHelper,
      url: target.url.href,
      meterProvider: undefined,
      responseAttributesFromError: () => ({}),
    })
    const serializer = json ? JsonTraceSerializer : ProtobufTraceSerializer
    const delegate = createOtlpNetworkExportDelegate(
      { timeoutMillis: target.timeoutMs, concurrencyLimit: DELEGATE_LIMIT, compression: 'none' },
      // What the far side answered is read from our own transport's answer.
      { serializeRequest: (spans: ReadableSpan[]) => serializer.serializeRequest(spans), deserializeResponse: () => ({}) },
      metrics,
      {
        send: async (bytes) => {
          const answer = await transport.post(bytes, contentType)
          this.#answer = answer
          return answer.kind === 'answered' && answer.status >= 200 && answer.status < 300 ? { status: 'success' } : { status: 'failure', error: new Error(answer.kind) }
        },
        shutdown: () => transport.close(),
      },
    )
    replaceDelegate(this, delegate)
  }

  /** One request, one outcome. Not to be called again before it has settled. */
  send(spans: ReadableSpan[]): Promise<Outcome> {
    this.#answer = null
    return new Promise((resolve) => {
      this.export(spans, (result) => {
        // No answer: the SDK never came to send it (its serialiser found nothing to send).
        const unsent: Outcome = { kind: 'refused', fault: 'items', reason: 'unserialisable', message: result.error?.message ?? 'the spans could not be serialised' }
        resolve(this.#answer === null ? unsent : outcomeOf(this.#answer, this.#now()))
      })
    })
  }
}

/** The seam: a property that is private in the types only. An SDK without it must not go unnoticed. */
export function replaceDelegate(exporter: OTLPTraceExporter, delegate: IOtlpExportDelegate<ReadableSpan[]>): void {
  const seam = exporter as unknown as { _delegate?: unknown }
  if (typeof seam._delegate !== 'object' || seam._delegate === null) throw new Error('@opentelemetry/otlp-exporter-base has no _delegate any more: src/ship/spans.ts relies on it')
  seam._delegate = delegate
}
