// npm run bench -- [--short] [--write] [--rounds N] [--only TEXT]
// The bounds of the issue "First light", measured in one run; exit 1 where an interval lies beyond its bound.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { need } from '../support/need.ts'
import { root } from '../support/spoor.ts'
import { shortProcesses, stalledOpens } from './completeness.ts'
import { latency } from './latency.ts'
import { peers } from './peers.ts'
import { measureRatios, withoutEnvironment } from './ratios.ts'
import { shippingRate, sinkAway } from './shipping.ts'
import { standingCosts } from './standing.ts'
import { machine, type Row, render, stated } from './table.ts'
import { type Ground, prepare, workloads } from './workloads.ts'

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean', default: false }, write: { type: 'boolean', default: false }, rounds: { type: 'string' }, only: { type: 'string' } },
})
const short = flags.short
const rounds = Number(flags.rounds ?? (short ? 6 : 20))
const judge = short ? stated : (row: Row): Row => row
const say = (line: string): void => console.error(`bench: ${line}`)

/** In order: the ratios first, so that their first detached leg comes before Spoor's first start. */
const sections: ReadonlyArray<readonly [string, (ground: Ground) => Promise<Row[]>]> = [
  [
    'ratios',
    async (ground) => {
      const list = workloads(short ? 0.4 : 1)
      return [...(await measureRatios(ground, list, rounds, say)), await withoutEnvironment(ground, list[0]!, rounds)]
    },
  ],
  [
    'completeness',
    async (ground) => {
      const rows = [await shortProcesses(ground, 10_000)]
      const folders = short ? 300 : 1000
      rows.push(await stalledOpens(ground, folders, 40, null, false))
      rows.push(await stalledOpens(ground, folders, 100, '16MiB', false))
      rows.push(await stalledOpens(ground, folders, short ? 3000 : 5000, null, true))
      return rows
    },
  ],
  ['standing', async (ground) => (await standingCosts(ground, short ? { idleSeconds: 10, spawns: 10_000 } : { idleSeconds: 60, spawns: 1_000_000 })).map(judge)],
  ['latency', async (ground) => (await latency(ground, short ? 10 : 60)).map(judge)],
  ['shipping', async (ground) => [...(await shippingRate(ground, short ? 100_000 : 400_000)), await sinkAway(ground, short ? 10 : 60)]],
  ['peers', (ground) => peers(ground, short ? 1 : 7)],
]

const wanted = need('root', 'ebpf', 'compiler')
if (wanted.skip !== false) {
  console.error(`bench: nothing measured: ${wanted.skip}`)
  process.exit(1)
}
const ground = prepare()
const rows: Row[] = []
try {
  for (const [name, section] of sections) {
    if (flags.only !== undefined && !name.includes(flags.only)) continue
    const began = performance.now()
    say(name)
    try {
      rows.push(...(await section(ground)))
    } catch (error) {
      rows.push({ what: name, bound: 'runs', measured: error instanceof Error ? error.message : String(error), fails: true })
    }
    say(`${name}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
  }
} finally {
  ground.remove()
}
const heading = `${machine()}; ${rounds} rounds${short ? ', short workloads' : ''}`
const table = render(rows)
console.log(`${heading}\n\n${table}`)
if (flags.write) {
  const page = join(root, 'docs/performance.md')
  const text = readFileSync(page, 'utf8')
  const [begin, end] = ['<!-- measured: begin -->', '<!-- measured: end -->']
  const head = text.slice(0, text.indexOf(begin) + begin.length)
  writeFileSync(page, `${head}\n${heading}\n\n${table}\n${text.slice(text.indexOf(end))}`)
}
const failures = rows.filter((row) => row.fails)
console.log(`\n${rows.filter((row) => row.bound !== '').length - failures.length} bounds held, ${failures.length} did not`)
process.exitCode = failures.length === 0 ? 0 : 1
