import { printable } from '../cli/printable.ts'
import { counted, duration, localTime } from '../cli/units.ts'
import { SPANS_MAX, spansOf, type TraceSpan } from './jaeger.ts'
import { type Row, rowsOf } from './trace-rows.ts'

/** What a verdict is called for people. The class gives its colour; the words stand beside it, for whoever tells colours badly. */
const VERDICTS: Readonly<Record<string, readonly [string, string]>> = {
  confirmed: ['ok', 'declared and seen'],
  seen_not_declared: ['bad', 'seen, not declared'],
  declared_not_seen: ['warn', 'declared, not seen'],
  differs: ['bad', 'differs from what was declared'],
  ambiguous: ['warn', 'ambiguous'],
  not_observable: ['none', 'no claim to compare'],
}
/** About so many marks on the time axis. */
const TICKS = 5
const DETAIL_MAX = 160

/** One self-contained page that draws a trace: `answer` is what Jaeger's query API said to /api/traces/{id}. Whatever stands in it is shown as text. */
export function traceHtml(answer: unknown): string {
  const spans = spansOf(answer)
  if (spans.length === 0) return page('no trace', '<p class="empty">There is no trace in this answer.</p>')
  const from = spans.reduce((least, span) => Math.min(least, span.start), Number.POSITIVE_INFINITY)
  const to = spans.reduce((most, span) => Math.max(most, span.start + span.duration), 0)
  const total = Math.max(to - from, 1)
  const root = spans.find((span) => span.name.startsWith('invoke_agent')) ?? spans[0]!
  const cut = spans.length >= SPANS_MAX ? `<p class="empty">Only the first ${SPANS_MAX} spans are drawn.</p>` : ''
  const rows = rowsOf(spans)
  return page(root.name, head(root, spans, from, total) + legend(rows) + `<div class="chart">${axis(total)}${rows.map((row) => line(row, from, total)).join('')}</div>` + cut)
}

function head(root: TraceSpan, spans: readonly TraceSpan[], from: number, total: number): string {
  const tag = (name: string): string => root.tags.get(name) ?? ''
  const processes = spans.filter((span) => span.tags.has('process.pid')).length
  const facts = [
    `started ${localTime(BigInt(Math.round(from)) * 1000n)}`,
    duration(BigInt(Math.round(total)) * 1000n),
    `${counted(spans.filter((span) => span.name.startsWith('execute_tool')).length, 'tool call')}, ${counted(processes, 'process', 'processes')}`,
    tag('session.id') === '' ? '' : `session ${tag('session.id').slice(0, 8)}`,
  ]
  return `<header><h1>${escaped(tag('gen_ai.agent.name') || root.name)}</h1><p>${facts
    .filter((fact) => fact !== '')
    .map(escaped)
    .join(' &middot; ')}</p></header>`
}

function legend(rows: readonly Row[]): string {
  const verdicts = new Set(rows.flatMap((row) => (row.verdict === null ? [] : [row.verdict])))
  const items = [...verdicts].map((verdict) => `<li><i class="${classOf(verdict)}"></i>${escaped(VERDICTS[verdict]?.[1] ?? verdict)}</li>`)
  return `<ul class="legend">${items.join('')}<li><i class="process"></i>process</li><li><i class="process failed"></i>process that failed</li></ul>`
}

function axis(total: number): string {
  const step = roundStep(total / TICKS)
  const ticks = Array.from({ length: Math.min(Math.floor(total / step) + 1, 2 * TICKS) }, (_, i) => {
    return `<span style="left:${percent((i * step) / total)}">${escaped(i === 0 ? '0' : duration(BigInt(Math.round(i * step)) * 1000n))}</span>`
  })
  return `<div class="row axis"><div class="name"></div><div class="track">${ticks.join('')}</div></div>`
}

/** The next of 1, 2, 5 times a power of ten. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

function line(row: Row, from: number, total: number): string {
  const look = row.kind === 'tool' ? classOf(row.verdict ?? '') : `${row.kind}${row.failure === null ? '' : ' failed'}`
  const bars = row.bars.map(({ start, duration: lasted }) => `<i class="${look}" style="left:${percent((start - from) / total)};width:${percent(lasted / total)}"></i>`)
  const verdict = row.verdict === null ? '' : `<b class="${classOf(row.verdict)}">${escaped(VERDICTS[row.verdict]?.[1] ?? row.verdict)}</b>`
  const failure = row.failure === null ? '' : `<b class="bad">${escaped(row.failure)}</b>`
  const detail = row.detail.length > DETAIL_MAX ? row.detail.slice(0, DETAIL_MAX - 1) + '\u2026' : row.detail
  return (
    `<div class="row ${row.kind}"><div class="name" style="padding-left:${row.depth * 14}px" title="${escaped(row.detail)}"><span>${escaped(row.name)}</span> <code>${escaped(detail)}</code></div>` +
    `<div class="track">${bars.join('')}</div><div class="said">${verdict}${failure}</div></div>`
  )
}

const classOf = (verdict: string): string => VERDICTS[verdict]?.[0] ?? 'none'
const percent = (share: number): string => `${(Math.min(Math.max(share, 0), 1) * 100).toFixed(3)}%`
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
/** For text and quoted attributes. Controls and bidirectional marks come out as escapes: they could make a name read as another. */
const escaped = (text: string): string => printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!)

const STYLE = `
:root { color-scheme: light dark; --paper: light-dark(#fff, #16181c); --ink: light-dark(#1c2024, #e6e8eb); --soft: light-dark(#6a7178, #98a0a8); --rule: light-dark(#e4e7ea, #2a2e34);
  --turn: light-dark(#3c4a5a, #9fb0c3); --process: light-dark(#8fa3b8, #5f7388); --ok: light-dark(#2f7d4f, #55b37d); --bad: light-dark(#c0322b, #f0716a); --warn: light-dark(#b36b00, #e0a23c); --none: light-dark(#5f7fb0, #7f9fd0) }
body { margin: 0; padding: 24px 28px; background: var(--paper); color: var(--ink); font: 13px/1.45 system-ui, "DejaVu Sans", sans-serif }
h1 { margin: 0; font-size: 19px } header p { margin: 2px 0 0; color: var(--soft) }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 14px 0 10px; padding: 0; list-style: none; color: var(--soft); font-size: 12px }
.legend i { display: inline-block; width: 18px; height: 9px; margin-right: 6px; border-radius: 2px }
.row { display: grid; grid-template-columns: minmax(0, 38%) minmax(0, 1fr) 190px; align-items: center; min-height: 22px; border-top: 1px solid var(--rule) }
.axis { color: var(--soft); font-size: 11px; border: 0 } .axis .track { height: 18px } .axis span { position: absolute; transform: translateX(-50%); white-space: nowrap } .axis span:first-child { transform: none }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding-right: 12px }
.turn .name span, .tool .name span { font-weight: 600 } code { color: var(--soft); font: 12px ui-monospace, "DejaVu Sans Mono", monospace }
.track { position: relative; height: 12px } .track i { position: absolute; top: 0; height: 100%; min-width: 2px; border-radius: 2px } .process .track { height: 7px } .tool .track i { min-width: 4px }
i.turn { background: var(--turn) } i.process { background: var(--process) } i.process.failed { background: var(--paper); outline: 2px solid var(--bad); outline-offset: -2px }
i.ok { background: var(--ok) } i.bad { background: var(--bad) } i.warn { background: var(--warn) } i.none { background: var(--none) }
.said { padding-left: 12px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-size: 12px } b { font-weight: 600; margin-right: 8px } b.ok { color: var(--ok) } b.bad { color: var(--bad) } b.warn { color: var(--warn) } b.none { color: var(--soft); font-weight: 400 }
.empty { color: var(--soft) }`

/** Nothing is loaded and nothing runs. */
function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>${escaped(title)} - Spoor</title><style>${STYLE}
</style></head><body>${body}</body></html>
`
}
