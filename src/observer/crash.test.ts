import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { createCatalogue } from '../agents/catalogue.ts'
import { openJournal } from '../journal/journal.ts'
import { openOpenState } from '../journal/open-state.ts'
import { openReader } from '../journal/reader.ts'
import { type Bytes, bytesOf } from '../model/bytes.ts'
import type { FileRef, Observation, Task } from '../model/observation.ts'
import { decodeEntry } from '../shape/decode.ts'
import { createEncoder } from '../shape/encode.ts'
import { createEngine } from './engine.ts'
import { frameOf, type Input } from './inputs.ts'
import { createPipeline, emptyState } from './pipeline.ts'
import { createRecorder } from './recorded.ts'
import { createRemains } from './replay.ts'

const BOOT_ID = new Uint8Array(16).fill(2)
const MS = 1_000_000n
const START = 1_000_000n * MS
const CLAUDE = '/opt/node_modules/@anthropic-ai/claude-code/bin/claude.exe'

const task = (pid: number): Task => ({ pid, tid: pid, startTicks: 100_000 })
const file = (path: string): FileRef => ({ path: bytesOf(path), exact: true, dev: 1, ino: BigInt(path.length), class: 'regular', deleted: false, cut: false })

/** A session of an agent with tools: what the sensor would deliver, cut into batches. */
function batches(): Observation[][] {
  const made: Observation[][] = []
  let now = START
  let seq = 0n
  let batch: Observation[] = []
  const base = (pid: number) => ({ sensor: 'linux-ebpf' as const, seq: seq++, boot: (now += MS), task: task(pid), fidelity: 'exact' as const })
  const exec = (pid: number, parent: number, path: string, args: string[], leader: boolean): void => {
    const ids = { uid: 0, gid: 0, loginUid: 0, auditSession: 0, tty: 0, pgid: leader ? pid : 10, sid: leader ? pid : 10 }
    batch.push({
      ...base(pid),
      kind: 'exec',
      parent: task(parent),
      comm: bytesOf(args[0]!),
      exe: file(path),
      called: bytesOf(path),
      args: { head: args.map(bytesOf), total: args.length },
      argsBytes: args.join(' ').length + 1,
      env: [],
      envMissed: false,
      cwd: bytesOf('/home/ann'),
      ids,
      ns: { mnt: 1, pid: 1, net: 1, user: 1 },
      cgroup: 1n,
      noNewPrivs: false,
      seccomp: 0,
    })
  }
  const open = (pid: number, path: string, access: 'read' | 'write', result = 3): void => {
    batch.push({ ...base(pid), kind: 'open', file: file(path), access, created: access === 'write', truncated: false, result, count: 1, repeats: false })
  }
  exec(1000, 500, CLAUDE, ['claude', '-p', 'x'], true)
  for (let i = 0; i < 12; i++) {
    const pid = 1001 + i
    open(1000, `/home/ann/src/${i}.ts`, 'read')
    batch.push({ ...base(1000), kind: 'fork', child: task(pid) })
    exec(pid, 1000, '/bin/bash', ['bash', '-c', `make ${i}`], i % 3 !== 0)
    open(pid, `/home/ann/out/${i}`, 'write')
    open(pid, '/usr/lib/libc.so.6', 'read')
    made.push(batch)
    batch = []
    open(pid, '/home/ann/.aws/credentials', 'read')
    batch.push({ ...base(pid), kind: 'exit', code: i, signal: 0, coreDumped: false, cpuNs: 1000n })
    if (i % 2 === 0) made.push(batch.splice(0))
  }
  batch.push({ ...base(1000), kind: 'exit', code: 0, signal: 0, coreDumped: false, cpuNs: 1n })
  made.push(batch)
  return made
}

function inputs(): Input[] {
  let position = 0n
  const list: Input[] = [
    { kind: 'run', runId: 'a'.repeat(32), resumed: false },
    { kind: 'tick', boot: START, offsetNs: 1_700_000_000_000_000_000n },
  ]
  for (const observations of batches()) {
    const bytes = serialize(observations)
    list.push({ kind: 'batch', position, boot: observations.at(-1)!.boot, bytes })
    position += BigInt(bytes.length)
  }
  list.push({ kind: 'tick', boot: START + 20_000n * MS, offsetNs: 1_700_000_000_000_000_000n })
  return list
}

function decode(bytes: Uint8Array, _: bigint, each: (observation: Observation) => void): number {
  for (const observation of deserialize(bytes) as Observation[]) each(observation)
  return 0
}

async function open(dir: string) {
  const opened = await openJournal({ dir: join(dir, 'journal'), syncEveryMs: 0 })
  assert.ok(opened.ok)
  const remains = createRemains()
  const { state: log } = openOpenState(join(dir, 'open.state'), remains.take)
  const engine = createEngine({ inputs: log, journal: opened.journal, encode: createEncoder(), wallNow: () => 1n })
  const recorder = createRecorder(engine.answer)
  let looked = 0
  const earlier = remains.remains(BOOT_ID)
  const pipeline = createPipeline({
    sensor: { id: 'linux-ebpf', decode },
    machineId: new Uint8Array(16).fill(1),
    catalogue: createCatalogue(),
    // Answers otherwise each time: a replay has to take the recorded one.
    host: {
      ancestry: recorder.wrap((pid: number) => [{ pid, startTicks: 1, comm: `sshd${looked}` as Bytes, exe: `/usr/sbin/sshd${looked++}` as Bytes }]),
      userName: recorder.wrap((uid: number) => `user${uid}.${looked++}`),
    },
    orders: { track: () => true, release: () => true, own: () => true },
    policy: { mode: 'normal', sensitive: [] },
    append: engine.append,
    state: earlier.snapshot?.pipeline ?? emptyState(BOOT_ID),
  })
  engine.attach(pipeline)
  recorder.replay(earlier.answers)
  engine.repeat(earlier.inputs, earlier.snapshot?.nextIndex ?? 0)
  recorder.replay([])
  return { engine, log, journal: opened.journal, pipeline, close: () => opened.journal.close().then(log.close) }
}

/** All entries, as text without what belongs to the moment of writing. */
function entries(dir: string): string[] {
  const opened = openReader(join(dir, 'journal'))
  assert.ok(opened.ok)
  const found: string[] = []
  for (let from = 0; ; ) {
    const { items, next } = opened.reader.read(from, { until: 'written' })
    for (const item of items) {
      assert.equal(item.kind, 'entry')
      if (item.kind !== 'entry') continue
      const decoded = decodeEntry(item.bytes, item.index)
      assert.ok(decoded.ok)
      const { observedTimeUnixNano: _, ...entry } = decoded.entry
      found.push(JSON.stringify(entry, (_, value) => (typeof value === 'bigint' ? String(value) : value)))
    }
    if (next === from) break
    from = next
  }
  opened.reader.close()
  return found
}

test('killed at any input, at any point of it, an observer that starts again writes the same entries, each once', async () => {
  const root = mkdtempSync(join(tmpdir(), 'spoor-crash-'))
  try {
    const list = inputs()
    const whole = join(root, 'whole')
    cpSync(mkdtempSync(join(root, 'empty')), whole, { recursive: true })
    const calm = await open(whole)
    calm.engine.snapshot()
    for (const input of list) calm.engine.feed(input)
    await calm.close()
    const expected = entries(whole)
    assert.ok(expected.length > 40, `${expected.length} entries`)
    assert.equal(new Set(expected).size, expected.length)

    for (let at = 2; at < list.length; at++) {
      // How far the dying observer gets: the input is written down; its entries are written in part, but for their last bytes; all is written.
      for (const stage of ['noted', 'torn', 'written'] as const) {
        const before = join(root, `before-${at}-${stage}`)
        const after = join(root, `after-${at}-${stage}`)
        cpSync(mkdtempSync(join(root, 'empty')), before, { recursive: true })
        const dying = await open(before)
        dying.engine.snapshot()
        for (const input of list.slice(0, at)) dying.engine.feed(input)
        if (at % 4 === 0) dying.engine.snapshot()
        if (stage === 'noted') dying.log.append(...frameOf(list[at]!))
        else dying.engine.feed(list[at]!)
        cpSync(before, after, { recursive: true })
        if (stage === 'torn') {
          const segment = join(after, 'journal', 'seg', readdirSync(join(after, 'journal', 'seg')).find((name) => name.endsWith('.seg'))!)
          truncateSync(segment, Math.max(0, statSync(segment).size - 7 * at))
        }
        const again = await open(after)
        // The ring gives once more what was read but not yet freed.
        for (const input of list.slice(at)) again.engine.feed(input)
        await again.close()
        await dying.close()
        const found = entries(after)
        const differs = expected.findIndex((entry, index) => entry !== found[index])
        assert.equal(
          found[differs]?.slice(0, 400),
          expected[differs]?.slice(0, 400),
          `killed at input ${at}, ${stage}: entry ${differs} of ${expected.length}, ${found.length} found`,
        )
        assert.equal(found.length, expected.length)
        rmSync(before, { recursive: true })
        rmSync(after, { recursive: true })
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
