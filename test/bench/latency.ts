import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { events, root, startRun } from '../support/spoor.ts'
import { quantile } from './statistics.ts'
import { atMost, beside, type Row } from './table.ts'
import type { Ground } from './workloads.ts'

type Sample = { readonly wallNs: bigint; readonly bytes: number; readonly durable: bigint }

/** How often the journal's files are looked at: this is the resolution of every figure here. */
const LOOK_MS = 1

/**
 * From the system call (the entry's own time) to the first look at which its bytes stood in the segment, and at which the durable mark covered it,
 * while `npm ci` runs on the same cores and an agent acts.
 */
export async function latency(ground: Ground, seconds: number): Promise<Row[]> {
  const state = join(ground.root, 'state-latency')
  const observer = await startRun(state, { config: `volume: full\n${ground.config}` })
  const segments = join(state, 'journal/seg')
  const project = join(ground.root, 'npm')
  mkdirSync(project)
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'tools']) cpSync(join(root, name), join(project, name), { recursive: true })
  const npm = (): ReturnType<typeof spawn> =>
    spawn('nice', ['-n', '20', 'npm', 'ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: project, stdio: 'ignore' })
  const samples: Sample[] = []
  const offsets: bigint[] = []
  try {
    // Who looks must not wait for a core itself; what it starts is put back to where it belongs (nice -n 20).
    setPriority(0, -20)
    let neighbour = npm()
    let again = true
    const restart = (): void => {
      if (again) neighbour = npm().on('exit', restart)
    }
    neighbour.on('exit', restart)
    const end = Date.now() + seconds * 1000
    const agent = spawn(
      'nice',
      [
        '-n',
        '20',
        '/bin/sh',
        '-c',
        `end=$(($(date +%s) + ${seconds})); while [ $(date +%s) -lt $end ]; do ${ground.agent} open ${ground.root} 1 40 0 1 >/dev/null; ${ground.agent} spawn 5 1 ${ground.work} >/dev/null; sleep 0.05; done`,
      ],
      { stdio: 'ignore' },
    )
    while (Date.now() < end || agent.exitCode === null) {
      // Wall clock and the clock of the entries are the same one; hrtime gives the digits between two of its milliseconds.
      samples.push({ wallNs: wallNow(), bytes: size(segments), durable: durable(state) })
      await sleep(LOOK_MS)
    }
    again = false
    neighbour.kill('SIGKILL')
    for (let i = 0; i < 400; i++) {
      samples.push({ wallNs: wallNow(), bytes: size(segments), durable: durable(state) })
      await sleep(LOOK_MS)
    }
    offsets.push(...endOffsets(segments))
    const entries = events(state)
    const firstIndex = Number(entries[0]!.index)
    const written: number[] = []
    const execs: number[] = []
    const durables: number[] = []
    let w = 0
    let d = 0
    for (const event of entries) {
      if (!event.eventName.startsWith('spoor.process.exec') && !event.eventName.startsWith('spoor.file.open') && event.eventName !== 'spoor.process.exit') continue
      const at = BigInt(event.timeUnixNano)
      if (at < samples[0]!.wallNs) continue
      const offset = Number(offsets[Number(event.index) - firstIndex]!)
      while (w < samples.length && samples[w]!.bytes < offset) w++
      while (d < samples.length && samples[d]!.durable <= BigInt(event.index)) d++
      if (w < samples.length) {
        const ms = Number(samples[w]!.wallNs - at) / 1e6
        written.push(ms)
        if (event.eventName === 'spoor.process.exec') execs.push(ms)
      }
      if (d < samples.length) durables.push(Number(samples[d]!.wallNs - at) / 1e6)
    }
    return [
      atMost(
        'system call to write(2) of its entry, p99, under npm ci',
        100,
        'ms',
        quantile(written, 0.99),
        ` (p50 ${quantile(written, 0.5).toFixed(1)}, ${written.length} entries)`,
      ),
      atMost('the same, exec', 20, 'ms', quantile(execs, 0.99), ` (p50 ${quantile(execs, 0.5).toFixed(1)}, ${execs.length} entries)`),
      beside('system call to durable, p99, under npm ci', `${quantile(durables, 0.99).toFixed(0)} ms (p50 ${quantile(durables, 0.5).toFixed(0)})`),
    ]
  } finally {
    setPriority(0, 0)
    await observer.stop()
    spawnSync('rm', ['-rf', state, project])
  }
}

const origin = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint()
const wallNow = (): bigint => process.hrtime.bigint() + origin

function size(folder: string): number {
  if (!existsSync(folder)) return 0
  return readdirSync(folder).reduce((sum, name) => (name.endsWith('.seg') ? sum + statSync(join(folder, name)).size : sum), 0)
}
function durable(state: string): bigint {
  try {
    return readFileSync(join(state, 'journal/durable')).readBigUInt64BE(0)
  } catch {
    return 0n
  }
}
/** End of each entry, counted over all segments (u16be length + record). */
function endOffsets(folder: string): bigint[] {
  const ends: bigint[] = []
  let base = 0n
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.seg'))
    .sort()) {
    const bytes = readFileSync(join(folder, name))
    for (let at = 0; at + 2 <= bytes.length; ) {
      at += 2 + bytes.readUInt16BE(at)
      ends.push(base + BigInt(at))
    }
    base += BigInt(bytes.length)
  }
  return ends
}
