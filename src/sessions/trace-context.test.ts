import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf } from '../model/bytes.ts'
import { traceContextOf } from './trace-context.ts'

const of = (value: string) =>
  traceContextOf([
    ['X', bytesOf('1')],
    ['TRACEPARENT', bytesOf(value)],
  ])

test('TRACEPARENT as W3C Trace Context writes it, nothing else', () => {
  assert.deepEqual(of('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'), { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' })
  assert.notEqual(of('01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more'), null)
  for (const bad of [
    '',
    'x',
    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
    '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
  ])
    assert.equal(of(bad), null, bad)
  assert.equal(traceContextOf([]), null)
})
