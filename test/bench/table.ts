import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import type { Interval } from './statistics.ts'

/** One line of the result: `fails` only where the measured interval lies wholly beyond the bound. */
export type Row = { readonly what: string; readonly bound: string; readonly measured: string; readonly fails: boolean }

const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3))

/** Rounds of the full run. Fewer are judged with a margin: their interval is narrow by luck as often as by right. */
const FULL_ROUNDS = 20
const SHORT_MARGIN = 1.03

export const ratioRow = (what: string, bound: number, ratio: Interval, rounds: number, note = ''): Row => ({
  what,
  bound: `${bound.toFixed(2)}x${rounds < FULL_ROUNDS ? ` (+ ${((SHORT_MARGIN - 1) * 100).toFixed(0)} %: ${rounds} rounds)` : ''}`,
  measured: `${ratio.median.toFixed(3)}x (${ratio.low.toFixed(3)}-${ratio.high.toFixed(3)})${note}`,
  fails: ratio.low > bound * (rounds < FULL_ROUNDS ? SHORT_MARGIN : 1),
})
export const atMost = (what: string, bound: number, unit: string, value: number, note = ''): Row => ({
  what,
  bound: `<= ${bound} ${unit}`,
  measured: `${digits(value)} ${unit}${note}`,
  fails: !(value <= bound),
})
export const atLeast = (what: string, bound: number, unit: string, value: number, note = ''): Row => ({
  what,
  bound: `>= ${bound} ${unit}`,
  measured: `${digits(value)} ${unit}${note}`,
  fails: !(value >= bound),
})
export const exactly = (what: string, bound: string, measured: string, holds: boolean): Row => ({ what, bound, measured, fails: !holds })
/** Single figures of a short run say little: a neighbour's burst decides them. The full run judges them. */
export const stated = (row: Row): Row => (row.fails ? { ...row, bound: `${row.bound} (judged in the full run)`, fails: false } : row)
export const beside = (what: string, measured: string): Row => ({ what, bound: '', measured, fails: false })

export function render(rows: readonly Row[]): string {
  const cells = [['what', 'bound', 'measured', ''], ...rows.map((row) => [row.what, row.bound, row.measured, row.fails ? 'FAILS' : row.bound === '' ? '' : 'ok'])]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]!.length)))
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [line(cells[0]!), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...cells.slice(1).map(line)].join('\n')
}

export function machine(): string {
  const first = (file: string, pattern: RegExp): string => {
    try {
      return pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? 'unknown'
    } catch {
      return 'unknown'
    }
  }
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim()
  const dirty = spawnSync('git', ['status', '--porcelain'], { encoding: 'utf8' }).stdout.trim() !== ''
  const virtual = /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')) ? ', virtual machine' : ''
  return [
    `${availableParallelism()} cores ${cpus()[0]?.model ?? 'unknown'}${virtual}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    `Linux ${release()}, ${first('/etc/os-release', /^PRETTY_NAME="?([^"\n]*)/m)}, Node ${process.versions.node}`,
    `commit ${commit || 'none'}${dirty ? ' with local changes' : ''}, ${new Date().toISOString().slice(0, 10)}`,
  ].join('; ')
}
