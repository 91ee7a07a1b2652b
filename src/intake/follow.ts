import type { watch } from 'chokidar'
import type { Claim } from '../model/claim.ts'
import { createBudget } from './budget.ts'
import { type Counters, countersNow } from './counters.ts'
import { createFiles } from './files.ts'
import type { FilePosition, IntakeCounters } from './frames.ts'
import type { IntakeOrder } from './orders.ts'
import { createRoots, type Member } from './roots.ts'
import { sourceOf } from './sources.ts'
import { createWatch } from './watch.ts'

/** For what the watch misses: a network file system, a limit on watches, a root that was not there yet. */
export const POLL_MS = 1_000
/** An agent's very first run makes its folders while its first records are written: for a while a root that is not there is looked for often. */
const FIND_MS = 100
const FIND_FOR_MS = 60_000
/** A session's files are followed on for this long: the last lines are written while the agent ends. */
export const LINGER_MS = 10_000
/** Read of one file before the next has its turn. */
const TURN_BYTES = 256 * 1024

export type Follower = {
  obey(order: IntakeOrder): void
  resume(): void
  counters(): IntakeCounters
  /** Positions that moved without a claim. */
  moved(): readonly FilePosition[]
  close(): Promise<void>
}

export type FollowerOptions = {
  readonly uid: number
  readonly watch: typeof watch
  /** Unix milliseconds. */
  readonly now: () => number
  readonly counters: Counters
  readonly emit: (file: FilePosition, claims: readonly Claim[]) => void
  /** True while what was emitted has not been taken: nothing more is read, until `resume`. */
  readonly held: () => boolean
}

/** Follows the files of the sessions it is told of: what changed is read a piece at a time, each file in its turn, within one budget of bytes. */
export function createFollower({ uid, watch: start, now, counters, emit, held }: FollowerOptions): Follower {
  const roots = createRoots(uid, counters)
  const files = createFiles(uid, counters, emit)
  const budget = createBudget(now)
  const unread = new Set<string>()
  let immediate: NodeJS.Immediate | null = null
  let waiting: NodeJS.Timeout | null = null

  function look(path: string): void {
    const found = roots.at(path)
    if (found === null || !files.look(found.root, found.segments, path)) return
    unread.add(path)
    schedule()
  }
  function schedule(): void {
    if (waiting === null && !held()) immediate ??= setImmediate(read)
  }
  function read(): void {
    immediate = null
    for (const path of [...unread]) {
      if (held()) return
      const given = budget.take(TURN_BYTES)
      if (given < TURN_BYTES) {
        budget.give(given)
        waiting = setTimeout(() => {
          waiting = null
          read()
        }, budget.wait(TURN_BYTES))
        return
      }
      const { read: used, behind } = files.pump(path, given)
      budget.give(given - used)
      // To the end of the queue: a file of 200 MB has its turn after each of the others.
      unread.delete(path)
      if (behind > 0 && used > 0) unread.add(path)
    }
    if (unread.size > 0) schedule()
  }
  const watched = createWatch(start, roots, counters, now, look)

  let finding: NodeJS.Timeout | null = null
  function find(): void {
    finding = null
    if (roots.find()) watched.ensure()
    const young = roots.all.some(({ real, members }) => real === null && [...members.values()].some(({ since }) => now() - since < FIND_FOR_MS))
    if (young) finding = setTimeout(find, FIND_MS)
  }
  const poll = setInterval(() => {
    roots.find()
    watched.ensure()
    for (const path of files.stale()) look(path)
    for (const path of files.documents()) look(path)
    files.close(roots.forget(now() - LINGER_MS))
  }, POLL_MS)

  const members = new Map<string, { readonly member: Member; readonly agent: string }>()
  return {
    obey(order) {
      switch (order.op) {
        case 'open': {
          const source = sourceOf(order.agent)
          if (source === null) return
          const session = { home: order.home, cwd: order.cwd, env: order.env }
          const member = { id: order.id, session, since: order.since, endedAt: null }
          const { path, named } = source.root(session)
          members.set(order.id, { member, agent: order.agent })
          roots.open(source, order.agent, path, named, member)
          watched.ensure()
          if (finding === null) find()
          return
        }
        case 'ended':
          roots.ended(order.id, now())
          members.delete(order.id)
          return
        case 'transcript': {
          const known = members.get(order.id)
          const source = known === undefined ? null : sourceOf(known.agent)
          const root = source?.rootOf(order.path)
          if (known === undefined || source == null || root == null) return
          // The kernel's word for where this agent writes, whatever its environment says.
          if (roots.at(order.path) === null && roots.open(source, known.agent, root, true, known.member) !== null) watched.ensure()
          look(order.path)
          return
        }
        case 'positions':
          files.remember(order.files)
          return
        default:
          order satisfies never
      }
    },
    resume: schedule,
    counters: () => countersNow(counters, files.followed(), files.behind()),
    moved: () => files.moved(),
    async close() {
      clearInterval(poll)
      if (finding !== null) clearTimeout(finding)
      if (immediate !== null) clearImmediate(immediate)
      if (waiting !== null) clearTimeout(waiting)
      await watched.close()
      files.close(roots.all)
    },
  }
}
