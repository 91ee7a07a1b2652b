import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesOf } from '../model/bytes.ts'
import { claimedText, sameText, textOf } from './commands.ts'
import { type Access, type Declared, matchPath, matchRuns, type Ran } from './join.ts'

const S = 1_000_000_000n
const at = (seconds: number): bigint => BigInt(Math.round(seconds * 1000)) * 1_000_000n
const ran = (...times: readonly number[]): Ran[] => times.map((time, i) => ({ id: `t${i}`, at: at(time) }))
const said = (...windows: ReadonlyArray<readonly [from: number, to: number | null]>): Declared[] =>
  windows.map(([from, to], i) => ({ id: `c${i}`, at: at(from), resultAt: to === null ? null : at(to) }))
const table = (trees: Ran[], calls: Declared[]): string =>
  trees
    .map(({ id }) => {
      const found = matchRuns(trees, calls).get(id)
      return `${id}:${found === undefined ? '-' : 'claim' in found ? found.claim : `?${found.ambiguous.join('')}`}`
    })
    .join(' ')

test('runs and declarations of one text: by time where time tells, by order in a sequence, else ambiguous', () => {
  const rows: ReadonlyArray<readonly [string, Ran[], Declared[], string]> = [
    ['one and one', ran(1), said([0.9, 2]), 't0:c0'],
    ['never declared', ran(1), said(), 't0:-'],
    ['another time', ran(60), said([0.9, 2]), 't0:-'],
    ['a clock that is a little off', ran(0.5), said([0.9, 2]), 't0:c0'],
    ['no answer yet', ran(30), said([1, null]), 't0:c0'],
    ['one after the other', ran(1, 3), said([0.9, 2], [2.9, 4]), 't0:c0 t1:c1'],
    ['one after the other, quickly', ran(1, 1.3, 1.6), said([0.99, 1.2], [1.29, 1.5], [1.59, 1.9]), 't0:c0 t1:c1 t2:c2'],
    ['declared together, run one after the other', ran(1, 2.1), said([0.9, 2], [0.9, 3]), 't0:c0 t1:c1'],
    ['declared together, run together', ran(1, 1.01), said([0.9, 2], [0.9, 2]), 't0:?c0c1 t1:?c0c1'],
    ['one of two that were declared together', ran(1), said([0.9, 2], [0.9, 2]), 't0:?c0c1'],
    ['twice run, once declared', ran(1, 1.1), said([0.9, 2]), 't0:?c0 t1:?c0'],
    ['times that tell nothing, in sequence', ran(0.1, 0.2), said([1, 1.1], [1.2, 1.3]), 't0:c0 t1:c1'],
    ['the same with one run more', ran(0.1, 0.2, 0.3), said([1, 1.1], [1.2, 1.3]), 't0:?c0c1 t1:?c0c1 t2:?c0c1'],
  ]
  for (const [what, trees, calls, expected] of rows) assert.equal(table(trees, calls), expected, what)
})

test('whatever the times: a declaration goes to one run at most, and only to one near it', () => {
  const time = fc.integer({ min: 0, max: 20_000 })
  const call = fc.record({ from: time, took: fc.option(fc.integer({ min: 0, max: 8_000 }), { nil: null }) })
  fc.assert(
    fc.property(fc.array(time, { maxLength: 8 }), fc.array(call, { maxLength: 8 }), (times, calls) => {
      const trees = ran(...times.map((ms) => ms / 1000))
      const declared = said(...calls.map(({ from, took }) => [from / 1000, took === null ? null : (from + took) / 1000] as const))
      const matches = matchRuns(trees, declared)
      const taken = [...matches.values()].flatMap((found) => ('claim' in found ? [found.claim] : []))
      assert.equal(new Set(taken).size, taken.length)
      for (const [id, found] of matches) {
        if (!('claim' in found)) continue
        const run = trees.find((each) => each.id === id)!
        const claim = declared.find((each) => each.id === found.claim)!
        assert.ok(run.at >= claim.at - 2n * S && (claim.resultAt === null || run.at <= claim.resultAt + 2n * S))
      }
      // The order in which they are handed over says nothing.
      assert.deepEqual(new Map([...matchRuns(trees.toReversed(), declared.toReversed())].sort()), new Map([...matches].sort()))
    }),
  )
})

test('a file tool: the access in its time; what was opened before may be a repeat; a write is never one', () => {
  const act = (time: number, more: Partial<Access> = {}): Access => ({ path: '/w/a', write: false, failed: false, at: at(time), used: false, ...more })
  const call = said([10, 11])[0]!
  const kind = (acts: readonly Access[], write = false, failed = false, slack = 0n): string | null => matchPath(acts, '/w/a', write, failed, call, slack)?.kind ?? null
  assert.equal(kind([act(10.5)]), 'seen')
  assert.equal(kind([act(11.5)]), null)
  assert.equal(kind([act(11.5)], false, false, 2n * S), 'seen')
  assert.equal(kind([act(5)]), 'repeat')
  assert.equal(kind([act(5, { write: true })], true), null)
  assert.equal(kind([act(10.5)], true), null)
  assert.equal(kind([act(10.5, { used: true })]), 'shared')
  assert.equal(kind([act(10.5, { failed: true })]), null)
  assert.equal(kind([act(10.5, { failed: true })], false, true), 'seen')
  assert.equal(kind([act(10.5, { path: '/w/b' })]), null)
})

test('commands are compared without white space, known edits and what was cut', () => {
  const text = (command: string) => claimedText({ head: command, total: command.length })!
  const image = (args: readonly string[], more: { tail?: readonly string[]; bytes?: number } = {}) => ({
    images: [
      {
        number: 1,
        path: bytesOf('/bin/bash'),
        called: bytesOf('/bin/bash'),
        args: { head: args.map(bytesOf), total: args.length, ...(more.tail && { tail: more.tail.map(bytesOf) }) },
        argsBytes: more.bytes ?? args.reduce((sum, arg) => sum + arg.length + 1, 0),
        cwd: bytesOf('/'),
        env: [],
        at: 0n,
      },
    ],
  })
  const observed = (command: string) => textOf(image(['bash', '-c', command]))!
  assert.ok(sameText(text('git  status\n'), observed('git status')))
  assert.ok(sameText(text('cat a | wc -l'), observed('cat a < /dev/null | wc -l')))
  assert.ok(!sameText(text('ls'), observed('ls -l')))
  const long = `echo ${'x'.repeat(4000)} && make ${'y'.repeat(4000)}`
  const cut = textOf(image(['bash', '-c', long.slice(0, 1000)], { tail: [long.slice(-500)], bytes: long.length + 9 }))!
  assert.ok(cut.tail !== null)
  assert.ok(sameText(text(long), cut))
  assert.ok(!sameText(text(long + '; rm -rf /'), cut))
  assert.ok(!sameText(text('ec'), { head: 'echo ', tail: '' }), 'too little to tell')
  assert.equal(textOf({ images: [] }), null)
  assert.equal(textOf(image(['/usr/bin/curl', 'x'])), null)
})
