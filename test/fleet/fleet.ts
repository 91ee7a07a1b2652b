// Spoor -> Collector -> stores with real programs. Not part of `npm test`: npm run test:fleet      FLEET_HOLD=1: leaves it all running until Ctrl-C
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { NOT_OBSERVABLE, UNSEEN } from '../../dashboards/queries.ts'
import { balances } from '../support/ledger.ts'
import { need } from '../support/need.ts'
import { type Event, events, type Observer, root, sessions, spoorAsync, startRun, status, text, until } from '../support/spoor.ts'
import { ensurePeers, type Peers } from './peers.ts'
import { config, type Fleet, startFleet } from './servers.ts'
import { findTraces, type JaegerSpan, logLines, logNumbers, logSeries, metricNumbers, metricSeries, parentOf, type Sample, trace } from './stores.ts'

const AGENT = 'fleet-agent'
const OUTAGE_MS = 30_000
const ARRIVAL_MS = 60_000
const MAX_SPANS = 2000
/** Boot time becomes wall time by an offset that is sampled again and again: two looks at one moment differ a little. */
const CLOCK_SLACK_US = 1000
const SETTLED = ['session.end', 'spoor.turn.end', 'spoor.tool_call.end', 'spoor.process.settled']

const able = need('root', 'ebpf')
const peers = able.skip === false ? ensurePeers() : { unavailable: able.skip }
const skip = 'unavailable' in peers ? peers.unavailable : false
if (skip !== false && process.env['CI'] === 'true') throw new Error(`in CI the fleet test must not be skipped, but it ${skip}`)
if (skip !== false) console.log(`fleet: skipped: ${skip}`)

const folder = mkdtempSync(join(tmpdir(), 'spoor-fleet-'))
const state = join(folder, 'state')
const began = Date.now()
const far = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end('thanks\n')))
const programs = peers as Peers
let fleet: Fleet
let observer: Observer | null = null

before(async () => {
  if (skip !== false) return
  await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve))
  fleet = await startFleet(folder, programs)
})

after(async () => {
  if (process.env['FLEET_HOLD'] && skip === false) {
    console.log('fleet: held', { jaeger: fleet.jaeger, loki: fleet.loki, prometheus: fleet.prometheus, otlp: fleet.otlp, state })
    await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()))
  }
  try {
    await observer?.stop()
  } finally {
    await fleet?.stop()
    far.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})

/** Stands for an agent that Spoor was told of by its configuration: three tool calls, each a session leader as agents make them. */
function writeAgent(): string {
  const file = join(folder, 'bin', AGENT)
  mkdirSync(join(folder, 'bin'), { recursive: true })
  mkdirSync(join(folder, 'project'), { recursive: true })
  writeFileSync(join(folder, 'project/.env'), 'TOKEN=x\n')
  writeFileSync(
    file,
    `#!/bin/bash
cd ${join(folder, 'project')}
setsid /bin/sh -c 'ls / | sort >listing.txt; for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; mv listing.txt done.txt'
setsid /bin/sh -c 'cat .env; exit 3' >/dev/null
setsid /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/${(far.address() as AddressInfo).port}; cat .env >&3; read -r answer <&3'
`,
    { mode: 0o755 },
  )
  return file
}

/** Not spawnSync: what it calls is in this process. */
async function runAgent(file: string): Promise<void> {
  const child = spawn(file, [], { stdio: 'ignore', env: { PATH: '/usr/bin:/bin' }, timeout: 20_000 })
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0)
}
const ended = (): number => sessions(state).filter((session) => session.state === 'ended').length

async function session(body: () => unknown): Promise<void> {
  const known = ended()
  await body()
  await until('the session in the journal', () => ended() > known)
}

const record = (script: string): Promise<unknown> => spoorAsync(['record', '--state-dir', state, '--name', 'recorded', '--', '/bin/sh', '-c', script])

type Placed = Event & { readonly traceId: string | null; readonly spanId: string | null }

/** All that was journalled so far, and what of it makes a span. */
function journal(): { entries: Placed[]; spans: Placed[] } {
  const entries = events(state) as Placed[]
  return { entries, spans: entries.filter((event) => SETTLED.includes(event.eventName) && !event.attributes['spoor.span.omitted']) }
}

async function eventually<T>(what: string, probe: () => Promise<T | false>, timeoutMs = ARRIVAL_MS): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const value = await probe()
    if (value !== false) return value
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await sleep(500)
  }
}

async function shipped(): Promise<void> {
  await until(
    'Spoor to have delivered all',
    () => {
      const ledger = Object.values(status(state)?.ledger?.destinations ?? {})[0]
      return ledger?.logs?.pending === '0' && ledger.traces?.pending === '0'
    },
    ARRIVAL_MS,
  )
}

test('the Collector takes otel-collector.yaml, with its defaults and with every address set', { skip }, () => {
  for (const env of [{}, fleet.environment]) {
    const done = spawnSync(programs.otelcol, ['validate', '--config', config], { encoding: 'utf8', env: { SPOOR_QUEUE_DIR: fleet.environment['SPOOR_QUEUE_DIR'], ...env } })
    assert.equal(done.status, 0, done.stderr)
    assert.doesNotMatch(done.stderr, /deprecat|warn/i)
  }
})

test('sessions arrive in both stores, each entry and span once, though the Collector is killed for 30 s in the middle', { skip, timeout: 170_000 }, async (t) => {
  const agent = writeAgent()
  observer = await startRun(state, { args: ['--otlp-endpoint', fleet.otlp], config: `agents:\n  - name: ${AGENT}\n    script: ${agent}\n    candidates: [${AGENT}]\n` })
  await session(() => runAgent(agent))
  await session(() => record('i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done'))
  await fleet.killCollector()
  const killed = Date.now()
  await session(() => runAgent(agent))
  await session(() => record('/bin/ls / >/dev/null; exit 4'))
  await sleep(OUTAGE_MS - (Date.now() - killed))
  const pending = Object.values(status(state)?.ledger?.destinations ?? {})[0]?.logs?.pending
  await fleet.startCollector()
  await shipped()
  await eventually(
    'span metrics of the first calls',
    async () => (await metricNumbers(fleet.prometheus, `traces_span_metrics_calls_total{gen_ai_tool_name!="",gen_ai_agent_name="${AGENT}"}`, Date.now())).length > 0,
  )
  await session(() => runAgent(agent))
  await shipped()
  const back = Date.now()

  const { entries, spans } = journal()
  const lines = await eventually('every entry in the log store', async () => {
    const found = await logLines(fleet.loki, '{service_name="spoor"}', began - 3_600_000, Date.now() + 60_000)
    const uids = new Set(found.map((line) => line.uid))
    return entries.every((event) => uids.has(event.uid)) && found
  })
  const stored = new Map<string, number>()
  for (const line of lines) stored.set(line.uid, (stored.get(line.uid) ?? 0) + line.times)
  const twice = entries.filter((event) => stored.get(event.uid)! > 1)
  const journalled = new Map(entries.map((event) => [event.uid, event]))
  for (const line of lines) {
    const event = journalled.get(line.uid)
    if (event === undefined) continue // written after the look into the journal
    assert.equal(line.fields['event_name'], event.eventName)
    assert.ok(line.line.startsWith(event.eventName), line.line)
    if (event.attributes['file.path'] !== undefined) assert.ok(line.line.endsWith(text(event, 'file.path')), line.line)
    assert.equal(line.fields['session_id'] ?? null, event.sessionId)
  }

  const wanted = Map.groupBy(spans, (event) => String(event.traceId))
  let doubled = 0
  for (const [id, settled] of wanted) {
    const found = await eventually(`all ${settled.length} spans of trace ${id}`, async () => {
      const all = await trace(fleet.jaeger, id)
      const ids = new Set(all.map((span) => span.spanID))
      return settled.every((event) => ids.has(String(event.spanId))) && all
    })
    doubled += found.length - new Set(found.map((span) => span.spanID)).size
    checkTrace(id, settled, found)
  }
  // What the Collector had taken but not answered, or had handed on but not forgotten, when it was killed comes twice: at least once is what OTLP promises.
  t.diagnostic(
    `${entries.length} entries and ${spans.length} spans in ${wanted.size} traces; ${pending} entries waited when the Collector came back; all there ${Math.round((back - killed - OUTAGE_MS) / 1000)} s after that; twice: ${twice.length} entries, ${doubled} spans`,
  )
  assert.ok(Number(pending) > 0, 'the outage was felt')
  assert.ok(twice.length <= entries.length / 4 && doubled <= spans.length / 4, `more than requests in flight came twice: ${twice.length} entries, ${doubled} spans`)
  await balances(state)
})

function checkTrace(id: string, settled: readonly Placed[], found: readonly JaegerSpan[]): void {
  const ids = new Set(found.map((span) => span.spanID))
  assert.ok(ids.size <= MAX_SPANS, `trace ${id} has ${ids.size} spans`)
  // Children are settled before their parents: while an agent runs, its trace is not whole.
  if (!settled.some((event) => event.eventName === 'spoor.turn.end' || event.eventName === 'session.end')) return
  const roots = found.filter((span) => parentOf(span) === null)
  assert.equal(new Set(roots.map((span) => span.spanID)).size, 1, `trace ${id} has one root: ${JSON.stringify(roots.map((span) => span.operationName))}`)
  const byId = new Map(found.map((span) => [span.spanID, span]))
  for (const span of found) {
    const parent = parentOf(span)
    if (parent === null) continue
    assert.ok(ids.has(parent), `trace ${id}: ${span.operationName} has no parent`)
    assert.ok(span.startTime + CLOCK_SLACK_US >= byId.get(parent)!.startTime, `trace ${id}: ${span.operationName} starts before ${byId.get(parent)!.operationName}`)
  }
}

test('a trace reads turn, tool call, process, child process, and is found by agent, tool and session', { skip }, async () => {
  const mine = sessions(state).filter((one) => one.agent.name === AGENT)
  assert.equal(mine.length, 3)
  const calls = journal().entries.filter((event) => event.eventName === 'spoor.tool_call.end' && event.attributes['gen_ai.agent.name'] === AGENT)
  assert.equal(calls.length, 9)
  const window = [began - 60_000, Date.now() + 60_000] as const
  const byAgent = await findTraces(fleet.jaeger, { 'gen_ai.agent.name': AGENT }, ...window)
  const byTool = await findTraces(fleet.jaeger, { 'gen_ai.tool.name': 'shell' }, ...window)
  for (const call of calls) {
    const id = String(call.traceId)
    assert.ok(byAgent.has(id) && byTool.has(id))
    assert.ok((await findTraces(fleet.jaeger, { 'session.id': text(call, 'session.id') }, ...window)).has(id))
    const spans = await trace(fleet.jaeger, id)
    const byId = new Map(spans.map((span) => [span.spanID, span]))
    const tool = byId.get(String(call.spanId))!
    assert.equal(tool.operationName, 'execute_tool shell')
    assert.equal(byId.get(parentOf(tool)!)?.operationName, `invoke_agent ${AGENT}`)
    const processes = spans.filter((span) => parentOf(span) === tool.spanID)
    assert.ok(processes.length > 0, 'a process below its tool call')
  }
  const first = await trace(fleet.jaeger, String(calls[0]!.traceId))
  const children = first.filter((span) => span.operationName === 'true')
  assert.equal(children.length, 10, 'every short process has its span')
})

type Target = { readonly expr: string; readonly queryType?: string; readonly instant?: boolean }
type Panel = { readonly title: string; readonly type: string; readonly datasource?: { readonly type: string }; readonly targets?: readonly Target[] }
const dashboard = JSON.parse(readFileSync(join(root, 'dashboards/agent-behaviour.json'), 'utf8')) as { readonly panels: readonly Panel[] }

/** What Grafana puts in for its variables. */
const filled = (expr: string): string =>
  expr
    .replaceAll('$__range', `${Math.ceil((Date.now() - began) / 1000) + 60}s`)
    .replaceAll('$__auto', '5s')
    .replaceAll('$__rate_interval', '1m')
    .replaceAll(/\$(agent|session)/g, '.*')

async function ask(panel: Panel, target: Target, at = Date.now()): Promise<Sample[] | string[]> {
  const query = filled(target.expr)
  if (panel.datasource?.type === 'prometheus') return target.instant ? metricNumbers(fleet.prometheus, query, at) : metricSeries(fleet.prometheus, query, began, at)
  if (panel.type === 'logs') return (await logLines(fleet.loki, query, began, at)).map((line) => line.line)
  return target.queryType === 'instant' ? logNumbers(fleet.loki, query, at) : logSeries(fleet.loki, query, began, at)
}

test('every query of the dashboard returns data', { skip }, async (t) => {
  const least: Record<string, number> = {
    Sessions: 5,
    'Tool calls': 9,
    'Programs run': 130,
    'Changes of files': 6,
    'Reads of sensitive files': 3,
    'Connections out': 3,
    'Bytes sent': 24,
    'Bytes received': 21,
  }
  for (const panel of dashboard.panels.filter((one) => one.type !== 'row')) {
    for (const target of panel.targets!) {
      const found = await eventually(
        `data for ${panel.title}: ${filled(target.expr)}`,
        async () => {
          const answer = await ask(panel, target)
          return answer.some((one) => (typeof one === 'string' ? one.trim() !== '' : Number.isFinite(one.value))) && answer
        },
        15_000,
      )
      if (panel.type === 'logs') assert.ok(!found.some((line) => String(line).includes('<no value>')), panel.title)
      const want = least[panel.title]
      if (want !== undefined) assert.ok((found as Sample[])[0]!.value >= want, `${panel.title}: ${(found as Sample[])[0]!.value}, at least ${want} expected`)
      t.diagnostic(
        `${panel.title}: ${
          panel.type === 'logs'
            ? (found as string[])[0]
            : (found as Sample[])
                .slice(0, 4)
                .map((one) => `${Object.values(one.labels).join(' ')} ${one.value}`.trim())
                .join('; ')
        }`,
      )
    }
  }
})

test('before Spoor ran, the dashboard says "not observable", not 0', { skip }, async () => {
  for (const panel of dashboard.panels.filter((one) => one.targets?.some((target) => target.expr.endsWith(UNSEEN)))) {
    const [sample] = (await ask(panel, panel.targets![0]!, began - 3_600_000)) as Sample[]
    assert.equal(sample?.value, NOT_OBSERVABLE, panel.title)
  }
})
