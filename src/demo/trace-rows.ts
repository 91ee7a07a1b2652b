import { commandLine } from '../cli/printable.ts'
import type { TraceSpan } from './jaeger.ts'

export type RowKind = 'turn' | 'tool' | 'process'
/** A line of the picture: a span, or several brothers of the same name (`true` x200) as one. */
export type Row = {
  readonly kind: RowKind
  readonly depth: number
  readonly name: string
  readonly detail: string
  readonly verdict: string | null
  readonly failure: string | null
  readonly bars: readonly { readonly start: number; readonly duration: number }[]
}

/** Brothers of one name without children of their own, from this many on, share a line. */
const TOGETHER = 5
const DEPTH_MAX = 40

/** The spans of a trace as lines, parents before children. A span whose parent is missing stands at the top: it is not hidden. */
export function rowsOf(spans: readonly TraceSpan[]): readonly Row[] {
  const known = new Set(spans.map((span) => span.id))
  const children = new Map<string | null, TraceSpan[]>()
  for (const span of spans) {
    const parent = span.parentId !== null && span.parentId !== span.id && known.has(span.parentId) ? span.parentId : null
    const brothers = children.get(parent)
    if (brothers === undefined) children.set(parent, [span])
    else brothers.push(span)
  }
  const rows: Row[] = []
  const drawn = new Set<string>()
  draw(children.get(null) ?? [], 0)
  // Parents in a circle: drawn all the same.
  draw(
    spans.filter((span) => !drawn.has(span.id)),
    0,
  )
  return rows

  function draw(brothers: readonly TraceSpan[], depth: number): void {
    for (let i = 0; i < brothers.length; ) {
      const span = brothers[i]!
      let end = i + 1
      if (alone(span)) while (end < brothers.length && brothers[end]!.name === span.name && alone(brothers[end]!)) end++
      if (end - i < TOGETHER) end = i + 1
      const members = brothers.slice(i, end).filter((member) => !drawn.has(member.id))
      i = end
      if (members.length === 0) continue
      for (const member of members) drawn.add(member.id)
      rows.push(rowOf(members, depth))
      const below = children.get(span.id)
      if (below !== undefined && depth < DEPTH_MAX) draw(below, depth + 1)
    }
  }

  function alone(span: TraceSpan): boolean {
    return kindOf(span) === 'process' && !children.has(span.id)
  }

  function rowOf(members: readonly TraceSpan[], depth: number): Row {
    const first = members[0]!
    const kind = kindOf(first)
    const failures = members.map(failureOf).filter((failure) => failure !== null)
    return {
      kind,
      depth,
      name: members.length === 1 ? first.name : `${first.name} \u00d7${members.length}`,
      // A tool call has no command of its own: its first process has.
      detail: kind === 'process' ? commandOf(first) : kind === 'tool' ? commandOf((children.get(first.id) ?? [])[0]) : '',
      verdict: first.tags.get('spoor.verdict') ?? null,
      failure: failures.length === 0 ? null : members.length === 1 ? failures[0]! : `${failures.length} failed`,
      bars: members.map(({ start, duration }) => ({ start, duration })),
    }
  }
}

const kindOf = ({ name }: TraceSpan): RowKind => (/^(?:invoke_agent|session)\b/.test(name) ? 'turn' : /^execute_tool\b/.test(name) ? 'tool' : 'process')

function failureOf({ tags }: TraceSpan): string | null {
  const signal = tags.get('spoor.process.exit.signal')
  if (signal !== undefined && signal !== '' && signal !== '0') return `signal ${signal}`
  const code = tags.get('process.exit.code')
  return code !== undefined && code !== '' && code !== '0' ? `exit ${code}` : null
}

/** What a person would have typed: the text behind `sh -c`, else the arguments. Jaeger's tags carry a list as JSON text. */
function commandOf(span: TraceSpan | undefined): string {
  const args = argumentsOf(span?.tags.get('process.command_args') ?? '')
  const script = /^(?:|.*\/)(?:ba|da|z|k|)sh$/.test(args[0] ?? '') && /^-\w*c$/.test(args[1] ?? '') ? args[2] : undefined
  return script ?? commandLine(args)
}

function argumentsOf(text: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) ? list.map(String) : []
  } catch {
    return text === '' ? [] : [text]
  }
}
