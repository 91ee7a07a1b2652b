import { isCount, isRecord, readJson, writeFileAtomic } from './atomic.ts'

/** Entries `from`..`to` (exclusive) that hold `count` items which the far side refused for good. The bytes stay in the journal. */
export type ParkedRange = {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly reason: string
  /** Whether something in the request was at fault, or everything would have been refused. */
  readonly fault: 'items' | 'destination'
  readonly message: string
  /** Unix milliseconds of the (last) refusal. */
  readonly at: number
}

export type Parked = {
  ranges(): readonly ParkedRange[]
  /** Adds to what stands there; a neighbour with the same reason grows. Returns what had to be given up for it (the oldest), by reason. */
  add(range: ParkedRange): readonly ParkedRange[]
  /** Takes out what the journal has pruned. */
  prune(first: number): readonly ParkedRange[]
  /** Takes out whatever lies at or beyond `index`, which after a crash is sent again; `count` items must remain (the cursor's own number). */
  cutAt(index: number, count: number): void
  save(): boolean
}

/** With an endpoint that refuses everything this stays one range. Each is about 200 bytes. */
const RANGES_MAX = 4096
const SCHEMA = 'spoor.parked/1'

export function openParked(path: string): Parked {
  let ranges = load(path)
  return {
    ranges: () => ranges,
    add(range) {
      const last = ranges.at(-1)
      if (last !== undefined && last.to === range.from && last.reason === range.reason) {
        ranges[ranges.length - 1] = { ...range, from: last.from, count: last.count + range.count }
        return []
      }
      ranges.push(range)
      return ranges.length > RANGES_MAX ? ranges.splice(0, ranges.length - RANGES_MAX) : []
    },
    prune(first) {
      const gone = ranges.filter((range) => range.to <= first)
      if (gone.length > 0) ranges = ranges.filter((range) => range.to > first)
      return gone
    },
    cutAt(index, count) {
      ranges = ranges.filter((range) => range.from < index)
      const last = ranges.at(-1)
      if (last === undefined) return
      const others = ranges.slice(0, -1).reduce((sum, range) => sum + range.count, 0)
      ranges[ranges.length - 1] = { ...last, to: Math.min(last.to, index), count: Math.max(0, count - others) }
    },
    save() {
      try {
        writeFileAtomic(path, JSON.stringify({ schema: SCHEMA, ranges }) + '\n', true)
        return true
      } catch {
        return false
      }
    },
  }
}

function load(path: string): ParkedRange[] {
  const found = readJson(path)
  if (!isRecord(found) || found['schema'] !== SCHEMA || !Array.isArray(found['ranges'])) return []
  return found['ranges'].filter(isRange).slice(-RANGES_MAX)
}

const isRange = (value: unknown): value is ParkedRange =>
  isRecord(value) &&
  isCount(value['from']) &&
  isCount(value['to']) &&
  isCount(value['count']) &&
  isCount(value['at']) &&
  value['from'] < value['to'] &&
  typeof value['reason'] === 'string' &&
  (value['fault'] === 'items' || value['fault'] === 'destination') &&
  typeof value['message'] === 'string'
