import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Journal, type JournalOptions, type OpenReport, openJournal } from './journal.ts'
import { type Item, openReader, type Reader, type ReadOptions } from './reader.ts'

/** What the tests of this folder share. */
export function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'spoor-journal-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Opens a journal that syncs only when asked to. */
export async function opened(options: JournalOptions): Promise<{ journal: Journal; report: OpenReport }> {
  const result = await openJournal({ syncEveryMs: 0, ...options })
  assert.ok(result.ok, result.ok ? '' : result.message)
  return result
}

/** A record that tells its number, of 9 or more bytes. Like every LogRecord it does not begin with a zero byte. */
export function record(n: number, bytes = 20 + (n % 50)): Buffer {
  const made = Buffer.alloc(Math.max(bytes, 9), n % 251)
  made[0] = 9
  made.writeDoubleBE(n, 1)
  return made
}

export function reading(t: TestContext, dir: string): Reader {
  const result = openReader(dir)
  assert.ok(result.ok, result.ok ? '' : result.message)
  t.after(() => result.reader.close())
  return result.reader
}

/** All items there are, by a reader of their own. */
export function all(dir: string, options?: ReadOptions, from = 0): Item[] {
  const result = openReader(dir)
  assert.ok(result.ok, result.ok ? '' : result.message)
  const items: Item[] = []
  for (let index = from; ; ) {
    const batch = result.reader.read(index, options)
    if (batch.items.length === 0) break
    assert.ok(batch.next > index)
    items.push(...batch.items)
    index = batch.next
  }
  result.reader.close()
  return items
}

/** The items are exactly the entries `from` to `to` (exclusive), each with its own number in it. */
export function expectEntries(items: readonly Item[], from: number, to: number): void {
  for (const [at, item] of items.entries()) {
    assert.ok(item.kind === 'entry' && item.index === from + at, `item ${at}: ${JSON.stringify(item)}`)
    assert.equal(Buffer.from(item.bytes).readDoubleBE(1), from + at)
  }
  assert.equal(items.length, to - from)
}
