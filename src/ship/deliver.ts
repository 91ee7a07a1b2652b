import type { SignalLedger } from '../model/status.ts'
import type { Signal } from './config.ts'
import type { CursorFile } from './cursor.ts'
import type { Batch, Feed } from './feed.ts'
import { addTally, emptyTally, ledgerOf, reject, type Tally } from './ledger.ts'
import type { RunResource } from './logs.ts'
import type { Outcome } from './outcome.ts'
import type { Parked, ParkedRange } from './parked.ts'
import type { Gate } from './retry.ts'

export type LaneReport = {
  readonly ledger: SignalLedger
  readonly state: 'ok' | 'retrying' | 'refused'
  /** One sentence part for people; null when ok. */
  readonly why: string | null
}

export type LaneOptions<Item extends { readonly index: number }> = {
  readonly signal: Signal
  readonly journalId: string
  readonly feed: Feed<Item>
  /** The oldest entry there is. */
  readonly first: () => number
  readonly send: (items: readonly Item[]) => Promise<Outcome>
  readonly cursorFile: CursorFile
  readonly start: { readonly index: number; readonly run: RunResource | null; readonly tally: Tally }
  readonly parked: Parked
  readonly gate: Gate
  /** Requests at a time. Order is kept by the cursor, not by the wire. */
  readonly inFlight: number
  /** Unix milliseconds. */
  readonly now: () => number
  readonly onChange: () => void
  readonly onParked: (range: ParkedRange) => void
}

/** Delivers one signal to one destination: at least once, in batches, never blocked by what is refused for good. */
export type Lane = {
  /** There may be something new. */
  wake(): void
  /** Sends what is durable; resolves when all of it is settled, when the far side fails, or at the deadline (Unix milliseconds). Afterwards nothing is sent. */
  drain(deadline: number): Promise<void>
  report(): LaneReport
}

/** Entries of 450 bytes on average: 2,048 of them in one request keep 20,000 entries a second at 100 ms of round trip with two in flight. */
export const BATCH_BYTES = 1024 * 1024
export const BATCH_ENTRIES = 2048
const BATCH_BYTES_MIN = 16 * 1024
/** One bad item among 2,048 is found in 22 requests. */
const SPLIT_REQUESTS_MAX = 32
/** A far side that refuses whole batches refuses everything: no searching for a bad item then. */
const REFUSED_BATCHES_MAX = 2
const SAVE_LATER_MS = 250

type Piece<Item> = { readonly from: number; readonly to: number; readonly items: readonly Item[] }
type Slot<Item> = { readonly batch: Batch<Item>; result: { readonly tally: Tally; readonly parked: readonly ParkedRange[] } | null }

export function createLane<Item extends { readonly index: number }>(options: LaneOptions<Item>): Lane {
  const { feed, gate, now, parked } = options
  const tally: Tally = structuredClone(options.start.tally)
  let { index, run } = options.start
  let first = -1
  let maxBytes = BATCH_BYTES
  let refusedBatches = 0
  let health: Pick<LaneReport, 'state' | 'why'> = { state: 'ok', why: null }
  let deadline: number | null = null
  let scanning = false
  let saver: NodeJS.Timeout | null = null
  const window: Slot<Item>[] = []
  const waiting = new Set<() => void>()

  const ring = (): void => {
    for (const wake of [...waiting]) wake()
  }
  const rung = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(ms, 2 ** 31 - 1))
      waiting.add(done)
    })

  function note(state: LaneReport['state'], why: string | null): void {
    if (health.state === state && health.why === why) return
    health = { state, why }
    options.onChange()
  }

  function pump(): void {
    if (deadline !== null && (now() >= deadline || health.state === 'retrying')) return
    expireParked()
    look()
    while (window.length < options.inFlight) {
      const batch = feed.next({ bytes: maxBytes, entries: BATCH_ENTRIES })
      if (batch === null) break
      const slot: Slot<Item> = { batch, result: null }
      window.push(slot)
      if (batch.items.length === 0) {
        slot.result = { tally: emptyTally(), parked: [] }
        settle()
      } else void deliver(slot)
    }
    if (deadline !== null && window.length === 0 && !scanning) ring()
  }

  /** Also while the window is full: the backlog is to be known while the far side is away. */
  function look(): void {
    if (scanning || !feed.scan()) return
    scanning = true
    setImmediate(() => {
      scanning = false
      pump()
      ring()
    })
  }

  /** Commits what is done, in order, so that everything below the cursor is settled. */
  function settle(): void {
    let moved = false
    while (window[0]?.result) {
      const { batch, result } = window.shift()!
      addTally(tally, result!.tally)
      tally.expired += batch.expired
      for (const [reason, count] of Object.entries(batch.unusable)) reject(tally, reason, count)
      for (const range of result!.parked) park(range)
      if (result!.parked.length > 0) parked.save()
      index = batch.to
      run = batch.run
      moved = true
    }
    if (!moved) return
    save(false)
    options.onChange()
  }

  function park(range: ParkedRange): void {
    tally.parked += range.count
    for (const old of parked.add(range)) {
      tally.parked -= old.count
      reject(tally, old.reason, old.count)
    }
    options.onParked(range)
  }

  function expireParked(): void {
    if (options.first() === first) return
    first = options.first()
    const gone = parked.prune(first)
    if (gone.length === 0) return
    for (const range of gone) {
      tally.parked -= range.count
      tally.expired += range.count
    }
    parked.save()
    save(false)
    options.onChange()
  }

  function save(force: boolean): void {
    const saved = options.cursorFile.save({ journal: options.journalId, index, run, tally }, now(), force)
    if (saved || force || saver !== null) return
    saver = setTimeout(() => {
      saver = null
      save(false)
    }, SAVE_LATER_MS)
    saver.unref()
  }

  /** False: delivery has ended. While the far side fails only the oldest batch asks, the others wait for its luck. */
  async function turn(slot: Slot<Item>): Promise<boolean> {
    for (;;) {
      if (deadline !== null && (now() >= deadline || (health.state === 'retrying' && gate.waitMs(now()) > 0))) return false
      const wait = gate.waitMs(now())
      const behind = gate.failures() > 0 && window[0] !== slot
      if (wait === 0 && !behind) return true
      await rung(behind ? 1000 : wait)
    }
  }

  async function deliver(slot: Slot<Item>): Promise<void> {
    const done = emptyTally()
    const refused: ParkedRange[] = []
    const stack: Piece<Item>[] = [slot.batch]
    let splits = refusedBatches < REFUSED_BATCHES_MAX ? SPLIT_REQUESTS_MAX : 0
    while (stack.length > 0) {
      if (!(await turn(slot))) return ended()
      const piece = stack.at(-1)!
      const count = piece.items.length
      const outcome = await options.send(piece.items)
      if (outcome.kind === 'retry') {
        gate.fail(now(), outcome.afterMs)
        note('retrying', outcome.message)
        ring()
        continue
      }
      gate.succeed()
      stack.pop()
      switch (outcome.kind) {
        case 'accepted': {
          const rejected = Math.min(outcome.rejected, count)
          done.acknowledged += count - rejected
          reject(done, 'partial_success', rejected)
          refusedBatches = 0
          note(rejected > 0 ? 'refused' : 'ok', rejected > 0 ? `rejected ${rejected} of ${count} ${options.signal}${outcome.message === null ? '' : `: ${outcome.message}`}` : null)
          break
        }
        case 'too_large':
          maxBytes = Math.max(BATCH_BYTES_MIN, Math.floor(maxBytes / 2))
          if (count > 1) stack.push(...halves(piece))
          else refused.push(rangeOf(piece, 'items', outcome))
          break
        case 'refused':
          if (count > 1 && outcome.fault === 'items' && splits > 1) {
            splits -= 2
            stack.push(...halves(piece))
          } else refused.push(rangeOf(piece, outcome.fault, outcome))
          note('refused', outcome.message)
          break
        default:
          outcome satisfies never
      }
      ring()
    }
    if (done.acknowledged === 0 && refused.length > 0) refusedBatches++
    slot.result = { tally: done, parked: refused }
    settle()
    pump()
  }

  function ended(): void {
    window.splice(0)
    ring()
  }

  const rangeOf = (piece: Piece<Item>, fault: ParkedRange['fault'], { reason, message }: { readonly reason: string; readonly message: string }): ParkedRange => ({
    from: piece.from,
    to: piece.to,
    count: piece.items.length,
    reason,
    fault,
    message,
    at: now(),
  })

  return {
    wake() {
      if (deadline === null) pump()
    },
    async drain(until) {
      deadline = until
      gate.open()
      if (health.state === 'retrying') health = { state: 'ok', why: null }
      ring()
      pump()
      while ((window.length > 0 || scanning) && now() < until) await rung(until - now())
      deadline = 0
      ring()
      if (saver !== null) clearTimeout(saver)
      save(true)
    },
    report() {
      const held = window.reduce((sum, slot) => sum + slot.batch.items.length + slot.batch.expired + Object.values(slot.batch.unusable).reduce((a, b) => a + b, 0), 0)
      return { ledger: ledgerOf(tally, held + feed.waiting()), ...health }
    },
  }
}

/** The older half is sent first: it ends up on top of the stack. */
function halves<Item extends { readonly index: number }>(piece: Piece<Item>): readonly [Piece<Item>, Piece<Item>] {
  const middle = piece.items.length >> 1
  const at = piece.items[middle]!.index
  return [
    { from: at, to: piece.to, items: piece.items.slice(middle) },
    { from: piece.from, to: at, items: piece.items.slice(0, middle) },
  ]
}
