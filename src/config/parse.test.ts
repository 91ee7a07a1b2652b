import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseConfig } from './parse.ts'

const ok = (source: string) => {
  const result = parseConfig(source, 'c.yaml')
  assert.ok(result.ok, result.ok ? '' : result.message)
  return result.config
}
const message = (source: string) => {
  const result = parseConfig(source, 'c.yaml')
  assert.ok(!result.ok, 'expected an error')
  return result.message
}

test('an empty file gives the defaults', () => {
  const config = ok('')
  assert.equal(config.ringBytes, 4194304)
  assert.equal(config.volume, 'normal')
  assert.equal(config.journal.maxBytes, 1073741824)
  assert.deepEqual(config.agents, [])
})

test('every key is taken', () => {
  const config = ok(`stateDir: /srv/spoor
volume: full
ring: 16MiB
hostId: hashed
journal: { maxBytes: 2 GiB, maxAgeDays: 7 }
otlp: { endpoint: 'https://collector.example:4318', protocol: http/json, headers: { authorization: Bearer x }, compression: none, timeout: 2500 }
agents:
  - name: acme
    exe: /opt/acme/bin/*
    candidates: [acme]
environment: [ACME_SESSION]
sensitive: ['/srv/keys/**']
`)
  assert.deepEqual(
    { ...config },
    {
      file: 'c.yaml',
      stateDir: '/srv/spoor',
      volume: 'full',
      ringBytes: 16 * 1024 * 1024,
      hostId: 'hashed',
      journal: { maxBytes: 2 * 1024 ** 3, maxAgeDays: 7 },
      otlp: { endpoint: 'https://collector.example:4318', protocol: 'http/json', headers: { authorization: 'Bearer x' }, compression: 'none', timeoutMs: 2500 },
      agents: [{ name: 'acme', exe: '/opt/acme/bin/*', candidates: ['acme'] }],
      environment: ['ACME_SESSION'],
      sensitive: ['/srv/keys/**'],
    },
  )
  assert.ok(Object.isFrozen(config))
})

test('an error names file, line and column, what was found and what was expected', () => {
  assert.equal(
    message('volume: normal\nvolum: full\n'),
    'c.yaml:2:1: volum: unknown key; expected one of: stateDir, volume, ring, hostId, journal, otlp, agents, environment, sensitive',
  )
  assert.equal(message('volume: loud'), 'c.yaml:1:9: volume: found "loud"; expected normal or full')
  assert.equal(message('journal:\n  maxBytes: 1GiB\n  size: 3\n'), 'c.yaml:3:3: journal.size: unknown key; expected one of: maxBytes, maxAgeDays')
  assert.equal(message('ring: 5MiB'), 'c.yaml:1:7: ring: found "5MiB"; expected a power of two from 1MiB to 64MiB, e.g. "4MiB"')
  assert.match(message('otlp: { protocol: grpc }'), /^c\.yaml:1:19: otlp\.protocol: found "grpc"; expected http\/protobuf or http\/json \(grpc is not spoken\)$/)
  assert.match(message('agents:\n  - name: x\n    args: y\n'), /^c\.yaml:2:5: agents\[0\]: .*expected at least one of exe, script, package/)
  assert.match(message('agents:\n  - exe: /x\n'), /^c\.yaml:2:5: agents\[0\]\.name: missing; expected /)
  assert.match(message('- a\n- b\n'), /^c\.yaml:1:1: found \["a","b"\]; expected /)
})

test('broken YAML, duplicate keys and aliases are refused with a place', () => {
  assert.match(message('volume: [full'), /^c\.yaml:1:\d+: not valid YAML: /)
  assert.match(message('volume: full\nvolume: normal\n'), /^c\.yaml:2:1: not valid YAML: /)
  assert.match(message('environment: &a [X]\nsensitive: *a\n'), /aliases/)
})

test('no text makes it throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (source) => typeof parseConfig(source, 'c').ok === 'boolean'),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.json(), (source) => typeof parseConfig(source, 'c').ok === 'boolean'),
    { numRuns: 300 },
  )
})
