/** A span as the trace page needs it. Times in microseconds, as Jaeger gives them. */
export type TraceSpan = {
  readonly id: string
  readonly parentId: string | null
  readonly name: string
  readonly start: number
  readonly duration: number
  readonly tags: ReadonlyMap<string, string>
}

/** More than any trace of ours has (1,000 process spans a turn, and what holds them). */
export const SPANS_MAX = 2000
const TEXT_MAX = 4096

type Json = Readonly<Record<string, unknown>>
const objectOf = (value: unknown): Json => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {})
const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(objectOf) : [])
const textOf = (value: unknown): string => (typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : '').slice(0, TEXT_MAX)
/** Microseconds of 142 years: the sum of two is still exact. */
const TIME_MAX = 2 ** 52
const numberOf = (value: unknown): number => (typeof value === 'number' && value >= 0 && value <= TIME_MAX ? value : 0)

/**
 * The spans of the first trace in an answer of Jaeger's query API (`/api/traces/{id}`: Jaeger, VictoriaTraces, Tempo's bridge), each id once, oldest first.
 * Anything may stand in it; what is no span is left out.
 */
export function spansOf(answer: unknown): readonly TraceSpan[] {
  const found = new Map<string, TraceSpan>()
  for (const span of listOf(listOf(objectOf(answer)['data'])[0]?.['spans'])) {
    const id = textOf(span['spanID'])
    if (id === '' || found.has(id) || found.size >= SPANS_MAX) continue
    const reference = listOf(span['references']).find((one) => one['refType'] === 'CHILD_OF')
    const parentId = textOf(reference?.['spanID']) || textOf(span['parentSpanID'])
    const tags = new Map(listOf(span['tags']).map((tag) => [textOf(tag['key']), textOf(tag['value'])]))
    found.set(id, {
      id,
      parentId: parentId === '' ? null : parentId,
      name: textOf(span['operationName']),
      start: numberOf(span['startTime']),
      duration: numberOf(span['duration']),
      tags,
    })
  }
  return [...found.values()].sort((a, b) => a.start - b.start || b.duration - a.duration)
}
