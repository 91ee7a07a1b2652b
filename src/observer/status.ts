import type { Journal } from '../journal/journal.ts'
import type { Activity } from '../model/activity.ts'
import type { Kind } from '../model/observation.ts'
import type { Running, Sensor } from '../model/sensor.ts'
import type { Ledger, StatusDocument } from '../model/status.ts'
import type { ShipLine } from '../ship/report.ts'
import type { Engine } from './engine.ts'
import type { IntakeReport } from './intake-children.ts'
import { ledgerOf } from './ledger.ts'
import type { Pipeline } from './pipeline.ts'
import { usageOf } from './usage.ts'

export type ShipReport = Extract<ShipLine, { type: 'ledger' }>

export type StatusSources = {
  readonly run: { readonly id: string; readonly startedAt: bigint; readonly stateDir: string; readonly version: string }
  readonly sensor: Pick<Sensor, 'id' | 'capabilities'>
  readonly running: Running
  readonly machineWide: boolean
  readonly pipeline: Pipeline
  readonly journal: Journal
  readonly engine: Pick<Engine, 'lostInputs'>
  readonly intakes: readonly IntakeReport[]
  readonly shipper: { readonly pid: number | null; readonly report: ShipReport | null; readonly restarts: number } | null
}

export function ledgerNow({ sensor, running, pipeline, shipper }: Pick<StatusSources, 'sensor' | 'running' | 'pipeline' | 'shipper'>): Ledger {
  const { volume, lineage, sessions, entries, derived } = pipeline.state
  return {
    sensors: { [sensor.id]: ledgerOf(running.stats(), { kinds: volume.ledger, lineage: lineage.filtered, sessions: sessions.filtered, held: heldOf(sessions.holds.values()) }) },
    entries: String(entries),
    derived: Object.fromEntries(Object.entries(derived).map(([name, count]) => [name, String(count)])),
    destinations: shipper?.report?.destinations ?? {},
  }
}

function heldOf(holds: Iterable<{ readonly items: readonly { readonly activity: Activity }[] }>): Partial<Record<Kind, number>> {
  const held: Partial<Record<Kind, number>> = {}
  for (const { items } of holds) {
    for (const { activity } of items) {
      const { observation } = activity
      if (observation.kind !== 'open' || !observation.repeats) held[observation.kind] = (held[observation.kind] ?? 0) + 1
    }
  }
  return held
}

/** `spoor status`: what runs, what it has seen and lost, and whether anything needs mending. */
export function statusDocument(sources: StatusSources): StatusDocument {
  const { run, sensor, running, journal, pipeline, shipper } = sources
  const { first, next, durable, bytes } = journal.stats()
  const described = running.describe()
  const why = complaints(sources)
  const intakePid = sources.intakes.find(({ pid }) => pid !== null)?.pid
  return {
    schema: 'spoor.status/1',
    state: why.length === 0 ? 'healthy' : 'degraded',
    why,
    run: { id: run.id, startedAt: String(run.startedAt), stateDir: run.stateDir, version: run.version, openSessions: [...pipeline.sessions.open()].length },
    sensor: { name: sensor.id, rung: described.rung, capabilities: sensor.capabilities, pinned: described.pinned, ringBytes: described.ringBytes },
    ledger: ledgerNow(sources),
    journal: { first: String(first), next: String(next), durable: String(durable), bytes: String(bytes) },
    self: { observer: usageOf(process.pid), shipper: shipper?.pid == null ? null : usageOf(shipper.pid), intake: intakePid == null ? null : usageOf(intakePid) },
  }
}

/** One sentence each. */
function complaints({ running, machineWide, journal, engine, pipeline, shipper, intakes }: StatusSources): string[] {
  const why: string[] = []
  const stats = journal.stats()
  if (stats.trouble !== null) why.push(`the journal cannot be written: ${stats.trouble.message}`)
  if (stats.lost.entries > 0) why.push(`${stats.lost.entries} entries found no room on the disk`)
  const described = running.describe()
  for (const missing of described.missing) why.push(`the sensor lacks ${missing}`)
  if (machineWide && described.pinned === null) why.push('nothing is pinned: a crash of the observer loses what happens until it runs again')
  const lost: Record<string, bigint> = {}
  for (const counts of Object.values(running.stats())) for (const [reason, n] of Object.entries(counts?.lost ?? {})) lost[reason] = (lost[reason] ?? 0n) + n
  for (const [reason, n] of Object.entries(lost)) if (n > 0n) why.push(`the sensor lost ${n} observations: ${reason}`)
  if (pipeline.state.malformed > 0) why.push(`${pipeline.state.malformed} records of the sensor could not be decoded`)
  if (engine.lostInputs > 0) why.push(`${engine.lostInputs} inputs could not be written to run/open.state: a crash now would lose them`)
  for (const { uid, state, restarts } of intakes)
    if (state === 'stuck' || state === 'restarting') why.push(`the intake of user ${uid} does not run (started again ${restarts} times): what agents say of themselves is not read`)
  if (shipper !== null && shipper.pid === null) why.push(`the shipper does not run (started again ${shipper.restarts} times)`)
  for (const [name, signals] of Object.entries(shipper?.report?.health ?? {})) {
    for (const [signal, lane] of Object.entries(signals)) if (lane !== null && lane.state !== 'ok') why.push(`${signal} to ${name}: ${lane.why ?? lane.state}`)
  }
  return why
}
