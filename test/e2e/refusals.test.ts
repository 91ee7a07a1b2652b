import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { need } from '../support/need.ts'
import { spoor, startRun } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'

const here = tempFolder('refusals')
const commands = ['run', 'record', 'sessions', 'show', 'events', 'status']

/** One sentence for a person: a single line, our name, no stack. */
function assertOneLine(stderr: string): void {
  assert.match(stderr.trimEnd(), /^spoor[^\n]*$/, stderr)
  assert.doesNotMatch(stderr, /\n\s+at |Error:/)
}

test('--help stands on every command and on the whole', () => {
  for (const args of [['--help'], ...commands.map((command) => [command, '--help'])]) {
    const done = spoor(args)
    assert.equal(done.code, 0, `${args}: ${done.stderr}`)
    assert.ok(done.stdout.length > 80, args.join(' '))
  }
})

test('usage errors: one sentence, exit 2', () => {
  for (const args of [
    ['frobnicate'],
    ['run', '--frobnicate'],
    ['run', '--state-dir'],
    ['run', 'extra'],
    ['record'],
    ['record', '--'],
    ['show'],
    ['events', '--name'],
    ['run', '--otlp-endpoint', 'not a url', '--state-dir', join(here, 'u')],
  ]) {
    const done = spoor(args)
    assert.equal(done.code, 2, `${args.join(' ')}: exit ${done.code} ${done.stderr}`)
    assertOneLine(done.stderr)
  }
})

test('OTEL_EXPORTER_OTLP_PROTOCOL=grpc is refused in one sentence, exit 2', () => {
  const done = spoor(['run', '--state-dir', join(here, 'grpc'), '--otlp-endpoint', 'http://127.0.0.1:4317'], { env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' } })
  assert.equal(done.code, 2, done.stderr)
  assertOneLine(done.stderr)
  assert.match(done.stderr, /grpc/)
})

test('a malformed config: file, line, what was expected', () => {
  for (const [name, yaml, line, expected] of [
    ['unknown', 'volume: normal\nvolme: full\n', 2, /volme/],
    ['type', 'ring: 4MiB\nagents:\n  - name: 7\n', 3, /name/],
    ['ring', 'ring: 3MiB\n', 1, /power of two/],
    ['syntax', 'agents: [\n', 1, /./],
  ] as const) {
    const file = join(here, `${name}.yaml`)
    writeFileSync(file, yaml, { mode: 0o600 })
    const done = spoor(['run', '--config', file, '--state-dir', join(here, 'config')])
    assert.ok(done.code === 1 || done.code === 2, `${name}: ${done.code}`)
    assertOneLine(done.stderr)
    assert.ok(done.stderr.includes(`${file}:`), done.stderr)
    if (name !== 'syntax') assert.ok(done.stderr.includes(`${file}:${line}`), `${name}: line ${line} in ${done.stderr}`)
    assert.match(done.stderr, expected)
  }
})

test('status without an observer: disabled, why, exit 1', () => {
  const done = spoor(['status', '--json', '--state-dir', join(here, 'nobody')])
  assert.equal(done.code, 1)
  const answer = JSON.parse(done.stdout)
  assert.equal(answer.schema, 'spoor.status/1')
  assert.equal(answer.state, 'disabled')
  assert.ok(answer.why.length > 0)
  assert.equal(answer.ledger, null)
})

test('readers of a directory without a journal say so, exit 1', () => {
  for (const args of [['sessions'], ['events'], ['show', 'abcd']]) {
    const done = spoor([...args, '--state-dir', join(here, 'nothing')])
    assert.equal(done.code, 1, args.join(' '))
    assertOneLine(done.stderr)
  }
})

test('a state directory that cannot be used: what, where, what to do', need('root', 'ebpf'), () => {
  const file = join(here, 'a-file')
  writeFileSync(file, 'x')
  const foreign = join(here, 'foreign')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'family-photos.tar'), 'x')
  const newer = join(here, 'newer')
  mkdirSync(newer)
  writeFileSync(join(newer, 'VERSION'), '999\n')
  const corrupted = join(here, 'corrupted')
  mkdirSync(join(corrupted, 'journal'), { recursive: true })
  writeFileSync(join(corrupted, 'VERSION'), '1\n')
  writeFileSync(join(corrupted, 'journal/meta.json'), '{"journalId":')
  for (const folder of [file, foreign, newer, corrupted, '/proc/spoor']) {
    const done = spoor(['run', '--state-dir', folder], { timeoutMs: 20_000 })
    assert.equal(done.code, 1, `${folder}: exit ${done.code} ${done.signal} ${done.stderr}`)
    assertOneLine(done.stderr)
    assert.ok(done.stderr.includes(folder), done.stderr)
  }
})

test('a second observer on one directory is refused', need('root', 'ebpf'), async () => {
  const state = join(here, 'twice')
  const first = await startRun(state)
  try {
    const second = spoor(['run', '--state-dir', state], { timeoutMs: 20_000 })
    assert.equal(second.code, 1, second.stderr)
    assertOneLine(second.stderr)
  } finally {
    assert.equal(await first.stop(), 0)
  }
})
