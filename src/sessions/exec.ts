import { type Match, match } from '../agents/match.ts'
import { makesClaims, openClaimed } from '../claims/claims.ts'
import { ownKey, spanId, toolCallId } from '../identity/ids.ts'
import { imageOfExec } from '../lineage/images.ts'
import type { Activity } from '../model/activity.ts'
import type { ObservationOf } from '../model/observation.ts'
import type { Session } from '../model/session.ts'
import { beginSession, isRoot } from './begin.ts'
import { STARTUP_NS } from './bounds.ts'
import { beginHold } from './holds.ts'
import { grant, moveMember } from './members.ts'
import { giveSpanBack, parentOf } from './settle.ts'
import type { Stage } from './stage.ts'
import type { CallRecord, Member, TurnRecord } from './state.ts'
import { traceContextOf, variable } from './trace-context.ts'
import { beginTurn, endTurn, floorTick, keyTurn, passTime, turnAt } from './turns.ts'

type Exec = ObservationOf<'exec'>

/** A fork this long before its exec belongs to the exec's time. */
const FORK_TO_EXEC_NS = 5_000_000_000n

export const matchExec = (stage: Stage, exec: Exec): Match | null => match(stage.catalogue, { exe: exec.exe.path, called: exec.called, args: exec.args.head, cwd: exec.cwd })

/** An exec by a member: places it (agent, tool call, helper, another agent in a session of its own, suspect) and tells it. */
export function execOfMember(stage: Stage, activity: Activity, exec: Exec, member: Member): void {
  const { session } = member
  passTime(stage, session, exec.boot)
  const found = matchExec(stage, exec)
  if (found !== null && isOther(stage, member, found)) {
    if (found.certain) {
      const made = beginSession(stage, {
        process: member.process,
        image: imageOfExec(exec, 0),
        ids: exec.ids,
        at: exec.boot,
        match: found,
        record: null,
        joinedLate: false,
        fidelity: exec.fidelity === 'exact' ? 'exact' : 'sampled',
        above: member,
      })
      if (made !== null) {
        told(stage, activity, exec, made)
        return
      }
    } else if (!stage.replaying && beginHold(stage, activity, exec, found, { kind: 'member', member })) return
  }
  place(stage, exec, member, found)
  told(stage, activity, exec, member)
}

/** Another agent than the one whose session this is, or the same one run anew by a tool call. Launchers and relaunched children are the same. */
function isOther(stage: Stage, member: Member, found: Match): boolean {
  const { session } = member
  if (isRoot(member)) return false
  if (session.agent !== found.agent) return true
  // Its own executable under another name is a helper: `rg` inside claude, codex's set-up stage.
  if (!found.named) return false
  if (member.role === 'tool' || member.role === 'member') return true
  return member.role === 'harness' && belowTool(stage, member)
}

function belowTool(stage: Stage, member: Member): boolean {
  const parent = parentOf(stage, member)
  return parent?.role === 'tool'
}

function place(stage: Stage, exec: Exec, member: Member, found: Match | null): void {
  const { session, role } = member
  if (isRoot(member)) {
    if (role === 'member' && found !== null && found.certain) becomeAgent(stage, session.session, member, found, exec)
    return
  }
  // What has been settled (as truncated) stays where it was: its span stands there.
  if (role === 'tool' || role === 'member' || member.settled) {
    touch(member.turn, exec)
    return
  }
  const same = found !== null && found.agent === session.agent && found.named
  if (same) {
    moveMember(stage, member, { role: 'agent', turn: null, call: null })
    return
  }
  if (member.ofAgent && session.agent !== null && exec.ids.sid === member.process.task.pid && isToolShell(stage, exec, session.agent)) {
    becomeToolCall(stage, exec, member)
    return
  }
  // A helper of the agent's own, or below one: it hangs on the turn in which it came.
  const stays = member.turn !== null && (member.turn.endedAt === null || member.execs > 0)
  const turn = stays && member.turn !== null ? member.turn : turnAt(stage, session, forkedAt(exec, member))
  touch(turn, exec)
  keyTurn(stage, session, turn, member)
  moveMember(stage, member, { role: 'harness', turn, call: null })
}

/** Some agents' own start-up shells are session leaders as well, but lack the variable that each tool call has. Unreadable environment: believe it. */
function isToolShell(stage: Stage, exec: Exec, agent: string): boolean {
  const name = stage.catalogue.find((entry) => entry.name === agent)?.toolCallVariable
  return name === undefined || exec.envMissed || variable(exec.env, name) !== null
}

function becomeToolCall(stage: Stage, exec: Exec, member: Member): void {
  const { session, process } = member
  const at = forkedAt(exec, member)
  if (session.turn?.until != null) endTurn(stage, session, at, exec.boot)
  const turn = session.turn ?? beginTurn(stage, session, 'burst', at)
  touch(turn, exec)
  keyTurn(stage, session, turn, member)
  if (turn.turn === null) return
  const id = toolCallId(session.session.id, ownKey(process.id))
  const name = stage.catalogue.find((entry) => entry.name === session.agent)?.toolCallVariable
  const call: CallRecord = {
    toolCall: {
      id,
      turn: turn.turn,
      name: 'shell',
      callId: name === undefined ? null : variable(exec.env, name),
      spanId: spanId('tool_call', id),
      startedAt: process.startedAt > turn.startedAt ? process.startedAt : turn.startedAt,
      rootProcess: process.id,
    },
    turn,
    live: 0,
    lastEnd: exec.boot,
    omitted: 0,
    ended: false,
    proven: null,
  }
  session.calls.set(id, call)
  session.session.totals.toolCalls++
  turn.counts.toolCalls++
  stage.emit({ kind: 'tool_call.start', session: session.session, toolCall: call.toolCall, at: call.toolCall.startedAt })
  moveMember(stage, member, { role: 'tool', turn, call })
}

/** `spoor record -- sh -c 'exec claude'`: the recorded command itself becomes a known agent. Its session goes on as that agent's. */
function becomeAgent(stage: Stage, session: Session, member: Member, found: Match, exec: Exec): void {
  const record = member.session
  const open = session as { -readonly [K in keyof Session]: Session[K] }
  open.agent = { name: found.agent, version: found.version, kind: 'agent', evidence: [...found.evidence, 'record'], sanction: 'unknown' }
  record.agent = found.agent
  record.agents++
  if (record.turn !== null) record.turn.until = exec.boot + STARTUP_NS
  const { turn } = member
  // It has been counted in the recorded turn; as the agent it hangs on the session.
  if (turn !== null) turn.live--
  giveSpanBack(member)
  member.role = 'agent'
  member.turn = null
  member.near = null
  if (makesClaims(stage, found.agent)) {
    record.claimed = true
    openClaimed(stage, record, exec.boot)
  }
  member.place = { session, role: 'agent', turn: record.claimed ? null : (turn?.turn ?? null), toolCall: null }
}

const forkedAt = (exec: Exec, member: Member) => (exec.boot - member.process.startedAt < FORK_TO_EXEC_NS ? member.process.startedAt : floorTick(exec.boot))

function touch(turn: TurnRecord | null, exec: Exec): void {
  if (turn !== null && turn.endedAt === null && exec.boot > turn.lastAt) turn.lastAt = exec.boot
}

function told(stage: Stage, activity: Activity, exec: Exec, member: Member): void {
  member.execs++
  member.session.session.totals.execs++
  const linked = traceContextOf(exec.env)
  if (linked !== null) member.linked = linked
  grant(stage, member)
  if (member.turn?.told === true && !member.settled) stage.state.stragglers.set(member.process.id, exec.boot)
  refreshTurn(member)
  stage.emit({ kind: 'observed', activity, place: member.place, at: exec.boot })
}

/** The agent's own program is in whatever turn is on. */
export function refreshTurn(member: Member): void {
  if (member.role !== 'agent' || member.session.claimed) return
  const turn = member.session.turn === null ? null : member.session.turn.turn
  if (member.place.turn !== turn) member.place = { ...member.place, turn }
}
