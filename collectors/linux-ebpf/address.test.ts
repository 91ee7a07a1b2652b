import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressText, isMapped } from './address.ts'

/** RFC 5952, sections 4.2 and 5. */
test('addresses are written in their canonical form', () => {
  for (const [hex, text] of [
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['fe800000000000000000000000000000', 'fe80::'],
    ['00010000000000000000000000000000', '1::'],
    ['20010000000000010000000000000001', '2001:0:0:1::1'],
  ] as const)
    assert.equal(addressText(Buffer.from(hex, 'hex'), 0, 10), text)
  assert.equal(addressText(Uint8Array.of(9, 192, 0, 2, 255), 1, 2), '192.0.2.255')
})

test('any 16 bytes are an address that reads back as the same bytes', () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = Buffer.alloc(16)
      groups.forEach((value, i) => void bytes.writeUInt16BE(value, 2 * i))
      const text = addressText(bytes, 0, 10)
      assert.ok(isIPv6(text), text)
      const [before, after] = text.split('::').map((part) => (part === '' ? [] : part.split(':').map((digits) => Number.parseInt(digits, 16))))
      const read = after === undefined ? before! : [...before!, ...Array(8 - before!.length - after.length).fill(0), ...after]
      assert.deepEqual(read, groups)
    }),
  )
})

test('mapped IPv4 is told apart', () => {
  assert.equal(isMapped(Buffer.from('00000000000000000000ffff7f000001', 'hex'), 0), true)
  assert.equal(isMapped(Buffer.from('00000000000000000000fffe7f000001', 'hex'), 0), false)
  assert.equal(isMapped(Buffer.alloc(16), 0), false)
})
