import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { processId } from '../identity/ids.ts'
import { type Bytes, bytesOf } from '../model/bytes.ts'
import type { Ids, Observation, ObservationOf, Task } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import { createLineage, type LineageState } from './lineage.ts'

const MACHINE = new Uint8Array(16).fill(7)
const BOOT = new Uint8Array(16).fill(8)
const IDS: Ids = { uid: 1, gid: 1, loginUid: 1, auditSession: 1, tty: 0, pgid: 1, sid: 1 }
const task = (pid: number, startTicks: number, tid = pid): Task => ({ pid, tid, startTicks })
const NOBODY = task(0, 0)

let seq = 0n
const base = (of: Task, boot: bigint) => ({ sensor: 'linux-ebpf' as const, seq: seq++, boot, task: of, fidelity: 'exact' as const })
const fork = (of: Task, child: Task, boot = 1n): Observation => ({ ...base(of, boot), kind: 'fork', child })
const exit = (of: Task, boot = 1n, code = 0): Observation => ({ ...base(of, boot), kind: 'exit', code, signal: 0, coreDumped: false, cpuNs: 0n })
const exec = (of: Task, path: string, boot = 1n, parent = NOBODY): ObservationOf<'exec'> => ({
  ...base(of, boot),
  kind: 'exec',
  parent,
  comm: '' as Bytes,
  exe: { path: bytesOf(path), exact: true, dev: 1, ino: 1n, class: 'regular', deleted: false, cut: false },
  called: bytesOf(path),
  args: { head: [bytesOf(path)], total: 1 },
  argsBytes: path.length + 1,
  env: [],
  envMissed: false,
  cwd: bytesOf('/'),
  ids: IDS,
  ns: { mnt: 1, pid: 1, net: 1, user: 1 },
  cgroup: 1n,
  noNewPrivs: false,
  seccomp: 0,
})
const open = (of: Task, boot = 1n, repeats = false): Observation => ({
  ...base(of, boot),
  kind: 'open',
  file: { path: bytesOf('/x'), exact: true, dev: 1, ino: 1n, class: 'regular', deleted: false, cut: false },
  access: 'read',
  created: false,
  truncated: false,
  result: 3,
  count: 1,
  repeats,
})

const make = (state?: LineageState) => {
  const vanished: Process[] = []
  const lineage = createLineage({ machineId: MACHINE, bootId: BOOT, vanished: (process) => vanished.push(process), ...(state && { state }) })
  return { lineage, vanished, see: (observation: Observation) => lineage.observe(observation)?.process }
}

test('fork, exec, exit: one row, numbered images, parent by the kernel', () => {
  const { lineage, see } = make()
  const shell = see(exec(task(10, 100), '/bin/bash', 5n, task(1, 1)))!
  assert.equal(shell.parentId, processId(MACHINE, BOOT, 1, 1))
  assert.equal(shell.startedAt, 1_000_000_000n)
  see(fork(task(10, 100), task(11, 101)))
  const child = lineage.find(task(11, 101))!
  assert.equal(child.parentId, shell.id)
  assert.notEqual(child.startedAt % 10_000_000n, 0n, 'a fork that was seen is known to the nanosecond')
  assert.deepEqual([child.images.length, child.images[0]?.number, child.images[0]?.path], [1, 0, '/bin/bash'])
  // From a thread that is not the leader: the pid is what counts.
  see(exec(task(11, 101, 9999), '/bin/ls', 9n))
  assert.deepEqual(
    child.images.map((image) => [image.number, image.path]),
    [
      [0, '/bin/bash'],
      [1, '/bin/ls'],
    ],
  )
  see(exit(task(11, 101), 20n, 3))
  assert.deepEqual([child.exit, child.endedAt], [{ code: 3, signal: 0 }, 20n])
  assert.equal(lineage.observe(exit(task(11, 101), 21n)), null)
  assert.deepEqual(lineage.state.filtered, { exit: { double_exit: 1 } })
})

test('unannounced processes get a row from what is told of them; last words of the forgotten leave none', () => {
  const { lineage, see } = make()
  const row = see(open(task(50, 500)))!
  assert.deepEqual([row.images.length, row.parentId], [0, null])
  // Its exec tells the parent.
  see(exec(task(50, 500), '/bin/x', 2n, task(49, 490)))
  assert.equal(row.parentPid, 49)
  assert.notEqual(see(open(task(60, 600), 3n, true)), undefined)
  assert.notEqual(see(exit(task(61, 600))), undefined)
  assert.equal(lineage.state.byId.size, 1)
  assert.equal(lineage.state.counters.unannounced, 3)
})

test('a pid in new hands: the old life has ended unseen, and is told of; late words go to the old row', () => {
  const { lineage, vanished, see } = make()
  const old = see(exec(task(10, 100), '/bin/a'))!
  const young = see(exec(task(10, 200), '/bin/b', 9n))!
  assert.notEqual(old.id, young.id)
  assert.deepEqual(vanished, [old])
  assert.equal(old.endedAt, young.startedAt)
  assert.equal(see(open(task(10, 100), 10n)), old)
  assert.equal(see(open(task(10, 200), 10n)), young)
  assert.equal(lineage.state.counters.endedUnseen, 1)
})

test('a pid that comes again within one clock tick is another life with an id of its own', () => {
  const { lineage, see } = make()
  const parent = task(1, 1)
  see(fork(parent, task(2, 100)))
  const first = lineage.find(task(2, 100))!
  see(exit(task(2, 100), 2n))
  see(fork(parent, task(2, 100), 3n))
  const second = lineage.find(task(2, 100))!
  assert.equal(second.id, processId(MACHINE, BOOT, 2, 100, 1))
  assert.notEqual(first.id, second.id)
  see(exit(task(2, 100), 4n))
  see(fork(parent, task(2, 100), 5n))
  assert.equal(lineage.find(task(2, 100))?.id, processId(MACHINE, BOOT, 2, 100, 2))
})

test('what /proc told before the ring is not told twice', () => {
  const { lineage, see } = make()
  const { parent: _, ...seen } = { ...base(task(5, 50), 100n), parent: null }
  see({
    ...seen,
    kind: 'process.seen',
    parent: task(4, 40),
    comm: '' as Bytes,
    exe: bytesOf('/bin/ls'),
    args: { head: [bytesOf('ls')], total: 1 },
    env: [],
    cwd: bytesOf('/'),
    ids: IDS,
  })
  const row = see(exec(task(5, 50), '/bin/ls', 90n))!
  assert.deepEqual([row.images.length, row.imagesTotal], [1, 1])
  see(fork(task(4, 40), task(5, 50), 80n))
  assert.equal(lineage.find(task(5, 50)), row)
  see(exec(task(5, 50), '/bin/cat', 110n))
  assert.equal(row.imagesTotal, 2)
})

test('16 images at most; all are counted', () => {
  const { see } = make()
  for (let i = 0; i < 100; i++) see(exec(task(3, 30), `/bin/${i}`, BigInt(i)))
  const row = see(open(task(3, 30)))!
  assert.deepEqual([row.images.length, row.images[15]?.number, row.imagesTotal], [16, 100, 100])
})

test('a fork bomb of 5,000 in a chain, and a snapshot of it', () => {
  const { lineage, see } = make()
  for (let i = 0; i < 5000; i++) see(fork(task(100 + i, i + 1), task(101 + i, i + 2)))
  const copy = deserialize(serialize(lineage.state)) as LineageState
  assert.deepEqual(copy, lineage.state)
  const again = make(copy)
  for (let i = 5000; i >= 0; i--) again.see(exit(task(100 + i, i + 1), 7n))
  assert.equal(copy.ended.size, 5001)
  again.lineage.tick(6_000_000_000n)
  assert.deepEqual([copy.byId.size, copy.byPid.size, copy.ended.size], [0, 0, 0])
})

test('more live processes than there is room for are refused and counted, never a crash', () => {
  const { lineage, see } = make()
  for (let i = 0; i < 65_536 + 10; i++) see(fork(task(1, 1), task(10 + i, 5)))
  assert.ok(lineage.state.byId.size <= 65_536)
  assert.equal(lineage.state.counters.refused, 11)
  assert.equal(lineage.observe(open(task(999_999, 9))), null)
  assert.deepEqual(lineage.state.filtered, { open: { process_table_full: 1 } })
})

test('200,000 short lives without a tick leave only those of the last 5 s', () => {
  const { lineage, see } = make()
  for (let i = 0; i < 200_000; i++) {
    const boot = BigInt(i) * 1_000_000n
    const child = task(2 + (i % 30_000), i + 1)
    see(fork(task(1, 1), child, boot))
    see(exit(child, boot + 500_000n))
  }
  assert.ok(lineage.state.byId.size < 5_600, `${lineage.state.byId.size}`)
})
