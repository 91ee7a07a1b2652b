import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { clipped, commandLine, printable, quoted, safeJson } from './printable.ts'

test('nothing that steers a terminal passes', () => {
  assert.equal(printable('a\x1b[31mred\x07\r\n'), 'a\\e[31mred\\x07\\r\\n')
  assert.equal(printable('gpj.\u202etxt'), 'gpj.\\u202etxt')
  assert.equal(printable('\x9b31m'), '\\u009b31m')
  assert.equal(printable('a\u200bb\ufeff\u2028\u{e0041}'), 'a\\u200bb\\ufeff\\u2028\\U000e0041')
  assert.equal(printable('\ud800'), '\\ud800')
  assert.equal(printable('Grüße, 世界 🐾'), 'Grüße, 世界 🐾')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(printable(text)) && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(safeJson(text))),
    { numRuns: 1000 },
  )
})

test('arguments are quoted so that a shell reads them back', () => {
  assert.equal(quoted('--name=x/y'), '--name=x/y')
  assert.equal(quoted(''), "''")
  assert.equal(quoted("it's"), "'it'\\''s'")
  const args = ['a b', "it's", '$(id)', 'x\ny', "\x1b'\\", '*', '\u202e']
  const shell = spawnSync('bash', ['-c', `LC_ALL=C.UTF-8; printf '%s\\0' ${commandLine(args)}`], { encoding: 'utf8', env: { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] } })
  if (shell.error === undefined) assert.deepEqual(shell.stdout.split('\0').slice(0, -1), args)
})

test('JSON stays the same JSON', () => {
  const value = { path: '/tmp/\u202e\x9b\ud83d\udc3e\u{e0041}', n: 2n ** 63n, bytes: new Uint8Array([1, 2]) }
  assert.deepEqual(JSON.parse(safeJson(value)), { path: value.path, n: '9223372036854775808', bytes: 'AQI=' })
})

test('long text is clipped', () => {
  assert.equal(clipped('abcdef', 4), 'abc…')
  assert.equal(clipped('abcd', 4), 'abcd')
})
