// For tests of what the programs report in the running kernel: a sensor, and scenarios whose every step is known (kernel.child.ts).
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kind, Observation, ObservationOf } from '../../src/model/observation.ts'
import type { Running } from '../../src/model/sensor.ts'
import { createLinuxEbpf } from './index.ts'

const ENVIRONMENT = ['TRACEPARENT', 'CI', 'CLAUDE_CODE_SESSION_ID', 'SIXTEEN_BYTES_ABC']

/** A sensor with the BPF object of that file (by default Spoor's), and a folder of its own to run scenarios in. */
export async function startScenarios(object?: string) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'spoor-kernel-')))
  const sensor = createLinuxEbpf(object === undefined ? {} : { object })
  let seen: Observation[] = []
  const sink = {
    batch: (bytes: Uint8Array, position: bigint) =>
      assert.equal(
        sensor.decode(bytes, position, (o) => seen.push(o)),
        0,
      ),
  }
  const started = await sensor.start({ candidates: [], environment: ENVIRONMENT, ringBytes: 4 << 20, pinName: null, self: [] }, sink)
  assert.ok(!('ok' in started), 'ok' in started ? started.why : '')
  const running: Running = started

  /** Runs a scenario as a tracked process; all observations of its tree, in order. */
  async function run(scenario: string) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'kernel.child.ts'), scenario, folder], {
      env: { UV_THREADPOOL_SIZE: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await new Promise((done) => child.stdout.once('data', done))
    const pid = child.pid!
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    seen = []
    assert.equal(running.orders.track({ pid, startTicks }), true)
    const ended = new Promise<number | null>((done) => child.on('exit', (code) => done(code)))
    child.stdin.write('go\n')
    const code = await ended
    // The last sockets may outlive their process by a little.
    await new Promise((done) => setTimeout(done, 50))
    running.drain()
    const all = seen
    const of = <K extends Kind>(kind: K) => all.filter((o): o is ObservationOf<K> => o.kind === kind)
    return { pid, code, all, of, startTicks }
  }

  async function stop() {
    await running.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { running, folder, run, stop, short: (path: string) => path.replace(folder, '~') }
}

export type Scenarios = Awaited<ReturnType<typeof startScenarios>>
