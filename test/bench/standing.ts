import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSink } from '../support/sink.ts'
import { startRun, status, until } from '../support/spoor.ts'
import { atMost, beside, type Row } from './table.ts'
import { cpuNs, memory, wakeUps } from './usage.ts'
import { benchEnded, type Ground } from './workloads.ts'

const MB = 1e6

/** What the two processes cost while nothing, something untracked and much tracked happens. */
export async function standingCosts(ground: Ground, options: { readonly idleSeconds: number; readonly spawns: number }): Promise<Row[]> {
  const rows: Row[] = []
  const sink = await startSink({ keep: false })
  const state = join(ground.root, 'state-standing')
  const observer = await startRun(state, { config: ground.config, args: ['--otlp-endpoint', sink.url] })
  try {
    const shipper = await until('the shipper', () => status(state)?.self.shipper?.pid)
    const both = [observer.pid, shipper]
    const cpu = (): number => both.reduce((sum, pid) => sum + cpuNs(pid), 0)
    const wakes = (): number => both.reduce((sum, pid) => sum + wakeUps(pid), 0)
    await sleep(3000)

    const idle = { cpu: cpu(), wakes: wakes(), at: performance.now() }
    await sleep(options.idleSeconds * 1000)
    const seconds = (performance.now() - idle.at) / 1000
    rows.push(atMost('idle: observer + shipper', 0.5, '% of a core', ((cpu() - idle.cpu) / 1e9 / seconds) * 100, `, over ${seconds.toFixed(0)} s`))
    rows.push(atMost('idle: wake-ups of both', 5, 'a second', (wakes() - idle.wakes) / seconds))

    const busy = { cpu: cpuNs(observer.pid), at: performance.now() }
    const spawns = 8000
    spawnSync(ground.work, ['spawn', String(spawns), '2', ground.work])
    const took = (performance.now() - busy.at) / 1000
    rows.push(atMost(`observer beside ${(spawns / took).toFixed(0)} untracked exec/s`, 3, '% of a core', ((cpuNs(observer.pid) - busy.cpu) / 1e9 / took) * 100))

    const settle = async (): Promise<number> => {
      await benchEnded(state)
      await sleep(1500)
      return memory(observer.pid).pssBytes
    }
    // Heaps reach their working size first: rows of ended processes are kept for some seconds, so that takes some seconds at full rate.
    spawnSync(ground.agent, ['spawn', String(Math.min(40_000, options.spawns)), '2', ground.work])
    const before = await settle()
    const load = { cpu: cpuNs(observer.pid), at: performance.now() }
    spawnSync(ground.agent, ['spawn', String(options.spawns), '2', ground.work])
    const loadSeconds = (performance.now() - load.at) / 1000
    const after = await settle()
    rows.push(
      beside(
        `observer while ${options.spawns} tracked processes run at ${(options.spawns / loadSeconds).toFixed(0)}/s`,
        `${(((cpuNs(observer.pid) - load.cpu) / 1e9 / loadSeconds) * 100).toFixed(1)} % of a core`,
      ),
    )
    const growth = (after - before) / MB
    // The bound is for a million; a shorter run states its figure and is not judged.
    if (options.spawns >= 1_000_000) rows.push(atMost('observer growth over 1,000,000 tracked processes', 2, 'MB', growth))
    else rows.push(beside(`observer growth over ${options.spawns} tracked processes`, `${growth.toFixed(1)} MB`))
    const own = memory(observer.pid)
    rows.push(atMost('observer, PSS without the ring', 90, 'MB', own.pssBytes / MB, ` (+ ring ${(own.ringBytes / MB).toFixed(1)} MB)`))
    rows.push(atMost('shipper, PSS', 130, 'MB', memory(shipper).pssBytes / MB))
    return rows
  } finally {
    await observer.stop()
    await sink.close()
    spawnSync('rm', ['-rf', state])
  }
}
