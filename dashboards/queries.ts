// The only place where query text is put together. Names come from the registry, so that a query cannot ask for what no entry has.

import type { Kind } from '../src/model/observation.ts'
import { type AttributeName, EVENTS } from '../src/shape/registry.ts'

/** An attribute as Loki and Prometheus call it: they have no dots in names. */
export const field = (name: AttributeName): string => name.replaceAll('.', '_')
/** One key of a map attribute: Loki flattens it. */
export const key = (name: AttributeName, inner: string): string => `${field(name)}_${inner.replaceAll('.', '_')}`

/** otel-collector.yaml puts the event name there: Loki has no field of its own for it. */
export const EVENT_NAME = 'event_name'
const STREAM = '{service_name="spoor"}'
/** Whatever the dashboard's text box says; the session id is in every entry of a session. */
const IN_SESSION = `${field('session.id')}=~"$session"`

/** Entries of these events, narrowed by filters on their attributes. */
export function entries(events: readonly string[], ...filters: string[]): string {
  for (const event of events) if (!Object.hasOwn(EVENTS, event)) throw new Error(`no such event: ${event}`)
  const ofSession = events.every((event) => EVENTS[event]!.required.includes('session.id'))
  const name = events.length === 1 ? `${EVENT_NAME}="${events[0]}"` : `${EVENT_NAME}=~"${events.join('|')}"`
  return [STREAM, name, ...(ofSession ? [IN_SESSION] : []), ...filters].join(' | ')
}

export const countBy = (names: readonly AttributeName[], selected: string, range: string): string =>
  `sum by (${names.map(field).join(', ')}) (count_over_time(${selected} [${range}]))`

/** What stands for "not observable": no count is negative. */
export const NOT_OBSERVABLE = -1
/** Loki takes no negative number there. */
export const UNSEEN = `(vector(0) - ${-NOT_OBSERVABLE})`
/** How far back a run's start, which says what its sensor can see, is looked for. Its name is in the line: that makes it cheap to find. */
const RUN_LOOKBACK = '7d'

/**
 * A number in the chosen time. Where nothing was counted: 0 only if a run says that its sensor sees such acts, else "not observable".
 */
export function countOrUnseen(count: string, kind: Kind): string {
  const run = entries(['spoor.run.start'], `${key('spoor.capabilities', kind)}=~"exact|sampled|intent"`).replace(STREAM, `${STREAM} |= "spoor.run.start"`)
  const seen = `sum(count_over_time(${run} [${RUN_LOOKBACK}]))`
  return `${count} or (${seen} * 0) or ${UNSEEN}`
}

/** A log line for people, from attributes: `line('{} read {}', 'process.executable.name', 'file.path')`. */
export function line(text: string, ...names: readonly AttributeName[]): string {
  let next = 0
  return `line_format \`${text.replaceAll('{}', () => `{{.${field(names[next++]!)}}}`)}\``
}

/** Metrics of the span metrics connector with the names that otel-collector.yaml gives them. */
export const CALLS = 'traces_span_metrics_calls_total'
export const DURATION = 'traces_span_metrics_duration_seconds_bucket'
