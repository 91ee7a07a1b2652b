import { processId } from '../identity/ids.ts'
import type { Activity } from '../model/activity.ts'
import type { ProcessId } from '../model/ids.ts'
import type { BootNs, Kind, Observation, ObservationOf, Task } from '../model/observation.ts'
import { imageOf, type Process } from '../model/process.ts'
import { IMAGES_MAX, imageOfExec, imageOfFork, imageOfSeen } from './images.ts'

/** Live processes. Linux's own default is 32,768 pids a user; the kernel's `procs` map has as many places. */
const LIVE_MAX = 65_536
/** Ended rows kept for late words about them (repeats flushed at exit, sockets that close after exit). At 10,000 exits/s the linger alone would keep 50,000. */
const ENDED_MAX = 65_536
const LINGER_NS = 5_000_000_000n
/** Old rows leave while observations flow, not only at ticks: a burst of a million processes may fit between two ticks. */
const PURGE_EVERY = 256
/** The kernel's clock tick of /proc/PID/stat (USER_HZ = 100 on every architecture we run on). */
const TICK_NS = 10_000_000n

/** Plain data. Share one `v8.serialize` call with the sessions' state: both hold the same `Process` objects. */
export type LineageState = {
  /** The present (or last) holder of each pid. */
  readonly byPid: Map<number, Process>
  readonly byId: Map<ProcessId, Process>
  /** In the order of ending. */
  readonly ended: Map<ProcessId, Process>
  /** Which further life within one clock tick a row is; the first is not listed. */
  readonly lives: Map<ProcessId, number>
  /** Observations that went no further, by kind and reason: the ledger's `filtered`. */
  readonly filtered: Partial<Record<Kind, Record<string, number>>>
  /** Rows made for a process nobody had announced; rows whose end nobody had reported; ended rows that left before their time; forked processes for which there was no place. */
  readonly counters: { unannounced: number; endedUnseen: number; evicted: number; refused: number }
  exits: number
}

export type LineageOptions = {
  readonly machineId: Uint8Array
  readonly bootId: Uint8Array
  readonly state?: LineageState
  /** A live process turned out to have ended: its pid has a new holder. */
  readonly vanished?: (process: Process, at: BootNs) => void
}

export type Lineage = {
  readonly state: LineageState
  /** The observation with its process and parent; null where there is nothing to say (`loss`), or where it is counted in `state.filtered`. */
  observe(observation: Observation): Activity | null
  find(task: Pick<Task, 'pid' | 'startTicks'>): Process | undefined
  get(id: ProcessId): Process | undefined
  /** Marks a process as ended at `boot` though no exit was seen. */
  end(process: Process, boot: BootNs): void
  /** Drops a process that is nobody's concern (released, or a seed that belongs to no session). */
  forget(process: Process): void
  tick(now: BootNs): void
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export const emptyLineage = (): LineageState => ({
  byPid: new Map(),
  byId: new Map(),
  ended: new Map(),
  lives: new Map(),
  filtered: {},
  counters: { unannounced: 0, endedUnseen: 0, evicted: 0, refused: 0 },
  exits: 0,
})

/**
 * Stage 2: the only owner of the process table. Pure: time comes from the observations and from `tick`.
 * A process is known by pid *and* start ticks, never by pid alone. Memory is bounded by LIVE_MAX + ENDED_MAX rows.
 */
export function createLineage(options: LineageOptions): Lineage {
  const { machineId, bootId } = options
  const state = options.state ?? emptyLineage()
  const { byPid, byId, ended, lives } = state

  const idOf = (task: Pick<Task, 'pid' | 'startTicks'>, life = 0): ProcessId => processId(machineId, bootId, task.pid, task.startTicks, life)

  function drop(kind: Kind, reason: string): null {
    const reasons = (state.filtered[kind] ??= {})
    reasons[reason] = (reasons[reason] ?? 0) + 1
    return null
  }

  /** `forkedAt`: null where nobody saw the fork; then the start is known by the clock tick. */
  function make(task: Task, parent: Process | null, parentTask: Task | null, life: number, forkedAt: BootNs | null): Process | null {
    if (byId.size - ended.size >= LIVE_MAX) return null
    const row: Process = {
      id: idOf(task, life),
      task: { pid: task.pid, tid: task.pid, startTicks: task.startTicks },
      parentId: parent !== null ? parent.id : idOfParent(parentTask),
      parentPid: parent !== null ? parent.task.pid : (parentTask?.pid ?? 0),
      startedAt: forkedAt ?? BigInt(task.startTicks) * TICK_NS,
      images: [],
      imagesTotal: 0,
      ids: parent === null ? null : parent.ids,
      endedAt: null,
      exit: null,
    }
    const before = byPid.get(task.pid)
    if (before !== undefined && before.endedAt === null) unseenEnd(before, row.startedAt)
    byPid.set(task.pid, row)
    byId.set(row.id, row)
    if (life > 0) lives.set(row.id, life)
    return row
  }

  const idOfParent = (task: Task | null): ProcessId | null => (task === null || task.pid <= 0 || task.startTicks <= 0 ? null : (lookUp(task)?.id ?? idOf(task)))

  const lookUp = (task: Pick<Task, 'pid' | 'startTicks'>): Process | undefined => {
    const row = byPid.get(task.pid)
    return row !== undefined && row.task.startTicks === task.startTicks ? row : undefined
  }

  function unseenEnd(row: Process, at: BootNs): void {
    state.counters.endedUnseen++
    end(row, at)
    options.vanished?.(row, at)
  }

  function end(row: Process, at: BootNs): void {
    if (row.endedAt !== null) return
    row.endedAt = at
    ended.set(row.id, row)
    if (ended.size > ENDED_MAX) {
      for (const oldest of ended.values()) {
        state.counters.evicted++
        forget(oldest)
        break
      }
    }
    if (++state.exits % PURGE_EVERY === 0) tick(at)
  }

  function forget(row: Process): void {
    // By identity: the same id may meanwhile stand for a row made anew.
    if (byId.get(row.id) === row) byId.delete(row.id)
    if (byPid.get(row.task.pid) === row) byPid.delete(row.task.pid)
    ended.delete(row.id)
    lives.delete(row.id)
  }

  function tick(now: BootNs): void {
    for (const row of ended.values()) {
      if (row.endedAt !== null && row.endedAt + LINGER_NS > now) return
      forget(row)
    }
  }

  /** The row of a task that is not the present holder of its pid. */
  function strange(observation: Observation): Process | null {
    const { task, kind } = observation
    const holder = byPid.get(task.pid)
    const earlier = byId.get(idOf(task))
    if (earlier !== undefined) return earlier
    // Last words of a process that is gone: a row would stay for ever, since no exit will follow.
    const late = kind === 'exit' || kind === 'sock.end' || (kind === 'open' && observation.repeats) || (holder !== undefined && holder.task.startTicks > task.startTicks)
    state.counters.unannounced++
    if (late) return passing(task, observation.boot)
    const row = make(task, null, kind === 'exec' || kind === 'process.seen' ? observation.parent : null, 0, null)
    if (row === null) drop(kind, 'process_table_full')
    return row
  }

  const passing = (task: Task, at: BootNs): Process => ({
    id: idOf(task),
    task: { pid: task.pid, tid: task.pid, startTicks: task.startTicks },
    parentId: null,
    parentPid: 0,
    startedAt: BigInt(task.startTicks) * TICK_NS,
    images: [],
    imagesTotal: 0,
    ids: null,
    endedAt: at,
    exit: null,
  })

  function forked(row: Process, observation: ObservationOf<'fork'>): void {
    const { child } = observation
    const known = lookUp(child)
    let life = 0
    if (known !== undefined) {
      if (known.endedAt === null) {
        // Seen in /proc before its fork was read from the ring.
        adopt(known, row)
        return
      }
      life = (lives.get(known.id) ?? 0) + 1
    }
    const made = make(child, row, null, life, observation.boot)
    if (made === null) {
      state.counters.refused++
      return
    }
    const image = imageOfFork(row, observation.boot)
    if (image !== undefined) {
      made.images = [image]
      made.imagesTotal = 1
    }
  }

  function adopt(row: Process, parent: Process): void {
    if (row.parentId !== null) return
    const open = row as Writable<Process>
    open.parentId = parent.id
    open.parentPid = parent.task.pid
  }

  function execed(row: Process, observation: ObservationOf<'exec'>): void {
    const parent = observation.parent
    if (row.parentId === null && parent.pid > 0) {
      const open = row as Writable<Process>
      open.parentId = idOfParent(parent)
      open.parentPid = parent.pid
    }
    const last = imageOf(row)
    const image = imageOfExec(observation, last === undefined ? 1 : last.number + 1)
    row.ids = observation.ids
    // A look at /proc may tell of an exec before the ring does: the same program is not two images.
    if (last !== undefined && last.number === 0 && row.imagesTotal === 1 && last.at >= observation.boot) {
      row.images = [{ ...image, number: 0 }]
      return
    }
    row.images.push(image)
    row.imagesTotal++
    if (row.images.length > IMAGES_MAX) row.images.shift()
  }

  function seen(row: Process, observation: ObservationOf<'process.seen'>): void {
    if (row.parentId === null && observation.parent !== null) {
      const open = row as Writable<Process>
      open.parentId = idOfParent(observation.parent)
      open.parentPid = observation.parent.pid
    }
    row.ids ??= observation.ids
    if (row.images.length > 0) return
    row.images = [imageOfSeen(observation)]
    row.imagesTotal = 1
  }

  function observe(observation: Observation): Activity | null {
    const { task } = observation
    if (observation.kind === 'loss') return null
    let row: Process | null | undefined = byPid.get(task.pid)
    if (row === undefined || row.task.startTicks !== task.startTicks) {
      row = strange(observation)
      if (row === null) return null
    }
    switch (observation.kind) {
      case 'fork':
        forked(row, observation)
        break
      case 'exec':
        execed(row, observation)
        break
      case 'process.seen':
        seen(row, observation)
        break
      case 'exit':
        // Two threads that end together can both report the end (signal->live read 0 twice).
        if (row.exit !== null) return drop('exit', 'double_exit')
        row.exit = { code: observation.code, signal: observation.signal }
        if (byId.get(row.id) === row) end(row, observation.boot)
        break
      default:
    }
    return { observation, process: row, parent: row.parentId === null ? null : (byId.get(row.parentId) ?? null) }
  }

  return { state, observe, find: lookUp, get: (id) => byId.get(id), end, forget, tick }
}
