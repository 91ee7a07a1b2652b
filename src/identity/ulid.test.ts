import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ulid, ulidMs } from './ulid.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

test('a ULID is its 128 bits in base 32, so that text order is time order', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 48 - 1 }), fc.uint8Array({ minLength: 10, maxLength: 10 }), (ms, random) => {
      let value = BigInt(ms)
      for (const byte of random) value = (value << 8n) | BigInt(byte)
      let text = ''
      for (let i = 0; i < 26; i++) {
        text = ALPHABET[Number(value & 31n)] + text
        value >>= 5n
      }
      const made = ulid(ms, Buffer.from(random).toString('latin1'))
      assert.equal(made, text)
      assert.equal(ulidMs(made), ms)
    }),
  )
})

test('times out of range are clamped', () => {
  const random = '\0'.repeat(10)
  assert.equal(ulid(-5, random), '0'.repeat(26))
  assert.equal(ulidMs(ulid(Number.MAX_SAFE_INTEGER, random)), 2 ** 48 - 1)
  assert.equal(ulidMs(ulid(1.9, random)), 1)
})

test('what is no ULID has no time', () => {
  for (const text of ['', 'x', '8' + '0'.repeat(25), 'I' + '0'.repeat(25), '0'.repeat(25) + 'U', '0'.repeat(27)]) assert.equal(ulidMs(text), null, text)
})
