import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root, startRun, status } from '../support/spoor.ts'
import { atLeast, exactly, type Row } from './table.ts'
import { benchEnded, type Ground, openAll } from './workloads.ts'

/** The far side in a process of its own, as it would be: it counts and hashes what arrives and says so on request. */
export type FarSide = { readonly url: string; count(): Promise<{ records: number; distinct: number; differing: number }>; close(): void }
export async function startFarSide(): Promise<FarSide> {
  const child = spawn(process.execPath, [join(root, 'test/bench/far-side.ts')], { stdio: ['pipe', 'pipe', 'inherit'] })
  let buffered = ''
  const waiting: Array<(line: string) => void> = []
  child.stdout.on('data', (part: Buffer) => {
    buffered += part.toString('utf8')
    for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
      waiting.shift()?.(buffered.slice(0, end))
      buffered = buffered.slice(end + 1)
    }
  })
  const line = (): Promise<string> => new Promise((resolve) => waiting.push(resolve))
  const url = await line()
  return {
    url,
    count: async () => {
      const answer = line()
      child.stdin.write('\n')
      return JSON.parse(await answer) as { records: number; distinct: number; differing: number }
    },
    close: () => child.kill(),
  }
}

/** Journal a great many entries without a destination, then start with one: how fast does the backlog leave? */
export async function shippingRate(ground: Ground, entries: number): Promise<Row[]> {
  const state = join(ground.root, 'state-ship')
  const far = await startFarSide()
  try {
    const config = `volume: full\n${ground.config}`
    const filling = await startRun(state, { config })
    const folders = 20
    for (let made = 0; made < entries; made += folders * 1000) await openAll(ground, ground.root, folders)
    await benchEnded(state)
    const journal = Number(status(state)!.journal!.durable)
    await filling.stop()
    const observer = await startRun(state, { config, args: ['--otlp-endpoint', far.url] })
    const began = performance.now()
    let arrived = await far.count()
    const start = arrived.records
    while (arrived.distinct < journal && performance.now() - began < 300_000) {
      await sleep(250)
      arrived = await far.count()
    }
    const rate = ((arrived.records - start) / (performance.now() - began)) * 1000
    await observer.stop()
    return [
      atLeast('journal to OTLP sink', 20_000, 'entries/s', rate, ` (${arrived.records} entries)`),
      exactly(
        'of them missing at the sink',
        '0',
        `${Math.max(0, journal - arrived.distinct)}; ${arrived.records - arrived.distinct} sent twice, ${arrived.differing} with other bytes`,
        arrived.distinct >= journal && arrived.differing === 0,
      ),
    ]
  } finally {
    far.close()
    spawnSync('rm', ['-rf', state])
  }
}

/** The sink stops answering for a while, with work going on; then all of it must be there. */
export async function sinkAway(ground: Ground, seconds: number): Promise<Row> {
  const state = join(ground.root, 'state-away')
  const far = await startFarSide()
  try {
    const observer = await startRun(state, { config: ground.config, args: ['--otlp-endpoint', `${far.url}/away/${seconds}`] })
    spawnSync(ground.agent, ['spawn', '2000', '2', ground.work])
    await sleep(seconds * 1000)
    spawnSync(ground.agent, ['spawn', '2000', '2', ground.work])
    await benchEnded(state)
    await sleep(1000)
    const journal = Number(status(state)!.journal!.durable)
    const began = Date.now()
    let arrived = await far.count()
    while (arrived.distinct < journal && Date.now() - began < 120_000) {
      await sleep(500)
      arrived = await far.count()
    }
    await observer.stop()
    return exactly(
      `sink away for ${seconds} s, then back`,
      'all arrive, byte-identical',
      `${arrived.distinct} of ${journal} arrived, ${arrived.differing} with other bytes`,
      arrived.distinct >= journal && arrived.differing === 0,
    )
  } finally {
    far.close()
    spawnSync('rm', ['-rf', state])
  }
}
