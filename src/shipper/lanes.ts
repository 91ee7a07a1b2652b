import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Destination, Environment, Target } from '../ship/config.ts'
import { openCursor } from '../ship/cursor.ts'
import { createLane, type Lane, type LaneOptions } from '../ship/deliver.ts'
import type { Feed } from '../ship/feed.ts'
import { emptyTally } from '../ship/ledger.ts'
import { type LogItem, logsRequest, type RunResource, type Scope } from '../ship/logs.ts'
import { createLogsFeed } from '../ship/logs-feed.ts'
import { logsJson } from '../ship/logs-json.ts'
import { outcomeOf } from '../ship/outcome.ts'
import { openParked, type ParkedRange } from '../ship/parked.ts'
import { type Backoff, createGate } from '../ship/retry.ts'
import { revive, type Start } from '../ship/revive.ts'
import type { Source } from '../ship/source.ts'
import { SpanExporter } from '../ship/spans.ts'
import { createSpansFeed, type SpanItem } from '../ship/spans-feed.ts'
import { createTransport, type Transport } from '../ship/transport.ts'

export type LanesOptions = {
  /** The shipper's own folder. */
  readonly folder: string
  /** Makes a reader of the journal; each user gets its own. */
  readonly open: () => Source
  readonly destination: Destination
  readonly env: Environment
  readonly fallback: RunResource
  readonly scope: Scope
  readonly backoff: Backoff
  readonly onChange: () => void
  readonly onParked: (target: Target, range: ParkedRange) => void
  readonly onNote: (message: string) => void
}

export type Lanes = { readonly logs: Lane | null; readonly traces: Lane | null; close(): void }

/** `bounds` lists a folder; pruning is rare. */
const FIRST_EVERY_MS = 1000
/** The SDK's delegate is asked for one export at a time. */
const SPANS_IN_FLIGHT = 1
const LOGS_IN_FLIGHT = 2

/** Everything one destination needs, wired: a lane for each signal it takes. */
export async function createLanes(options: LanesOptions): Promise<Lanes> {
  const { destination } = options
  const folder = join(options.folder, destination.name)
  mkdirSync(join(folder, 'parked'), { recursive: true, mode: 0o700 })
  const transports: Transport[] = []
  const source = options.open()
  let bounds = source.bounds()
  let lookedAt = Date.now()
  const first = (): number => {
    if (Date.now() - lookedAt >= FIRST_EVERY_MS) {
      bounds = source.bounds()
      lookedAt = Date.now()
    }
    return bounds.first
  }

  async function lane<Item extends { readonly index: number }>(
    target: Target,
    make: (transport: Transport) => Pick<LaneOptions<Item>, 'send' | 'inFlight'> & { readonly feedFrom: (start: Start) => Feed<Item> },
  ): Promise<Lane> {
    const transport = createTransport(target, options.env)
    transports.push(transport)
    const cursorFile = openCursor(join(folder, `${target.signal}.cursor`))
    const { cursor, why } = cursorFile.load(source.id)
    if (why !== null) options.onNote(`${destination.name}: ${why}`)
    const parked = openParked(join(folder, 'parked', `${target.signal}.json`))
    const saved: Start = cursor ?? { index: bounds.first, run: null, tally: emptyTally() }
    parked.cutAt(saved.index, saved.tally.parked)
    const { feedFrom, send, inFlight } = make(transport)
    const start = await revive(source, saved, parked, feedFrom, send)
    return createLane({
      signal: target.signal,
      journalId: source.id,
      first,
      cursorFile,
      start,
      parked,
      gate: createGate(options.backoff, Math.random),
      now: Date.now,
      onChange: options.onChange,
      onParked: (range) => options.onParked(target, range),
      feed: feedFrom(start),
      send,
      inFlight,
    })
  }

  const { logs: logsTarget, traces: tracesTarget } = destination
  const [logs, traces] = await Promise.all([
    logsTarget &&
      lane<LogItem>(logsTarget, (transport) => {
        const json = logsTarget.protocol === 'http/json'
        const request = json ? logsJson : logsRequest
        const contentType = json ? 'application/json' : 'application/x-protobuf'
        return {
          feedFrom: (start) => createLogsFeed(source, start, options.fallback),
          send: async (items) => outcomeOf(await transport.post(request(items, options.scope), contentType), Date.now()),
          inFlight: LOGS_IN_FLIGHT,
        }
      }),
    tracesTarget &&
      lane<SpanItem>(tracesTarget, (transport) => {
        const exporter = new SpanExporter(tracesTarget, transport)
        const [near, ahead] = [options.open(), options.open()]
        return {
          feedFrom: (start) => createSpansFeed(near, ahead, start, options.fallback, options.scope),
          send: (items) => exporter.send(items.map((item) => item.span)),
          inFlight: SPANS_IN_FLIGHT,
        }
      }),
  ])
  return {
    logs,
    traces,
    close() {
      for (const transport of transports) transport.close()
    },
  }
}
