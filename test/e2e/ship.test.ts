import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { balances } from '../support/ledger.ts'
import { need } from '../support/need.ts'
import { startSink } from '../support/sink.ts'
import { type Event, events, type Finished, type Observer, sessions, spoorAsync, startRun, status, until } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'

const kernel = need('root', 'ebpf')
const here = tempFolder('ship')
let next = 0

/** Also waits until the session's end can be read: readers see what is durable. */
async function record(state: string, script: string): Promise<Finished> {
  const before = sessions(state).filter((one) => one.agent.kind === 'record' && one.state === 'ended').length
  const done = await spoorAsync(['record', '--state-dir', state, '--', '/bin/sh', '-c', script])
  await until('the session in the journal', () => sessions(state).filter((one) => one.agent.kind === 'record' && one.state === 'ended').length > before)
  return done
}
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Everything in the journal but what the observer writes of itself meanwhile. */
const journalled = (state: string): string[] =>
  events(state)
    .filter((event) => event.sessionId !== null)
    .map((event) => event.uid)

async function withSink(body: (sink: Awaited<ReturnType<typeof startSink>>, observer: Observer, state: string) => Promise<void>, env: Record<string, string> = {}): Promise<void> {
  const sink = await startSink()
  const state = join(here, `state-${next++}`)
  const observer = await startRun(state, { args: ['--otlp-endpoint', sink.url], env })
  try {
    await body(sink, observer, state)
  } finally {
    await observer.stop()
    await sink.close()
  }
}

test('every entry arrives as a log record, every settled entry as a span', kernel, async () => {
  await withSink(
    async (sink, _observer, state) => {
      const done = await record(state, '/bin/ls / >/dev/null; /bin/true; exit 3')
      assert.equal(done.code, 3, done.stderr)
      const uids = journalled(state)
      assert.ok(uids.length > 5)
      await until('all entries at the sink', () => uids.every((uid) => sink.logs.some((record) => record.attributes['log.record.uid'] === uid)))
      assert.deepEqual(sink.malformed, [])
      for (const record of sink.logs) {
        assert.equal(record.scope.name, 'spoor')
        assert.match(record.scope.version, /^1\./)
        assert.equal(typeof record.resource['host.id'], 'string')
        assert.equal(record.resource['service.name'], 'spoor')
        assert.ok(record.eventName !== '')
        assert.ok(record.timeUnixNano > 1_700_000_000_000_000_000n)
      }
      const mine = new Set(
        sessions(state)
          .filter((one) => one.agent.kind === 'record')
          .map((one) => one.id),
      )
      const settled = events(state).filter(
        (event) => mine.has(event.sessionId ?? '') && ['session.end', 'spoor.turn.end', 'spoor.tool_call.end', 'spoor.process.settled'].includes(event.eventName),
      )
      assert.ok(settled.length >= 4)
      const found = (event: Event) => sink.spans.filter((span) => span.traceId === event.traceId && span.spanId === event.spanId)
      await until('all spans', () => settled.every((event) => found(event).length > 0))
      const spans = settled.flatMap(found)
      assert.equal(spans.length, settled.length, 'at most one span each')
      const ids = new Set(spans.map((span) => span.spanId))
      for (const span of spans) {
        assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano), span.name)
        if (span.parentSpanId) assert.ok(ids.has(span.parentSpanId), `${span.name}: its parent is there`)
      }
      await until('the ledger to settle', () => {
        const ledger = Object.values(status(state)?.ledger?.destinations ?? {})[0]
        return ledger?.logs != null && ledger.logs.pending === '0' && ledger.traces?.pending === '0'
      })
      await balances(state)
      assert.ok(sink.requests.every((request) => request.encoding === 'gzip'))
    },
    { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' },
  )
})

test('a sink that is away, answers 503 and 429, or cuts the line: all of it arrives later, byte-identical where twice', kernel, async () => {
  await withSink(async (sink, _observer, state) => {
    let seen = 0
    sink.mood = () => {
      seen++
      if (seen === 1) return { status: 503, headers: { 'retry-after': '1' } }
      if (seen === 2) return { status: 429, headers: { 'retry-after': '1' } }
      if (seen === 3) return 'reset'
      return { status: 200 }
    }
    assert.equal((await record(state, 'true')).code, 0)
    await until('the first arrivals', () => sink.logs.length > 0, 40_000)
    await sink.close()
    assert.equal((await record(state, '/bin/true away')).code, 0)
    await sleep(1500)
    await sink.reopen()
    sink.mood = { status: 200 }
    const uids = journalled(state)
    await until('all after the sink came back', () => uids.every((uid) => sink.logs.some((record) => record.attributes['log.record.uid'] === uid)), 60_000)
    const digests = new Map<unknown, string>()
    for (const record of sink.logs) {
      const uid = record.attributes['log.record.uid']
      const found = digests.get(uid)
      if (found !== undefined) assert.equal(digest(record.raw), found, `${uid} resent with other bytes`)
      digests.set(uid, digest(record.raw))
    }
    assert.deepEqual(sink.malformed, [])
    const honoured = sink.requests.filter((request) => request.answered === 503 || request.answered === 429)
    assert.equal(honoured.length, 2)
  })
})

test('a batch refused for ever (400) is parked, counted, and blocks nothing', kernel, async () => {
  await withSink(async (sink, _observer, state) => {
    let refused = 0
    sink.mood = (path) => (path.endsWith('/v1/logs') && refused++ === 0 ? { status: 400, body: 'no' } : { status: 200 })
    assert.equal((await record(state, 'true first')).code, 0)
    await until('a refusal', () => sink.requests.some((request) => request.answered === 400))
    assert.equal((await record(state, '/bin/true second')).code, 0)
    await until('what follows', () => sink.logs.some((record) => JSON.stringify(record.attributes['process.command_args'] ?? '').includes('second')))
    const logs = await until('the ledger', () => {
      const found = Object.values(status(state)?.ledger?.destinations ?? {})[0]?.logs
      return found != null && found.pending === '0' && found
    })
    const rejected = Object.values(logs.rejected).reduce((n, count) => n + Number(count), 0)
    assert.ok(Number(logs.parked) + rejected > 0, JSON.stringify(logs))
    await balances(state)
  })
})

test('partial success is counted as rejected, not resent', kernel, async () => {
  await withSink(async (sink, _observer, state) => {
    let first = true
    sink.mood = (path) => {
      if (!path.endsWith('/v1/logs') || !first) return { status: 200 }
      first = false
      return { status: 200, body: Uint8Array.of(0x0a, 0x02, 0x08, 0x01) } // partial_success { rejected_log_records: 1 }
    }
    assert.equal((await record(state, 'true')).code, 0)
    const logs = await until('the count', () => {
      const found = Object.values(status(state)?.ledger?.destinations ?? {})[0]?.logs
      return found != null && Object.values(found.rejected).some((count) => count === '1') && found
    })
    assert.ok(logs)
    await balances(state)
  })
})

for (const [name, mood] of [
  ['404', { status: 404 }],
  ['500', { status: 500 }],
  ['garbage', { status: 200, body: '\u0000\u0001garbage', headers: { 'content-type': 'text/html' } }],
  ['never an answer', 'never'],
] as const) {
  test(`an endpoint that answers ${name}: the observer records on, says so, stops in time`, kernel, async () => {
    await withSink(
      async (sink, observer, state) => {
        sink.mood = mood
        assert.equal((await record(state, '/bin/true')).code, 0)
        await until('a request', () => sink.requests.length > 0)
        assert.ok(journalled(state).length > 3)
        assert.notEqual(status(state)?.state, 'disabled')
        await balances(state)
        const began = Date.now()
        assert.equal(await observer.stop(), 0)
        assert.ok(Date.now() - began < 20_000, `stopped in ${Date.now() - began} ms`)
      },
      { OTEL_EXPORTER_OTLP_TIMEOUT: '1000' },
    )
  })
}

test('http/json and headers from the environment', kernel, async () => {
  await withSink(
    async (sink, _observer, state) => {
      assert.equal((await record(state, '/bin/true')).code, 0)
      await until('logs as JSON', () => sink.requests.some((request) => request.path === '/v1/logs' && request.contentType.includes('json')))
      assert.ok(sink.requests.every((request) => request.headers['x-team'] === 'blue'))
      assert.deepEqual(sink.malformed, [])
    },
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_HEADERS: 'x-team=blue' },
  )
})

test('what a stopped observer did not ship is shipped by the next one, with the resource of its own run', kernel, async () => {
  const sink = await startSink()
  const state = join(here, 'later')
  try {
    assert.equal((await record(state, '/bin/true earlier')).code, 0)
    const uids = journalled(state)
    const observer = await startRun(state, { args: ['--otlp-endpoint', sink.url] })
    await until('the earlier run’s entries', () => uids.every((uid) => sink.logs.some((record) => record.attributes['log.record.uid'] === uid)))
    await observer.stop()
    const before = sink.logs.length
    const again = await startRun(state, { args: ['--otlp-endpoint', sink.url] })
    await sleep(1500)
    await again.stop()
    const repeated = sink.logs.slice(before).filter((record) => uids.includes(String(record.attributes['log.record.uid'])))
    assert.equal(repeated.length, 0, 'the cursor was kept')
  } finally {
    await sink.close()
  }
})
