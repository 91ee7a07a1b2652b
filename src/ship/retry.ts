/** Milliseconds. */
export type Backoff = { readonly firstMs: number; readonly factor: number; readonly maxMs: number; readonly jitter: number }

/** A collector's restart is over in seconds; 15 s between attempts is little load on one that is away for long, and a short wait once it is back. */
export const BACKOFF: Backoff = { firstMs: 1000, factor: 1.7, maxMs: 15_000, jitter: 0.2 }
/** A far side may ask for patience, not for the end of delivery. */
export const RETRY_AFTER_MAX_MS = 600_000
/** `Retry-After: 0` must not become a busy loop. */
const RETRY_AFTER_MIN_MS = 250

/** Seconds or an HTTP-date (RFC 9110 10.2.3), as milliseconds from `nowMs`; null where it is neither. */
export function parseRetryAfter(value: string | null, nowMs: number): number | null {
  if (value === null) return null
  const text = value.trim()
  let wait: number
  if (/^\d{1,12}$/.test(text)) wait = Number(text) * 1000
  else if (/^[A-Z][a-z]{2,8},? /.test(text) && Number.isFinite(Date.parse(text))) wait = Date.parse(text) - nowMs
  else return null
  return Math.min(Math.max(wait, RETRY_AFTER_MIN_MS), RETRY_AFTER_MAX_MS)
}

/** Whether the far side may be asked now. One for each destination and signal, shared by all its requests. */
export type Gate = {
  failures(): number
  /** Milliseconds until the next attempt; 0 = now. */
  waitMs(nowMs: number): number
  fail(nowMs: number, retryAfterMs: number | null): void
  succeed(): void
  /** Lets the next attempt go at once. */
  open(): void
}

export function createGate(backoff: Backoff, random: () => number): Gate {
  let failures = 0
  let notBefore = 0
  return {
    failures: () => failures,
    waitMs: (nowMs) => Math.max(0, notBefore - nowMs),
    fail(nowMs, retryAfterMs) {
      failures++
      const plain = Math.min(backoff.firstMs * backoff.factor ** Math.min(failures - 1, 64), backoff.maxMs)
      notBefore = nowMs + (retryAfterMs ?? plain * (1 + backoff.jitter * (2 * random() - 1)))
    },
    succeed() {
      failures = 0
      notBefore = 0
    },
    open() {
      notBefore = 0
    },
  }
}
