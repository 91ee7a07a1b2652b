import assert from 'node:assert/strict'
import { test } from 'node:test'
import { table } from './table.ts'
import { byteSize, counted, duration } from './units.ts'

test('durations and sizes read as a person says them', () => {
  assert.equal(duration(340_000n), '0.3 ms')
  assert.equal(duration(35_400_000n), '35 ms')
  assert.equal(duration(1_240_000_000n), '1.2 s')
  assert.equal(duration(125_000_000_000n), '2 min 05 s')
  assert.equal(duration(11_520_000_000_000n), '3 h 12 min')
  assert.equal(duration(-5n), '?')
  assert.equal(byteSize(999), '999 B')
  assert.equal(byteSize(1234n), '1.2 kB')
  assert.equal(byteSize(1_234_567_890), '1.2 GB')
  assert.equal(counted(1, 'process', 'processes'), '1 process')
  assert.equal(counted(2n, 'process', 'processes'), '2 processes')
})

test('columns line up, wide characters included', () => {
  assert.equal(
    table([
      ['ID', 'NAME', 'X'],
      ['世界', 'a', 'long text'],
    ]),
    'ID    NAME  X\n世界  a     long text\n',
  )
})
