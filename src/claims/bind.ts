import type { Bytes } from '../model/bytes.ts'
import type { Claim } from '../model/claim.ts'
import type { BootNs } from '../model/observation.ts'
import type { Stage } from '../sessions/stage.ts'
import type { Member } from '../sessions/state.ts'
import { CONVERSATIONS_MAX, SLACK_NS } from './bounds.ts'
import type { ClaimedSession, Conversation, Evidence } from './state.ts'

/** Strongest first. */
const RANK: Readonly<Record<Evidence, number>> = { registry: 0, environment: 1, transcript: 2, place: 3 }

export const keyOf = (uid: number, agent: string, conversation: string): string => `${uid} ${agent} ${conversation}`

/** Null: no room. */
export function conversationOf(stage: Stage, uid: number, agent: string, id: string): Conversation | null {
  const { claims } = stage.state
  const key = keyOf(uid, agent, id)
  const known = claims.conversations.get(key)
  if (known !== undefined) return known
  if (claims.conversations.size >= CONVERSATIONS_MAX) {
    for (const [oldest, each] of claims.conversations) {
      if (each.waiting.length > 0 || (each.session !== null && claims.sessions.has(each.session))) continue
      claims.conversations.delete(oldest)
      break
    }
    if (claims.conversations.size >= CONVERSATIONS_MAX) return null
  }
  const made: Conversation = { uid, agent, id, session: null, evidence: null, cwd: null, startedAt: null, waiting: [], since: 0n }
  claims.conversations.set(key, made)
  return made
}

/** The open session of a conversation. */
export function sessionOf(stage: Stage, conversation: Conversation): ClaimedSession | null {
  return (conversation.session !== null && stage.state.claims.sessions.get(conversation.session)) || null
}

/** A conversation is a session's, unless as good or better evidence says that it is another's. True: it is new to this session. */
export function bind(stage: Stage, session: ClaimedSession, id: string, evidence: Evidence): Conversation | null {
  const { user, agent, id: sessionId } = session.record.session
  const conversation = conversationOf(stage, user.id, agent.name, id)
  if (conversation === null) return null
  if (conversation.session === sessionId) {
    if (conversation.evidence === null || RANK[evidence] < RANK[conversation.evidence]) conversation.evidence = evidence
    return null
  }
  if (conversation.session !== null && conversation.evidence !== null && stage.state.claims.sessions.has(conversation.session) && RANK[conversation.evidence] <= RANK[evidence])
    return null
  conversation.session = sessionId
  conversation.evidence = evidence
  session.conversations.push(id)
  return conversation
}

/** The agent says which process it is: believed where that process is a member of a session of the same user and agent. */
export function registered(stage: Stage, uid: number, claim: Extract<Claim, { kind: 'registry' }>): ClaimedSession | null {
  if (claim.pid === null || claim.startTicks === null) return null
  const process = stage.lineage.find({ pid: claim.pid, startTicks: claim.startTicks })
  const standing = process === undefined ? undefined : stage.state.standings.get(process.id)
  if (standing?.kind !== 'member' || standing.role !== 'agent') return null
  const session = stage.state.claims.sessions.get(standing.session.session.id)
  return session !== undefined && isOf(session, uid, claim.agent) ? session : null
}

const isOf = ({ record: { session } }: ClaimedSession, uid: number, agent: string): boolean => session.user.id === uid && session.agent.name === agent

/** Ids in the environment that the agent's program gave to a process it forked. What a process sets for its own children, or was itself started with, is not the agent's word. */
export function declaredBy(stage: Stage, session: ClaimedSession, member: Member, env: ReadonlyArray<readonly [string, Bytes]>): readonly string[] {
  if (!member.ofAgent || member.execs > 1) return []
  return idsIn(stage, session.record.session.agent.name, env).filter((id) => !session.inherited.includes(id))
}

export function idsIn(stage: Stage, agent: string, env: ReadonlyArray<readonly [string, Bytes]>): string[] {
  const names = stage.catalogue.find((entry) => entry.name === agent)?.conversationVariables ?? []
  return env.filter(([name, value]) => names.includes(name) && value !== '').map(([, value]) => value as string)
}

/** Where agents keep what they say of themselves; the file is named after the conversation. */
const TRANSCRIPT = /(?:\/projects\/[^/]+\/|\/sessions\/\d{4}\/\d\d\/\d\d\/rollout-[^/]*-)([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.jsonl$/

/** The conversation whose record an agent's program opens for writing. */
export const transcriptOf = (path: Bytes): string | null => (path.endsWith('.jsonl') ? (TRANSCRIPT.exec(path)?.[1] ?? null) : null)

/** For want of anything better: the only session of that user and agent in that folder, running when the conversation began. */
export function placeOf(stage: Stage, conversation: Conversation): ClaimedSession | null {
  const { uid, agent, cwd, startedAt } = conversation
  if (cwd === null || startedAt === null) return null
  let found: ClaimedSession | null = null
  for (const session of stage.state.claims.sessions.values()) {
    const { image, startedAt: begun } = session.record.session
    if (!isOf(session, uid, agent) || session.conversations.length > 0 || image.cwd !== Buffer.from(cwd).toString('latin1')) continue
    if (startedAt < begun - SLACK_NS || isOver(session, startedAt)) continue
    if (found !== null) return null
    found = session
  }
  return found
}

const isOver = (session: ClaimedSession, at: BootNs): boolean => session.end !== null && at > session.end.at
