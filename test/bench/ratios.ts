import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root, startRun } from '../support/spoor.ts'
import { interval } from './statistics.ts'
import { type Row, ratioRow } from './table.ts'
import type { Ground, Workload } from './workloads.ts'

/** Links that are attached anywhere on this machine by us: the detached leg must run without one. */
function attachedLinks(): string[] {
  return spawnSync('sh', ['-c', 'ls -d /sys/fs/bpf/spoor-* 2>/dev/null'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line !== '')
}

/** Another one's Spoor on this machine is waited for, for a while. */
async function detached(): Promise<void> {
  for (let i = 0; attachedLinks().length > 0; i++) {
    if (i >= 60) throw new Error(`Spoor is at work on this machine (${attachedLinks().join(' ')}): stop it first, every other leg runs without it`)
    await sleep(1000)
  }
}

/** Paired rounds: all workloads with Spoor fully detached, then all with it; each workload's ratio is taken within its round. */
export async function measureRatios(ground: Ground, list: readonly Workload[], rounds: number, say: (line: string) => void): Promise<Row[]> {
  const ratios = new Map<string, number[]>(list.map((workload) => [workload.name, []]))
  const plain = new Map<string, number[]>(list.map((workload) => [workload.name, []]))
  // Caches, frequency and the compiler's own files are warm for both legs.
  for (const workload of list) workload.ns(ground)
  for (let round = 0; round < rounds; round++) {
    await detached()
    const without = list.map((workload) => workload.ns(ground))
    const observer = await startRun(join(ground.root, `state-${round}`), { config: ground.config })
    const withSpoor: number[] = []
    try {
      for (const workload of list) withSpoor.push(workload.ns(ground))
    } finally {
      await observer.stop()
      spawnSync('rm', ['-rf', observer.stateDir])
    }
    list.forEach((workload, i) => {
      ratios.get(workload.name)!.push(withSpoor[i]! / without[i]!)
      plain.get(workload.name)!.push(without[i]!)
    })
    say(`round ${round + 1} of ${rounds}: ${list.map((_, i) => `${(withSpoor[i]! / without[i]!).toFixed(3)}`).join(' ')}`)
  }
  return list.map((workload) => {
    const base = interval(plain.get(workload.name)!).median
    return ratioRow(
      workload.name,
      workload.bound,
      interval(ratios.get(workload.name)!),
      rounds,
      ` of ${base > 1e7 ? `${(base / 1e6).toFixed(0)} ms` : base > 1e4 ? `${(base / 1e3).toFixed(0)} us` : `${base.toFixed(0)} ns`}`,
    )
  })
}

/** Spawning below a candidate with the sensor alone and no environment filter: as pairs, like the rest. */
export async function withoutEnvironment(ground: Ground, spawnWorkload: Workload, rounds: number): Promise<Row> {
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) {
    const without = spawnWorkload.ns(ground)
    const sensor = spawn(process.execPath, [join(root, 'test/bench/bare-sensor.ts'), 'bench-agent'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => sensor.on('close', resolve))
    await new Promise((resolve) => sensor.stdout.once('data', resolve))
    ratios.push(spawnWorkload.ns(ground) / without)
    sensor.stdin.end()
    await ended
  }
  return ratioRow('tracked: spawn + wait, without the environment filter', 1.05, interval(ratios), rounds)
}
