import type { SessionSummary } from '../model/status.ts'
import { printable } from './printable.ts'
import { byteSize, counted, duration } from './units.ts'

/** What `spoor record` says at the end. */
export function summaryText(of: {
  readonly session: string
  readonly summary: SessionSummary | null
  readonly how: string
  readonly lasted: bigint
  readonly hint: string
}): readonly string[] {
  const { session, summary, how, lasted, hint } = of
  const head = `spoor: session ${session.slice(0, 8)}${summary === null ? '' : ` (${printable(summary.agent)})`}: ${duration(lasted)}, ${how}`
  if (summary === null) return [head, `spoor: its totals are not known here; ${printable(hint)} shows it`]
  const { processes, execs, filesRead, filesChanged, connections, bytesOut } = summary.totals
  const did = [
    counted(processes, 'process', 'processes'),
    counted(execs, 'exec'),
    `${counted(filesRead, 'file')} read`,
    `${filesChanged} changed`,
    `${counted(connections, 'connection')}${connections > 0 ? ` (${byteSize(bytesOut)} out)` : ''}`,
  ]
  const lines = [head, `spoor: ${did.join(', ')}; ${printable(hint)}`]
  const lacks = [...summary.incomplete.map(printable), ...(summary.ended ? [] : ['some of its processes still run'])]
  return lacks.length === 0 ? lines : [...lines, `spoor: ${lacks.join('; ')}`]
}
