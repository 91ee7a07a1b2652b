export type Interval = { readonly median: number; readonly low: number; readonly high: number; readonly n: number }

/**
 * Median with its 95 % interval by order statistics (binomial, distribution-free): the narrowest symmetric pair of ranks that covers at least 95 %.
 * Below 6 values no pair does: then the interval is the whole range, and covers less.
 */
export function interval(values: readonly number[]): Interval {
  if (values.length === 0) throw new Error('no values')
  const sorted = [...values].sort((a, b) => a - b)
  const n = sorted.length
  let rank = 0
  // P(rank < B(n, 1/2) <= n - rank - 1) for the pair sorted[rank], sorted[n - 1 - rank]
  while (rank + 1 < n - 1 - (rank + 1) && coverage(n, rank + 1) >= 0.95) rank++
  const middle = n % 2 === 1 ? sorted[(n - 1) / 2]! : (sorted[n / 2 - 1]! + sorted[n / 2]!) / 2
  return { median: middle, low: sorted[rank]!, high: sorted[n - 1 - rank]!, n }
}

/** Probability that the median lies between the (rank+1)-th smallest and the (rank+1)-th largest of n values. */
function coverage(n: number, rank: number): number {
  let term = 0.5 ** n
  let tail = 0
  for (let k = 0; k <= rank; k++) {
    tail += term
    term = (term * (n - k)) / (k + 1)
  }
  return 1 - 2 * tail
}

export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]!
}
