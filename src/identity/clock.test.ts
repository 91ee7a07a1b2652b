import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adjust, emptyClock, STEP_NS, sampleOffset, wallOf } from './clock.ts'
import { bootNow } from './libc.ts'

test('a sample is wall minus boot, from the tightest pair of readings', () => {
  const readings = [1_000_000n, 9_000_000n, 10_000_000n, 10_000_010n]
  assert.deepEqual(
    sampleOffset(
      () => readings.shift()!,
      () => 5_000_000_000n,
    ),
    { boot: 10_000_010n, offsetNs: 5_000_000_000n - 10_000_005n },
  )
})

test('the real clocks: the offset maps boot time to the time of day', () => {
  const { offsetNs } = sampleOffset()
  assert.ok(Math.abs(Number((bootNow() + offsetNs) / 1_000_000n) - Date.now()) < 50)
  assert.ok(Math.abs(Number(sampleOffset().offsetNs - offsetNs)) < 1_000_000)
})

test('slewing is taken over in silence, a step is told, and earlier stamps keep their time', () => {
  const state = emptyClock()
  const base = 1_700_000_000_000_000_000n
  assert.equal(adjust(state, { boot: 10n, offsetNs: base }, true), null, 'the first sample is no step')
  assert.equal(adjust(state, { boot: 20n, offsetNs: base + STEP_NS - 1n }, true), null)
  assert.equal(wallOf(state, 5n), base + STEP_NS - 1n + 5n)
  const before = base + STEP_NS - 1n
  assert.deepEqual(adjust(state, { boot: 30n, offsetNs: base + 5n * STEP_NS }, true), {
    at: 30n,
    fromOffsetNs: before,
    toOffsetNs: base + 5n * STEP_NS,
    byNs: 5n * STEP_NS - (STEP_NS - 1n),
  })
  assert.deepEqual(adjust(state, { boot: 40n, offsetNs: base }, true)?.byNs, -5n * STEP_NS)
  assert.deepEqual([wallOf(state, 29n), wallOf(state, 35n), wallOf(state, 45n)], [before + 29n, base + 5n * STEP_NS + 35n, base + 45n])
})

test('the memory of steps is bounded, and the state is plain data', () => {
  const state = emptyClock()
  for (let n = 0n; n < 100n; n++) adjust(state, { boot: n, offsetNs: n * STEP_NS }, true)
  assert.equal(state.earlier.length, 16)
  assert.deepEqual(structuredClone(state), state)
})

test('slewing is not followed while something is open: the same stamp keeps its time', () => {
  const state = emptyClock()
  adjust(state, { boot: 10n, offsetNs: 1000n }, false)
  assert.equal(adjust(state, { boot: 20n, offsetNs: 1500n }, false), null)
  assert.equal(wallOf(state, 5n), 1005n)
  assert.equal(adjust(state, { boot: 30n, offsetNs: 1500n }, true), null)
  assert.equal(wallOf(state, 5n), 1505n)
})
