import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import type { Kind, Observation } from '../../src/model/observation.ts'
import type { Running, Sensor, SensorOptions } from '../../src/model/sensor.ts'
import { SENSORS } from '../../src/observer/sensors.ts'
import { need } from '../support/need.ts'

// One contract for every sensor: what the stages behind it rely on, whichever rung runs. A sensor that cannot run here is skipped with its own words.

const KINDS = Object.keys({
  'process.seen': 0,
  fork: 0,
  exec: 0,
  exit: 0,
  open: 0,
  change: 0,
  connect: 0,
  accept: 0,
  listen: 0,
  'sock.end': 0,
  loss: 0,
} satisfies Record<Kind, 0>) as Kind[]
const OPTIONS: SensorOptions = { candidates: [], environment: [], ringBytes: 1 << 20, pinName: null, self: [] }

/** A shell that acts once it is told to: it is tracked before its first act. */
async function gated(script: string) {
  const child = spawn('/bin/sh', ['-c', `echo ready; read go; ${script}`], { stdio: ['pipe', 'pipe', 'ignore'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1')
  const task = { pid: child.pid!, startTicks: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) }
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const act = () => {
    child.stdin.end('go\n')
    return ended
  }
  return { task, act }
}

async function running(sensor: Sensor, body: (running: Running, seen: Observation[]) => Promise<void>): Promise<void> {
  const seen: Observation[] = []
  let expected: bigint | null = null
  const started = await sensor.start(OPTIONS, {
    batch: (bytes, position) => {
      if (expected !== null) assert.equal(position, expected, 'batches follow one another without a hole')
      expected = position + BigInt(bytes.length)
      assert.equal(
        sensor.decode(bytes.slice(), position, (observation) => seen.push(observation)),
        0,
        'a sensor understands its own bytes',
      )
    },
  })
  assert.ok(!('ok' in started), JSON.stringify(started))
  try {
    await body(started, seen)
  } finally {
    await started.stop()
  }
}

for (const sensor of SENSORS) {
  const usable = { ...need(...(sensor.id === 'linux-ebpf' ? (['root', 'ebpf'] as const) : [])), timeout: 60_000 }

  test(`${sensor.id}: probe says yes, or what, why and how to mend it`, () => {
    const answer = sensor.probe()
    if (answer.ok) assert.ok(answer.rung !== '')
    else for (const part of [answer.unavailable, answer.why, answer.mend]) assert.match(part, /^[^\n]{3,}$/)
  })

  test(`${sensor.id}: says of every kind how well it sees it`, () => {
    assert.deepEqual(Object.keys(sensor.capabilities).sort(), [...KINDS].sort())
  })

  test(`${sensor.id}: decode takes any bytes, and never throws`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), fc.bigInt({ min: 0n, max: 1n << 60n }), (bytes, position) => {
        const malformed = sensor.decode(bytes, position, () => {})
        assert.ok(Number.isInteger(malformed) && malformed >= 0)
      }),
      { numRuns: 500 },
    )
  })

  test(`${sensor.id}: a tracked tree is told whole and in order, and nothing else`, usable, async () => {
    await running(sensor, async (sense, seen) => {
      const tracked = await gated('/bin/true one; (exit 7); cat /etc/hostname > /dev/null; exit 3')
      const other = await gated('/bin/true two; cat /etc/hostname > /dev/null')
      assert.equal(sense.orders.track(tracked.task), true)
      await Promise.all([tracked.act(), other.act()])
      sense.drain()
      const mine = new Set<number>([tracked.task.pid])
      for (const observation of seen) if (observation.kind === 'fork' && mine.has(observation.task.pid)) mine.add(observation.child.pid)
      assert.deepEqual(
        seen.filter((observation) => !mine.has(observation.task.pid)),
        [],
        'nothing of anybody else',
      )
      const of = <K extends Kind>(kind: K) => seen.filter((observation): observation is Extract<Observation, { kind: K }> => observation.kind === kind)
      assert.deepEqual(
        of('exit')
          .map((observation) => observation.code)
          .sort(),
        [0, 0, 3, 7],
      )
      assert.deepEqual(
        of('exec').map((observation) => observation.args.head.join(' ')),
        ['/bin/true one', 'cat /etc/hostname'],
      )
      assert.ok(of('open').some((observation) => observation.file.path === '/etc/hostname' && observation.access === 'read'))
      let last = -1n
      for (const observation of seen) {
        assert.equal(observation.sensor, sensor.id)
        assert.ok(observation.seq > last, 'seq rises strictly')
        last = observation.seq
        assert.ok(observation.task.startTicks > 0)
      }
      const first = (kind: Kind, pid: number): number => seen.findIndex((observation) => observation.kind === kind && observation.task.pid === pid)
      for (const observation of of('exec')) {
        const born = seen.findIndex((other) => other.kind === 'fork' && other.child.pid === observation.task.pid)
        assert.ok(born >= 0 && born < first('exec', observation.task.pid) && first('exec', observation.task.pid) < first('exit', observation.task.pid), 'fork, exec, exit')
        assert.equal(observation.parent.pid, tracked.task.pid)
      }
    })
  })

  test(`${sensor.id}: released and own processes are not told; a process that is gone cannot be ordered`, usable, async () => {
    await running(sensor, async (sense, seen) => {
      const released = await gated('/bin/true')
      const own = await gated('/bin/true')
      assert.equal(sense.orders.track(released.task), true)
      assert.equal(sense.orders.release(released.task), true)
      assert.equal(sense.orders.own(own.task), true)
      assert.equal(sense.orders.track({ ...own.task, startTicks: own.task.startTicks + 1 }), false, 'another life of that pid')
      await Promise.all([released.act(), own.act()])
      sense.drain()
      assert.deepEqual(seen, [])
      assert.equal(sense.orders.track(released.task), false)
    })
  })

  test(`${sensor.id}: what it counted is what it delivered, kept back or lost`, usable, async () => {
    await running(sensor, async (sense, seen) => {
      const tracked = await gated('for i in 1 2 3 4 5 6 7 8 9; do cat /etc/hostname > /dev/null; done; exit 0')
      sense.orders.track(tracked.task)
      await tracked.act()
      await sleep(50)
      sense.drain()
      const stats = sense.stats()
      for (const kind of KINDS) {
        const counts = stats[kind]
        if (counts === undefined) continue
        const parts = [counts.coalesced, counts.delivered, ...Object.values(counts.filtered), ...Object.values(counts.lost)].reduce((sum, part) => sum + part, 0n)
        assert.equal(parts, counts.observed, kind)
        const told = seen.filter((observation) => observation.kind === kind && !(observation.kind === 'open' && observation.repeats)).length
        assert.equal(counts.delivered, BigInt(told), `${kind} delivered`)
      }
    })
  })

  test(`${sensor.id}: describes itself, and can be stopped twice`, usable, async () => {
    await running(sensor, async (sense) => {
      const description = sense.describe()
      assert.ok(description.rung !== '')
      assert.ok(description.hooks.length > 0)
      sense.heartbeat()
      await sense.stop()
    })
  })
}
