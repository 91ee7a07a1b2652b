import assert from 'node:assert/strict'
import { appendFileSync, cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { encodeMark, leafHash, segmentName } from './format.ts'
import { openJournal } from './journal.ts'
import { all, expectEntries, folder, opened, record } from './test-kit.ts'

const seg = (dir: string, first = 0): string => join(dir, 'seg', segmentName(first) + '.seg')
const l0 = (dir: string, first = 0): string => join(dir, 'seg', segmentName(first) + '.l0')
const ENTRY = 2 + 30

/** A journal as a kill leaves it: `durable` entries on the disk, further ones in the files only. All entries have 30 bytes. */
async function killed(t: TestContext, durable: number, written: number, segmentEntries = 65_536): Promise<string> {
  const dir = folder(t)
  const live = join(dir, 'live')
  const { journal } = await opened({ dir: live, segmentEntries })
  for (let n = 0; n < durable; n++) journal.append(record(n, 30))
  assert.ok(await journal.sync())
  for (let n = durable; n < written; n++) journal.append(record(n, 30))
  assert.ok(journal.flush())
  cpSync(live, join(dir, 'dead'), { recursive: true })
  await journal.close()
  return join(dir, 'dead')
}

/** Opens, appends one entry behind what is there, closes; the journal must then read as a whole. */
async function goOn(dir: string, next: number, segmentEntries = 65_536): Promise<void> {
  const { journal } = await opened({ dir, segmentEntries })
  assert.equal(journal.next, next)
  assert.equal(journal.append(record(next, 30)), next)
  assert.ok(await journal.close())
}

test('a kill loses nothing that was flushed', async (t) => {
  const dir = await killed(t, 10, 25)
  const { journal, report } = await opened({ dir })
  assert.deepEqual([journal.next, journal.durable, report.cut, report.damagesTotal], [25, 25, null, 0])
  await journal.close()
  expectEntries(all(dir), 0, 25)
})

test('the segment cut at every byte behind the mark: whole entries stay, the cut is reported, it goes on', async (t) => {
  const dead = await killed(t, 4, 8)
  const base = folder(t)
  for (let size = 4 * ENTRY; size <= 8 * ENTRY; size++) {
    const dir = join(base, String(size))
    cpSync(dead, dir, { recursive: true })
    truncateSync(seg(dir), size)
    const whole = Math.floor(size / ENTRY)
    const { journal, report } = await opened({ dir })
    assert.equal(journal.next, whole)
    assert.deepEqual(report.cut, whole === 8 ? null : { from: whole, bytes: size % ENTRY, entries: 8 - whole, durable: 4 })
    assert.equal(report.damagesTotal, 0)
    await journal.close()
    await goOn(dir, whole)
    expectEntries(all(dir), 0, whole + 1)
    rmSync(dir, { recursive: true })
  }
})

test('the leaf hashes cut at every byte behind the mark: so are the entries without one', async (t) => {
  const dead = await killed(t, 4, 7)
  const base = folder(t)
  for (let size = 4 * 32; size <= 7 * 32; size++) {
    const dir = join(base, String(size))
    cpSync(dead, dir, { recursive: true })
    truncateSync(l0(dir), size)
    const whole = Math.floor(size / 32)
    const { journal, report } = await opened({ dir })
    assert.equal(journal.next, whole)
    assert.equal(report.cut?.bytes ?? 0, (7 - whole) * ENTRY)
    await journal.close()
    await goOn(dir, whole)
    expectEntries(all(dir), 0, whole + 1)
    rmSync(dir, { recursive: true })
  }
})

test('any changed byte behind the mark cuts from its entry on; a page of zeroes is no entry', async (t) => {
  const dead = await killed(t, 4, 12)
  const base = folder(t)
  for (let at = 4 * ENTRY; at < 12 * ENTRY; at += 3) {
    const dir = join(base, String(at))
    cpSync(dead, dir, { recursive: true })
    const bytes = readFileSync(seg(dir))
    bytes[at] = bytes[at]! ^ 0x41
    writeFileSync(seg(dir), bytes)
    const whole = Math.floor(at / ENTRY)
    const { journal, report } = await opened({ dir })
    assert.deepEqual([journal.next, report.cut?.from, report.cut?.bytes, report.damagesTotal], [whole, whole, (12 - whole) * ENTRY, 0])
    await journal.close()
    expectEntries(all(dir), 0, whole)
    rmSync(dir, { recursive: true })
  }
  appendFileSync(seg(dead), Buffer.alloc(4096))
  appendFileSync(l0(dead), Buffer.alloc(320))
  const { journal, report } = await opened({ dir: dead })
  assert.deepEqual([journal.next, report.cut], [12, { from: 12, bytes: 4096, entries: 10, durable: 4 }])
  await journal.close()
})

test('a changed byte before the mark is reported, never cut', async (t) => {
  const dead = await killed(t, 20, 20)
  const base = folder(t)
  for (let at = 2; at < 20 * ENTRY; at += 7) {
    if (at % ENTRY < 2) continue
    const dir = join(base, String(at))
    cpSync(dead, dir, { recursive: true })
    const bytes = readFileSync(seg(dir))
    bytes[at] = bytes[at]! ^ 0x41
    writeFileSync(seg(dir), bytes)
    const index = Math.floor(at / ENTRY)
    const { journal, report } = await opened({ dir })
    assert.deepEqual([journal.next, report.cut, report.damages], [20, null, [{ kind: 'mismatch', from: index, to: index + 1 }]])
    await journal.close()
    assert.deepEqual(readFileSync(seg(dir)), bytes)
    await goOn(dir, 20)
    const items = all(dir)
    assert.deepEqual(items[index], { kind: 'damaged', from: index, to: index + 1, why: 'the bytes there do not match their leaf hash' })
    assert.equal(items.filter((item) => item.kind === 'entry').length, 20)
    rmSync(dir, { recursive: true })
  }
})

test('a broken length before the mark hides one entry, not the rest; new entries begin a new segment', async (t) => {
  const dir = await killed(t, 20, 23)
  const bytes = readFileSync(seg(dir))
  bytes.writeUInt16BE(31, 7 * ENTRY)
  writeFileSync(seg(dir), bytes)
  const { journal, report } = await opened({ dir })
  assert.equal(report.cut, null)
  assert.ok(report.damagesTotal > 0 && report.damages.every(({ from, to }) => from >= 7 && to <= 20), JSON.stringify(report.damages))
  assert.equal(journal.next, 20)
  for (let n = 20; n < 30; n++) assert.equal(journal.append(record(n, 30)), n)
  await journal.close()
  const items = all(dir)
  const got = items.flatMap((item) => (item.kind === 'entry' && Buffer.from(item.bytes).readDoubleBE(1) === item.index ? [item.index] : []))
  const lost = items.flatMap((item) => (item.kind === 'damaged' ? [[item.from, item.to]] : []))
  assert.deepEqual(
    got.filter((index) => index !== 7),
    Array.from({ length: 30 }, (_, n) => n).filter((n) => n !== 7 && !lost.some(([from, to]) => n >= from! && n < to!)),
  )
  assert.ok(got.includes(8) || lost.some(([from, to]) => from! <= 8 && to! <= 10), JSON.stringify(lost))
  assert.ok(got.includes(19) && got.includes(29))
  await goOn(dir, 30)
})

test('files shorter than the mark: what is missing is reported, and no index is used twice', async (t) => {
  const base = folder(t)
  const dead = await killed(t, 20, 20)
  for (const cutTo of [0, 5, 12 * ENTRY, 12 * ENTRY + 9]) {
    const dir = join(base, String(cutTo))
    cpSync(dead, dir, { recursive: true })
    truncateSync(seg(dir), cutTo)
    const { journal, report } = await opened({ dir })
    assert.equal(journal.next, 20)
    assert.equal(report.cut, null)
    assert.deepEqual(
      report.damages.map(({ from, to }) => [from, to]),
      [[Math.floor(cutTo / ENTRY), 20]],
    )
    await journal.close()
    await goOn(dir, 20)
    const items = all(dir)
    assert.deepEqual(
      items.map((item) => (item.kind === 'entry' ? item.index : [item.kind, 'from' in item && item.from, 'to' in item && item.to])),
      [...Array.from({ length: Math.floor(cutTo / ENTRY) }, (_, n) => n), ['damaged', Math.floor(cutTo / ENTRY), 20], 20],
    )
  }
  rmSync(seg(dead))
  const { journal, report } = await opened({ dir: dead })
  assert.deepEqual([journal.next, report.damages], [20, [{ kind: 'missing', from: 0, to: 20 }]])
  await journal.close()
})

test('a torn segment takes what followed with it, where all of it is behind the mark', async (t) => {
  const dir = await killed(t, 4, 35, 10)
  truncateSync(seg(dir, 10), 5 * ENTRY + 3)
  const { journal, report } = await opened({ dir, segmentEntries: 10 })
  assert.deepEqual([journal.next, report.cut], [15, { from: 15, bytes: 3 + 15 * ENTRY, entries: 5 + 15, durable: 4 }])
  await journal.close()
  await goOn(dir, 15, 10)
  expectEntries(all(dir), 0, 16)
})

test('a segment gone from the middle is reported', async (t) => {
  const dir = await killed(t, 35, 35, 10)
  rmSync(seg(dir, 10))
  const { journal, report } = await opened({ dir, segmentEntries: 10 })
  assert.deepEqual([journal.next, report.damages], [35, [{ kind: 'missing', from: 10, to: 20 }]])
  await journal.close()
  const items = all(dir)
  assert.deepEqual(items[10], { kind: 'damaged', from: 10, to: 20, why: 'the segment ends before them' })
  assert.equal(items.length, 26)
})

test('without its mark nothing but a structural tear is cut', async (t) => {
  for (const mark of [null, Buffer.alloc(0), Buffer.from('garbage!'), encodeMark(1e12)]) {
    const dir = await killed(t, 10, 20)
    if (mark === null) rmSync(join(dir, 'durable'))
    else writeFileSync(join(dir, 'durable'), mark)
    const bytes = readFileSync(seg(dir))
    bytes[15 * ENTRY + 20] = 0
    writeFileSync(seg(dir), bytes.subarray(0, 19 * ENTRY + 4))
    const { journal, report } = await opened({ dir })
    assert.deepEqual([journal.next, journal.durable, report.cut?.from, report.damages.map(({ kind }) => kind)], [19, 19, 19, ['mark', 'mismatch']])
    await journal.close()
    await goOn(dir, 19)
  }
})

test('an erased entry is recognised: blank bytes, the hash kept', async (t) => {
  const dir = await killed(t, 20, 20)
  const bytes = readFileSync(seg(dir))
  bytes.fill(0, 5 * ENTRY + 2, 6 * ENTRY)
  writeFileSync(seg(dir), bytes)
  const { journal, report } = await opened({ dir })
  assert.deepEqual([journal.next, report.erased, report.damagesTotal, report.cut], [20, 1, 0, null])
  await journal.close()
  assert.deepEqual(all(dir)[5], { kind: 'erased', index: 5 })
})

test('only the last 4,096 entries are hashed at a start', async (t) => {
  const dir = folder(t)
  const { journal } = await opened({ dir })
  for (let n = 0; n < 10_000; n++) journal.append(record(n, 30))
  await journal.close()
  const bytes = readFileSync(seg(dir))
  for (const index of [5000, 9000]) bytes[index * ENTRY + 20] = bytes[index * ENTRY + 20]! ^ 1
  writeFileSync(seg(dir), bytes)
  const { journal: again, report } = await opened({ dir })
  assert.deepEqual(report.damages, [{ kind: 'mismatch', from: 9000, to: 9001 }])
  await again.close()
})

test('garbage in any file: it opens (or says why not), goes on, and reads without throwing', async (t) => {
  const base = folder(t)
  const dead = await killed(t, 15, 25, 10)
  let run = 0
  const file = fc.constantFrom('durable', 'meta.json', ...[0, 10, 20].flatMap((first) => [`seg/${segmentName(first)}.seg`, `seg/${segmentName(first)}.l0`]))
  const content = fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.constant(Buffer.alloc(5000)), fc.constant(Buffer.alloc(70_000, 255)))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(file, content), { minLength: 1, maxLength: 3 }), async (changes) => {
      const dir = join(base, String(run++))
      cpSync(dead, dir, { recursive: true })
      for (const [name, bytes] of changes) writeFileSync(join(dir, name), bytes)
      for (let life = 0; life < 2; life++) {
        const result = await openJournal({ dir, syncEveryMs: 0, segmentEntries: 10 })
        if (!result.ok) {
          assert.match(result.message, /meta\.json/)
          break
        }
        const index = result.journal.append(record(12_345))
        assert.ok(index >= 0 && (await result.journal.close()))
        const item = all(dir).at(-1)
        assert.ok(item?.kind === 'entry' && item.index === index && Buffer.from(item.bytes).readDoubleBE(1) === 12_345, JSON.stringify(item))
      }
      rmSync(dir, { recursive: true })
    }),
    { numRuns: 200 },
  )
})

test('leaf hashes are those of RFC 6962', () => {
  assert.equal(leafHash(Buffer.alloc(0)).toString('hex'), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
})
