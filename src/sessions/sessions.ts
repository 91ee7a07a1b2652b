import type { Catalogue } from '../agents/catalogue.ts'
import { type ClaimsInput, look, stopClaims, take, takeClaims, takeIntake } from '../claims/claims.ts'
import { sessionId } from '../identity/ids.ts'
import { imageOfExec } from '../lineage/images.ts'
import type { Lineage } from '../lineage/lineage.ts'
import type { Activity } from '../model/activity.ts'
import type { SessionId } from '../model/ids.ts'
import type { BootNs, ObservationOf } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import type { Orders } from '../model/sensor.ts'
import type { Session, SessionActivity } from '../model/session.ts'
import { beginSession, isRoot } from './begin.ts'
import { SEEDS_MAX } from './bounds.ts'
import { endSession } from './end.ts'
import { matchExec } from './exec.ts'
import { beginHold, observeHeld, resolve } from './holds.ts'
import { addMember } from './members.ts'
import { observeMember } from './observe.ts'
import type { Host } from './origin.ts'
import { flushReleases, release, track } from './release.ts'
import { endUnseen, note, takeSeeds } from './seeds.ts'
import { filter, type Stage } from './stage.ts'
import { type Awaiting, type EndedSession, emptySessions, type Member, type SessionsState } from './state.ts'
import { forgetGone, sweep } from './sweep.ts'

export type { Ancestor, Host } from './origin.ts'
export type { SessionsState } from './state.ts'

/** Ended processes leave while observations flow, too: a burst may fit between two ticks. */
const FORGET_EVERY = 4_096

export type SessionsOptions = {
  readonly catalogue: Catalogue
  readonly host: Host
  /** What they answer is not looked at: an order is repeated on replay, and the process may be gone by then. */
  readonly orders: Pick<Orders, 'track' | 'release'>
  readonly lineage: Pick<Lineage, 'find' | 'get' | 'forget' | 'end'>
  readonly emit: (activity: SessionActivity) => void
  /** Whether there is an intake. Without one every agent is settled as if it made no claims. */
  readonly claims?: boolean
  readonly state?: SessionsState
}

export type Sessions = {
  readonly state: SessionsState
  /** One activity in; none, one or several out, at once. Seeds (`process.seen`) are kept until `seeded`. */
  handle(activity: Activity): void
  /** The list of the machine's processes is complete. `fresh`: the kernel began to record only now, so what is not listed has ended unseen. */
  seeded(now: BootNs, fresh: boolean): void
  /** `spoor record` hands over its stopped child, as seen in /proc; its next exec is the command. The session starts with that exec. */
  record(activity: Activity, name: string | null): SessionId
  loss(loss: ObservationOf<'loss'>): void
  /** What agents of one user say of themselves. */
  claims(input: ClaimsInput): void
  /** The intake of a user is gone (`why`) or back (null). */
  intake(uid: number, why: string | null, at: BootNs): void
  /** Lineage found that a process has ended unseen. */
  vanished(process: Process, at: BootNs): void
  /** After every batch, and at least once a second: sends release orders that the batch has not taken back, and does what is due. */
  tick(now: BootNs): void
  /** Settles everything. */
  stop(now: BootNs): void
  /** An open session, or one of the last that ended. */
  find(id: SessionId): { readonly session: Session; readonly ended: EndedSession | null } | null
  /** Sessions whose end has not been told. */
  open(): Iterable<Session>
  /** All is told of an ended session. */
  isSettled(id: SessionId): boolean
}

/**
 * Stage 3 without claims: which session, turn and tool call an activity belongs to, and when each of them is over. Pure: time comes from the
 * activities and from `tick`, look-ups through `host`. Facts go out at once; a process, tool call, turn, session is settled when its tree has ended.
 */
export function createSessions(options: SessionsOptions): Sessions {
  const state = options.state ?? emptySessions()
  const { standings } = state
  const stage: Stage = { ...options, state, handle: handleWith, replaying: false, claims: options.claims === true, out: options.emit, emit: (activity) => take(stage, activity) }
  let handled = 0

  function handle(activity: Activity): void {
    const { observation } = activity
    handleWith(activity, observation.kind === 'fork' ? (options.lineage.find(observation.child) ?? null) : null)
  }

  function handleWith(activity: Activity, child: Process | null): void {
    const { observation, process } = activity
    if (observation.kind === 'process.seen') {
      seen(activity)
      return
    }
    const standing = standings.get(process.id)
    if (standing === undefined) {
      stranger(activity, child)
      return
    }
    switch (standing.kind) {
      case 'member':
        observeMember(stage, activity, standing, child)
        if (observation.kind === 'exit' && ++handled % FORGET_EVERY === 0) forgetGone(stage, observation.boot)
        return
      case 'held':
        observeHeld(stage, activity, standing, child)
        return
      case 'awaiting':
        awaited(activity, standing)
        return
      case 'released':
        outsider(activity, child)
        return
      default:
        standing satisfies never
    }
  }

  function seen(activity: Activity): void {
    if (state.seeds.size < SEEDS_MAX) state.seeds.set(activity.process.id, activity)
    else filter(stage, activity.observation, 'table_full')
  }

  /** Nothing is known of this process: an untracked one has exec'd a candidate, or word of its fork was lost. */
  function stranger(activity: Activity, child: Process | null): void {
    const { observation, process } = activity
    const parent = process.parentId === null ? undefined : standings.get(process.parentId)
    if (parent?.kind === 'member' && parent.session.endedAt === null) {
      if (adopt(process, parent)) handleWith(activity, child)
      else filter(stage, observation, 'table_full')
      return
    }
    if (observation.kind === 'exec') {
      outsider(activity, child)
      return
    }
    if (process.endedAt === null) {
      const above = lostParent(process)
      if (above !== null && adopt(process, above)) {
        handleWith(activity, child)
        return
      }
      release(stage, process, observation.boot)
      if (child !== null && !standings.has(child.id)) release(stage, child, observation.boot)
    }
    filter(stage, observation, 'unattributed')
  }

  function adopt(process: Process, parent: Member): boolean {
    note(parent.session, 'fork_unseen')
    const { session, role, call, turn } = parent
    return addMember(stage, session, process, parent, { role: role === 'agent' ? 'harness' : role, turn: role === 'agent' ? session.turn : turn, call }) !== null
  }

  function lostParent(process: Process): Member | null {
    for (const ancestor of options.host.ancestry(process.task.pid)) {
      const row = options.lineage.find(ancestor)
      const standing = row === undefined ? undefined : standings.get(row.id)
      if (standing?.kind === 'member' && standing.session.endedAt === null) return standing
    }
    return null
  }

  /** A process of no session: only an exec can change that. */
  function outsider(activity: Activity, child: Process | null): void {
    const { observation } = activity
    if (observation.kind === 'exec') {
      consider(activity, observation)
      return
    }
    filter(stage, observation, 'not_agent')
    if (child !== null && !standings.has(child.id)) release(stage, child, observation.boot)
  }

  function consider(activity: Activity, exec: ObservationOf<'exec'>): void {
    const { process } = activity
    const found = matchExec(stage, exec)
    if (found !== null && !found.certain && !stage.replaying && beginHold(stage, activity, exec, found, { kind: 'release' })) {
      state.releases.delete(process.id)
      return
    }
    if (found?.certain === true && begin(process, exec, found, null, null)) {
      handleWith(activity, null)
      return
    }
    filter(stage, exec, 'not_agent')
    release(stage, process, exec.boot)
  }

  function begin(process: Process, exec: ObservationOf<'exec'>, found: ReturnType<typeof matchExec>, record: { name: string | null } | null, above: Member | null): boolean {
    const fidelity = exec.fidelity === 'exact' ? 'exact' : 'sampled'
    const begun = beginSession(stage, { process, image: imageOfExec(exec, 0), ids: exec.ids, at: exec.boot, match: found, record, joinedLate: false, fidelity, above })
    if (begun === null) return false
    track(stage, process)
    return true
  }

  function awaited(activity: Activity, standing: Awaiting): void {
    const { observation, process } = activity
    if (observation.kind === 'exec') {
      const found = matchExec(stage, observation)
      if (found !== null && !found.certain && beginHold(stage, activity, observation, found, { kind: 'record', awaiting: standing })) return
      if (begin(process, observation, found?.certain === true ? found : null, { name: standing.name }, standing.member)) {
        handleWith(activity, null)
        return
      }
      if (standing.member !== null) {
        standings.set(process.id, standing.member)
        handleWith(activity, null)
        return
      }
      release(stage, process, observation.boot)
      filter(stage, observation, 'table_full')
      return
    }
    // Spoor's own shim, until it execs the command.
    filter(stage, observation, 'shim')
    if (observation.kind !== 'exit') return
    if (standing.member !== null) {
      standings.set(process.id, standing.member)
      endUnseen(stage, standing.member, observation.boot, 'shim')
    } else standings.delete(process.id)
  }

  function record(activity: Activity, name: string | null): SessionId {
    const { process } = activity
    const standing = standings.get(process.id)
    // A session's root already: its next exec stays in that session.
    if (standing?.kind === 'held' || (standing?.kind === 'member' && isRoot(standing))) return sessionId(process.id)
    standings.set(process.id, { kind: 'awaiting', name, process, member: standing?.kind === 'member' ? standing : standing?.kind === 'awaiting' ? standing.member : null })
    track(stage, process)
    return sessionId(process.id)
  }

  function loss(observation: ObservationOf<'loss'>): void {
    const { reason, kinds, fromBoot, toBoot, atLeast } = observation
    for (const { session } of state.sessions.values()) {
      const what = `lost:${reason}`
      if (!session.coverage.reasons.includes(what)) session.coverage.reasons.push(what)
      if (!session.incomplete.includes(what)) session.incomplete.push(what)
    }
    options.emit({ kind: 'gap', activity: null, from: fromBoot, to: toBoot, kinds, atLeast, reason, at: toBoot })
  }

  function vanished(process: Process, at: BootNs): void {
    const standing = standings.get(process.id)
    if (standing?.kind === 'member') endUnseen(stage, standing, at, 'exit_unseen')
  }

  function stop(now: BootNs): void {
    for (const hold of [...state.holds.values()]) resolve(stage, hold, null)
    flushReleases(stage)
    for (const [id, standing] of standings) if (standing.kind === 'awaiting' && standing.member !== null) standings.set(id, standing.member)
    // Children come after their parents in the map; they end first, and may end their parents with them.
    for (const session of [...state.sessions.values()].reverse()) {
      if (session.endedAt !== null) continue
      if (session.live > 0) note(session, 'observer_stop')
      endSession(stage, session, session.live > 0 || session.children > 0 ? 'observer_stop' : 'exit', now)
    }
    stopClaims(stage, now)
    for (const map of [standings, state.seeds, state.released, state.draining, state.waiting, state.stragglers, state.gone]) map.clear()
  }

  return {
    state,
    handle,
    seeded: (now, fresh) => takeSeeds(stage, now, fresh),
    record,
    loss,
    vanished,
    claims: (input) => takeClaims(stage, input),
    intake: (uid, why, at) => takeIntake(stage, uid, why, at),
    tick(now) {
      sweep(stage, now)
      look(stage, now)
    },
    stop,
    find(id) {
      const open = state.sessions.get(id)
      if (open !== undefined) return { session: open.session, ended: null }
      const ended = state.recent.get(id)
      return ended === undefined ? null : { session: ended.session, ended }
    },
    isSettled: (id) => !state.sessions.has(id) && !state.claims.sessions.has(id),
    *open() {
      for (const { session } of state.sessions.values()) yield session
      for (const { record, end } of state.claims.sessions.values()) if (end !== null) yield record.session
    },
  }
}
