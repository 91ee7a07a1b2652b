import assert from 'node:assert/strict'
import test from 'node:test'
import { globMatches } from './glob.ts'

const yes: [string, string][] = [
  ['/a/b', '/a/b'],
  ['/a/*', '/a/b'],
  ['/a/*.key', '/a/b.key'],
  ['/a/?.key', '/a/b.key'],
  ['/a/**', '/a/b/c/d'],
  ['/a/**/d', '/a/d'],
  ['/a/**/d', '/a/b/c/d'],
  ['**/secret/*', '/x/y/secret/z'],
  ['/**/x/**/y', '/1/x/2/x/3/y'],
  ['/a*b*c', '/aXbXbXc'],
  ['~/vault/**', '/home/ann/vault/deep/x'],
  ['~/vault/*', '/root/vault/x'],
  ['/a/**.txt', '/a/b/c.txt'],
]
const no: [string, string][] = [
  ['/a/b', '/a/bc'],
  ['/a/*', '/a/b/c'],
  ['/a/?', '/a//'],
  ['/a/**/d', '/a/bd'],
  ['~/vault/*', '/srv/ann/vault/x'],
  ['**/secret/*', '/x/secrets/z'],
  ['', '/'],
  ['/a/*.key', '/a/b.key/'],
]

test('matches', () => {
  for (const [glob, text] of yes) assert.equal(globMatches(glob, text), true, glob + ' ' + text)
  for (const [glob, text] of no) assert.equal(globMatches(glob, text), false, glob + ' ' + text)
})

test('a hostile glob takes no longer than lengths multiplied', () => {
  const began = performance.now()
  assert.equal(globMatches('**/*a*a*a*a*a*a*a*a*b', '/' + 'a'.repeat(4000)), false)
  assert.equal(globMatches('**/**/**/**/**/**/**/x', '/' + 'a/'.repeat(2000)), false)
  assert.ok(performance.now() - began < 500)
})
