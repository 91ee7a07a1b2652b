/** For each of one side those of the other that it fits. */
export type Edges = Map<string, Set<string>>

/** More than this many runs of one text at once: no pair is certain. */
const MOST = 256

/**
 * The pairs that stand in every largest matching: whichever way as many as possible are paired, these two go together. All else would be a guess.
 * By augmenting paths (Kuhn): a pair is certain if without it the matching cannot be made as large again.
 */
export function certainPairs(edges: Edges): ReadonlyArray<readonly [string, string]> {
  if (edges.size > MOST) return []
  const partner = new Map<string, string>()
  for (const left of edges.keys()) augment(left, edges, partner, new Set(), null)
  const certain: [string, string][] = []
  for (const [right, left] of [...partner]) {
    const without = new Map(partner)
    without.delete(right)
    const taken = new Set(without.values())
    const free = [...edges.keys()].filter((each) => !taken.has(each))
    if (!free.some((each) => augment(each, edges, without, new Set(), [left, right]))) certain.push([left, right])
  }
  return certain
}

function augment(left: string, edges: Edges, partner: Map<string, string>, seen: Set<string>, banned: readonly [string, string] | null): boolean {
  for (const right of edges.get(left) ?? []) {
    if (seen.has(right) || (banned !== null && banned[0] === left && banned[1] === right)) continue
    seen.add(right)
    const holder = partner.get(right)
    if (holder === undefined || augment(holder, edges, partner, seen, banned)) {
      partner.set(right, left)
      return true
    }
  }
  return false
}
