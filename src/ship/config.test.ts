import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULTS } from '../config/config.ts'
import { type Environment, otlpEnvironment, parseDestination } from './config.ts'

const none = (): Buffer => {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
}
const parse = (env: Environment, read: (path: string) => Buffer = none) => {
  const result = parseDestination(env, read)
  assert.ok(result.ok, result.ok ? '' : result.message)
  return result.destination
}
const refusal = (env: Environment): string => {
  const result = parseDestination(env, none)
  assert.equal(result.ok, false)
  return result.ok ? '' : result.message
}

test('no endpoint is no destination', () => {
  assert.equal(parse({}), null)
  assert.equal(parse({ OTEL_EXPORTER_OTLP_ENDPOINT: '  ' }), null)
  assert.equal(parse({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_LOGS_EXPORTER: 'none', OTEL_TRACES_EXPORTER: 'none' }), null)
})

test('the general endpoint gets the signal path, the specific one is taken as it is', () => {
  const general = parse({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.example.com/team/' })!
  assert.equal(general.logs!.url.href, 'https://otlp.example.com/team/v1/logs')
  assert.equal(general.traces!.url.href, 'https://otlp.example.com/team/v1/traces')
  const specific = parse({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318', OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://b:1/ingest?x=1' })!
  assert.equal(specific.logs!.url.href, 'http://b:1/ingest?x=1')
  assert.equal(specific.traces!.url.href, 'http://a:4318/v1/traces')
  const one = parse({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b:1/t' })!
  assert.equal(one.logs, null)
})

test('headers are decoded and merged, the specific ones win; userinfo becomes a header and leaves the address', () => {
  const { logs, traces } = parse({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:p%40ss@x:4318',
    OTEL_EXPORTER_OTLP_HEADERS: 'X-Scope-OrgID=t1, x-token=a%20b%2Cc ,',
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'x-scope-orgid=t2',
  })!
  assert.deepEqual(logs!.headers, { authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`, 'x-scope-orgid': 't2', 'x-token': 'a b,c' })
  assert.equal(traces!.headers['x-scope-orgid'], 't1')
  assert.ok(!logs!.url.href.includes('user'))
})

test('defaults: protobuf for logs, JSON for spans, 10 s, gzip except to this machine', () => {
  const far = parse({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' })!
  assert.deepEqual([far.logs!.protocol, far.traces!.protocol, far.logs!.timeoutMs, far.logs!.compression], ['http/protobuf', 'http/json', 10_000, 'gzip'])
  for (const host of ['localhost', '127.0.0.1', '[::1]', '127.1.2.3']) assert.equal(parse({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://${host}:4318` })!.logs!.compression, 'none', host)
  assert.equal(parse({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' })!.logs!.compression, 'gzip')
  const json = parse({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' })!
  assert.deepEqual([json.logs!.protocol, json.traces!.protocol], ['http/json', 'http/protobuf'])
})

test('certificates are read once, here', () => {
  const files: Record<string, string> = { '/ca.pem': 'CA', '/c.pem': 'C', '/k.pem': 'K' }
  const { logs } = parse(
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c:1',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem',
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/c.pem',
      OTEL_EXPORTER_OTLP_CLIENT_KEY: '/k.pem',
    },
    (path) => Buffer.from(files[path]!),
  )!
  assert.deepEqual([String(logs!.tls.ca), String(logs!.tls.cert), String(logs!.tls.key)], ['CA', 'C', 'K'])
})

test('each mistake is one sentence that names the variable', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1' }
  const cases: [Environment, RegExp][] = [
    [{ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'carrier pigeon' }, /LOGS_PROTOCOL: "carrier pigeon"/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, /does not begin with http/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '4318' }, /is not an address/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://u:secret@c' }, /"ftp:\/\/…@c"/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: '10s' }, /OTEL_EXPORTER_OTLP_TIMEOUT: "10s"/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' }, /OTEL_EXPORTER_OTLP_COMPRESSION: "zstd"/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'no equals' }, /OTEL_EXPORTER_OTLP_HEADERS: expected key=value/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'a=%zz' }, /percent-encoding/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'a=x%0d%0ay' }, /cannot stand in an HTTP header/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'Content-Type=x' }, /content-type is set by Spoor/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE: '/nope' }, /OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read "\/nope": ENOENT/],
  ]
  for (const [env, expected] of cases) {
    const message = refusal(env)
    assert.match(message, expected)
    assert.ok(!message.includes('\n') && !message.includes('secret'), message)
  }
})

test('another address is another destination, another token is not', () => {
  const name = (env: Environment): string => parse(env)!.name
  const base = name({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c.example:4318' })
  assert.match(base, /^c\.example_4318-[0-9a-f]{8}$/)
  assert.equal(name({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c.example:4318', OTEL_EXPORTER_OTLP_HEADERS: 'a=b' }), base)
  assert.notEqual(name({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c.example:4318/x' }), base)
  assert.match(name({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://[::1]:4318' }), /^1_4318-|^[^/\\]+$/)
})

test('flag over environment over file', () => {
  const file = { ...DEFAULTS.otlp, endpoint: 'http://file:1', protocol: 'http/json' as const, headers: { a: '1,2' }, timeoutMs: 7 }
  const fromFile = parse(otlpEnvironment(null, {}, file))!
  assert.deepEqual([fromFile.logs!.url.host, fromFile.logs!.protocol, fromFile.logs!.headers['a'], fromFile.logs!.timeoutMs], ['file:1', 'http/json', '1,2', 7])
  const fromEnv = parse(otlpEnvironment(null, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env:1', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, file))!
  assert.deepEqual([fromEnv.logs!.url.host, fromEnv.logs!.protocol], ['env:1', 'http/protobuf'])
  const fromFlag = parse(otlpEnvironment('http://flag:1', { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://env:1/x' }, file))!
  assert.equal(fromFlag.logs!.url.href, 'http://flag:1/v1/logs')
})
