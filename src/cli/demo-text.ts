import type { Compared } from '../demo/compare.ts'
import { clipped, printable } from './printable.ts'
import { table } from './table.ts'

const WIDTH_MIN = 60
/** Of the line that the left column may take. */
const LEFT_SHARE = 0.45

/** What an agent declared beside what was seen: `=` both, `!` only one of them. */
export function comparedText(rows: readonly Compared[], columns: number): string {
  const width = Math.max(columns, WIDTH_MIN)
  const left = Math.floor(width * LEFT_SHARE)
  const cells = rows.map(({ declared, seen }) => [
    declared !== null && seen !== null ? '=' : '!',
    declared === null ? '(not declared)' : clipped(printable(declared), left),
    seen === null ? '(not seen)' : clipped(printable(seen), width - 5),
  ])
  const secret = rows.filter((row) => row.declared === null).length
  const missing = rows.filter((row) => row.seen === null).length
  const verdict = `${rows.length - secret - missing} of ${rows.length - secret} declared acts were seen; ${secret} not declared`
  return `${table([['', 'the agent declared', 'Spoor saw'], ...cells])}\n${verdict}\n`
}
