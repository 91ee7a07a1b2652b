import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { openCursor } from './cursor.ts'
import { createLane, type Lane } from './deliver.ts'
import { type MemorySource, memorySource, opened, runStart, settled } from './entries.fixture.ts'
import { emptyTally } from './ledger.ts'
import type { LogItem, RunResource } from './logs.ts'
import { createLogsFeed } from './logs-feed.ts'
import type { Outcome } from './outcome.ts'
import { openParked, type ParkedRange } from './parked.ts'
import { createGate } from './retry.ts'
import { createSpansFeed, type SpanItem } from './spans-feed.ts'

const root = mkdtempSync(join(tmpdir(), 'spoor-deliver-'))
after(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, String(folders++))
const FALLBACK: RunResource = { index: -1, bytes: Buffer.alloc(0) }
const OK: Outcome = { kind: 'accepted', rejected: 0, message: null }
const refused = (fault: 'items' | 'destination' = 'items'): Outcome => ({ kind: 'refused', fault, reason: 'http_400', message: 'answered 400' })
const retry: Outcome = { kind: 'retry', afterMs: null, reason: 'http_503', message: 'answered 503' }
const tooLarge: Outcome = { kind: 'too_large', reason: 'http_413', message: 'answered 413' }

type Far = (items: readonly LogItem[]) => Outcome | Promise<Outcome>
type Rig = {
  lane: Lane
  requests: number[][]
  resources: string[]
  parked: ParkedRange[]
  settledAll(): Promise<void>
  /** As kill -9: from here on nothing is written. */
  kill(): Promise<void>
}

/** A lane over `source` that talks to `far`; on the same `path` it goes on where the last one was. */
function rig(source: MemorySource, far: Far, path: string): Rig {
  let killed = false
  const file = openCursor(path + '.cursor')
  const cursorFile = { ...file, save: (...args: Parameters<typeof file.save>) => killed || file.save(...args) }
  const { cursor } = file.load(source.id)
  const start = cursor ?? { index: source.bounds().first, run: null, tally: emptyTally() }
  const realParked = openParked(path + '.json')
  const parkedFile = { ...realParked, save: () => killed || realParked.save() }
  parkedFile.cutAt(start.index, start.tally.parked)
  const requests: number[][] = []
  const resources: string[] = []
  const parked: ParkedRange[] = []
  const lane = createLane<LogItem>({
    signal: 'logs',
    journalId: source.id,
    feed: createLogsFeed(source, start, FALLBACK),
    first: () => source.first,
    send: async (items) => {
      requests.push(items.map((item) => item.index))
      for (const item of items) resources[item.index] = Buffer.from(item.run.bytes).toString('latin1')
      return far(items)
    },
    cursorFile,
    start,
    parked: parkedFile,
    gate: createGate({ firstMs: 2, factor: 1.5, maxMs: 10, jitter: 0.2 }, Math.random),
    inFlight: 2,
    now: Date.now,
    onChange() {},
    onParked: (range) => parked.push(range),
  })
  const settledAll = async (): Promise<void> => {
    for (let i = 0; i < 500 && lane.report().ledger.pending !== '0'; i++) await new Promise((resolve) => setTimeout(resolve, 2))
    assert.equal(lane.report().ledger.pending, '0')
    balanced(lane, source)
  }
  const kill = (): Promise<void> => {
    killed = true
    return lane.drain(0)
  }
  return { lane, requests, resources, parked, settledAll, kill }
}
const number = (text: string): number => Number(text)
function balanced(lane: Lane, source: MemorySource): void {
  const { entries, acknowledged, rejected, parked, pending, expired } = lane.report().ledger
  assert.equal(
    number(entries),
    [acknowledged, parked, pending, expired, ...Object.values(rejected)].map(number).reduce((a, b) => a + b, 0),
  )
  assert.equal(number(entries), source.bounds().durable)
}
const journal = (count: number): MemorySource => memorySource(Array.from({ length: count }, (_, index) => (index === 0 ? runStart(0, 'h') : opened(index))))
const delivered = (requests: number[][]): number[] => requests.flat().sort((a, b) => a - b)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

test('everything arrives once, in batches, under its resource; what is not durable stays', async () => {
  const source = journal(5000)
  source.durable = 4000
  const { lane, requests, resources, settledAll } = rig(source, () => OK, folder())
  lane.wake()
  await settledAll()
  assert.deepEqual(requests.flat(), upTo(4000))
  assert.ok(requests.length <= 4 && resources.every((resource) => resource.includes('host.name')))
  source.durable = 5000
  lane.wake()
  await settledAll()
  assert.deepEqual(requests.flat(), upTo(5000))
  assert.equal(lane.report().ledger.acknowledged, '5000')
})

test('a failing far side is asked by one request at a time, and gets all once it is back', async () => {
  let down = 25
  const { lane, requests, settledAll } = rig(journal(10_000), () => (down-- > 0 ? retry : OK), folder())
  lane.wake()
  await new Promise((resolve) => setTimeout(resolve, 10))
  assert.deepEqual([lane.report().state, lane.report().why], ['retrying', 'answered 503'])
  await settledAll()
  assert.deepEqual([...new Set(delivered(requests))], upTo(10_000))
  assert.equal(lane.report().state, 'ok')
  // The first two failed side by side; then only the oldest batch asked.
  assert.ok(requests.slice(2, 25).every((request) => request[0] === 0))
})

test('Retry-After is waited for', async () => {
  let first = true
  const at: number[] = []
  const { lane, settledAll } = rig(
    journal(10),
    () => {
      at.push(Date.now())
      if (!first) return OK
      first = false
      return { ...retry, afterMs: 120 } as Outcome
    },
    folder(),
  )
  lane.wake()
  await settledAll()
  assert.ok(at[1]! - at[0]! >= 118, String(at[1]! - at[0]!))
})

test('one bad record is found and parked; all others arrive', async () => {
  const { lane, requests, parked, settledAll } = rig(journal(5000), (items) => (items.some((item) => item.index === 1234) ? refused() : OK), folder())
  lane.wake()
  await settledAll()
  assert.deepEqual(
    parked.map(({ from, to, count, reason }) => ({ from, to, count, reason })),
    [{ from: 1234, to: 1235, count: 1, reason: 'http_400' }],
  )
  assert.equal(lane.report().ledger.acknowledged, '4999')
  assert.ok(requests.length <= 3 + 24, String(requests.length))
})

test('a far side that refuses everything blocks nothing and is not asked for each record', async () => {
  for (const fault of ['items', 'destination'] as const) {
    const path = folder()
    const { lane, requests, settledAll } = rig(journal(50_000), () => refused(fault), path)
    lane.wake()
    await settledAll()
    const { ledger, state, why } = lane.report()
    assert.deepEqual([ledger.parked, ledger.acknowledged, state, why], ['50000', '0', 'refused', 'answered 400'])
    assert.ok(requests.length <= 25 + 4 * 33, `${fault}: ${requests.length}`)
    assert.equal(openParked(path + '.json').ranges().length, 1)
  }
})

test('413: smaller requests, then and later; a record too large alone is parked', async () => {
  const source = journal(3000)
  source.entries[100] = opened(100, '/' + 'x'.repeat(50_000))
  const { lane, requests, parked, settledAll } = rig(source, (items) => (items.reduce((sum, item) => sum + item.bytes.length, 0) > 40_000 ? tooLarge : OK), folder())
  lane.wake()
  await settledAll()
  assert.deepEqual(
    parked.map((range) => range.from),
    [100],
  )
  assert.equal(lane.report().ledger.acknowledged, '2999')
  const later = requests.length
  source.entries.push(...Array.from({ length: 1000 }, (_, i) => opened(3000 + i)))
  lane.wake()
  await settledAll()
  assert.ok(requests.slice(later).every((request) => request.length * 200 < 80_000))
})

test('partial success is counted and not repeated', async () => {
  const { lane, requests, settledAll } = rig(journal(100), (items) => ({ kind: 'accepted', rejected: items.length === 100 ? 7 : 1e9, message: 'too old' }), folder())
  lane.wake()
  await settledAll()
  assert.deepEqual([lane.report().ledger.acknowledged, lane.report().ledger.rejected, requests.length], ['93', { partial_success: '7' }, 1])
})

test('damaged, erased, malformed and pruned entries are counted, the rest arrives', async () => {
  const source = journal(100)
  source.entries[50] = Buffer.from('garbage')
  source.damaged.add(10)
  source.erased.add(11)
  const path = folder()
  const first = rig(source, () => OK, path)
  first.lane.wake()
  await first.settledAll()
  await first.lane.drain(Date.now() + 100)
  source.entries.push(...Array.from({ length: 100 }, (_, i) => opened(100 + i)))
  source.first = 150
  const second = rig(source, () => OK, path)
  second.lane.wake()
  await second.settledAll()
  assert.deepEqual(second.lane.report().ledger, {
    entries: '200',
    acknowledged: '147',
    rejected: { damaged: '1', erased: '1', malformed: '1' },
    parked: '0',
    pending: '0',
    expired: '50',
  })
  assert.equal(second.resources[199], second.resources[150])
})

test('what was parked and then pruned has expired', async () => {
  const source = journal(100)
  const { lane, settledAll } = rig(source, () => refused('destination'), folder())
  lane.wake()
  await settledAll()
  source.first = 100
  lane.wake()
  await settledAll()
  assert.deepEqual([lane.report().ledger.parked, lane.report().ledger.expired], ['0', '100'])
})

test('drain: all that is durable within the deadline; a dead far side is asked once more and left', async () => {
  const path = folder()
  const source = journal(20_000)
  const alive = rig(source, async () => new Promise((resolve) => setTimeout(() => resolve(OK), 5)), path)
  alive.lane.wake()
  await alive.lane.drain(Date.now() + 3000)
  assert.equal(alive.lane.report().ledger.acknowledged, '20000')
  const dead = rig(journal(20_000), () => retry, folder())
  dead.lane.wake()
  const began = Date.now()
  await dead.lane.drain(began + 3000)
  assert.ok(Date.now() - began < 1000)
  const asked = dead.requests.length
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(dead.requests.length, asked)
  const never = rig(journal(10), () => new Promise<Outcome>(() => {}), folder())
  never.lane.wake()
  const from = Date.now()
  await never.lane.drain(from + 100)
  assert.ok(Date.now() - from < 400)
})

test('a cursor of another journal, or a broken one, begins anew', async () => {
  const path = folder()
  writeFileSync(path + '.cursor', '{"schema":"spoor.cursor/1","journal":"other","index":5,"run":null,"tally":{"acknowledged":5,"rejected":{},"parked":0,"expired":0}}')
  assert.match(openCursor(path + '.cursor').load('mine').why ?? '', /another journal/)
  for (const text of ['', '{', 'null', '[]', '{"schema":"spoor.cursor/1","journal":"mine","index":-1,"run":null,"tally":{}}']) {
    writeFileSync(path + '.cursor', text)
    assert.match(openCursor(path + '.cursor').load('mine').why ?? '', /is not a cursor/, text)
  }
})

/** Answers at random, and ends at random points as kill -9 does: without a word, with the cursor as it was last saved. */
test('property: whatever the far side answers and wherever it is killed, nothing is lost and the ledger balances', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 1, max: 3000 }), async (seed, count) => {
      let state = seed
      const random = (): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
        return state / 2 ** 32
      }
      const source = journal(count)
      const path = folder()
      const got = new Set<number>()
      const poison = new Set(Array.from({ length: 3 }, () => Math.floor(random() * count)))
      const far =
        (alive: () => boolean): Far =>
        async (items) => {
          await new Promise((resolve) => setTimeout(resolve, random() * 2))
          if (!alive()) return new Promise<Outcome>(() => {})
          const dice = random()
          if (dice < 0.2) return retry
          if (dice < 0.25) {
            // Taken, but the answer is lost.
            for (const item of items) got.add(item.index)
            return retry
          }
          if (items.some((item) => poison.has(item.index))) return refused()
          for (const item of items) got.add(item.index)
          return OK
        }
      for (let life = 0; life < 3; life++) {
        let alive = true
        const { lane, kill } = rig(
          source,
          far(() => alive),
          path,
        )
        lane.wake()
        await new Promise((resolve) => setTimeout(resolve, random() * 15))
        alive = false
        await kill()
      }
      const last = rig(
        source,
        far(() => true),
        path,
      )
      last.lane.wake()
      await last.settledAll()
      await last.lane.drain(Date.now() + 1000)
      const ranges = openParked(path + '.json').ranges()
      const parked = (index: number): boolean => ranges.some((range) => range.from <= index && index < range.to)
      for (let index = 0; index < count; index++) assert.ok(got.has(index) || parked(index), `entry ${index} of ${count} is neither delivered nor parked (seed ${seed})`)
      assert.equal(String(ranges.reduce((sum, range) => sum + range.count, 0)), last.lane.report().ledger.parked)
    }),
    { numRuns: 25 },
  )
})

test('spans: only settled entries, each once, with the resource of its run; the backlog is known', async () => {
  const entries = Array.from({ length: 6000 }, (_, index) =>
    index % 3000 === 0 ? runStart(index, 'host' + index) : index % 5 === 1 ? settled(index) : index % 5 === 2 ? settled(index, { 'spoor.span.omitted': true }) : opened(index),
  )
  const expected = entries.flatMap((_, index) => (index % 3000 !== 0 && index % 5 === 1 ? [index] : []))
  const source = memorySource(entries)
  source.damaged.add(expected[700]!)
  const start = { index: 0, run: null }
  const feed = createSpansFeed(source, source, start, FALLBACK, { name: 'spoor', version: '1.0' })
  while (feed.scan());
  assert.equal(feed.waiting(), expected.length - 1)
  // Damaged after it was looked at.
  source.damaged.add(expected[701]!)
  const items: SpanItem[] = []
  const unusable: Record<string, number> = {}
  let at = 0
  for (let batch = feed.next({ bytes: 2 ** 20, entries: 2048 }); batch !== null; batch = feed.next({ bytes: 2 ** 20, entries: 2048 })) {
    assert.equal(batch.from, at)
    at = batch.to
    items.push(...batch.items)
    for (const [reason, count] of Object.entries(batch.unusable)) unusable[reason] = (unusable[reason] ?? 0) + count
    assert.ok(batch.items.length <= 512)
    assert.equal(batch.run?.index, at > 3000 ? 3000 : 0)
  }
  assert.equal(at, 6000)
  assert.deepEqual(
    items.map((item) => item.index),
    expected.filter((_, i) => i !== 700 && i !== 701),
  )
  assert.deepEqual(unusable, { damaged: 1 })
  assert.ok(items.every(({ index, span }) => span.resource.attributes['host.name'] === (index > 3000 ? 'host3000' : 'host0')))
  assert.equal(new Set(items.map((item) => item.span.resource)).size, 2)
  assert.equal(feed.waiting(), 0)
})
