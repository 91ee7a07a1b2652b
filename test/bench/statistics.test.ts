import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interval, quantile } from './statistics.ts'

test('ranks of the 95 % interval are those of the binomial tables', () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
  assert.deepEqual(interval(upTo(20)), { median: 10.5, low: 6, high: 15, n: 20 })
  assert.deepEqual(interval(upTo(10)), { median: 5.5, low: 2, high: 9, n: 10 })
  assert.deepEqual(interval(upTo(6)), { median: 3.5, low: 1, high: 6, n: 6 })
  assert.deepEqual(interval([3, 1, 2]), { median: 2, low: 1, high: 3, n: 3 })
})

test('quantile takes the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
  assert.equal(quantile(hundred, 0.99), 99)
  assert.equal(quantile(hundred, 0.5), 50)
  assert.equal(quantile([7], 0.99), 7)
})
