import { spanId } from '../identity/ids.ts'
import type { Bytes } from '../model/bytes.ts'
import type { Claim } from '../model/claim.ts'
import type { BootNs } from '../model/observation.ts'
import { imageOf } from '../model/process.ts'
import type { SessionActivity } from '../model/session.ts'
import type { Stage } from '../sessions/stage.ts'
import type { Member, SessionRecord } from '../sessions/state.ts'
import { apply } from './apply.ts'
import { bind, conversationOf, declaredBy, idsIn, placeOf, registered, sessionOf, transcriptOf } from './bind.ts'
import { ACTS_MAX, CONNECTS_MAX, ROWS_MAX, WAITING_MAX, WAITING_TOTAL } from './bounds.ts'
import { considerCall } from './calls.ts'
import { look, lookAt } from './close.ts'
import { settleHelper, tellHelpers } from './helpers.ts'
import { ownSlot, start } from './slots.ts'
import type { ClaimedSession, Conversation, TimedClaim } from './state.ts'
import { beginTree, consider, endTree, readText, settleInTree } from './trees.ts'

type Of<K extends SessionActivity['kind']> = Extract<SessionActivity, { kind: K }>

/** A session of an agent that makes claims begins: what is settled in it waits for them. */
export function openClaimed(stage: Stage, record: SessionRecord, at: BootNs): void {
  const { session } = record
  const claimed: ClaimedSession = {
    record,
    slots: [],
    byKey: new Map(),
    byTurn: new Map(),
    trees: new Map(),
    calls: new Map(),
    over: new Set(),
    rows: new Map(),
    helpers: [],
    acts: [],
    connects: [],
    late: [],
    conversations: [],
    inherited: idsIn(stage, session.agent.name, imageOf(record.root)?.env ?? []),
    watermark: null,
    nextNumber: Math.max(record.nextTurn, 1),
    turns: 0,
    toolCalls: 0,
    said: 0,
    since: session.joinedLate ? at : session.startedAt,
    bursts: [],
    held: 0,
    end: null,
  }
  stage.state.claims.sessions.set(session.id, claimed)
  // A recorded command that became an agent: its turn has begun.
  if (record.turn?.turn != null) ownSlot(claimed, record.turn.turn)
  const why = stage.state.claims.lost.get(session.user.id)
  if (why !== undefined) cover(claimed, why)
}

/** Whether claims of that agent can be read here. */
export const makesClaims = (stage: Stage, agent: string | null): boolean =>
  stage.claims && agent !== null && stage.catalogue.find((entry) => entry.name === agent)?.claims !== undefined

/** What comes out of the session stage: facts pass; what makes spans waits until it is decided which turn and tool call it belongs to. */
export function take(stage: Stage, activity: SessionActivity): void {
  const { sessions } = stage.state.claims
  if (sessions.size === 0 || activity.kind === 'gap' || activity.kind === 'join.late' || activity.kind === 'session.start') {
    stage.out(activity)
    return
  }
  const session = sessions.get((activity.kind === 'observed' || activity.kind === 'process.settled' ? activity.place.session : activity.session).id)
  if (session === undefined) {
    stage.out(activity)
    return
  }
  switch (activity.kind) {
    case 'observed':
      observed(stage, session, activity)
      stage.out(activity)
      return
    case 'turn.start':
      if (activity.turn.basis === 'burst') return
      ownSlot(session, activity.turn)
      stage.out(activity)
      return
    case 'turn.end':
      turnEnd(session, activity)
      return
    case 'tool_call.start':
      beginTree(stage, session, activity)
      return
    case 'tool_call.end': {
      const tree = session.trees.get(activity.toolCall.id)
      if (tree !== undefined) endTree(stage, session, tree, activity)
      return
    }
    case 'process.settled':
      settled(stage, session, activity)
      return
    case 'session.end':
      session.end = activity
      lookAt(stage, session, activity.at, activity.reason === 'observer_stop')
      return
    default:
      activity satisfies never
  }
}

function turnEnd(session: ClaimedSession, end: Of<'turn.end'>): void {
  const slot = session.byTurn.get(end.turn.id)
  if (slot === undefined) session.bursts.push(end)
  // Start-up is over with the first request or the first tool call, whichever came first.
  else if (slot.endedAt === null || (slot.turn.basis === 'burst' ? slot.endedAt < end.at : slot.endedAt > end.at)) slot.endedAt = end.at
}

function settled(stage: Stage, session: ClaimedSession, activity: Of<'process.settled'>): void {
  const { place } = activity
  if (place.role === 'agent' && place.turn === null && place.toolCall === null) {
    stage.out(activity)
    return
  }
  if (place.toolCall === null) {
    settleHelper(stage, session, activity)
    return
  }
  const tree = session.trees.get(place.toolCall.id)
  if (tree !== undefined) settleInTree(stage, session, tree, activity)
  // Its tool call is over and forgotten: the process began before, so that cannot be.
  else stage.out({ ...activity, place: { ...place, turn: null, toolCall: null }, parentSpanId: session.record.spanId, omitted: true })
}

/** What the kernel saw that a claim may be about, or that shows whose a conversation is. */
function observed(stage: Stage, session: ClaimedSession, { activity, place, at }: Of<'observed'>): void {
  const { observation: o, process } = activity
  switch (o.kind) {
    case 'open':
      if (place.role !== 'agent' || (o.repeats && o.file.cut)) return
      if (o.access !== 'read' && o.result >= 0) {
        const conversation = transcriptOf(o.file.path)
        if (conversation !== null) bound(stage, session, bind(stage, session, conversation, 'transcript'), at)
      }
      act(session, { path: o.file.path, write: o.access !== 'read' || o.created || o.truncated, failed: o.result < 0, at, process: process.id, used: false })
      return
    case 'change': {
      if (place.role !== 'agent' || o.result < 0) return
      // Written beside it and renamed: a write of what the rename makes.
      const path = o.op === 'rename' && o.target !== undefined ? renamed(session, o.file.path, o.target.path) : o.file.path
      if (o.op === 'rename' || o.op === 'unlink' || o.op === 'truncate') act(session, { path, write: true, failed: false, at, process: process.id, used: false })
      return
    }
    case 'connect':
      if (place.role !== 'agent') return
      session.connects.push(at)
      if (session.connects.length > CONNECTS_MAX) session.connects = session.connects.slice(-CONNECTS_MAX / 2)
      return
    case 'exec':
    case 'process.seen': {
      const member = stage.state.standings.get(process.id)
      if (member?.kind !== 'member' || member.role === 'agent') return
      row(session, member)
      if (o.kind === 'exec') for (const id of declaredBy(stage, session, member, o.env)) bound(stage, session, bind(stage, session, id, 'environment'), at)
      return
    }
    default:
      return
  }
}

const BY_DESCRIPTOR = '/proc/self/fd/'

/**
 * Claude Code names the files it writes by a folder's descriptor (`/proc/self/fd/14/x.tmp.1`), which nobody can resolve later: but the file that it renames was
 * opened for writing under its true name just before.
 */
function renamed(session: ClaimedSession, from: Bytes, to: Bytes): Bytes {
  if (!to.startsWith(BY_DESCRIPTOR)) return to
  const temporary = from.slice(from.lastIndexOf('/'))
  const written = session.acts.findLast((act) => act.write && act.path.endsWith(temporary))
  return written === undefined ? to : ((written.path.slice(0, written.path.length - temporary.length) + to.slice(to.lastIndexOf('/'))) as Bytes)
}

/** Opened by whoever reads a directory, asks for entropy, ...: never a file tool's. */
const NEVER = /^\/(?:proc|sys|dev)\//

function act(session: ClaimedSession, made: ClaimedSession['acts'][number]): void {
  if (NEVER.test(made.path)) return
  session.acts.push(made)
  if (session.acts.length > ACTS_MAX + ACTS_MAX / 4) session.acts = session.acts.slice(-ACTS_MAX)
}

function row(session: ClaimedSession, member: Member): void {
  const { process, call, turn } = member
  const span = spanId('process', process.id)
  const tree = call === null ? null : (session.trees.get(call.toolCall.id) ?? null)
  if (tree !== null) readText(tree, process)
  const known = session.rows.get(span)
  if (known !== undefined || member.settled) return
  session.rows.set(span, { process: process.id, startedAt: process.startedAt, tree, own: turn === null ? null : turn.turn, slot: undefined, granted: null, settled: false })
  if (session.rows.size > ROWS_MAX) for (const [oldest, each] of session.rows) if (each.settled && session.rows.delete(oldest)) break
}

export type ClaimsInput = {
  readonly uid: number
  readonly claims: readonly Claim[]
  /** When they were read. */
  readonly boot: BootNs
  /** Unix time of a claim to the kernel's clock. */
  readonly bootOf: (unixNs: bigint) => BootNs
}

/** Claims of one user's agents. They may speak of sessions of that user only. */
export function takeClaims(stage: Stage, { uid, claims: read, boot, bootOf }: ClaimsInput): void {
  const { claims } = stage.state
  const touched = new Set<ClaimedSession>()
  for (const claim of read) {
    claims.counts.read++
    const said = claim.at === null ? boot : bootOf(claim.at)
    // Not from the future, whatever the agent says.
    const timed: TimedClaim = { claim, at: said > boot ? boot : said }
    const conversation = conversationOf(stage, uid, claim.agent, claim.conversation)
    if (conversation === null) {
      claims.counts.dropped++
      continue
    }
    if (claim.kind === 'registry') register(stage, conversation, timed, boot)
    const session = sessionOf(stage, conversation)
    if (session === null) wait(stage, conversation, timed, boot)
    else {
      apply(stage, session, timed)
      touched.add(session)
    }
  }
  for (const session of touched) news(stage, session, boot)
}

function register(stage: Stage, conversation: Conversation, { claim, at }: TimedClaim, boot: BootNs): void {
  if (claim.kind !== 'registry') return
  conversation.cwd ??= claim.cwd
  conversation.startedAt ??= at
  const known = registered(stage, conversation.uid, claim)
  if (known !== null) bound(stage, known, bind(stage, known, conversation.id, 'registry'), boot)
  else if (conversation.session === null && claim.pid === null) {
    const session = placeOf(stage, conversation)
    if (session !== null) bound(stage, session, bind(stage, session, conversation.id, 'place'), boot)
  }
}

function wait(stage: Stage, conversation: Conversation, timed: TimedClaim, boot: BootNs): void {
  const { claims } = stage.state
  if (conversation.waiting.length >= WAITING_MAX || claims.waiting >= WAITING_TOTAL) {
    claims.counts.dropped++
    return
  }
  if (conversation.waiting.length === 0) conversation.since = boot
  conversation.waiting.push(timed)
  claims.waiting++
}

/** A conversation has turned out to be this session's: what was said in it so far counts. */
function bound(stage: Stage, session: ClaimedSession, conversation: Conversation | null, now: BootNs): void {
  if (conversation === null || conversation.waiting.length === 0) return
  const waiting = conversation.waiting.splice(0)
  stage.state.claims.waiting -= waiting.length
  for (const timed of waiting) apply(stage, session, timed)
  news(stage, session, now)
}

/** After claims: turns that have begun are told, and what they decide. */
function news(stage: Stage, session: ClaimedSession, now: BootNs): void {
  for (const slot of session.slots) if (slot.claimed) start(stage, session, slot)
  for (const tree of session.trees.values()) consider(stage, session, tree, null)
  for (const call of [...session.calls.values()]) if (call.kind !== 'shell' && call.kind !== 'program') considerCall(stage, session, call, now, false)
  tellHelpers(stage, session, null, false)
  if (session.end !== null) lookAt(stage, session, now)
}

/** The intake of a user is gone or back (`why` null). What agents say of themselves meanwhile is read late, or never. */
export function takeIntake(stage: Stage, uid: number, why: string | null, at: BootNs): void {
  const { claims } = stage.state
  if (why === null) {
    claims.lost.delete(uid)
    return
  }
  const known = claims.lost.has(uid)
  claims.lost.set(uid, why)
  for (const session of claims.sessions.values()) if (session.record.session.user.id === uid) cover(session, why)
  if (!known) stage.out({ kind: 'gap', activity: null, from: at, to: at, kinds: ['claim'], atLeast: 'unknown', reason: 'intake_lost', at })
}

function cover({ record: { session } }: ClaimedSession, why: string): void {
  const reason = `intake_lost:${why}`
  if (!session.coverage.reasons.includes(reason) && session.coverage.reasons.length < 16) session.coverage.reasons.push(reason)
}

export { look }

/** The observer ends: everything is decided with what is known. */
export function stopClaims(stage: Stage, now: BootNs): void {
  for (const session of [...stage.state.claims.sessions.values()]) lookAt(stage, session, now, true)
  for (const conversation of stage.state.claims.conversations.values()) stage.state.claims.counts.unbound += conversation.waiting.length
  stage.state.claims.conversations.clear()
  stage.state.claims.waiting = 0
}
