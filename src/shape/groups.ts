import type { Bytes } from '../model/bytes.ts'
import type { BootNs } from '../model/observation.ts'
import type { Process } from '../model/process.ts'
import type { Rollup } from '../model/rollup.ts'
import type { Place } from '../model/session.ts'
import { commonFolder } from './trees.ts'

/** Names in one roll-up outside system and library trees: 50 paths are about 3 kB. A further name begins the next roll-up, so that none is lost. */
export const NAMES_MAX = 50
/** Names that a roll-up of system and library trees carries; the others are only counted. */
export const SYSTEM_NAMES_MAX = 5
/** Paths remembered to count distinct ones in such a roll-up; a further one begins the next. */
export const SYSTEM_DISTINCT_MAX = 1024
/** Folders with a roll-up of their own, per process; files of further folders share one. */
export const FOLDERS_MAX = 32
/** A folder with no more names than this shares a roll-up with others like it: most short programs touch a few files in several folders. */
const SMALL_MAX = 4

export type Access = 'read' | 'write'

/** A roll-up while it is open. Plain data. */
export type Group = {
  readonly scope: 'folder' | 'system'
  folder: Bytes
  opens: number
  coalesced: number
  readonly paths: Set<Bytes>
  readonly errors: Record<string, number>
  readonly failedPaths: Set<Bytes>
  readonly operations: Record<string, number>
  from: BootNs
  at: BootNs
}

export const newGroup = (scope: Group['scope'], folder: Bytes, from: BootNs): Group => ({
  scope,
  folder,
  opens: 0,
  coalesced: 0,
  paths: new Set(),
  errors: {},
  failedPaths: new Set(),
  operations: {},
  from,
  at: from,
})

/** No further path fits. */
export const isFull = (group: Group): boolean => group.paths.size >= (group.scope === 'system' ? SYSTEM_DISTINCT_MAX : NAMES_MAX)

export function addError(group: Group, name: string, path: Bytes): void {
  group.errors[name] = (group.errors[name] ?? 0) + 1
  if (group.failedPaths.size < (group.scope === 'system' ? SYSTEM_NAMES_MAX : NAMES_MAX)) group.failedPaths.add(path)
}

export function rollupOf(group: Group, access: Access, process: Process, place: Place): Rollup {
  const paths: Bytes[] = []
  const most = group.scope === 'system' ? SYSTEM_NAMES_MAX : NAMES_MAX
  for (const path of group.paths) {
    if (paths.length === most) break
    paths.push(path)
  }
  return {
    kind: 'rollup',
    process,
    place,
    scope: group.scope,
    folder: group.folder,
    access,
    opens: group.opens,
    coalesced: group.coalesced,
    distinct: group.paths.size,
    paths,
    errors: group.errors,
    failedPaths: [...group.failedPaths],
    operations: group.operations,
    from: group.from,
    at: group.at,
  }
}

/** The same groups, the small ones among them put together as long as all their names fit. Uses the groups up. */
export function together(groups: Iterable<Group>): Group[] {
  const whole: Group[] = []
  let shared: Group | null = null
  for (const group of groups) {
    if (group.scope === 'folder' && group.paths.size <= SMALL_MAX) {
      if (shared !== null && shared.paths.size + group.paths.size <= NAMES_MAX && shared.failedPaths.size + group.failedPaths.size <= NAMES_MAX) {
        merge(shared, group)
        continue
      }
      shared = group
    }
    whole.push(group)
  }
  return whole
}

function merge(into: Group, from: Group): void {
  into.folder = commonFolder(into.folder, from.folder) as Bytes
  into.opens += from.opens
  into.coalesced += from.coalesced
  for (const path of from.paths) into.paths.add(path)
  for (const path of from.failedPaths) into.failedPaths.add(path)
  for (const name in from.errors) into.errors[name] = (into.errors[name] ?? 0) + from.errors[name]!
  for (const name in from.operations) into.operations[name] = (into.operations[name] ?? 0) + from.operations[name]!
  if (from.from < into.from) into.from = from.from
  if (from.at > into.at) into.at = from.at
}
