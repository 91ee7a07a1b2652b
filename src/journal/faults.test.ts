import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { follow } from './follow.ts'
import { decodeMark } from './format.ts'
import { openJournal } from './journal.ts'
import { all, expectEntries, folder, opened, reading, record } from './test-kit.ts'

const KILLS = 15

/** Writes as the observer does (batches, flush; the mark by the policy) and tells after each flush how far it is. */
const WRITER = `
  import { writeSync } from 'node:fs'
  import { openJournal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)}
  import { record } from ${JSON.stringify(new URL('./test-kit.ts', import.meta.url).href)}
  const [dir, rounds] = process.argv.slice(1)
  const { journal, report } = await openJournal({ dir, syncEveryMs: 5, segmentEntries: 3000 })
  if (report.damagesTotal > 0) throw new Error(JSON.stringify(report))
  for (;;) {
    for (let i = 0; i < 137; i++) journal.append(record(journal.next, journal.next % 400))
    journal.flush()
    writeSync(1, journal.next + '\\n')
    await new Promise(setImmediate)
  }`

test('a writer killed at any point: nothing that was flushed is lost, no half entry, the mark is kept', { timeout: 120_000 }, async (t) => {
  const dir = join(folder(t), 'journal')
  let told = 0
  let cuts = 0
  for (let life = 0; life < KILLS; life++) {
    const writer = spawn(process.execPath, ['--input-type=module', '-e', WRITER, '--', dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    writer.stdout.on('data', (data) => (output += data))
    await once(writer.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, (life * 29) % 90))
    writer.kill('SIGKILL')
    await once(writer, 'close')
    told = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1))
    const mark = decodeMark(readFileSync(join(dir, 'durable')))!
    if (life % 3 !== 0) continue
    expectEntries(all(dir), 0, mark)
    const { journal, report } = await opened({ dir, segmentEntries: 3000 })
    assert.equal(report.damagesTotal, 0)
    assert.ok(journal.next >= told && told >= mark - 137, `${journal.next} of ${told}, mark ${mark}`)
    if (report.cut !== null) cuts++
    assert.ok(report.cut === null || report.cut.from >= told, JSON.stringify(report.cut))
    assert.ok(await journal.close())
    expectEntries(all(dir), 0, journal.next)
  }
  assert.ok(told > 3000, `${told} entries`)
  t.diagnostic(`${told} entries, ${KILLS} kills, ${cuts} cuts`)
})

/** A folder on a file system of its own, or null after the test was skipped with the reason. */
function smallDisk(t: TestContext, options: string): string | null {
  if (process.getuid?.() !== 0) return skip(t, 'needs root to mount a small tmpfs')
  const mount = mkdtempSync(join(tmpdir(), 'spoor-small-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'none', mount], { encoding: 'utf8' })
  t.after(() => {
    if (mounted.status === 0) spawnSync('umount', ['-l', mount])
    rmdirSync(mount)
  })
  return mounted.status === 0 ? mount : skip(t, `no tmpfs can be mounted here: ${mounted.stderr.trim()}`)
}
const skip = (t: TestContext, why: string): null => {
  t.skip(why)
  return null
}

test('a disk that is really full: entries are counted as lost, the rest is whole, and after room was made it goes on', { timeout: 60_000 }, async (t) => {
  const mount = smallDisk(t, 'size=1m')
  if (mount === null) return
  const dir = join(mount, 'journal')
  const { journal } = await opened({ dir })
  let taken = 0
  let lost = 0
  while (lost < 100) {
    if (journal.append(record(taken, 1000)) === -1) lost++
    else taken++
    if (taken % 50 === 0) journal.flush()
  }
  assert.equal(await journal.sync(), false)
  const { trouble, lost: counted } = journal.stats()
  assert.deepEqual([trouble?.code, trouble?.doing, counted.entries], ['ENOSPC', 'write', 100])
  assert.ok(journal.durable > 500)
  expectEntries(all(dir), 0, journal.durable)
  spawnSync('mount', ['-o', 'remount,size=32m', mount])
  assert.ok(await journal.sync())
  assert.equal(journal.durable, taken)
  assert.ok(await journal.close())
  expectEntries(all(dir), 0, taken)
})

test('a journal closed on a full disk keeps what was taken in order, and opens again', async (t) => {
  const mount = smallDisk(t, 'size=1m')
  if (mount === null) return
  const dir = join(mount, 'journal')
  const { journal } = await opened({ dir })
  for (let n = 0; n < 3000; n++) journal.append(record(n, 1000))
  assert.equal(await journal.close(), false)
  const again = await openJournal({ dir, syncEveryMs: 0 })
  assert.ok(again.ok, again.ok ? '' : again.message)
  expectEntries(all(dir), 0, again.journal.next)
  assert.ok(again.journal.next > 500)
  await again.journal.close()
})

test('a journal that cannot even be made on a full disk says so', async (t) => {
  const mount = smallDisk(t, 'size=1m,nr_inodes=4')
  if (mount === null) return
  const result = await openJournal({ dir: join(mount, 'journal') })
  assert.ok(!result.ok)
  assert.match(result.message, /^The journal in .* cannot be opened: ENOSPC/)
})

test('a reader beside the writer sees whole entries only, each once, in order', { timeout: 60_000 }, async (t) => {
  const dir = join(folder(t), 'journal')
  const writer = spawn(process.execPath, ['--input-type=module', '-e', WRITER, '--', dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => writer.kill('SIGKILL'))
  await once(writer.stdout, 'data')
  writer.stdout.resume()
  const reader = reading(t, dir)
  for (const until of ['written', 'durable'] as const) {
    let index = 0
    const stop = Date.now() + 400
    while (Date.now() < stop) {
      const batch = reader.read(index, { until, maxEntries: 1 + ((index * 7) % 999) })
      expectEntries(batch.items, index, batch.next)
      index = batch.next
    }
    assert.ok(index > 1000, `${index} entries`)
  }
})

test('follow gives what is there, then what comes, and ends when told to', { timeout: 20_000 }, async (t) => {
  for (const until of ['durable', 'written'] as const) {
    const dir = folder(t)
    const { journal } = await opened({ dir, segmentEntries: 50, syncEveryMs: until === 'durable' ? 10 : 0 })
    for (let n = 0; n < 120; n++) journal.append(record(n))
    await journal.sync()
    const stop = new AbortController()
    const seen: (number | string)[] = []
    const following = (async () => {
      for await (const items of follow(dir, reading(t, dir), 100, stop.signal, until))
        for (const item of items) seen.push(item.kind === 'entry' ? item.index : JSON.stringify(item))
    })()
    for (let n = 120; n < 300; n++) {
      journal.append(record(n))
      journal.flush()
      if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const started = Date.now()
    while (seen.length < 200 && Date.now() - started < 10_000) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.deepEqual(
      seen,
      Array.from({ length: 200 }, (_, n) => 100 + n),
    )
    assert.ok(Date.now() - started < 900, 'woken by the file, not by the poll')
    stop.abort()
    await following
    await journal.close()
  }
})
