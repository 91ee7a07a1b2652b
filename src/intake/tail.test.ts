import assert from 'node:assert/strict'
import { appendFileSync, closeSync, openSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { tempFolder } from '../../test/support/temp.ts'
import type { ClaimDecoder } from '../model/claim.ts'
import { createCounters } from './counters.ts'
import { DEPTH_MAX, tooDeep } from './nesting.ts'
import { createTail, LINE_MAX } from './tail.ts'

const folder = tempFolder('tail')

/** Each line is a claim whose id is the line, unless it is no JSON text. */
const decoder = (): ClaimDecoder => ({
  line(text, order) {
    let id: string
    try {
      id = String(JSON.parse(text))
    } catch {
      return { ok: false, why: 'not_json' }
    }
    return { ok: true, claims: [{ source: 's', agent: 'a', conversation: 'c', at: id === 'old' ? 1n : 10n, order, id, kind: 'mode', mode: 'm', turnId: null }] }
  },
})

function follow(name: string, content: string | Buffer = '', from = 0) {
  const path = join(folder, name)
  writeFileSync(path, content)
  const fd = openSync(path, 'r')
  const counters = createCounters()
  const tail = createTail({ fd, from, cut: from > 0, decoder, since: () => 5n, counters })
  const all = (): string[] => {
    const ids: string[] = []
    for (;;) {
      const { read, claims } = tail.pump(64 * 1024)
      ids.push(...claims.map(({ id }) => id))
      if (read === 0) return ids
    }
  }
  return { path, counters, tail, all, close: () => closeSync(fd) }
}

test('a line counts once it has ended, and the offset is that of its first byte', () => {
  const { path, tail, all, close } = follow('partial', '1\n2')
  assert.deepEqual(all(), ['1'])
  assert.equal(tail.next, 2)
  appendFileSync(path, '2')
  assert.deepEqual(all(), [])
  appendFileSync(path, '\n3\n')
  assert.deepEqual(
    tail.pump(1000).claims.map(({ id, order }) => [id, order]),
    [
      ['22', 2],
      ['3', 5],
    ],
  )
  assert.equal(tail.next, 7)
  close()
})

test('whatever pieces a writer writes and a reader reads, each line comes once and in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 120_000 }), { maxLength: 8 }), fc.integer({ min: 4_000, max: 300_000 }), (lengths, budget) => {
      const lines = lengths.map((length, at) => `"${at}-${'é'.repeat(length)}"`)
      const text = lines.map((line) => line + '\n').join('')
      const { tail, counters, close } = follow('pieces', text)
      const orders: number[] = []
      let count = 0
      for (let turn = 0; turn < 1_000; turn++) {
        const { read, claims } = tail.pump(budget)
        for (const { id, order } of claims) {
          assert.equal(`"${id}"`, lines[count++])
          orders.push(order)
        }
        if (read === 0) break
      }
      assert.equal(count, lines.length)
      assert.equal(tail.next, Buffer.byteLength(text))
      assert.equal(counters.bytes, Buffer.byteLength(text))
      close()
    }),
    { numRuns: 20 },
  )
})

test('lines that are too long are skipped whole, wherever they stand, without being held', () => {
  const long = `"${'x'.repeat(6 * LINE_MAX)}"`
  const { counters, all, path, close } = follow('long', `1\n${long}\n2\n${long}`)
  assert.deepEqual(all(), ['1', '2'])
  assert.equal(counters.unreadable.line_too_long, 2)
  appendFileSync(path, `${long}\n3\n`)
  assert.deepEqual(all(), ['3'])
  assert.deepEqual(counters.unreadable, { line_too_long: 2 })
  // The bound itself is still read.
  const exact = follow('exact', `"${'y'.repeat(LINE_MAX - 2)}"\n4\n`)
  assert.deepEqual(
    exact.all().map((id) => id.length),
    [LINE_MAX - 2, 1],
  )
  exact.close()
  close()
})

test('a truncated file, and one rewritten in place to a greater length, are read again; what was told is not told twice', () => {
  const { path, counters, all, close } = follow('rewritten', '1\n2\n3\n')
  assert.deepEqual(all(), ['1', '2', '3'])
  truncateSync(path, 0)
  appendFileSync(path, '4\n')
  assert.deepEqual(all(), ['4'])
  writeFileSync(path, '9\n1\n2\n3\n4\n5\n6\n7\n')
  assert.deepEqual(all(), ['9', '5', '6', '7'])
  assert.deepEqual(counters.unreadable, { rewritten: 2, duplicate: 4 })
  close()
})

test("a start in the middle leaves the cut line out, and older claims are another session's", () => {
  const { counters, all, close } = follow('middle', '"cut here"\n"old"\n"new"\n', 4)
  assert.deepEqual(all(), ['new'])
  assert.deepEqual(counters.unreadable, { too_old: 1 })
  close()
})

test('bytes that are no text are counted line by line', () => {
  const bytes = Buffer.concat([Buffer.from([0xff, 0xfe, 0, 10, 0x80, 10]), Buffer.from('1\n')])
  const { counters, all, close } = follow('binary', bytes)
  assert.deepEqual(all(), ['1'])
  assert.deepEqual(counters.unreadable, { not_json: 2 })
  close()
})

test('a line of brackets is refused before it is parsed', () => {
  const { counters, all, close } = follow('deep', `${'['.repeat(500_000)}${']'.repeat(500_000)}\n1\n`)
  assert.deepEqual(all(), ['1'])
  assert.deepEqual(counters.unreadable, { line_too_deep: 1 })
  close()
  assert.equal(tooDeep(Buffer.from('['.repeat(DEPTH_MAX))), false)
  assert.equal(tooDeep(Buffer.from('['.repeat(DEPTH_MAX + 1))), true)
  assert.equal(tooDeep(Buffer.from(`"${'['.repeat(200)}\\"${'{'.repeat(200)}"`)), false)
})
