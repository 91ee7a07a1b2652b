import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFileSync, fork, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import type { Observation } from '../../src/model/observation.ts'
import type { BatchSink, Running, SensorOptions } from '../../src/model/sensor.ts'
import { CONTROL_NO_COALESCING, createLinuxEbpf, linuxEbpf } from './index.ts'

const probed = linuxEbpf.probe()
const skip = probed.ok ? false : `${probed.unavailable}: ${probed.why}`
const RING = 1 << 20
const BPFFS = '/sys/fs/bpf'
const pinName = `test-${process.pid}`
const OPTIONS: SensorOptions = { candidates: [], environment: [], ringBytes: RING, pinName: null, self: [] }

const children: ChildProcessWithoutNullStreams[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
})

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}

/** A shell, past its own start-up, that does its work once it is told to. */
async function shell(work: string) {
  const child = spawn('/bin/sh', ['-c', `echo ready; read go; ${work}`])
  children.push(child)
  await new Promise((done) => child.stdout.once('data', done))
  const ended = new Promise<void>((done) => child.on('exit', () => done()))
  return { pid: child.pid!, task: { pid: child.pid!, startTicks: ticksOf(child.pid!) }, go: () => void child.stdin.end('go\n'), ended }
}

async function started(t: TestContext, options: Partial<SensorOptions> = {}, sink?: BatchSink, control = 0) {
  const seen: Observation[] = []
  const take: BatchSink = {
    batch: (bytes, position) =>
      assert.equal(
        linuxEbpf.decode(bytes, position, (o) => seen.push(o)),
        0,
      ),
  }
  const running = await createLinuxEbpf({ control }).start({ ...OPTIONS, ...options }, sink ?? take)
  assert.ok(!('ok' in running), 'ok' in running ? running.why : '')
  // Also where the test fails: the ring would keep this process alive.
  t.after(() => running.stop())
  return { running, seen, of: (pid: number) => seen.filter((o) => o.task.pid === pid) }
}

const observed = (running: Running) => Object.values(running.stats()).reduce((sum, counts) => sum + counts.observed, 0n)

/** The one equation that has to hold whatever happened, for each kind. */
function balanced(running: Running) {
  for (const [kind, counts] of Object.entries(running.stats())) {
    const parts = [counts.coalesced, counts.delivered, ...Object.values(counts.filtered), ...Object.values(counts.lost)].reduce((sum, n) => sum + n, 0n)
    assert.equal(parts, counts.observed, kind)
  }
}

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
async function until(what: string, holds: () => boolean) {
  for (let i = 0; i < 300; i++) {
    if (holds()) return
    await sleep(10)
  }
  assert.fail(`not within 3 s: ${what}`)
}

test('a tracked process and what it forks is reported, nobody else is', { skip }, async (t) => {
  const { running, seen, of } = await started(t)
  const tracked = await shell('/bin/true; cat /etc/hostname > /dev/null; exit 3')
  const other = await shell('/bin/true')
  assert.equal(running.orders.track(tracked.task), true)
  tracked.go()
  other.go()
  await Promise.all([tracked.ended, other.ended])
  // No drain: the wake-up has to bring it.
  await until('the exit', () => of(tracked.pid).some((o) => o.kind === 'exit'))
  const forked = seen.flatMap((o) => (o.kind === 'fork' && o.task.pid === tracked.pid ? [o.child.pid] : []))
  assert.equal(forked.length, 2)
  const execs = forked.flatMap((pid) => of(pid).flatMap((o) => (o.kind === 'exec' ? [o] : [])))
  assert.deepEqual(
    execs.map((o) => o.called.split('/').pop()),
    ['true', 'cat'],
  )
  for (const exec of execs) assert.deepEqual([exec.parent.pid, exec.parent.startTicks], [tracked.pid, tracked.task.startTicks])
  assert.ok(of(forked[1]!).some((o) => o.kind === 'open' && o.file.path === '/etc/hostname' && o.result >= 0))
  const exit = of(tracked.pid).find((o) => o.kind === 'exit')
  assert.equal(exit?.kind === 'exit' && exit.code, 3)
  assert.deepEqual(of(other.pid), [])
  const seqs = seen.map((o) => o.seq)
  assert.ok(seqs.every((seq, i) => i === 0 || seq > seqs[i - 1]!))
  balanced(running)
  await running.stop()
})

test('a candidate is reported from its exec on, until it is released', { skip }, async (t) => {
  const { running, seen, of } = await started(t, { candidates: ['sleep'] })
  const child = spawn('sleep', ['0.3'])
  const plain = spawn('/bin/true')
  await Promise.all([child, plain].map((c) => new Promise((done) => c.on('exit', done))))
  running.drain()
  assert.equal(of(child.pid!)[0]?.kind, 'exec')
  assert.ok(of(child.pid!).some((o) => o.kind === 'exit'))
  assert.deepEqual(of(plain.pid!), [])

  seen.length = 0
  const released = spawn('sleep', ['0.5'])
  await until('the exec', () => of(released.pid!).some((o) => o.kind === 'exec'))
  assert.equal(running.orders.release({ pid: released.pid!, startTicks: ticksOf(released.pid!) }), true)
  await new Promise((done) => released.on('exit', done))
  running.drain()
  assert.ok(!of(released.pid!).some((o) => o.kind === 'exit'))
  await running.stop()
})

test('our own processes are counted and not reported; orders for a dead process say so', { skip }, async (t) => {
  const own = await shell('/bin/true; /bin/true')
  const { running, of } = await started(t, { self: [{ ...own.task, tid: own.pid }] })
  own.go()
  await own.ended
  running.drain()
  assert.deepEqual(of(own.pid), [])
  assert.equal(running.stats().fork?.filtered['self'], 2n)
  balanced(running)
  for (const order of ['track', 'own', 'release'] as const) assert.equal(running.orders[order](own.task), false, order)
  await running.stop()
  assert.equal(running.orders.track(own.task), false)
})

test('what a full ring loses is counted exactly', { skip }, async (t) => {
  const files = 3_000
  let delivered = 0n
  const { running } = await started(
    t,
    { ringBytes: 64 * 1024 },
    {
      batch: (bytes, position) => void linuxEbpf.decode(bytes, position, (o) => void (o.kind === 'open' && !o.repeats && delivered++)),
    },
    CONTROL_NO_COALESCING,
  )
  const opener = await shell(`i=0; while [ $i -lt ${files} ]; do : < /etc/hostname; i=$((i+1)); done`)
  running.orders.track(opener.task)
  opener.go()
  // The reader sleeps until all has happened.
  execFileSync('/bin/sh', ['-c', `while ! grep -q 'State:.Z' /proc/${opener.pid}/status; do sleep 0.02; done`])
  running.drain()
  await opener.ended
  const open = running.stats().open!
  assert.ok(open.lost.ring_full! > 0n)
  assert.equal(open.delivered, delivered)
  assert.equal(open.observed, BigInt(files))
  balanced(running)
  await running.stop()
})

test('where the sink throws the error goes up, nothing is lost, and a drain begins anew', { skip }, async (t) => {
  let broken = true
  const seen: Observation[] = []
  const { running } = await started(
    t,
    {},
    {
      batch(bytes, position) {
        if (broken) throw new Error('journal is broken')
        linuxEbpf.decode(bytes, position, (o) => seen.push(o))
      },
    },
  )
  const errors: string[] = []
  const handlers = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => errors.push(error.message))
  const worker = await shell('/bin/true')
  running.orders.track(worker.task)
  worker.go()
  await worker.ended
  await until('the error', () => errors.length > 0)
  await sleep(50)
  process.removeAllListeners('uncaughtException')
  for (const handler of handlers) process.on('uncaughtException', handler)
  assert.deepEqual(errors, ['journal is broken'])
  assert.equal(running.position(), 0n)
  broken = false
  running.drain()
  assert.ok(seen.some((o) => o.kind === 'fork' && o.task.pid === worker.pid))
  const next = await shell('/bin/true')
  running.orders.track(next.task)
  next.go()
  await until('the next process, without a drain', () => seen.some((o) => o.kind === 'exit' && o.task.pid === next.pid))
  await running.stop()
})

/** Runs an observer in a process of its own that tracks `task`, and returns how to kill it. */
async function observer(task: { pid: number; startTicks: number }, ringBytes: number) {
  const child = fork(join(import.meta.dirname, 'sensor.child.ts'), [pinName, String(task.pid), String(task.startTicks), String(ringBytes)], { serialization: 'json' })
  const exited = new Promise((done) => child.on('exit', (_code, signal) => done(signal)))
  assert.equal(await new Promise((done) => child.once('message', done)), 'tracking')
  return async () => {
    const last = new Promise<{ taken: string[]; position: string }>((done) => child.once('message', (message) => done(message as { taken: string[]; position: string })))
    child.send('end')
    assert.equal(await exited, 'SIGKILL')
    return await last
  }
}

test('an observer is killed: its successor goes on where it ended, and misses nothing', { skip }, async (t) => {
  const worker = await shell('i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done')
  const kill = await observer(worker.task, RING)
  worker.go()
  await sleep(100)
  const { taken, position } = await kill()
  const pins = readdirSync(join(BPFFS, `spoor-${pinName}`))
  assert.ok(pins.some((name) => name.startsWith('link_')) && pins.includes('map_ring'))
  await worker.ended

  const { running, seen } = await started(t, { pinName })
  assert.equal(running.resumed, true)
  assert.equal(running.position(), BigInt(position))
  assert.ok(running.describe().hooks.length > 0)
  running.drain()
  const forked = seen.flatMap((o) => (o.kind === 'fork' && o.task.pid === worker.pid ? [String(o.child.pid)] : []))
  assert.equal(taken.length + forked.length, 300)
  assert.equal(new Set([...taken, ...forked]).size, 300)
  assert.equal(running.stats().fork?.delivered, 300n)
  balanced(running)

  // Not only read: steered, and taken away at the end.
  const next = await shell('/bin/true')
  assert.equal(running.orders.track(next.task), true)
  next.go()
  await until('a process tracked by the successor', () => seen.some((o) => o.kind === 'exit' && o.task.pid === next.pid))
  await running.stop()
  assert.equal(existsSync(join(BPFFS, `spoor-${pinName}`)), false)
})

test('pins of another version are replaced', { skip }, async (t) => {
  const worker = await shell('/bin/true')
  const kill = await observer(worker.task, RING / 2)
  await kill()
  const folder = join(BPFFS, `spoor-${pinName}`)
  const before = readdirSync(folder).find((name) => name.startsWith('complete_'))
  const { running, of } = await started(t, { pinName })
  assert.equal(running.resumed, false)
  assert.equal(running.describe().pinned, folder)
  const markers = readdirSync(folder).filter((name) => name.startsWith('complete_'))
  assert.equal(markers.length, 1)
  assert.notEqual(markers[0], before)
  running.orders.track(worker.task)
  worker.go()
  await worker.ended
  running.drain()
  assert.equal(of(worker.pid).filter((o) => o.kind === 'fork').length, 1)
  await running.stop()
  assert.equal(existsSync(folder), false)
})

test('kept pins are taken over by the next start', { skip }, async (t) => {
  const worker = await shell('/bin/true; /bin/true')
  const first = await started(t, { pinName })
  first.running.orders.track(worker.task)
  await first.running.stop({ keep: true })
  worker.go()
  await worker.ended
  const second = await started(t, { pinName })
  assert.equal(second.running.resumed, true)
  second.running.drain()
  assert.equal(second.of(worker.pid).filter((o) => o.kind === 'fork').length, 2)
  await second.running.stop()
})

test('after a stop no BPF object of ours is left, and while nothing happens nobody wakes up', { skip }, async (t) => {
  const mine = () =>
    readdirSync('/proc/self/fdinfo').filter((fd) => {
      try {
        return /^(link_type|prog_type|map_type):/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
      } catch {
        return false
      }
    })
  // Links that the test before kept (see running.ts) are not of this one.
  const before = mine().length
  const { running } = await started(t, { pinName })
  assert.ok(mine().length > before)
  await sleep(100)
  const from = observed(running)
  const cpu = process.cpuUsage()
  const switches = () => Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync('/proc/thread-self/status', 'latin1'))![1])
  const switched = switches()
  await sleep(1000)
  const used = process.cpuUsage(cpu)
  // One wake-up is this test's own timer.
  assert.ok(switches() - switched <= 5, `${switches() - switched} wake-ups`)
  assert.ok(used.user + used.system < 20_000, `${used.user + used.system} us`)
  assert.equal(observed(running), from)
  await running.stop()
  assert.equal(mine().length, before)
  assert.equal(existsSync(join(BPFFS, `spoor-${pinName}`)), false)
})
