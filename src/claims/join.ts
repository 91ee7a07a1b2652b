import type { BootNs } from '../model/observation.ts'
import { SLACK_NS } from './bounds.ts'
import { certainPairs, type Edges } from './matching.ts'

/** A command that was run, and one that was declared; both of the same text. */
export type Ran = { readonly id: string; readonly at: BootNs }
export type Declared = { readonly id: string; readonly at: BootNs /** Null: no result was claimed. */; readonly resultAt: BootNs | null }

/** The declaration it belongs to, or those that are equally good. */
export type Match = { readonly claim: string } | { readonly ambiguous: readonly string[] }
/** By the id of what ran; absent: none. */
export type Matches = ReadonlyMap<string, Match>

/**
 * Which of the declarations each run belongs to. First within the claimed times as they stand, then with 2 s of slack for what is left:
 * what can be told apart by time alone is; runs one after the other go in their order where the counts agree; the rest is ambiguous, never a guess.
 */
export function matchRuns(ran: readonly Ran[], declared: readonly Declared[]): Matches {
  const matches = new Map<string, Match>()
  match(ran, declared, 0n, matches)
  const taken = new Set([...matches.values()].flatMap((found) => ('claim' in found ? [found.claim] : found.ambiguous)))
  match(
    ran.filter(({ id }) => !matches.has(id)),
    declared.filter(({ id }) => !taken.has(id)),
    SLACK_NS,
    matches,
  )
  return matches
}

export const within = (at: BootNs, { at: from, resultAt }: Declared, slack: BootNs): boolean => at >= from - slack && (resultAt === null || at <= resultAt + slack)

function match(ran: readonly Ran[], declared: readonly Declared[], slack: BootNs, matches: Map<string, Match>): void {
  const byId = new Map([...declared].map((each) => [each.id, each]))
  const fits: Edges = new Map(ran.map((run) => [run.id, new Set(declared.filter((each) => within(run.at, each, slack)).map(({ id }) => id))]))
  for (const [run, claim] of certainPairs(fits)) {
    matches.set(run, { claim })
    fits.delete(run)
    for (const claims of fits.values()) claims.delete(claim)
  }
  for (const start of [...fits.keys()]) {
    if (!fits.has(start) || fits.get(start)!.size === 0) continue
    const group = component(start, fits)
    const some = ran.filter(({ id }) => group.runs.has(id)).sort(byTime)
    const others = [...group.claims].map((id) => byId.get(id)!).sort(byTime)
    const inOrder = some.length === others.length && isSequence(others) && some.every((run, i) => within(run.at, others[i]!, slack))
    for (const [i, { id }] of some.entries()) {
      matches.set(id, inOrder ? { claim: others[i]!.id } : { ambiguous: others.map((each) => each.id) })
      fits.delete(id)
    }
  }
}

const byTime = (a: Ran, b: Ran): number => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id < b.id ? -1 : 1)

/** Each had its result before the next was declared. */
const isSequence = (declared: readonly Declared[]): boolean =>
  declared.every(({ resultAt }, i) => i === declared.length - 1 || (resultAt !== null && resultAt <= declared[i + 1]!.at))

function component(start: string, fits: Edges): { readonly runs: ReadonlySet<string>; readonly claims: ReadonlySet<string> } {
  const found = { runs: new Set([start]), claims: new Set<string>() }
  for (const run of found.runs) {
    for (const claim of fits.get(run) ?? []) {
      if (found.claims.has(claim)) continue
      found.claims.add(claim)
      for (const [other, claims] of fits) if (claims.has(claim)) found.runs.add(other)
    }
  }
  return found
}

/** An access of the agent's own program to a file. */
export type Access = { readonly path: string; readonly write: boolean; readonly failed: boolean; readonly at: BootNs; readonly used: boolean }

/** `seen`: an access within the claimed time; `repeat`: the file had been opened before, and the kernel counts further opens without their times; `shared`: the only access is another call's as well. */
export type PathMatch<A extends Access> = { readonly kind: 'seen' | 'shared'; readonly act: A } | { readonly kind: 'repeat' } | null

/** The access that a declared one was. A write by temporary file and rename is an access to the target. `failed`: the agent says that it failed. */
export function matchPath<A extends Access>(acts: readonly A[], path: string, write: boolean, failed: boolean, declared: Declared, slack: BootNs): PathMatch<A> {
  let shared: A | null = null
  let before = false
  for (const act of acts) {
    if (act.path !== path || (write && !act.write) || (act.failed && !failed)) continue
    if (!within(act.at, declared, slack)) {
      before ||= act.at < declared.at && !act.failed
      continue
    }
    if (!act.used) return { kind: 'seen', act }
    shared ??= act
  }
  if (shared !== null) return { kind: 'shared', act: shared }
  return before && !write ? { kind: 'repeat' } : null
}
