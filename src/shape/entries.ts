import { spanId, traceIdOfSession } from '../identity/ids.ts'
import type { Bytes, Clip } from '../model/bytes.ts'
import type { EntryDraft } from '../model/entry.ts'
import { SEVERITY } from '../model/entry.ts'
import type { BootNs } from '../model/observation.ts'
import { imageOf } from '../model/process.ts'
import type { Shapeable } from '../model/rollup.ts'
import type { Session, SessionActivity } from '../model/session.ts'
import type { Redactor } from '../redact/redact.ts'
import { baseName, creationTime, exit, fact, gap, type Made, observed, rollup, standardRedactor } from './facts.ts'
import { type Draft, putArguments, putBytes, putText } from './text.ts'

export type ShapeContext = {
  /** Unix nanoseconds of a boot stamp; the same stamp always gives the same time, or a child could begin before its parent. */
  readonly wall: (boot: BootNs) => bigint
  /** The kernel's boot id, 16 bytes. */
  readonly bootId: Uint8Array
  /** The command in an agent's shell prelude, or null where the arguments are no shell's. */
  readonly unwrapCommand?: (args: Clip<readonly Bytes[]>) => Bytes | null
  readonly redactor?: Redactor
}

type Of<K extends SessionActivity['kind']> = Extract<SessionActivity, { kind: K }>

/** Stage 5: the entry of an activity or roll-up, as SCHEMA.md's catalogue has it. Pure. With facts.ts and own.ts the only place that knows attribute names. */
export function shape(shapeable: Shapeable, context: ShapeContext): EntryDraft {
  const made = madeOf(shapeable, context)
  return {
    eventName: made.name,
    timeUnixNano: context.wall(made.at ?? shapeable.at),
    severity: made.severity ?? SEVERITY.info,
    attributes: made.attributes,
    ...(made.traceId !== undefined && { traceId: made.traceId }),
    ...(made.spanId !== undefined && { spanId: made.spanId }),
  }
}

function madeOf(shapeable: Shapeable, context: ShapeContext): Made {
  switch (shapeable.kind) {
    case 'observed':
      return observed(shapeable, context)
    case 'rollup':
      return rollup(shapeable, context)
    case 'session.start':
      return sessionStart(shapeable, context)
    case 'session.end':
      return sessionEnd(shapeable, context)
    case 'turn.start':
      return { name: 'spoor.turn.start', attributes: turnOf(shapeable), traceId: shapeable.turn.traceId, spanId: shapeable.turn.spanId }
    case 'turn.end':
      return turnEnd(shapeable, context)
    case 'tool_call.start':
      return {
        name: 'spoor.tool_call.start',
        attributes: toolCallOf(shapeable, context),
        traceId: shapeable.toolCall.turn.traceId,
        spanId: shapeable.toolCall.spanId,
      }
    case 'tool_call.end':
      return toolCallEnd(shapeable, context)
    case 'process.settled':
      return settled(shapeable, context)
    case 'join.late':
      return joinLate(shapeable)
    case 'gap':
      return gap(shapeable.kinds, shapeable.atLeast, shapeable.reason, shapeable.from, shapeable.to, context)
    default:
      return shapeable satisfies never
  }
}

function sessionOf(session: Session): Draft {
  const attributes: Draft = { 'session.id': session.id, 'gen_ai.agent.name': session.agent.name, 'spoor.agent.kind': session.agent.kind }
  if (session.agent.version !== null) attributes['gen_ai.agent.version'] = session.agent.version
  if (session.parentId !== null) attributes['spoor.session.parent_id'] = session.parentId
  return attributes
}

function sessionStart({ session, process }: Of<'session.start'>, context: ShapeContext): Made {
  const attributes = sessionOf(session)
  const redactor = context.redactor ?? standardRedactor
  attributes['spoor.process.id'] = process.id
  attributes['process.pid'] = process.task.pid
  attributes['process.creation.time'] = creationTime(process, context)
  attributes['spoor.agent.evidence'] = session.agent.evidence.map((evidence) => redactor.text(evidence))
  attributes['spoor.agent.sanction'] = session.agent.sanction
  attributes['spoor.session.joined_late'] = session.joinedLate
  attributes['spoor.coverage'] = { fidelity: session.coverage.fidelity, reasons: [...session.coverage.reasons] }
  whoAsked(attributes, session)
  if (session.originVia.length > 0) attributes['spoor.origin_via'] = [...session.originVia]
  putBytes(attributes, 'process.executable.name', baseName(session.image.path))
  putBytes(attributes, 'process.executable.path', session.image.path)
  putArguments(attributes, redactor, { head: session.image.args, total: session.image.args.length })
  putBytes(attributes, 'process.working_directory', session.image.cwd)
  return { name: 'session.start', attributes, traceId: traceIdOfSession(session.id), spanId: spanId('session', session.id) }
}

/** On what makes the outer spans, too: a trace view shows nothing else. */
function whoAsked(attributes: Draft, session: Session): void {
  attributes['user.id'] = String(session.user.id)
  if (session.user.name !== null) attributes['user.name'] = session.user.name
  attributes['spoor.origin'] = session.origin
}

function sessionEnd({ session, process, reason }: Of<'session.end'>, context: ShapeContext): Made {
  const attributes = sessionOf(session)
  attributes['spoor.process.id'] = process.id
  attributes['process.pid'] = process.task.pid
  attributes['spoor.start_time'] = context.wall(session.startedAt)
  attributes['spoor.end.reason'] = reason
  whoAsked(attributes, session)
  const { totals } = session
  attributes['spoor.totals.processes'] = totals.processes
  attributes['spoor.totals.execs'] = totals.execs
  attributes['spoor.totals.files_read'] = totals.filesRead
  attributes['spoor.totals.files_changed'] = totals.filesChanged
  attributes['spoor.totals.connections'] = totals.connections
  attributes['spoor.totals.bytes_out'] = totals.bytesOut
  attributes['spoor.totals.turns'] = totals.turns
  attributes['spoor.totals.tool_calls'] = totals.toolCalls
  attributes['spoor.coverage'] = { fidelity: session.coverage.fidelity, reasons: [...session.coverage.reasons] }
  attributes['spoor.incomplete'] = [...session.incomplete]
  return { name: 'session.end', attributes, traceId: traceIdOfSession(session.id), spanId: spanId('session', session.id) }
}

function turnOf({ session, turn, claim }: Of<'turn.start'> | Of<'turn.end'>): Draft {
  const attributes: Draft = {
    'session.id': session.id,
    'gen_ai.agent.name': session.agent.name,
    'spoor.turn.id': turn.id,
    'spoor.turn.basis': turn.basis,
    'spoor.turn.number': turn.number,
  }
  if (claim === undefined) return attributes
  attributes['gen_ai.conversation.id'] = claim.conversation
  if (claim.model !== null) attributes['gen_ai.request.model'] = claim.model
  if (claim.mode !== null) attributes['spoor.permission_mode'] = claim.mode
  if (claim.prompt !== null) {
    attributes['spoor.prompt.sha256'] = claim.prompt.sha256
    attributes['spoor.prompt.length'] = claim.prompt.length
  }
  return attributes
}

function turnEnd(activity: Of<'turn.end'>, context: ShapeContext): Made {
  const { turn, counts } = activity
  const attributes = turnOf(activity)
  whoAsked(attributes, activity.session)
  attributes['spoor.start_time'] = context.wall(turn.startedAt)
  attributes['spoor.totals.processes'] = counts.processes
  attributes['spoor.totals.tool_calls'] = counts.toolCalls
  attributes['spoor.totals.connections'] = counts.connections
  return { name: 'spoor.turn.end', attributes, traceId: turn.traceId, spanId: turn.spanId }
}

function toolCallOf({ session, toolCall: call, claim }: Of<'tool_call.start'> | Of<'tool_call.end'>, context: ShapeContext): Draft {
  const attributes: Draft = {
    'session.id': session.id,
    'gen_ai.agent.name': session.agent.name,
    'spoor.process.id': call.rootProcess,
    'spoor.turn.id': call.turn.id,
    'spoor.tool_call.id': call.id,
    'gen_ai.tool.name': call.name,
  }
  if (call.callId !== null) attributes['gen_ai.tool.call.id'] = call.callId
  if (claim === undefined) return attributes
  const redactor = context.redactor ?? standardRedactor
  attributes['gen_ai.conversation.id'] = claim.conversation
  if (claim.command !== null) putText(attributes, redactor, 'spoor.claim.command', claim.command)
  if (claim.paths.length > 0) attributes['spoor.claim.paths'] = claim.paths.map((path) => redactor.text(path))
  if (claim.ok !== null) attributes['spoor.claim.ok'] = claim.ok
  if (claim.decision !== null) {
    attributes['spoor.approval.decision'] = claim.decision.decision
    if (claim.decision.by !== null) attributes['spoor.approval.by'] = claim.decision.by
  }
  return attributes
}

function toolCallEnd(activity: Of<'tool_call.end'>, context: ShapeContext): Made {
  const { toolCall, verdict, why, join, spansOmitted, omitted } = activity
  const attributes = toolCallOf(activity, context)
  attributes['spoor.start_time'] = context.wall(toolCall.startedAt)
  attributes['spoor.verdict'] = verdict
  attributes['spoor.verdict.why'] = why
  attributes['spoor.join.method'] = join.method
  attributes['spoor.join.confidence'] = join.confidence
  attributes['spoor.spans.omitted'] = spansOmitted
  if (omitted === true) attributes['spoor.span.omitted'] = true
  attributes['spoor.parent.span_id'] = toolCall.parentSpanId ?? toolCall.turn.spanId
  return { name: 'spoor.tool_call.end', attributes, traceId: toolCall.turn.traceId, spanId: toolCall.spanId }
}

/** Names the tool call as it was settled, and what the agent calls it. */
function joinLate({ session, toolCall, name, callId, verdict, join }: Of<'join.late'>): Made {
  const attributes: Draft = {
    'session.id': session.id,
    'gen_ai.agent.name': session.agent.name,
    'spoor.process.id': toolCall.rootProcess,
    'spoor.turn.id': toolCall.turn.id,
    'spoor.tool_call.id': toolCall.id,
    'gen_ai.tool.name': name,
    'gen_ai.tool.call.id': callId,
    'spoor.verdict': verdict,
    'spoor.join.method': join.method,
    'spoor.join.confidence': join.confidence,
  }
  return { name: 'spoor.join.late', attributes, traceId: toolCall.turn.traceId, spanId: toolCall.spanId }
}

function settled(activity: Of<'process.settled'>, context: ShapeContext): Made {
  const { process, place, totals, parentSpanId, join, linked } = activity
  const attributes = fact(process, place)
  attributes['spoor.process.role'] = place.role
  exit(attributes, process, context)
  attributes['spoor.start_time'] = context.wall(activity.startedAt)
  const image = imageOf(process)
  if (image !== undefined) {
    putBytes(attributes, 'process.executable.path', image.path)
    putArguments(attributes, context.redactor ?? standardRedactor, image.args, image.argsBytes)
  }
  if (process.exit !== null) {
    if (process.exit.signal !== 0) attributes['spoor.process.exit.signal'] = process.exit.signal
    else attributes['process.exit.code'] = process.exit.code
  }
  attributes['spoor.totals.opens_read'] = totals.opensRead
  attributes['spoor.totals.opens_write'] = totals.opensWrite
  attributes['spoor.totals.files_changed'] = totals.filesChanged
  attributes['spoor.totals.connections'] = totals.connections
  attributes['spoor.totals.bytes_out'] = totals.bytesOut
  attributes['spoor.totals.bytes_in'] = totals.bytesIn
  attributes['spoor.join.method'] = join.method
  attributes['spoor.join.confidence'] = join.confidence
  if (activity.truncated) attributes['spoor.span.truncated'] = true
  if (activity.omitted) attributes['spoor.span.omitted'] = true
  if (linked !== null) {
    attributes['spoor.linked.trace_id'] = linked.traceId
    attributes['spoor.linked.span_id'] = linked.spanId
  }
  // Without a turn it hangs on the session's own trace.
  const parent = parentSpanId ?? (place.turn === null ? spanId('session', place.session.id) : place.turn.spanId)
  attributes['spoor.parent.span_id'] = parent
  return {
    name: 'spoor.process.settled',
    attributes,
    traceId: place.turn?.traceId ?? traceIdOfSession(place.session.id),
    spanId: spanId('process', process.id),
  }
}
