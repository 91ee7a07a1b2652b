import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { defaultConfig } from '../config/config.ts'
import { shippingOf } from './destination.ts'
import { spoor } from './try-spoor.ts'
import { controlPaths, defaultStateDir } from './where.ts'

const folder = mkdtempSync(join(tmpdir(), 'spoor-run-'))
const dir = ['--state-dir', join(folder, 'state')]
after(() => rmSync(folder, { recursive: true }))

test('wrong flags, configuration and endpoints are refused before anything starts', async () => {
  const file = join(folder, 'spoor.yaml')
  writeFileSync(file, 'ring: 4MiB\nvolum: full\n')
  chmodSync(file, 0o600)
  const cases: readonly [readonly string[], NodeJS.ProcessEnv, number, RegExp][] = [
    [['--endpoint', 'x'], {}, 2, /^spoor run: unknown option --endpoint/],
    [['--config', file], {}, 2, /spoor\.yaml:2:1: volum: unknown key; expected one of: /],
    [['--config', join(folder, 'none.yaml')], {}, 2, /none\.yaml: cannot be read: ENOENT/],
    [['--otlp-endpoint', 'localhost'], {}, 2, /^spoor run: .*localhost/],
    [['--otlp-endpoint', 'http://127.0.0.1:4318'], { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 2, /grpc is not supported/],
  ]
  for (const [args, env, code, message] of cases) {
    const said = await spoor(['run', ...dir, ...args], { env: { ...process.env, ...env } })
    assert.equal(said.code, code, args.join(' '))
    assert.match(said.err, message)
    assert.equal(said.err.split('\n').length, 2, said.err)
  }
})

test('the flag goes before the environment, the environment before the file', () => {
  const config = { ...defaultConfig(), otlp: { ...defaultConfig().otlp, endpoint: 'http://file:4318' } } as ReturnType<typeof defaultConfig>
  const shown = (flag: string | null, env: NodeJS.ProcessEnv) => {
    const shipping = shippingOf(flag, config, env)
    assert.ok(shipping.ok)
    return shipping.shown
  }
  assert.equal(shown(null, {}), 'http://file:4318')
  assert.equal(shown(null, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env:4318' }), 'http://env:4318')
  assert.equal(shown('http://user:secret@flag:4318', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env:4318' }), 'http://flag:4318')
  const none = shippingOf(null, defaultConfig(), {})
  assert.ok(none.ok && none.environment === null)
})

test('state directories: the machine s for root, by XDG for others; a socket is looked for in both', () => {
  assert.equal(defaultStateDir(true, { XDG_STATE_HOME: '/x' }, '/root'), '/var/lib/spoor')
  assert.equal(defaultStateDir(false, { XDG_STATE_HOME: '/x' }, '/home/a'), '/x/spoor')
  assert.equal(defaultStateDir(false, { XDG_STATE_HOME: 'relative' }, '/home/a'), '/home/a/.local/state/spoor')
  assert.equal(defaultStateDir(false, {}, '/home/a'), '/home/a/.local/state/spoor')
  assert.deepEqual(controlPaths(null, false, '/home/a/s'), ['/var/lib/spoor/run/control.sock', '/home/a/s/run/control.sock'])
  assert.deepEqual(controlPaths('/d', false), ['/d/run/control.sock'])
})
