import assert from 'node:assert/strict'
import { test } from 'node:test'
import { outcomeOf, partialSuccess } from './outcome.ts'
import { parseRetryAfter, RETRY_AFTER_MAX_MS } from './retry.ts'

const answered = (status: number, body: string | Buffer = '', contentType = 'application/x-protobuf', retryAfter: string | null = null) =>
  outcomeOf({ kind: 'answered', status, retryAfter, contentType, body: Buffer.from(body) }, 0)

test('what each status asks for', () => {
  for (const status of [200, 202, 204]) assert.equal(answered(status).kind, 'accepted', String(status))
  for (const status of [429, 502, 503, 504]) assert.equal(answered(status).kind, 'retry', String(status))
  assert.equal(answered(413).kind, 'too_large')
  for (const status of [400, 422, 500, 599])
    assert.deepEqual([answered(status).kind, 'fault' in answered(status) && (answered(status) as { fault: string }).fault], ['refused', 'items'], String(status))
  for (const status of [301, 308, 401, 403, 404, 405, 415]) assert.equal((answered(status) as { fault?: string }).fault, 'destination', String(status))
})

test('a page with status 200 is no collector', () => {
  const outcome = answered(200, '<html>please log in</html>', 'text/html; charset=utf-8')
  assert.equal(outcome.kind === 'refused' && outcome.reason, 'not_otlp')
})

test('garbage with status 200 is accepted: the specification asks for no more', () => {
  assert.deepEqual(answered(200, Buffer.from([0xff, 0xff, 0xff, 0x01])), { kind: 'accepted', rejected: 0, message: null })
  assert.deepEqual(answered(200, '{"partialSuccess":', 'application/json'), { kind: 'accepted', rejected: 0, message: null })
  assert.deepEqual(answered(200, 'ok', 'text/plain'), { kind: 'accepted', rejected: 0, message: null })
})

test('partial success, in both encodings', () => {
  const proto = Buffer.from([0x0a, 0x07, 0x08, 0xac, 0x02, 0x12, 0x02, 0x6e, 0x6f])
  assert.deepEqual(partialSuccess(proto, 'application/x-protobuf'), { rejected: 300, message: 'no' })
  assert.deepEqual(partialSuccess(Buffer.from('{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}'), 'application/json'), { rejected: 3, message: 'too old' })
  assert.deepEqual(partialSuccess(Buffer.from('{"partialSuccess":{"rejectedSpans":4}}'), ''), { rejected: 4, message: null })
  assert.equal(partialSuccess(Buffer.from('{}'), 'application/json'), null)
  assert.equal(partialSuccess(Buffer.alloc(0), 'application/json'), null)
  const negative = Buffer.from([0x0a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
  assert.deepEqual(partialSuccess(negative, ''), { rejected: 0, message: null })
})

test('what a stranger says is made safe to print', () => {
  const outcome = answered(400, 'bad\u001b[31m\u0000thing\r\n' + 'y'.repeat(5000), 'text/plain')
  assert.ok(outcome.kind === 'refused')
  assert.match(outcome.message, /^answered 400: bad \[31m thing y+$/)
  assert.ok(outcome.message.length < 330)
})

test('Retry-After: seconds, a date, nonsense, and bounds', () => {
  const now = Date.parse('2026-11-20T10:00:00Z')
  assert.equal(parseRetryAfter('7', now), 7000)
  assert.equal(parseRetryAfter('Fri, 20 Nov 2026 10:00:30 GMT', now), 30_000)
  assert.equal(parseRetryAfter('Fri, 20 Nov 2026 09:00:30 GMT', now), 250)
  assert.equal(parseRetryAfter('0', now), 250)
  assert.equal(parseRetryAfter('99999999', now), RETRY_AFTER_MAX_MS)
  for (const nonsense of [null, '', 'soon', '-5', '1e3', '2026']) assert.equal(parseRetryAfter(nonsense, now), nonsense === '2026' ? RETRY_AFTER_MAX_MS : null, String(nonsense))
  assert.deepEqual(answered(429, '', '', '5'), { kind: 'retry', afterMs: 5000, reason: 'http_429', message: 'answered 429' })
})
