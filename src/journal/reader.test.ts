import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { segmentName } from './format.ts'
import { openReader } from './reader.ts'
import { scan } from './scan.ts'
import { all, expectEntries, folder, opened, reading, record } from './test-kit.ts'

const seg = (dir: string, first = 0): string => join(dir, 'seg', segmentName(first) + '.seg')

test('any index can be read, forwards, backwards and at random, under any bounds', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir, segmentEntries: 3000 })
  for (let n = 0; n < 10_000; n++) journal.append(record(n, 10 + ((n * 7919) % 600)))
  await journal.close()
  const reader = reading(t, dir)
  fc.assert(
    fc.property(fc.nat({ max: 10_050 }), fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 400_000 }), (from, maxEntries, maxBytes) => {
      const { items, next } = reader.read(from, { maxEntries, maxBytes })
      assert.ok(items.length <= maxEntries && items.length > 0 === from < 10_000)
      expectEntries(items, from, next)
    }),
  )
  assert.equal(reader.at(10_000), null)
})

test('records stay valid after later reads', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir })
  for (let n = 0; n < 5000; n++) journal.append(record(n, 300))
  await journal.close()
  const reader = reading(t, dir)
  const first = reader.read(0, { maxEntries: 2000 })
  reader.read(2000)
  reader.read(0)
  expectEntries(first.items, 0, 2000)
})

test('an index space that begins late: pruned entries are told once', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir, segmentEntries: 10, maxBytes: 3000 })
  for (let n = 0; n < 100; n++) journal.append(record(n, 100))
  await journal.close()
  const first = reading(t, dir).bounds().first
  const items = all(dir)
  assert.deepEqual(items[0], { kind: 'pruned', from: 0, to: first })
  expectEntries(items.slice(1), first, 100)
})

test('behind damage the rest of the segment is found again by its leaf hashes', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir })
  for (let n = 0; n < 3000; n++) journal.append(record(n, 100 + (n % 700)))
  await journal.close()
  const whole = readFileSync(seg(dir))
  const offsets: number[] = []
  const fd = openSync(seg(dir), 'r')
  scan(fd, 0, whole.length, (_, offset) => offsets.push(offset) > 0)
  closeSync(fd)
  // A page of zeroes, a length that leads into the middle of another entry, a page of noise.
  for (const [name, damage, from, to] of [
    ['zeroes', () => Buffer.alloc(4096), 1000, 1014],
    ['a length', () => Buffer.from([0xff, 0x01]), 2000, 2001],
    ['noise', () => Buffer.from(Array.from({ length: 20_000 }, (_, n) => (n * 2_654_435_761) >>> 13)), 500, 620],
  ] as const) {
    const bytes = Buffer.from(whole)
    damage().copy(bytes, offsets[from]!)
    writeFileSync(seg(dir), bytes)
    const items = all(dir)
    const got = items.flatMap((item) => (item.kind === 'entry' ? [item.index] : []))
    const missing = Array.from({ length: 3000 }, (_, n) => n).filter((n) => !got.includes(n))
    assert.ok(missing.length > 0 && missing[0] === from, `${name}: first ${missing[0]}`)
    assert.ok(missing.at(-1)! <= to + 260, `${name}: ${missing.length} missing up to ${missing.at(-1)}`)
    for (const item of items) if (item.kind === 'entry') assert.equal(Buffer.from(item.bytes).readDoubleBE(1), item.index)
    let next = 0
    for (const item of items) {
      assert.equal('from' in item ? item.from : item.index, next, 'no index is left out or doubled')
      next = 'to' in item ? item.to : item.index + 1
    }
    assert.equal(next, 3000)
  }
})

test('garbage as a segment: a scan ends, and never gives more than there is', (t) => {
  const dir = folder(t)
  const path = join(dir, 'x')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (bytes, keep) => {
      writeFileSync(path, bytes)
      const fd = openSync(path, 'r')
      let sum = 0
      const end = scan(
        fd,
        0,
        bytes.length,
        (found, offset) => {
          assert.deepEqual(Buffer.from(bytes.subarray(offset + 2, offset + 2 + found.length)), Buffer.from(found))
          sum += 2 + found.length
          return true
        },
        keep,
      )
      closeSync(fd)
      assert.equal(end.offset, sum)
      assert.equal(end.at === 'end', sum === bytes.length)
    }),
  )
})

test('no journal, or one that is not for us, is said in a sentence', (t) => {
  const dir = folder(t)
  const none = openReader(dir)
  assert.ok(!none.ok && none.message === `There is no journal in ${dir} (no meta.json there).`)
  writeFileSync(join(dir, 'meta.json'), '{"format":2}')
  const later = openReader(dir)
  assert.ok(!later.ok && /meta\.json has format 2; this Spoor knows 1\.$/.test(later.message))
  writeFileSync(join(dir, 'meta.json'), `{"format":1,"journalId":"${'0'.repeat(32)}","origin":"x"}`)
  const noSegments = openReader(dir)
  assert.ok(!noSegments.ok && /cannot be read: ENOENT/.test(noSegments.message))
})
