import type { BatchSink, Running, SensorOptions, SensorStats, Unavailable } from '../../src/model/sensor.ts'
import { createCounters } from './counters.ts'
import type { Libbpf } from './libbpf.ts'
import { libc } from './libc.ts'
import { type Attached, type Loaded, release } from './load.ts'
import { createMisses } from './misses.ts'
import { createOrders } from './orders.ts'
import { removePins } from './pins.ts'
import { RUNG, unavailable } from './probe.ts'
import { openRing } from './ring.ts'
import { writeControl } from './tables.ts'

export type Source = Loaded & {
  /** Where the objects are pinned, or null. */
  readonly folder: string | null
  readonly resumed: boolean
  /** What else is missing. */
  readonly notes: readonly string[]
  readonly control: number
}

/** Reads the ring of attached programs, until stopped. */
export async function run(lib: Libbpf, options: SensorOptions, sink: BatchSink, source: Source): Promise<Running | Unavailable> {
  const { attached, folder } = source
  const { maps } = attached
  const mapped = openRing(maps.get('ring')!, options.ringBytes, sink)
  if (!mapped.ok) {
    await detach(lib, attached, folder)
    return unavailable(`the ring of ${options.ringBytes} bytes cannot be mapped: ${mapped.message}`, 'set a smaller ring, or give the process more memory')
  }
  const { ring } = mapped
  const misses = createMisses(lib, attached.links, source.sections)
  const stats = createCounters(lib, maps.get('counters')!, misses.read)
  const orders = createOrders(lib, attached.programs.get('order')!, maps.get('slots'))
  /** Once the descriptors are closed their numbers may be another's. */
  let last: { readonly position: bigint; readonly stats: SensorStats } | null = null
  let stopping: Promise<void> | null = null
  ring.start()

  async function stop(keep: boolean): Promise<void> {
    ring.drain()
    if (keep && folder !== null) {
      // Destroying a tracepoint's link would disable its event, pinned or not: two descriptors of each stay until this process ends.
      for (const link of attached.links) lib.linkDisconnect(link.pointer)
    } else {
      // Up to a second, in which the ring is read on.
      await detach(lib, { maps: new Map(), programs: new Map(), links: attached.links }, folder)
      ring.drain()
    }
    last = { position: ring.position(), stats: stats() }
    ring.close()
    misses.close()
    await release(lib, { ...attached, links: [] })
  }

  const whileRunning =
    <A>(call: (argument: A) => boolean) =>
    (argument: A) =>
      last === null && call(argument)
  return {
    orders: { track: whileRunning(orders.track), release: whileRunning(orders.release), own: whileRunning(orders.own) },
    resumed: source.resumed,
    position: () => last?.position ?? ring.position(),
    drain: ring.drain,
    heartbeat() {
      if (last === null) writeControl(lib, maps.get('control')!, libc().bootTime(), source.control)
    },
    stats: () => last?.stats ?? stats(),
    describe: () => ({
      rung: RUNG,
      hooks: attached.links.map((link) => link.program),
      missing: [...source.missing.map(({ program, why }) => `${program}: ${why}`), ...source.notes],
      pinned: folder,
      ringBytes: options.ringBytes,
    }),
    stop: (how) => (stopping ??= stop(how?.keep ?? false)),
  }
}

/** Pins first: then closing our descriptors is what detaches, off the main thread. */
async function detach(lib: Libbpf, attached: Attached, folder: string | null): Promise<void> {
  if (folder !== null) await removePins(folder)
  await release(lib, attached)
}
