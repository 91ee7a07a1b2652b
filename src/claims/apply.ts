import { bytesOf } from '../model/bytes.ts'
import type { Claim } from '../model/claim.ts'
import type { BootNs } from '../model/observation.ts'
import type { Stage } from '../sessions/stage.ts'
import { CALLS_MAX, SLACK_NS } from './bounds.ts'
import { claimedText } from './commands.ts'
import { claimedSlot, goOn, lastPart } from './slots.ts'
import type { ClaimedCall, ClaimedSession, Slot, TimedClaim } from './state.ts'
import { kindOf } from './tools.ts'

/** Takes a claim into a session that it has been bound to. */
export function apply(stage: Stage, session: ClaimedSession, { claim, at }: TimedClaim): void {
  stage.state.claims.counts.bound++
  if (claim.kind !== 'registry' && (session.watermark === null || at > session.watermark)) session.watermark = at
  switch (claim.kind) {
    case 'prompt': {
      session.said++
      const slot = claimedSlot(session, claim.turnId ?? claim.id, claim.conversation, at)
      slot.prompt ??= { sha256: claim.sha256, length: claim.length }
      return
    }
    case 'tool_call':
      toolCall(stage, session, claim, at)
      return
    case 'tool_result': {
      const call = session.calls.get(claim.id)
      if (call === undefined || (call.result !== null && !call.result.running)) return
      call.result = { at: at > call.at ? at : call.at, ok: claim.ok, exitCode: claim.exitCode, running: claim.running }
      return
    }
    case 'decision': {
      const call = session.calls.get(claim.id)
      if (call !== undefined) call.decision = { decision: claim.decision, by: claim.by }
      return
    }
    case 'mode': {
      const slot = slotOf(session, claim, claim.turnId, at)
      if (slot !== null) slot.mode = claim.mode
      return
    }
    case 'model': {
      const slot = slotOf(session, claim, claim.turnId, at)
      if (slot !== null) slot.model = claim.model
      return
    }
    case 'end': {
      if (claim.scope === 'conversation') return
      const slot = slotOf(session, claim, claim.turnId, at)
      if (slot !== null && at >= slot.startedAt && (slot.endedAt === null || slot.endedAt > at)) slot.endedAt = at
      return
    }
    case 'registry':
      return
    default:
      claim satisfies never
  }
}

/** By the agent's own id, else the last one of that dialogue. */
function slotOf(session: ClaimedSession, claim: Pick<Claim, 'conversation'>, key: string | null, at: BootNs): Slot | null {
  if (key !== null) return lastPart(session, claimedSlot(session, key, claim.conversation, at))
  return session.slots.findLast((slot) => slot.claimed && slot.conversation === claim.conversation && slot.startedAt <= at) ?? null
}

function toolCall(stage: Stage, session: ClaimedSession, claim: Extract<Claim, { kind: 'tool_call' }>, at: BootNs): void {
  const { counts } = stage.state.claims
  if (session.calls.has(claim.id) || session.over.has(claim.id)) {
    counts.repeated++
    return
  }
  // Nobody looked yet: neither confirmed nor missing.
  if (at < session.since - SLACK_NS) return
  if (session.calls.size >= CALLS_MAX) {
    counts.dropped++
    return
  }
  session.said++
  const named = slotOf(session, claim, claim.turnId, at) ?? lastPart(session, claimedSlot(session, `c:${claim.conversation}`, claim.conversation, at))
  const slot = goOn(session, named, at)
  const kind = kindOf(claim)
  const call: ClaimedCall = {
    id: claim.id,
    conversation: claim.conversation,
    tool: claim.tool,
    kind,
    command: claim.command === null ? null : claim.command.tail === undefined ? claim.command.head : `${claim.command.head}\u2026${claim.command.tail}`,
    text: kind === 'shell' && claim.command !== null ? claimedText(claim.command) : null,
    paths: claim.paths.map((path) => bytesOf(absolute(path, claim.cwd))),
    saidPaths: claim.paths,
    parentId: claim.parentId,
    turnKey: claim.turnId,
    at: at > session.record.session.startedAt ? at : session.record.session.startedAt,
    result: null,
    decision: null,
    toolCall: null,
    slot,
    joined: false,
    rivals: 0,
    children: 0,
    joinedChildren: 0,
    spanless: false,
    told: false,
  }
  session.calls.set(call.id, call)
  const parent = claim.parentId === null ? undefined : session.calls.get(claim.parentId)
  if (parent !== undefined) parent.children++
}

/** As the kernel would name it; symbolic links on the way are not known here. */
export function absolute(path: string, cwd: string | null): string {
  if (!path.startsWith('/') && cwd === null) return path
  const parts: string[] = []
  for (const part of (path.startsWith('/') ? path : `${cwd}/${path}`).split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return '/' + parts.join('/')
}
