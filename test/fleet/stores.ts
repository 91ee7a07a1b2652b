// The far side as its users ask it: the query APIs of Jaeger, Loki and Prometheus.

async function get<T>(base: string, path: string, parameters: Record<string, string>): Promise<T> {
  const url = `${base}${path}?${new URLSearchParams(parameters)}`
  const response = await fetch(url, { signal: AbortSignal.timeout(20_000) })
  const body = await response.text()
  if (!response.ok) throw new Error(`${response.status} from ${url}: ${body.slice(0, 500)}`)
  return JSON.parse(body) as T
}

/** Nanoseconds without a detour through a number that cannot hold them. */
const ns = (ms: number): string => `${ms}000000`

export type Line = { readonly uid: string; readonly line: string; readonly fields: Readonly<Record<string, string>>; readonly times: number }
type Streams = { readonly data: { readonly result: ReadonlyArray<{ readonly stream: Record<string, string>; readonly values: ReadonlyArray<readonly [string, string]> }> } }

/** Lines a page: Loki hands answers on in messages of at most 4 MiB. */
const PAGE = 1000

/** Log lines of a LogQL query; `times`: how often this very entry is stored. */
export async function logLines(loki: string, query: string, from: number, to: number): Promise<Line[]> {
  const found = new Map<string, Line>()
  for (let start = ns(from); ; ) {
    const answer = await get<Streams>(loki, '/loki/api/v1/query_range', { query, start, end: ns(to), limit: String(PAGE), direction: 'forward' })
    let last = start
    let lines = 0
    for (const { stream, values } of answer.data.result) {
      const uid = stream['log_record_uid'] ?? ''
      for (const [at] of values) if (BigInt(at) > BigInt(last)) last = at
      found.set(uid, { uid, line: values[0]?.[1] ?? '', fields: stream, times: values.length })
      lines += values.length
    }
    // The last stamp of a full page begins the next: others may have it too.
    if (lines < PAGE || last === start) return [...found.values()]
    start = last
  }
}

export type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }
type Vectors = {
  readonly data: {
    readonly resultType: string
    readonly result: ReadonlyArray<{
      readonly metric: Record<string, string>
      readonly value?: readonly [number, string]
      readonly values?: ReadonlyArray<readonly [number, string]>
    }>
  }
}
/** Of a series over time its last number (a rate of nothing is none). */
const samples = ({ data }: Vectors): Sample[] =>
  data.result.map((one) => ({
    labels: one.metric,
    value: one.value === undefined ? (one.values!.map(([, value]) => Number(value)).findLast(Number.isFinite) ?? Number.NaN) : Number(one.value[1]),
  }))

export const logNumbers = async (loki: string, query: string, at: number): Promise<Sample[]> => samples(await get<Vectors>(loki, '/loki/api/v1/query', { query, time: ns(at) }))
export const logSeries = async (loki: string, query: string, from: number, to: number): Promise<Sample[]> =>
  samples(await get<Vectors>(loki, '/loki/api/v1/query_range', { query, start: ns(from), end: ns(to), step: '5s' }))
export const metricNumbers = async (prometheus: string, query: string, at: number): Promise<Sample[]> =>
  samples(await get<Vectors>(prometheus, '/api/v1/query', { query, time: String(at / 1000) }))
export const metricSeries = async (prometheus: string, query: string, from: number, to: number): Promise<Sample[]> =>
  samples(await get<Vectors>(prometheus, '/api/v1/query_range', { query, start: String(from / 1000), end: String(to / 1000), step: '1' }))

export type JaegerSpan = {
  readonly traceID: string
  readonly spanID: string
  readonly operationName: string
  readonly startTime: number
  readonly duration: number
  readonly references: ReadonlyArray<{ readonly refType: string; readonly traceID: string; readonly spanID: string }>
  readonly tags: ReadonlyArray<{ readonly key: string; readonly value: unknown }>
}
type Traces = { readonly data: ReadonlyArray<{ readonly traceID: string; readonly spans: readonly JaegerSpan[] }> }

/** All spans of one trace; none where the store does not know it. */
export async function trace(jaeger: string, id: string): Promise<readonly JaegerSpan[]> {
  try {
    return (await get<Traces>(jaeger, `/api/traces/${id}`, {})).data.flatMap((one) => one.spans)
  } catch (error) {
    if (String(error).includes('404 from')) return []
    throw error
  }
}

/** Ids of the traces that have a span with this attribute. */
export async function findTraces(jaeger: string, tags: Readonly<Record<string, string>>, from: number, to: number): Promise<Set<string>> {
  const answer = await get<Traces>(jaeger, '/api/traces', { service: 'spoor', start: `${from}000`, end: `${to}000`, limit: '1000', tags: JSON.stringify(tags) })
  return new Set(answer.data.map((one) => one.traceID))
}

export const parentOf = (span: JaegerSpan): string | null => span.references.find((one) => one.refType === 'CHILD_OF' && one.traceID === span.traceID)?.spanID ?? null
