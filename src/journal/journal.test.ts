import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeMark, leafHash, segmentName } from './format.ts'
import { openJournal } from './journal.ts'
import { openReader } from './reader.ts'
import { realDisk } from './tail.ts'
import { all, expectEntries, folder, opened, record } from './test-kit.ts'

test('what is appended comes back, with its RFC 6962 leaf hash beside it', async (t) => {
  const dir = folder(t)
  const { journal, report } = await opened({ dir })
  assert.equal(report.created, true)
  assert.match(journal.id, /^[0-9a-f]{32}$/)
  for (let n = 0; n < 1000; n++) assert.equal(journal.append(record(n)), n)
  assert.equal(journal.next, 1000)
  assert.equal(journal.durable, 0)
  assert.equal(all(dir).length, 0)
  assert.ok(journal.flush())
  expectEntries(all(dir, { until: 'written' }), 0, 1000)
  assert.ok(await journal.sync())
  assert.equal(journal.durable, 1000)
  assert.equal(decodeMark(readFileSync(join(dir, 'durable'))), 1000)
  expectEntries(all(dir, { maxEntries: 7 }), 0, 1000)
  const leaves = readFileSync(join(dir, 'seg', segmentName(0) + '.l0'))
  for (let n = 0; n < 1000; n++) assert.deepEqual(leaves.subarray(n * 32, n * 32 + 32), leafHash(record(n)))
  assert.ok(await journal.close())
})

test('an empty and a too long entry are bugs of the caller; the longest one fits', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir })
  assert.throws(() => journal.append(Buffer.alloc(0)), RangeError)
  assert.throws(() => journal.append(Buffer.alloc(65_536)), RangeError)
  for (let n = 0; n < 20; n++) assert.equal(journal.append(record(n, 65_535)), n)
  assert.ok(await journal.close())
  assert.throws(() => journal.append(record(1)), /closed/)
  expectEntries(all(dir), 0, 20)
})

test('nothing is synced before the policy says so, and then within its interval', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir, syncEveryMs: 30 })
  journal.append(record(0))
  await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(journal.durable, 0)
  const started = Date.now()
  while (journal.durable === 0 && Date.now() - started < 5000) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(journal.durable, 1)
  const { syncs } = journal.stats()
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(journal.stats().syncs, syncs, 'a clean journal is left alone')
  await journal.close()
})

test('segments rotate, and a restart goes on in the last one', async (t) => {
  const dir = folder(t)
  let next = 0
  for (let life = 0; life < 5; life++) {
    const { journal, report } = await opened({ dir, segmentEntries: 100 })
    assert.deepEqual([report.created, report.cut, report.damagesTotal], [life === 0, null, 0])
    assert.equal(journal.next, next)
    for (let n = 0; n < 170; n++) journal.append(record(next++))
    assert.ok(await journal.close())
  }
  assert.deepEqual(
    readdirSync(join(dir, 'seg')).filter((name) => name.endsWith('.seg')),
    [0, 100, 200, 300, 400, 500, 600, 700, 800].map((first) => segmentName(first) + '.seg'),
  )
  const items = all(dir)
  expectEntries(items, 0, 850)
  const result = openReader(dir)
  assert.ok(result.ok)
  for (const index of [849, 0, 100, 99, 512, 511, 850]) assert.equal(JSON.stringify(result.reader.at(index)), JSON.stringify(items[index] ?? null))
  assert.deepEqual(result.reader.bounds(), { first: 0, durable: 850 })
  result.reader.close()
})

test('the bound prunes whole durable segments from the front, and readers are told', async (t) => {
  const dir = folder(t)
  const pruned: { from: number; to: number; bytes: number }[] = []
  const { journal } = await opened({ dir, segmentEntries: 100, maxBytes: 200_000, onPrune: (range) => pruned.push(range) })
  const reading = openReader(dir)
  assert.ok(reading.ok)
  for (let n = 0; n < 50; n++) journal.append(record(n, 500))
  await journal.sync()
  assert.equal(reading.reader.read(0).next, 50)
  for (let n = 50; n < 2000; n++) journal.append(record(n, 500))
  assert.equal(pruned.length, 0, 'never within append')
  await journal.sync()
  const { first, bytes, pruned: counted } = journal.stats()
  assert.ok(bytes <= 200_000 && bytes > 130_000, String(bytes))
  assert.deepEqual(
    pruned.map((range) => [range.from, range.to]),
    [[0, first]],
  )
  assert.deepEqual(counted, { entries: first, bytes: pruned[0]!.bytes })
  // A reader inside a segment that was unlinked reads it to its end, then is told what is gone.
  const rest = reading.reader.read(50).items
  const gone = rest.find((item) => item.kind === 'pruned')
  assert.ok(gone && gone.kind === 'pruned' && gone.to === first, JSON.stringify(gone))
  assert.equal(
    rest.reduce((sum, item) => sum + (item.kind === 'entry' ? 1 : item.kind === 'pruned' ? item.to - item.from : 0), 0),
    1950,
  )
  reading.reader.close()
  await journal.close()
  const again = await opened({ dir, segmentEntries: 100, maxBytes: 200_000 })
  assert.equal(again.journal.stats().first, first)
  assert.equal(again.journal.next, 2000)
  await again.journal.close()
})

test('segments also end by size, at a multiple of a tile', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir, maxBytes: 8 * 100_000 })
  for (let n = 0; n < 1100; n++) journal.append(record(n, 400))
  await journal.close()
  const firsts = readdirSync(join(dir, 'seg'))
    .filter((name) => name.endsWith('.seg'))
    .map((name) => Number(name.slice(0, 20)))
  assert.deepEqual(firsts, [0, 256, 512, 768, 1024])
})

const noSpace = (): never => {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

test('a full disk: entries wait, then are counted as lost; nothing throws; later all goes on', async (t) => {
  const dir = folder(t)
  let room = 100_000
  const told: (string | null)[] = []
  const { journal } = await opened({
    dir,
    onTrouble: (trouble) => told.push(trouble?.code ?? null),
    disk: {
      ...realDisk,
      write: (fd, bytes, from, length, at) => {
        if (room === 0) noSpace()
        const wrote = realDisk.write(fd, bytes, from, Math.min(length, room), at)
        room -= wrote
        return wrote
      },
    },
  })
  let taken = 0
  let lost = 0
  for (let n = 0; n < 30_000; n++) {
    const index = journal.append(record(taken, 1000))
    if (index === -1) lost++
    else assert.equal(index, taken++)
  }
  assert.equal(journal.flush(), false)
  assert.equal(await journal.sync(), false)
  assert.equal(journal.stats().trouble?.code, 'ENOSPC')
  assert.ok(lost > 10_000 && taken > 5000, `${taken} taken, ${lost} lost`)
  assert.deepEqual(journal.stats().lost, { entries: lost, bytes: lost * 1000 })
  // What a kill would leave now is a torn tail, and a reader of the present end stops before it.
  const present = all(dir, { until: 'written' })
  expectEntries(present, 0, present.length)
  room = Number.POSITIVE_INFINITY
  assert.ok(await journal.sync())
  assert.deepEqual(told, ['ENOSPC', null])
  assert.equal(journal.append(record(taken, 1000)), taken)
  assert.ok(await journal.close())
  expectEntries(all(dir), 0, taken + 1)
})

test('a failed fdatasync moves no mark, and the bytes are written once more before the next', async (t) => {
  const dir = folder(t)
  let failing = 3
  let written = 0
  const { journal } = await opened({
    dir,
    disk: {
      write: (fd, bytes, from, length, at) => {
        written += length
        return realDisk.write(fd, bytes, from, length, at)
      },
      datasync: async (fd) => {
        if (failing-- > 0) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
        return realDisk.datasync(fd)
      },
    },
  })
  for (let n = 0; n < 100; n++) journal.append(record(n))
  assert.equal(await journal.sync(), false)
  assert.deepEqual([journal.durable, journal.stats().trouble?.doing], [0, 'sync'])
  assert.equal(decodeMark(readFileSync(join(dir, 'durable'))), 0)
  const before = written
  while (!(await journal.sync())) assert.ok(failing > -10)
  assert.equal(journal.durable, 100)
  assert.equal(journal.stats().trouble, null)
  assert.ok(written - before >= statSync(join(dir, 'seg', segmentName(0) + '.seg')).size, 'dirtied again')
  await journal.close()
  expectEntries(all(dir), 0, 100)
})

test('a journal that cannot be opened says what and what to do', async (t) => {
  const dir = folder(t)
  writeFileSync(join(dir, 'meta.json'), '{')
  const bad = await openJournal({ dir })
  assert.ok(!bad.ok && bad.message.includes('meta.json is no JSON'), JSON.stringify(bad))
  rmSync(join(dir, 'meta.json'))
  writeFileSync(join(dir, 'seg', segmentName(0) + '.seg'), 'x')
  const missing = await openJournal({ dir })
  assert.ok(!missing.ok && /meta.json is missing though there are segments/.test(missing.message))
  const file = await openJournal({ dir: join(dir, 'seg', segmentName(0) + '.seg') })
  assert.ok(!file.ok && /cannot be opened: ENOTDIR|EEXIST/.test(file.message), JSON.stringify(file))
  assert.equal(existsSync(join(dir, 'durable')), false)
})
