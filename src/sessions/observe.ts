import type { Activity } from '../model/activity.ts'
import type { ObservationOf, Sock } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import { SOCKETS_MAX } from './bounds.ts'
import { execOfMember, refreshTurn } from './exec.ts'
import { addMember } from './members.ts'
import { close } from './settle.ts'
import type { Stage } from './stage.ts'
import type { Member, TurnRecord } from './state.ts'
import { turnAt } from './turns.ts'

const EINPROGRESS = -115

/** What a member of a session did. The hot path: an open costs a few loads and one object. */
export function observeMember(stage: Stage, activity: Activity, member: Member, child: Process | null): void {
  const { observation } = activity
  const { totals } = member
  const sums = member.session.session.totals
  switch (observation.kind) {
    case 'open':
      if (observation.result >= 0) {
        if (observation.access === 'read') {
          totals.opensRead += observation.count
          sums.filesRead += observation.count
        } else {
          totals.opensWrite += observation.count
          if (observation.file.class === 'regular' && !observation.repeats) sums.filesChanged++
        }
      }
      break
    case 'change':
      if (observation.result >= 0) {
        totals.filesChanged++
        sums.filesChanged++
      }
      break
    case 'exec':
      // After its end was told (wrongly: the exit of a process that was taken for another) only the fact is kept.
      if (member.closed) break
      execOfMember(stage, activity, observation, member)
      return
    case 'fork':
      if (child !== null && member.session.endedAt === null) forked(stage, member, child)
      break
    case 'exit':
      refreshTurn(member)
      stage.emit({ kind: 'observed', activity, place: member.place, at: observation.boot })
      exited(stage, member, observation)
      return
    case 'connect':
      connected(stage, member, observation)
      break
    case 'accept':
      if (observation.result >= 0) opensSocket(stage, member, observation.sock)
      break
    case 'listen':
      break
    case 'sock.end':
      stage.emit({
        kind: 'observed',
        activity: activity.process === member.process ? activity : { ...activity, process: member.process },
        place: placeNow(member),
        at: observation.boot,
      })
      socketEnded(stage, member, observation)
      return
    case 'process.seen':
    case 'loss':
      return
    default:
      observation satisfies never
  }
  stage.emit({ kind: 'observed', activity, place: member.role === 'agent' ? placeNow(member) : member.place, at: observation.boot })
}

function placeNow(member: Member) {
  refreshTurn(member)
  return member.place
}

/** A child begins where its parent stands; its exec may say more. */
function forked(stage: Stage, parent: Member, child: Process): void {
  const { standings, released } = stage.state
  const known = standings.get(child.id)
  if (known !== undefined && known.kind !== 'released') return
  if (known !== undefined) released.delete(child.id)
  const { session, role, call } = parent
  const turn = role === 'agent' ? session.turn : role === 'harness' ? openTurn(parent.turn, session.turn) : parent.turn
  addMember(stage, session, child, parent, { role: role === 'agent' ? 'harness' : role, turn, call })
}

const openTurn = (own: TurnRecord | null, present: TurnRecord | null): TurnRecord | null => (own !== null && own.endedAt === null ? own : present)

function exited(stage: Stage, member: Member, exit: ObservationOf<'exit'>): void {
  if (member.endedAt !== null) return
  member.endedAt = exit.boot
  // The kernel closes the sockets after it has reported the exit: their byte counts are still to come.
  if (member.sockets !== null && member.sockets.size > 0) stage.state.draining.set(member.process.id, exit.boot)
  else close(stage, member, exit.boot)
}

function connected(stage: Stage, member: Member, connect: ObservationOf<'connect'>): void {
  const { session, role } = member
  let turn = member.turn
  if (role === 'agent' && session.endedAt === null) turn = turnAt(stage, session, connect.boot)
  else if (turn !== null && turn.endedAt === null && connect.boot > turn.lastAt) turn.lastAt = connect.boot
  if (connect.result < 0 && connect.result !== EINPROGRESS) return
  if (turn !== null) turn.counts.connections++
  opensSocket(stage, member, connect.sock)
}

function opensSocket(stage: Stage, member: Member, sock: Sock): void {
  member.totals.connections++
  member.session.session.totals.connections++
  if (sock.cookie === 0n) return
  const sockets = (member.sockets ??= new Set())
  if (sockets.size < SOCKETS_MAX) sockets.add(sock.cookie)
  else stage.state.overflow.sockets++
}

function socketEnded(stage: Stage, member: Member, end: ObservationOf<'sock.end'>): void {
  const bytesOut = Number(end.tx)
  member.totals.bytesOut += bytesOut
  member.totals.bytesIn += Number(end.rx)
  if (member.session.endedAt === null) member.session.session.totals.bytesOut += bytesOut
  const { sockets, endedAt } = member
  if (sockets === null || !sockets.delete(end.sock.cookie)) return
  if (sockets.size > 0 || endedAt === null || member.closed) return
  stage.state.draining.delete(member.process.id)
  close(stage, member, endedAt)
}
