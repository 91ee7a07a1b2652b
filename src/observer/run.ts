import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import type { Catalogue } from '../agents/catalogue.ts'
import { version } from '../cli/version.ts'
import type { Accounts } from '../identity/accounts.ts'
import { sampleOffset } from '../identity/clock.ts'
import { bootNow, peerCredentials, wallNow } from '../identity/libc.ts'
import { hostFacts } from '../identity/machine.ts'
import { seeProcess, seeProcesses } from '../identity/processes.ts'
import { readIds, readStat } from '../identity/procfs.ts'
import type { Journal, OpenReport } from '../journal/journal.ts'
import type { StateDir } from '../journal/state-dir.ts'
import type { EntryDraft, Value } from '../model/entry.ts'
import type { SessionId } from '../model/ids.ts'
import type { Running, Sensor } from '../model/sensor.ts'
import type { Ledger } from '../model/status.ts'
import { health, journalCut, journalDamaged, runEnd, runStart, sensorGap, shipParked } from '../shape/own.ts'
import { createClaimsFeed } from './claims-feed.ts'
import { serveControl } from './control.ts'
import type { Engine } from './engine.ts'
import type { Observer, ObserverOptions } from './face.ts'
import { previousRun, writeHealthFile } from './health-file.ts'
import { createLossWatch } from './losses.ts'
import type { Pipeline } from './pipeline.ts'
import { preferReader } from './priority.ts'
import { resourceOf } from './resource.ts'
import { entryFile } from './self.ts'
import { startShipChild } from './ship-child.ts'
import { ledgerNow, type StatusSources, statusDocument } from './status.ts'
import { summaryOf } from './summary.ts'

/** While sessions are open things become due within a second; otherwise only the clock and the sign of life are looked after. */
const TICK_MS = { open: 1_000, idle: 10_000 } as const
const HEALTH_EVERY_NS = 60_000_000_000n
/** Sessions whose recorder asks whether they have ended; as many as are remembered at all. */
const ENDED_MAX = 256
/** /proc tells starts by the clock tick (10 ms); a process that began while the list was read must not be missed on it. */
const LISTING_NS = 50_000_000n

export type RunOptions = ObserverOptions & {
  readonly dir: StateDir
  readonly sensor: Sensor
  readonly running: Running
  readonly pipeline: Pipeline
  readonly engine: Engine
  readonly journal: Journal
  readonly report: OpenReport
  readonly accounts: Accounts
  readonly catalogue: Catalogue
  readonly machine: Uint8Array
  readonly bootId: string
  readonly runId: string
  /** Names of the environment variables that may be read. */
  readonly environment: ReadonlySet<string>
  /** There is state of an earlier life. */
  readonly continued: boolean
  readonly close: () => Promise<void>
}

/** Begins a run on a sensor that has started: says what was before, looks at who runs already, and from then on keeps time, answers and ships. */
export async function beginRun(options: RunOptions): Promise<Observer> {
  const { dir, sensor, running, pipeline, engine, journal, runId, config } = options
  const own = (draft: EntryDraft): void => engine.feed({ kind: 'own', draft })
  const snapshotOptions = { sensor: sensor.id, seq: running.position(), boot: bootNow(), environment: options.environment } as const
  const startedAt = wallNow()
  /** `fresh`: who is not listed has ended unseen. */
  const seed = (fresh: boolean): void => {
    const boot = bootNow()
    const processes = seeProcesses({ ...snapshotOptions, boot })
    // The ring after the list: who is listed was forked before, so its fork is read by now and it is not taken for an unknown; and it has the exits since.
    running.drain()
    engine.feed({ kind: 'seed', boot: fresh ? boot - LISTING_NS : boot, processes, fresh })
  }

  const machineWide = options.scope === 'machine'
  // `record` is not preferred: its command would inherit that.
  if (machineWide) preferReader()
  const claims = createClaimsFeed({
    catalogue: options.catalogue,
    pipeline,
    engine,
    command: [entryFile(), '__intake'],
    bootNow,
    drain: () => running.drain(),
    onState: options.onState,
  })
  pipeline.listen((activity, offsetNs) => {
    claims.onActivity(activity, offsetNs)
    options.onActivity?.(activity, offsetNs)
  })
  engine.snapshot()
  engine.feed({ kind: 'run', runId, resumed: running.resumed })
  engine.feed({ kind: 'tick', ...sampleOffset() })
  announce()
  if (running.resumed) running.drain()
  if (machineWide) {
    seed(options.continued && !running.resumed)
    // Children that were forked between the reading of /proc and the order to track their parents.
    if (!running.resumed) seed(false)
  }
  writeHealthFile(dir.health, { runId, bootId: options.bootId, pid: process.pid, endedClean: false })

  const shipper =
    options.ship === null
      ? null
      : startShipChild({
          command: [entryFile(), '__shipper', '--state-dir', dir.path],
          env: { ...process.env, ...options.ship, ...compileCache() },
          onLine(line) {
            if (line.type === 'note') options.onState?.(`shipper: ${line.message}`)
            else own(shipParked({ at: wallNow(), entries: line.count, destination: line.destination, signal: line.signal, from: line.from, to: line.to, reason: line.reason }))
          },
          onState: (message, detail) => options.onState?.(message, detail),
        })
  const sources = (): StatusSources => ({
    run: { id: runId, startedAt, stateDir: dir.path, version: version() },
    sensor,
    running,
    machineWide,
    pipeline,
    journal,
    engine,
    intakes: claims.report(),
    shipper: shipper && { pid: shipper.pid(), report: shipper.report(), restarts: shipper.restarts() },
  })

  const observer: Observer = {
    record({ pid, startTicks }, name) {
      const seen = seeProcess(pid, { ...snapshotOptions, boot: bootNow() })
      if (seen === null || seen.task.startTicks !== startTicks) return null
      engine.feed({ kind: 'record', boot: bootNow(), seen, name })
      return pipeline.recorded()
    },
    status() {
      // What lies in the ring unread has been counted by the kernel already.
      running.drain()
      return statusDocument(sources())
    },
    summary(id) {
      const summary = summaryOf(pipeline, id)
      return summary === null || !summary.ended || summary.settled === false || stopping !== null ? summary : { ...summary, ended: isReadable(id) }
    },
    stop: () => (stopping ??= stop()),
  }
  let stopping: Promise<void> | null = null
  const control = await serveControl({
    path: dir.control,
    mode: process.getuid?.() === 0 ? 0o666 : 0o600,
    handlers: {
      ...observer,
      ownerOf(pid, startTicks) {
        const stat = readStat(pid)
        return stat === null || stat.startTicks !== startTicks ? null : readIds(stat).uid
      },
    },
    peer: peerCredentials,
  })

  /** Readers see what is durable: whoever is told of a session's end looks for it at once. */
  const endedBefore = new Map<SessionId, number>()
  function isReadable(id: SessionId): boolean {
    const index = endedBefore.get(id) ?? journal.next
    if (!endedBefore.has(id)) {
      if (endedBefore.size >= ENDED_MAX) endedBefore.clear()
      endedBefore.set(id, index)
      void journal.sync()
    }
    return journal.durable >= index
  }

  const losses = createLossWatch(sensor.id, process.pid)
  let healthAt = bootNow() + HEALTH_EVERY_NS
  let healthIndex = journal.next
  let pace: number = TICK_MS.open
  let timer = setTimeout(tick, pace)
  pipeline.listen((activity) => {
    // What a session waits for is due within a second, also of one that began just after an idle tick.
    if (activity.kind !== 'session.start' || pace === TICK_MS.open) return
    clearTimeout(timer)
    pace = TICK_MS.open
    timer = setTimeout(tick, pace)
  })

  function tick(): void {
    running.heartbeat()
    const sample = sampleOffset()
    engine.feed({ kind: 'tick', ...sample })
    const lost = losses(running.stats(), sample.boot)
    for (const loss of lost) engine.feed({ kind: 'loss', loss })
    // An exit may be among what was lost.
    if (lost.length > 0) seed(true)
    // A silent minute says nothing new.
    if (sample.boot >= healthAt && journal.next > healthIndex) {
      own(healthNow())
      healthAt = sample.boot + HEALTH_EVERY_NS
      healthIndex = journal.next
    }
    const [open] = pipeline.sessions.open()
    pace = open === undefined ? TICK_MS.idle : TICK_MS.open
    timer = setTimeout(tick, pace)
  }

  function healthNow(): EntryDraft {
    const { state, why } = observer.status()
    const { user, system } = process.cpuUsage()
    return health({
      at: wallNow(),
      ledger: asValue(ledgerNow(sources())),
      oldestOpenIndex: null,
      openSessions: [...pipeline.sessions.open()].length,
      cpuNs: BigInt(user + system) * 1000n,
      rssBytes: process.memoryUsage.rss(),
      state,
      why,
    })
  }

  async function stop(): Promise<void> {
    clearTimeout(timer)
    await control.close()
    // Reads on until all hooks are gone; then nothing more can come.
    await running.stop()
    const sample = sampleOffset()
    engine.feed({ kind: 'tick', ...sample })
    for (const loss of losses(running.stats(), sample.boot)) engine.feed({ kind: 'loss', loss })
    // What they have read until now counts.
    await claims.stop()
    engine.feed({ kind: 'end', boot: bootNow() })
    own(runEnd({ at: wallNow(), runId, reason: 'stop', startedAt, ledger: asValue(ledgerNow(sources())) }))
    await journal.sync()
    await shipper?.stop()
    engine.snapshot()
    writeHealthFile(dir.health, { runId, bootId: options.bootId, pid: process.pid, endedClean: true })
    await options.close()
  }

  function announce(): void {
    const at = wallNow()
    const previous = previousRun(dir.health, options.bootId)
    const described = running.describe()
    const { cut, damages } = options.report
    if (cut !== null) own(journalCut({ at, ...cut }))
    for (const damage of damages) own(journalDamaged({ at, ...damage }))
    own(
      runStart({
        at,
        runId,
        previousId: previous.id,
        previousEnd: previous.id === null ? null : previous.end,
        resource: { 'service.name': 'spoor', ...resourceOf(process.env), 'service.version': version(), 'service.instance.id': runId, ...hostFacts(options.machine, config.hostId) },
        sensor: { name: sensor.id, rung: described.rung },
        capabilities: sensor.capabilities,
        resumed: running.resumed,
        hooksMissing: described.missing,
      }),
    )
    if (previous.end === 'crash' && !running.resumed)
      own(sensorGap({ at, from: at, to: at, kinds: Object.keys(sensor.capabilities), atLeast: 'unknown', reason: 'observer_crash' }))
  }
  return observer
}

/** The command line has taken the variable out of our environment, for the sake of observed agents; a start without it costs 0.15 s more. */
function compileCache(): Readonly<Record<string, string>> {
  const folder = getCompileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}

/** Leaves out what is not there: a Value knows no null. */
function asValue(ledger: Ledger): Value {
  const destinations = Object.entries(ledger.destinations).map(([name, signals]) => [name, Object.fromEntries(Object.entries(signals).filter(([, signal]) => signal !== null))])
  return { ...ledger, destinations: Object.fromEntries(destinations) as Value } as unknown as Value
}
