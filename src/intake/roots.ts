import { realpathSync, statSync } from 'node:fs'
import type { ClaimPlace, ClaimSession, ClaimSource } from '../model/claim.ts'
import { type Counters, count } from './counters.ts'

/** A claim may be stamped by another clock reading than the process's start, and a file system keeps coarse times. */
export const SLACK_MS = 2_000
const ROOTS_MAX = 16

export type Member = { readonly id: string; readonly session: ClaimSession; readonly since: number; endedAt: number | null }
/** A folder below which one agent writes, with the sessions that it is followed for. */
export type Root = {
  readonly source: ClaimSource
  readonly agent: string
  readonly wanted: string
  /** Named by a variable, or by the kernel's open: it may lie outside the home. */
  readonly named: boolean
  /** Null until it exists and has been found to be the user's own. */
  real: string | null
  readonly members: Map<string, Member>
}

export type Roots = {
  readonly all: readonly Root[]
  open(source: ClaimSource, agent: string, path: string, named: boolean, member: Member): Root | null
  /** Marks the session as over; its files are followed until `forget`. */
  ended(id: string, now: number): void
  /** Sessions that ended before `before` go, and roots without sessions with them. */
  forget(before: number): readonly Root[]
  /** Looks for roots that are not there yet. True where one came to be. */
  find(): boolean
  at(path: string): { readonly root: Root; readonly segments: readonly string[] } | null
}

export function createRoots(uid: number, counters: Counters): Roots {
  const roots: Root[] = []
  const refused = new Set<string>()

  function resolve(root: Root): boolean {
    if (root.real !== null) return false
    try {
      const real = realpathSync(root.wanted)
      const stat = statSync(real)
      const homes = [...root.members.values()].map(({ session }) => realpathSync(session.home))
      // A link out of the home would let a folder of the user's decide what is read elsewhere; where the user named the folder, the owner decides.
      const why = !stat.isDirectory()
        ? 'not_regular'
        : stat.uid !== uid
          ? 'not_own'
          : root.named || homes.some((home) => real.startsWith(home === '/' ? home : home + '/'))
            ? null
            : 'outside'
      if (why === null) root.real = real
      else if (!refused.has(root.wanted)) {
        refused.add(root.wanted)
        count(counters, why)
      }
      return why === null
    } catch {
      return false
    }
  }

  return {
    all: roots,
    open(source, agent, path, named, member) {
      let root = roots.find((one) => one.source === source && one.wanted === path)
      if (root === undefined) {
        if (roots.length >= ROOTS_MAX) {
          count(counters, 'folders_over_bound')
          return null
        }
        root = { source, agent, wanted: path, named, real: null, members: new Map() }
        roots.push(root)
      }
      root.members.set(member.id, member)
      resolve(root)
      return root
    },
    ended(id, now) {
      for (const root of roots) {
        const member = root.members.get(id)
        if (member !== undefined) member.endedAt ??= now
      }
    },
    forget(before) {
      const gone: Root[] = []
      for (const root of roots) for (const [id, { endedAt }] of root.members) if (endedAt !== null && endedAt < before) root.members.delete(id)
      for (let at = roots.length - 1; at >= 0; at--) if (roots[at]!.members.size === 0) gone.push(...roots.splice(at, 1))
      return gone
    },
    find() {
      let found = false
      for (const root of roots) found = resolve(root) || found
      return found
    },
    at(path) {
      for (const root of roots) {
        if (root.real === null) continue
        if (path === root.real) return { root, segments: [] }
        if (path.startsWith(root.real + '/')) return { root, segments: path.slice(root.real.length + 1).split('/') }
      }
      return null
    },
  }
}

/** When the oldest session that this root is followed for began, in Unix milliseconds. */
export const sinceOf = (root: Root): number => Math.min(...[...root.members.values()].map(({ since }) => since)) - SLACK_MS

export const placeOf = (root: Root, segments: readonly string[]): ClaimPlace => root.source.place(segments)

/** Folders below the root, as real paths, that are watched even where nothing has changed in them. */
export function expectedOf(root: Root, nowMs: number): ReadonlySet<string> {
  if (root.real === null) return new Set()
  const folders = new Set([root.real])
  for (const { session } of root.members.values()) for (const folder of root.source.expected(session, nowMs)) folders.add(`${root.real}/${folder}`)
  return folders
}
