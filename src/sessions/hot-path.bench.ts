import type { SessionActivity } from '../model/session.ts'
import { createMachine, type Machine } from './machine.fixture.ts'

/**
 * Cost of stages 2 and 3 (lineage and sessions) for the ordinary case: an open by a tracked process. Run it alone:
 * `node scripts/launch.cjs src/sessions/hot-path.bench.ts`. The budget is 0.4 us an open.
 */
export type HotPath = { readonly openNs: number; readonly spawnNs: number; readonly kilobytesPerMillion: number }

const ROUNDS = 15
const OPENS = 200_000
const PROCESSES = 64
const SPAWNS = 100_000

const sink: SessionActivity[] = []
let at = 0

function agentWithTools(): { readonly m: Machine; readonly observe: (count: number) => number } {
  // Each activity gets away into a ring of its own: one that is dropped on the spot would not even be made.
  const m = createMachine({ keep: false, onActivity: (activity) => (sink[at++ & 63] = activity) })
  const agent = m.exec(m.newcomer(), { exe: '/opt/npm/node_modules/opencode-ai/bin/opencode.exe', args: ['opencode'] })
  const tools = Array.from({ length: PROCESSES }, () => m.spawn(agent, { exe: '/usr/bin/bash', args: ['bash', '-c', 'make'], leader: true }))
  const opens = Array.from({ length: 4096 }, (_, i) => m.openOf(i % 8 === 0 ? agent : tools[i % PROCESSES]!, `/work/src/${i}.ts`))
  const { lineage, sessions } = m
  return {
    m,
    observe(count) {
      const begun = process.hrtime.bigint()
      for (let i = 0; i < count; i++) {
        const activity = lineage.observe(opens[i & 4095]!)
        if (activity !== null) sessions.handle(activity)
      }
      return Number(process.hrtime.bigint() - begun) / count
    },
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

export function measureHotPath(): HotPath {
  const { m, observe } = agentWithTools()
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const ns = observe(OPENS)
    if (round > 2) rounds.push(ns)
  }
  const agent = m.exec(m.newcomer(), { exe: '/opt/npm/node_modules/opencode-ai/bin/opencode.exe', args: ['opencode'] })
  const spawns = (count: number): number => {
    const begun = process.hrtime.bigint()
    for (let i = 0; i < count; i++) {
      m.exit(m.spawn(agent, { exe: '/bin/true', args: ['true'] }))
      m.orders.length = 0
      if (i % 100 === 0) m.tick()
    }
    return Number(process.hrtime.bigint() - begun) / count
  }
  spawns(SPAWNS)
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const spawnNs = spawns(SPAWNS)
  globalThis.gc?.()
  const grown = (process.memoryUsage().heapUsed - before) / 1024
  return { openNs: median(rounds), spawnNs, kilobytesPerMillion: (grown / SPAWNS) * 1e6 }
}

if (import.meta.main) {
  const { openNs, spawnNs, kilobytesPerMillion } = measureHotPath()
  process.stdout.write(
    `open ${openNs.toFixed(0)} ns, fork+exec+exit ${spawnNs.toFixed(0)} ns (with making the observations), growth ${kilobytesPerMillion.toFixed(0)} kB per million processes\n`,
  )
}
