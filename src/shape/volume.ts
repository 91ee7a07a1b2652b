import type { Bytes } from '../model/bytes.ts'
import type { ProcessId, SessionId } from '../model/ids.ts'
import type { BootNs, Kind, ObservationOf } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import type { Observed, Rollup, Shapeable } from '../model/rollup.ts'
import type { Place, SessionActivity } from '../model/session.ts'
import { errorName, isDenied } from './errno.ts'
import { createFolders, type Folder, isOwnProc, isScratch, isSystemFile } from './folders.ts'
import { type Access, addError, FOLDERS_MAX, type Group, isFull, newGroup, rollupOf, together } from './groups.ts'
import { commonFolder } from './trees.ts'

/** `full`: every observation is an entry. `sensitive`: globs of paths that are so beside the built-in classes. */
export type VolumePolicy = { readonly mode: 'normal' | 'full'; readonly sensitive: readonly string[] }

/** What became of the observations of one kind; with the sensor's coalesced and lost ones, all that was observed. */
export type KindCount = { single: number; folded: number; rolledUp: number; filtered: Record<string, number> }

/** The roll-ups of a process, and what is known of it to tell a first access from a later one. Plain data. */
export type OpenProcess = {
  readonly process: Process
  place: Place
  /** First observation since the last flush; null = nothing to flush. */
  since: BootNs | null
  readonly read: Map<string, Group>
  readonly write: Map<string, Group>
  /** Paths whose first write was an entry. */
  readonly written: Set<Bytes>
  /** Accesses to sensitive files, and denied ones, that were entries. */
  readonly told: Set<string>
  /** Entries of changes and first writes since the last flush. */
  singles: number
  /** Long paths by inode, the last `LONG_MAX` opened. */
  readonly long: Map<bigint, Bytes>
}

export type VolumeState = {
  readonly ledger: Record<Kind, KindCount>
  readonly processes: Map<ProcessId, OpenProcess>
  /** Those with something to flush, the longest waiting first. */
  readonly waiting: Set<ProcessId>
}

export type Volume = {
  handle(activity: SessionActivity): void
  /** Flushes roll-ups of long-lived processes. */
  tick(nowBoot: BootNs): void
  /** Flushes all: before a clean stop. */
  flush(): void
  readonly state: VolumeState
}

/** A long-lived process's roll-ups are written this often. */
const FLUSH_NS = 10_000_000_000n
/**
 * A process's entries of changes and first writes between two flushes (a tool call, a turn, 10 s). What goes beyond is rolled up with its names:
 * codex unpacks 60 files at its start, an archive has 30,000.
 */
const SINGLES_MAX = 32
/** Paths remembered as written. Beyond it a first write is told again. */
const WRITTEN_MAX = 4096
/** Sensitive accesses remembered to be told once. Beyond it they are told again. */
const TOLD_MAX = 1024
/**
 * The slots in which linux-ebpf coalesces hold 80 bytes of a path. There are 64 a process, but one may lie in its slot while thousands of other files
 * are opened; one that is forgotten by then is counted without its name.
 */
const LONG_PATH = 80
const LONG_MAX = 1024
/** Processes remembered. Lineage holds as many live ones; an exit that was lost leaves its row until it is the oldest. */
const PROCESSES_MAX = 65_536

/** Keys of a process's groups that belong to no single folder: no path begins so. */
const SYSTEM = 'system'
const FAILED = 'failed'
const SHARED = 'shared'

const KINDS: readonly Kind[] = ['process.seen', 'fork', 'exec', 'exit', 'open', 'change', 'connect', 'accept', 'listen', 'sock.end', 'loss']

export const emptyVolume = (): VolumeState => ({
  ledger: Object.fromEntries(KINDS.map((kind) => [kind, { single: 0, folded: 0, rolledUp: 0, filtered: {} }])) as Record<Kind, KindCount>,
  processes: new Map(),
  waiting: new Set(),
})

/** Decides what is an entry of its own (tier 1) and what is counted in a roll-up (tier 2). Deterministic; all it remembers is `state`. */
export function createVolume(options: { readonly policy: VolumePolicy; readonly emit: (shapeable: Shapeable) => void; readonly state?: VolumeState | undefined }): Volume {
  const { policy, emit } = options
  const state = options.state ?? emptyVolume()
  const folders = createFolders(policy.sensitive)
  const full = policy.mode === 'full'

  function openProcess(observed: Observed): OpenProcess {
    const { process } = observed.activity
    const known = state.processes.get(process.id)
    if (known !== undefined) {
      if (known.place !== observed.place) moveTo(known, observed.place)
      return known
    }
    if (state.processes.size >= PROCESSES_MAX) {
      const [oldest] = state.processes.values()
      if (oldest !== undefined) forget(oldest)
    }
    const made: OpenProcess = {
      process,
      place: observed.place,
      since: null,
      read: new Map(),
      write: new Map(),
      written: new Set(),
      told: new Set(),
      singles: 0,
      long: new Map(),
    }
    state.processes.set(process.id, made)
    return made
  }

  /** A roll-up belongs to one turn and one tool call. */
  function moveTo(open: OpenProcess, place: Place): void {
    if (open.place.turn?.id !== place.turn?.id || open.place.toolCall?.id !== place.toolCall?.id) flushProcess(open)
    open.place = place
  }

  function flushProcess(open: OpenProcess): void {
    open.singles = 0
    if (open.since === null) return
    open.since = null
    state.waiting.delete(open.process.id)
    for (const access of ['read', 'write'] as const) {
      const groups = open[access]
      if (groups.size === 0) continue
      for (const group of together(groups.values())) emit(rollupOf(group, access, open.process, open.place))
      groups.clear()
    }
  }

  function takeSystem(open: OpenProcess): Rollup | null {
    const group = open.read.get(SYSTEM)
    if (group === undefined) return null
    open.read.delete(SYSTEM)
    return rollupOf(group, 'read', open.process, open.place)
  }

  function forget(open: OpenProcess): void {
    flushProcess(open)
    state.processes.delete(open.process.id)
  }

  function groupFor(open: OpenProcess, access: Access, key: string, folder: Bytes, boot: BootNs): Group {
    const groups = open[access]
    const found = groups.get(key)
    if (found !== undefined) {
      if (key === FAILED || key === SHARED) found.folder = commonFolder(found.folder, folder) as Bytes
      return found
    }
    if (key === folder && groups.size >= FOLDERS_MAX) return groupFor(open, access, SHARED, folder, boot)
    const made = newGroup(key === SYSTEM ? 'system' : 'folder', key === SYSTEM ? ('/' as Bytes) : folder, boot)
    groups.set(key, made)
    if (open.since === null) {
      open.since = boot
      state.waiting.add(open.process.id)
    }
    return made
  }

  /** Counts a path in a group; a full one is written and begun anew. */
  function addPath(open: OpenProcess, access: Access, key: string, folder: Folder, path: Bytes, boot: BootNs): Group {
    let group = groupFor(open, access, key, folder.path, boot)
    if (isFull(group) && !group.paths.has(path)) {
      emit(rollupOf(group, access, open.process, open.place))
      for (const [name, each] of open[access]) if (each === group) open[access].delete(name)
      group = groupFor(open, access, key, folder.path, boot)
    }
    group.paths.add(path)
    group.at = boot
    return group
  }

  /** May this process have one more entry for a write or change in that folder? Counts it. */
  const withinBudget = (open: OpenProcess): boolean => ++open.singles <= SINGLES_MAX

  function firstTold(open: OpenProcess, what: string): boolean {
    if (open.told.has(what)) return false
    if (open.told.size < TOLD_MAX) open.told.add(what)
    return true
  }

  function single(observed: Observed, sensitivity: string | null): void {
    state.ledger[observed.activity.observation.kind].single++
    emit(sensitivity === null ? observed : { ...observed, sensitivity })
  }

  /** A sensor's report of repeats may carry only the end of a long path; the open that it repeats came whole. Null: forgotten. */
  function wholePath(observed: Observed, { file, repeats }: ObservationOf<'open'>): Bytes | null {
    const { path, ino } = file
    if (path.length < LONG_PATH) return path
    const { long } = openProcess(observed)
    if (repeats && file.cut) {
      const whole = long.get(ino)
      return whole?.endsWith(path) ? whole : null
    }
    long.delete(ino)
    if (long.size >= LONG_MAX) for (const oldest of long.keys()) if (long.delete(oldest)) break
    long.set(ino, path)
    return path
  }

  function openFile(observed: Observed, o: ObservationOf<'open'>): void {
    const path = wholePath(observed, o)
    if (path === null) {
      const group = groupFor(openProcess(observed), o.access === 'read' ? 'read' : 'write', SHARED, '/' as Bytes, o.boot)
      group.opens += o.count
      group.coalesced += o.count
      return
    }
    const folder = folders.of(path)
    const writes = o.access !== 'read'
    // Nothing is changed by writing to a device.
    const access: Access = writes && folder.tree !== 'device' ? 'write' : 'read'
    const sensitivity = folders.sensitivity(folder, path, writes, observed.activity.process.task.pid)
    if (full) {
      if (!o.repeats) state.ledger.open.single++
      emit(sensitivity === null ? observed : { ...observed, sensitivity })
      return
    }
    const open = openProcess(observed)
    if (!o.repeats && isSingleOpen(open, o, folder, path, sensitivity)) {
      single(observed, sensitivity)
      return
    }
    if (!o.repeats) state.ledger.open.rolledUp++
    const system = isSystemFile(folder, path)
    let group: Group
    if (o.result < 0) {
      group = groupFor(open, access, system ? SYSTEM : FAILED, folder.path, o.boot)
      addError(group, errorName(o.result)!, path)
      group.at = o.boot
    } else group = addPath(open, access, system ? SYSTEM : folder.path, folder, path, o.boot)
    group.opens += o.count
    if (o.repeats) group.coalesced += o.count
  }

  function isSingleOpen(open: OpenProcess, o: ObservationOf<'open'>, folder: Folder, path: Bytes, sensitivity: string | null): boolean {
    const writes = o.access !== 'read'
    if (sensitivity !== null) return firstTold(open, (writes ? 'w' : 'r') + o.result + path)
    if (!writes) return false
    const { tree } = folder
    if (tree === 'device' || tree === 'library' || isOwnProc(folder, open.process.task.pid)) return false
    if (o.result < 0) return isDenied(o.result) && firstTold(open, '!' + path) && withinBudget(open)
    if (tree === 'vcs' || isScratch(path) || open.written.has(path) || !withinBudget(open)) return false
    if (open.written.size < WRITTEN_MAX) open.written.add(path)
    return true
  }

  function change(observed: Observed, o: ObservationOf<'change'>): void {
    const { pid } = observed.activity.process.task
    const path = o.file.path
    const folder = folders.of(path)
    // A rename counts as a write of what it makes.
    const result = o.op === 'rename' ? o.target?.path : undefined
    const resultFolder = result === undefined ? folder : folders.of(result)
    const sensitivity = folders.sensitivity(folder, path, true, pid) ?? (result === undefined ? null : folders.sensitivity(resultFolder, result, true, pid))
    if (full) {
      single(observed, sensitivity)
      return
    }
    const open = openProcess(observed)
    const named = result ?? path
    const { tree } = resultFolder
    const failed = o.result < 0
    const ordinary = tree === 'device' || tree === 'library' || tree === 'vcs' || isOwnProc(resultFolder, pid) || isScratch(named)
    if (failed ? isDenied(o.result) && firstTold(open, '!' + o.op + named) && withinBudget(open) : sensitivity !== null || (!ordinary && withinBudget(open))) {
      single(observed, sensitivity)
      return
    }
    state.ledger.change.rolledUp++
    const system = isSystemFile(resultFolder, named)
    let group: Group
    if (failed) {
      group = groupFor(open, 'write', system ? SYSTEM : FAILED, resultFolder.path, o.boot)
      addError(group, errorName(o.result)!, named)
      group.at = o.boot
    } else group = addPath(open, 'write', system ? SYSTEM : resultFolder.path, resultFolder, named, o.boot)
    group.operations[o.op] = (group.operations[o.op] ?? 0) + 1
  }

  function observed(activity: Observed): void {
    const o = activity.activity.observation
    switch (o.kind) {
      case 'open':
        openFile(activity, o)
        return
      case 'change':
        change(activity, o)
        return
      case 'fork':
        // The child's exec or exit carries its parent.
        state.ledger.fork.folded++
        return
      case 'exit': {
        const open = state.processes.get(activity.activity.process.id)
        const system = open === undefined ? null : takeSystem(open)
        if (open !== undefined) forget(open)
        state.ledger.exit.single++
        emit(system === null ? activity : { ...activity, system })
        return
      }
      case 'process.seen':
      case 'exec':
      case 'connect':
      case 'accept':
      case 'listen':
      case 'sock.end':
      case 'loss':
        single(activity, null)
        return
      default:
        o satisfies never
    }
  }

  function endSession(id: SessionId): void {
    for (const open of state.processes.values()) if (open.place.session.id === id) forget(open)
  }

  return {
    handle(activity) {
      if (activity.kind === 'observed') {
        observed(activity)
        return
      }
      if (activity.kind === 'session.end') endSession(activity.session.id)
      emit(activity)
    },
    tick(nowBoot) {
      for (const id of state.waiting) {
        const open = state.processes.get(id)
        if (open?.since == null) state.waiting.delete(id)
        else if (nowBoot - open.since < FLUSH_NS) return
        else flushProcess(open)
      }
    },
    flush() {
      for (const id of state.waiting) {
        const open = state.processes.get(id)
        if (open !== undefined) flushProcess(open)
      }
    },
    state,
  }
}
