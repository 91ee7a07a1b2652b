import type { Catalogue } from '../agents/catalogue.ts'
import { unwrapCommand } from '../agents/unwrap.ts'
import { adjust, bootOf, type ClockState, emptyClock, wallOf } from '../identity/clock.ts'
import type { FilePosition } from '../intake/frames.ts'
import { createLineage, emptyLineage, type LineageState } from '../lineage/lineage.ts'
import type { EntryDraft } from '../model/entry.ts'
import type { SessionId } from '../model/ids.ts'
import type { BootNs, Observation } from '../model/observation.ts'
import type { Shapeable } from '../model/rollup.ts'
import type { Orders, Sensor } from '../model/sensor.ts'
import type { SessionActivity } from '../model/session.ts'
import { createRedactor } from '../redact/redact.ts'
import { createSessions, type Host, type Sessions, type SessionsState } from '../sessions/sessions.ts'
import { emptySessions } from '../sessions/state.ts'
import { type ShapeContext, shape } from '../shape/entries.ts'
import type { ExecUids } from '../shape/exec-uids.ts'
import { clockStep } from '../shape/own.ts'
import { createVolume, emptyVolume, type VolumePolicy, type VolumeState } from '../shape/volume.ts'
import type { Input } from './inputs.ts'

/** Everything the pipeline remembers; plain data, so that a snapshot is one call of v8.serialize. */
export type PipelineState = {
  readonly bootId: Uint8Array
  lineage: LineageState
  sessions: SessionsState
  volume: VolumeState
  readonly clock: ClockState
  readonly execUids: ExecUids
  runId: string
  /** Where the sensor's stream goes on: everything before has been reduced. */
  position: bigint
  /** By user: up to where files of claims have been read. A restarted intake goes on from there. */
  readonly claimFiles: Map<number, Map<string, FilePosition>>
  /** Records that could not be decoded. */
  malformed: number
  /** Entries made, those that are one observation each, and the rest by name. */
  entries: number
  single: number
  readonly derived: Record<string, number>
}

export type Pipeline = {
  readonly state: PipelineState
  readonly sessions: Pick<Sessions, 'find' | 'open' | 'isSettled'>
  reduce(input: Input): void
  /** One more who wants to see activities, from now on. */
  listen(listener: Listener): void
  /** The session that the last `record` input made. */
  recorded(): SessionId | null
}

export type Listener = (activity: SessionActivity, offsetNs: bigint) => void

export type PipelineOptions = {
  readonly sensor: Pick<Sensor, 'id' | 'decode'>
  readonly machineId: Uint8Array
  readonly catalogue: Catalogue
  readonly host: Host
  readonly orders: Orders
  readonly policy: VolumePolicy
  /** There are intakes: what agents say of themselves is read. */
  readonly claims?: boolean
  /** Stage 6. `runId` is that of the run which reduces. */
  readonly append: (draft: EntryDraft, state: PipelineState) => void
  readonly state: PipelineState
}

export const emptyState = (bootId: Uint8Array): PipelineState => ({
  bootId,
  lineage: emptyLineage(),
  sessions: emptySessions(),
  volume: emptyVolume(),
  clock: emptyClock(),
  execUids: new Map(),
  runId: '',
  position: 0n,
  claimFiles: new Map(),
  malformed: 0,
  entries: 0,
  single: 0,
  derived: {},
})

/** Stages 2 to 5 as one reducer: inputs in, entries out. No clock, no file, no randomness: see inputs.ts. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { state } = options
  const context: ShapeContext = { wall: (boot) => wallOf(state.clock, boot), bootId: state.bootId, unwrapCommand, redactor: createRedactor() }
  const listeners: Listener[] = []
  let recorded: SessionId | null = null

  const lineage = createLineage({ machineId: options.machineId, bootId: state.bootId, state: state.lineage, vanished: (process, at) => sessions.vanished(process, at) })
  const volume = createVolume({ policy: options.policy, emit, state: state.volume })
  const sessions = createSessions({
    catalogue: options.catalogue,
    host: options.host,
    orders: options.orders,
    lineage,
    emit(activity) {
      for (const listener of listeners) listener(activity, state.clock.offsetNs)
      volume.handle(activity)
    },
    claims: options.claims === true,
    state: state.sessions,
  })

  function emit(shapeable: Shapeable): void {
    append(shape(shapeable, context), shapeable.kind === 'observed')
  }

  function append(draft: EntryDraft, single: boolean): void {
    state.entries++
    if (single) state.single++
    else state.derived[draft.eventName] = (state.derived[draft.eventName] ?? 0) + 1
    options.append(draft, state)
  }

  function observe(observation: Observation): void {
    if (observation.kind === 'loss') {
      sessions.loss(observation)
      return
    }
    const activity = lineage.observe(observation)
    if (activity !== null) sessions.handle(activity)
  }

  function batch(position: bigint, bytes: Uint8Array): void {
    // After a crash the ring may still hold the head of what had been reduced: its consumer moves last.
    const skip = state.position > position ? Number(state.position - position) : 0
    if (skip >= bytes.length) return
    state.malformed += options.sensor.decode(bytes.subarray(skip), position + BigInt(skip), observe)
    state.position = position + BigInt(bytes.length)
  }

  function tick(boot: BootNs, offsetNs: bigint): void {
    const step = adjust(state.clock, { boot, offsetNs }, state.sessions.sessions.size + state.sessions.claims.sessions.size === 0)
    if (step !== null) append(clockStep({ at: boot + offsetNs, stepNs: step.byNs, offsetNs }), false)
    lineage.tick(boot)
    sessions.tick(boot)
    volume.tick(boot)
  }

  function reduce(input: Input): void {
    switch (input.kind) {
      case 'run':
        state.runId = input.runId
        if (!input.resumed) beginAnew(state)
        return
      case 'batch':
        batch(input.position, input.bytes)
        sessions.tick(input.boot)
        return
      case 'tick':
        tick(input.boot, input.offsetNs)
        return
      case 'seed':
        for (const process of input.processes) observe(process)
        sessions.seeded(input.boot, input.fresh)
        return
      case 'record': {
        const activity = lineage.observe(input.seen)
        recorded = activity === null ? null : sessions.record(activity, input.name)
        return
      }
      case 'loss':
        observe(input.loss)
        return
      case 'claims':
        readTo(state.claimFiles, input.uid, input.file)
        sessions.claims({ uid: input.uid, claims: input.claims, boot: input.boot, bootOf: (unixNs) => bootOf(state.clock, unixNs) })
        return
      case 'intake':
        sessions.intake(input.uid, input.why, input.boot)
        return
      case 'own':
        append(input.draft, false)
        return
      case 'end':
        sessions.stop(input.boot)
        volume.flush()
        return
      default:
        input satisfies never
    }
  }
  return { state, sessions, reduce, listen: (listener) => void listeners.push(listener), recorded: () => recorded }
}

/** As many as the intake follows for a user. */
const FILES_MAX = 1_024

function readTo(byUser: PipelineState['claimFiles'], uid: number, file: FilePosition): void {
  // A document is read as a whole each time.
  if (file.next === 0) return
  let files = byUser.get(uid)
  if (files === undefined) byUser.set(uid, (files = new Map()))
  files.delete(file.path)
  files.set(file.path, file)
  if (files.size > FILES_MAX) for (const oldest of files.keys()) if (files.delete(oldest)) break
}

/** The sensor counts from zero again, so the ledger does: its sides must speak of the same time. Open sessions and processes stay. */
function beginAnew(state: PipelineState): void {
  state.position = 0n
  state.malformed = 0
  for (const count of Object.values(state.volume.ledger)) {
    count.single = count.folded = count.rolledUp = 0
    clear(count.filtered)
  }
  clear(state.lineage.filtered)
  clear(state.sessions.filtered)
  clear(state.derived)
  state.entries = state.single = 0
}

function clear(record: Record<string, unknown>): void {
  for (const name of Object.keys(record)) delete record[name]
}
