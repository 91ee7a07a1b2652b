import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { unwrapCommand } from '../agents/unwrap.ts'
import { connectionId, spanId, traceIdOfSession } from '../identity/ids.ts'
import { type Bytes, bytesOf } from '../model/bytes.ts'
import type { EntryDraft } from '../model/entry.ts'
import type { ProcessId, SpanId } from '../model/ids.ts'
import type { ObservationOf } from '../model/observation.ts'
import type { Rollup, Shapeable } from '../model/rollup.ts'
import { problemsOf } from './check.ts'
import { shape } from './entries.ts'
import { clockStep, health, journalCut, journalDamaged, policyApplied, runEnd, runStart, sensorGap, shipParked } from './own.ts'
import { ATTRIBUTES, EVENTS } from './registry.ts'
import { file, ids, observed, opened, place, processOf, session, sock, task, toolCall, turn } from './sample.ts'
import { schemaPage } from './schema-page.ts'

const bootId = Uint8Array.from({ length: 16 }, (_, i) => i)
const wallOffsetNs = 1_795_000_000_000_000_000n
const made: EntryDraft[] = []
const draftOf = (s: Shapeable): EntryDraft => {
  const draft = shape(s, { wall: (boot) => boot + wallOffsetNs, bootId, unwrapCommand })
  made.push(draft)
  assert.deepEqual(problemsOf(draft), [])
  return draft
}
const bytes = (...list: string[]): Bytes[] => list.map(bytesOf)

const exec = (more: Partial<ObservationOf<'exec'>> = {}) =>
  observed({
    kind: 'exec',
    parent: { ...task, pid: 4000 },
    comm: bytesOf('bash'),
    exe: file('/usr/bin/bash'),
    called: bytesOf('/bin/bash'),
    args: { head: bytes('bash', '-c', 'make test'), total: 3 },
    argsBytes: 18,
    env: [],
    envMissed: false,
    cwd: bytesOf('/home/ann/project'),
    ids,
    ns: { mnt: 1, pid: 2, net: 3, user: 4 },
    cgroup: 99n,
    noNewPrivs: true,
    seccomp: 2,
    ...more,
  })

test('exec carries what the catalogue asks for', () => {
  const draft = draftOf(exec())
  assert.equal(draft.eventName, 'spoor.process.exec')
  assert.equal(draft.timeUnixNano, 1_000_500_000_000n + wallOffsetNs)
  assert.equal(draft.traceId, turn.traceId)
  assert.equal(draft.spanId, toolCall.spanId)
  assert.deepEqual(draft.attributes, {
    'session.id': session.id,
    'spoor.process.id': processOf().id,
    'process.pid': 4711,
    'spoor.turn.id': turn.id,
    'spoor.tool_call.id': toolCall.id,
    'process.executable.name': 'bash',
    'spoor.process.parent_id': processOf().parentId,
    'process.parent_pid': 4000,
    'spoor.process.image': 1,
    'spoor.process.role': 'tool',
    'process.creation.time': new Date(Number((1_000_000_000_000n + wallOffsetNs) / 1_000_000n)).toISOString(),
    'process.executable.path': '/usr/bin/bash',
    'process.command_args': ['bash', '-c', 'make test'],
    'process.working_directory': '/home/ann/project',
    'process.user.id': 1000,
    'process.interactive': true,
    'process.group_leader.pid': 4711,
    'process.session_leader.pid': 4711,
    'spoor.process.args_bytes': 18,
    'spoor.process.called_path': '/bin/bash',
    'spoor.sandbox.no_new_privs': true,
    'spoor.sandbox.seccomp': 2,
    'spoor.sandbox.namespaces': { mnt: 1, pid: 2, net: 3, user: 4 },
    'spoor.sandbox.cgroup': 99n,
    'spoor.command': 'make test',
  })
})

test('secrets leave neither in arguments nor in the command', () => {
  const secret = 'ghp_' + 'Zz9'.repeat(12)
  const { attributes } = draftOf(exec({ args: { head: bytes('bash', '-c', 'curl -H "Authorization: Bearer ' + secret + '" https://x'), total: 3 }, argsBytes: 100 }))
  assert.ok(!JSON.stringify(attributes, (_, v) => (typeof v === 'bigint' ? String(v) : v)).includes(secret.slice(6)))
  assert.deepEqual(attributes['spoor.redacted'], ['process.command_args', 'spoor.command'])
})

test('what the sensor cut has its beginning and end, without the words at the cut', () => {
  const one = draftOf(exec({ args: { head: bytes('bash', '-c', 'first sk-ant-api03-AAAA'), tail: bytes('BBBBCCCC last', 'end'), total: 4 }, argsBytes: 9000 })).attributes
  assert.deepEqual(one['process.command_args'], ['bash', '-c', 'first <cut> last', 'end'])
  assert.deepEqual(one['spoor.truncated'], ['process.command_args'])
  assert.equal(one['spoor.command'], 'first <cut> last')
  const many = draftOf(exec({ args: { head: bytes('cp', 'a', 'b'), tail: bytes('c last', 'd'), total: 2000 }, argsBytes: 9000 })).attributes
  assert.deepEqual(many['process.command_args'], ['cp', 'a', '<cut>', '<1995 arguments omitted>', '<cut> last', 'd'])
  assert.equal(many['process.args_count'], 2000)
  const short = draftOf(exec({ args: { head: bytes('cp', 'a', 'b c'), total: 9 }, argsBytes: 9000 })).attributes
  assert.deepEqual(short['process.command_args'], ['cp', 'a', 'b <cut>', '<6 arguments omitted>'])
})

test('long arguments and many of them are bounded, ends kept', () => {
  const long = draftOf(exec({ args: { head: [...bytes('x'), bytesOf('a'.repeat(20_000) + 'END')], total: 2 }, argsBytes: 20_006 })).attributes
  const [, arg] = long['process.command_args'] as string[]
  assert.match(arg!, /^a{4096}<11811 characters omitted>a{4093}END$/)
  const list = Array.from({ length: 5000 }, (_, i) => bytesOf('argument ' + i))
  const many = draftOf(exec({ args: { head: list, total: 5000 }, argsBytes: 68_890 })).attributes
  const shown = many['process.command_args'] as string[]
  assert.ok(shown.join('').length < 25_000)
  assert.equal(shown[0], 'argument 0')
  assert.equal(shown[shown.length - 1], 'argument 4999')
  const omitted = shown.find((s) => s.startsWith('<'))!
  assert.equal(Number(/\d+/.exec(omitted)![0]) + shown.length - 1, 5000)
})

test('bytes that are no UTF-8 are kept beside their lossy text', () => {
  const path = 'caf\xe9/\xff' as Bytes
  const { attributes } = draftOf(observed(opened('/p/' + path, { access: 'write' })))
  assert.equal(attributes['file.path'], '/p/caf\ufffd/\ufffd')
  assert.deepEqual(attributes['spoor.raw.file.path'], Buffer.from('/p/' + path, 'latin1'))
  const args = draftOf(exec({ args: { head: [...bytes('x'), '\xff' as Bytes], total: 2 }, argsBytes: 4 })).attributes
  assert.deepEqual(args['spoor.raw.process.command_args'], Buffer.from('x\0\xff\0', 'latin1'))
  const utf8 = draftOf(observed(opened(bytesOf('/p/ü'), { access: 'write' }))).attributes
  assert.equal(utf8['file.path'], '/p/ü')
  assert.equal('spoor.raw.file.path' in utf8, false)
})

test('exit tells code or signal and what ran', () => {
  const base = { coreDumped: false, cpuNs: 7n }
  const code = draftOf(observed({ kind: 'exit', code: 3, signal: 0, ...base })).attributes
  assert.equal(code['process.exit.code'], 3)
  assert.equal('spoor.process.exit.signal' in code, false)
  assert.deepEqual(code['spoor.process.images'], ['/usr/bin/bash'])
  assert.equal(code['spoor.start_time'], 1_000_000_000_000n + wallOffsetNs)
  const signal = draftOf(observed({ kind: 'exit', code: 0, signal: 11, ...base, coreDumped: true })).attributes
  assert.equal(signal['spoor.process.exit.signal'], 11)
  assert.equal('process.exit.code' in signal, false)
})

test('a process found at the start is an exec that was not seen', () => {
  const seen = draftOf(
    observed(
      { kind: 'process.seen', parent: task, comm: bytesOf('bash'), exe: bytesOf('/usr/bin/bash'), args: { head: bytes('bash'), total: 1 }, env: [], cwd: bytesOf('/'), ids },
      { fidelity: 'sampled' },
    ),
  )
  assert.equal(seen.eventName, 'spoor.process.exec')
  assert.equal(seen.attributes['spoor.fidelity'], 'sampled')
})

test('opens and changes', () => {
  const open = draftOf({ ...observed(opened('/p/.env', { result: -13 })), sensitivity: 'env_file' })
  assert.equal(open.attributes['error.type'], 'EACCES')
  assert.equal(open.attributes['spoor.file.sensitivity'], 'env_file')
  const rename = draftOf(observed({ kind: 'change', op: 'rename', file: file('/p/a', { exact: false }), target: file('/p/b'), result: 0 })).attributes
  assert.deepEqual([rename['file.path'], rename['spoor.file.target_path'], rename['spoor.file.operation'], rename['spoor.file.path_joined']], ['/p/a', '/p/b', 'rename', true])
  assert.equal(draftOf(observed({ kind: 'change', op: 'chmod', file: file('/p/a'), mode: 0o100755, result: 0 })).attributes['file.mode'], '0755')
})

test('sockets: one id from connect to end, bytes both ways, community id', () => {
  const connect = draftOf(observed({ kind: 'connect', sock, result: -115 })).attributes
  assert.equal(connect['network.connection.state'], 'syn_sent')
  assert.equal('error.type' in connect, false)
  assert.equal(connect['spoor.community_id'], '1:LQU9qZlK+B5F3KDmev6m5PMibrg=')
  assert.equal(connect['spoor.connection.id'], connectionId(processOf().id, bootId, 77n))
  const end = draftOf(observed({ kind: 'sock.end', sock, tx: 10n, rx: 20n, durNs: 500n, error: 104 })).attributes
  assert.equal(end['spoor.connection.id'], connect['spoor.connection.id'])
  assert.deepEqual([end['spoor.network.bytes_out'], end['spoor.network.bytes_in'], end['error.type']], [10n, 20n, 'ECONNRESET'])
  assert.equal(end['spoor.start_time'], 1_000_500_000_000n - 500n + wallOffsetNs)
  const refused = draftOf(observed({ kind: 'connect', sock, result: -111 })).attributes
  assert.equal(refused['error.type'], 'ECONNREFUSED')
  const listen = draftOf(observed({ kind: 'listen', sock: { ...sock, local: { address: '::', port: 80 }, family: 10, peer: { address: '::', port: 0 } }, result: 0 })).attributes
  assert.deepEqual([listen['network.type'], listen['network.local.port'], 'network.peer.address' in listen, 'spoor.community_id' in listen], ['ipv6', 80, false, false])
  draftOf(observed({ kind: 'accept', sock, result: 5 }))
})

test('what an agent says of a turn and a call goes with them, without secrets; a claim that comes late names what was settled', () => {
  const at = 1_000_900_000_000n
  const said = { conversation: 'conv-1', prompt: { sha256: 'a'.repeat(64), length: 65 }, model: 'model-1', mode: 'default' }
  for (const kind of ['turn.start', 'turn.end'] as const) {
    const { attributes } = draftOf({ kind, session, turn, counts: { processes: 1, toolCalls: 1, connections: 0 }, claim: said, at })
    assert.deepEqual(
      ['gen_ai.conversation.id', 'gen_ai.request.model', 'spoor.permission_mode', 'spoor.prompt.sha256', 'spoor.prompt.length'].map((name) => attributes[name]),
      ['conv-1', 'model-1', 'default', 'a'.repeat(64), 65],
    )
  }
  const claim = {
    conversation: 'conv-1',
    command: 'curl -H "Authorization: Bearer abcdefghijklmnop1234" x',
    paths: ['/work/a'],
    decision: { decision: 'accept', by: 'user' },
    ok: true,
  }
  const call = { ...toolCall, name: 'Bash', callId: 'call_1', parentSpanId: '1234567890abcdef' as SpanId }
  const join = { method: 'command', confidence: 'strong' } as const
  const end = draftOf({ kind: 'tool_call.end', session, toolCall: call, verdict: 'confirmed', why: 'x', join, spansOmitted: 0, claim, omitted: true, at })
  assert.ok(!String(end.attributes['spoor.claim.command']).includes('abcdefghijklmnop1234'))
  assert.deepEqual(
    ['spoor.claim.paths', 'spoor.claim.ok', 'spoor.approval.decision', 'spoor.approval.by', 'spoor.parent.span_id', 'spoor.span.omitted'].map((name) => end.attributes[name]),
    [['/work/a'], true, 'accept', 'user', '1234567890abcdef', true],
  )
  const late = draftOf({ kind: 'join.late', session, toolCall, name: 'Bash', callId: 'call_1', verdict: 'confirmed', join, at })
  assert.deepEqual([late.attributes['spoor.tool_call.id'], late.attributes['gen_ai.tool.call.id'], late.attributes['gen_ai.tool.name']], [toolCall.id, 'call_1', 'Bash'])
})

test('a session, its turn and its tool call make one tree of spans', () => {
  const at = 1_000_900_000_000n
  const process = processOf({ endedAt: at, exit: { code: 2, signal: 0 } })
  const start = draftOf({ kind: 'session.start', session, process, at })
  const end = draftOf({ kind: 'session.end', session, reason: 'exit', at, process })
  assert.deepEqual([start.traceId, start.spanId], [end.traceId, end.spanId])
  assert.equal(end.traceId, traceIdOfSession(session.id))
  assert.equal(end.attributes['spoor.totals.files_read'], 5)
  const turnEnd = draftOf({ kind: 'turn.end', session, turn, counts: { processes: 1, toolCalls: 1, connections: 0 }, at })
  draftOf({ kind: 'turn.start', session, turn, at })
  draftOf({ kind: 'tool_call.start', session, toolCall: { ...toolCall, callId: 'call_1' }, at })
  const call = draftOf({
    kind: 'tool_call.end',
    session,
    toolCall,
    verdict: 'not_observable',
    why: 'no claims',
    join: { method: 'lineage', confidence: 'certain' },
    spansOmitted: 0,
    at,
  })
  const settledActivity = {
    kind: 'process.settled',
    process,
    place,
    totals: { opensRead: 1, opensWrite: 2, filesChanged: 3, connections: 4, bytesOut: 5, bytesIn: 6 },
    parentSpanId: toolCall.spanId,
    startedAt: 1_000_000_000_001n,
    join: { method: 'lineage', confidence: 'certain' },
    truncated: false,
    omitted: false,
    linked: { traceId: '1'.repeat(32), spanId: '2'.repeat(16) },
    at,
  } as const
  const settled = draftOf(settledActivity)
  assert.deepEqual([turnEnd.traceId, call.traceId, settled.traceId], [turn.traceId, turn.traceId, turn.traceId])
  assert.equal(call.attributes['spoor.parent.span_id'], turnEnd.spanId)
  assert.equal(settled.attributes['spoor.parent.span_id'], call.spanId)
  assert.equal(settled.spanId, spanId('process', process.id))
  assert.equal(settled.timeUnixNano, at + wallOffsetNs)
  assert.equal(settled.attributes['spoor.start_time'], 1_000_000_000_001n + wallOffsetNs)
  assert.equal('spoor.span.omitted' in settled.attributes, false)
  const loose = draftOf({ ...settledActivity, place: { session, role: 'agent', turn: null, toolCall: null }, parentSpanId: null, omitted: true, truncated: true, linked: null })
  assert.deepEqual([loose.traceId, loose.attributes['spoor.parent.span_id']], [end.traceId, end.spanId])
  draftOf({
    kind: 'session.start',
    session: { ...session, parentId: session.id, agent: { ...session.agent, version: null }, user: { id: 0, name: null }, originVia: [] },
    process,
    at,
  })
})

test('gaps are warnings, however they come', () => {
  const gap = draftOf({ kind: 'gap', activity: null, from: 1n, to: 2n, kinds: ['open'], atLeast: 5, reason: 'ring_full', at: 2n })
  assert.equal(gap.severity, 13)
  const loss = draftOf(observed({ kind: 'loss', reason: 'ring_full', kinds: ['open'], fromBoot: 1n, toBoot: 2n, atLeast: 'unknown' }))
  assert.equal('spoor.gap.at_least' in loss.attributes, false)
  draftOf(observed({ kind: 'fork', child: task }, { place: { ...place, toolCall: null }, process: processOf({ images: [], parentId: null, id: 'x' as ProcessId }) }))
})

test('roll-ups', () => {
  const rollup: Rollup = {
    kind: 'rollup',
    process: processOf(),
    place,
    scope: 'folder',
    folder: bytesOf('/p/'),
    access: 'write',
    opens: 5,
    coalesced: 1,
    distinct: 2,
    paths: bytes('/p/a', '/p/b'),
    errors: { ENOENT: 1 },
    failedPaths: bytes('/p/c'),
    operations: { unlink: 1 },
    from: 1n,
    at: 2n,
  }
  const { attributes } = draftOf(rollup)
  assert.deepEqual(attributes['spoor.file.paths'], ['/p/a', '/p/b'])
  assert.deepEqual(attributes['spoor.file.errors'], { ENOENT: 1 })
  const raw = draftOf({ ...rollup, coalesced: 0, failedPaths: [], operations: {}, paths: ['/p/\xff' as Bytes] }).attributes
  assert.deepEqual(raw['spoor.raw.spoor.file.paths'], Buffer.from('/p/\xff\0', 'latin1'))
})

test("Spoor's own entries are as registered", () => {
  const at = 1n
  const drafts = [
    runStart({
      at,
      runId: 'r',
      previousId: 'q',
      previousEnd: 'crash',
      resource: { 'host.id': 'h' },
      sensor: { name: 'linux-ebpf', rung: 'tp_btf' },
      capabilities: { open: 'exact' },
      resumed: true,
      hooksMissing: ['x'],
    }),
    runStart({
      at,
      runId: 'r',
      previousId: null,
      previousEnd: null,
      resource: {},
      sensor: { name: 'linux-ebpf', rung: 'tp_btf' },
      capabilities: {},
      resumed: false,
      hooksMissing: [],
    }),
    runEnd({ at, runId: 'r', reason: 'signal', startedAt: 0n, ledger: {} }),
    health({ at, ledger: { sensors: {} }, oldestOpenIndex: null, openSessions: 0, cpuNs: 1n, rssBytes: 2 }),
    health({ at, ledger: {}, oldestOpenIndex: 4, openSessions: 1, cpuNs: 1n, rssBytes: 2, state: 'degraded', why: ['because'] }),
    sensorGap({ at, from: 0n, to: 1n, kinds: [], atLeast: 'unknown', reason: 'observer did not run' }),
    clockStep({ at, stepNs: -5n, offsetNs: 6n }),
    journalCut({ at, from: 1, bytes: 2, entries: 3, durable: 1 }),
    journalDamaged({ at, kind: 'mismatch', from: 1, to: 2 }),
    shipParked({ at, destination: 'otlp', signal: 'logs', entries: 1, from: 0, to: 1, reason: '400' }),
    policyApplied({ at, digest: 'd', previous: null, source: 'defaults', volume: 'normal' }),
    policyApplied({ at, digest: 'd', previous: 'c', source: 'file', volume: 'full' }),
  ]
  for (const draft of drafts) assert.deepEqual(problemsOf(draft), [])
  made.push(...drafts)
})

test('the registry has nothing that no entry uses', () => {
  const events = new Set(made.map((d) => d.eventName))
  assert.deepEqual(
    Object.keys(EVENTS).filter((name) => !events.has(name)),
    [],
  )
  const used = new Set(Object.values(EVENTS).flatMap((e) => [...e.required, ...e.optional]))
  assert.deepEqual(
    Object.keys(ATTRIBUTES).filter((name) => !used.has(name as keyof typeof ATTRIBUTES) && name !== 'log.record.uid'),
    [],
  )
})

test('docs/schema.md is what the registry says', () => {
  assert.equal(readFileSync(new URL('../../docs/schema.md', import.meta.url), 'utf8'), schemaPage(), 'run src/shape/write-schema-page.ts')
})
