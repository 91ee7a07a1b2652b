import assert from 'node:assert/strict'
import { spanId, traceIdOfSession } from '../identity/ids.ts'
import type { SessionActivity } from '../model/session.ts'

/** The most process spans a trace may have. Written down again on purpose: this is the check. */
const SPANS_MAX = 1_000

/**
 * What must hold for everything that came out, once all sessions have ended: each span has its parent in the same trace, none begins before its
 * parent, everything that began has ended exactly once, and nothing but late facts comes after its session's end.
 */
export function checkSpans(out: readonly SessionActivity[]): void {
  const spans = new Map<string, { readonly start: bigint; readonly end: bigint; readonly parent: string | null; readonly what: string }>()
  const perTrace = new Map<string, number>()
  const open = new Map<string, string>()
  const ended = new Set<string>()
  const add = (trace: string, span: string, start: bigint, end: bigint, parent: string | null, what: string): void => {
    const key = `${trace}/${span}`
    assert.ok(!spans.has(key), `${what}: two spans of one id`)
    assert.ok(end >= start, `${what}: ends before it begins`)
    spans.set(key, { start, end, parent: parent === null ? null : `${trace}/${parent}`, what })
  }
  const settled = new Set<string>()
  const execs = new Set<string>()
  const told = new Set<string>()
  for (const activity of out) {
    const session = activity.kind === 'gap' ? null : activity.kind === 'observed' || activity.kind === 'process.settled' ? activity.place.session : activity.session
    if (session !== null && activity.kind !== 'observed') assert.ok(!ended.has(session.id), `${activity.kind} after the end of its session`)
    switch (activity.kind) {
      case 'session.start':
        assert.ok(!open.has(session!.id), 'a session starts twice')
        open.set(session!.id, 'session')
        break
      case 'turn.start':
        assert.ok(open.has(session!.id), 'a turn before its session')
        assert.ok(!open.has(activity.turn.id), 'a turn starts twice')
        open.set(activity.turn.id, 'turn')
        break
      case 'tool_call.start':
        assert.ok(open.has(activity.toolCall.turn.id), 'a tool call before its turn')
        assert.ok(!open.has(activity.toolCall.id), 'a tool call starts twice')
        open.set(activity.toolCall.id, 'tool_call')
        break
      case 'observed': {
        const { process, observation } = activity.activity
        if (observation.kind === 'exec') execs.add(process.id)
        break
      }
      case 'process.settled': {
        const { process, place, parentSpanId, startedAt, omitted, at } = activity
        const key = `${session!.id}/${process.id}`
        assert.ok(!settled.has(key), `process ${process.task.pid} settled twice`)
        settled.add(key)
        told.add(process.id)
        const trace = place.turn === null ? traceIdOfSession(session!.id) : place.turn.traceId
        if (omitted) break
        assert.notEqual(parentSpanId, null, 'a process span has a parent')
        add(trace, spanId('process', process.id), startedAt, at, parentSpanId, `process ${process.task.pid}`)
        perTrace.set(trace, (perTrace.get(trace) ?? 0) + 1)
        break
      }
      case 'tool_call.end':
        assert.ok(open.delete(activity.toolCall.id), 'a tool call ends that is not open')
        if (activity.omitted === true) break
        add(
          activity.toolCall.turn.traceId,
          activity.toolCall.spanId,
          activity.toolCall.startedAt,
          activity.at,
          activity.toolCall.parentSpanId ?? activity.toolCall.turn.spanId,
          'tool call',
        )
        break
      case 'turn.end':
        assert.ok(open.delete(activity.turn.id), 'a turn ends that is not open')
        assert.ok(activity.counts.processes >= 0 && activity.counts.connections >= 0)
        add(activity.turn.traceId, activity.turn.spanId, activity.turn.startedAt, activity.at, null, 'turn')
        break
      case 'session.end':
        assert.ok(open.delete(session!.id), 'a session ends that is not open')
        ended.add(session!.id)
        add(traceIdOfSession(session!.id), spanId('session', session!.id), session!.startedAt, activity.at, null, 'session')
        break
      case 'join.late':
      case 'gap':
        break
      default:
        activity satisfies never
    }
  }
  for (const { parent, start, what } of spans.values()) {
    if (parent === null) continue
    const above = spans.get(parent)
    assert.ok(above !== undefined, `${what} hangs on a span that never came`)
    assert.ok(start >= above.start, `${what} begins before ${above.what}`)
  }
  for (const [trace, count] of perTrace) assert.ok(count <= SPANS_MAX, `trace ${trace} has ${count} process spans`)
  assert.deepEqual([...open.values()], [], 'what began has ended')
  // One that execs another agent goes over into that one's session, and is settled there.
  for (const id of execs) assert.ok(told.has(id), `an exec without a settled entry: ${id}`)
}
