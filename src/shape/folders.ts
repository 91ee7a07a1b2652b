import type { Bytes } from '../model/bytes.ts'
import { globMatches } from './glob.ts'
import { type Matcher, ofOtherProcess, type Sensitivity, sensitiveIn } from './sensitive.ts'
import { isLinkerFile, type Tree, treeOf } from './trees.ts'

/** Folders whose answer is kept; beyond it the memory is emptied and begins anew: a scan of a whole disk must not stay in it. */
const KNOWN_MAX = 4096

/** What is known of a folder; the costly part of looking at a path, done once for all its files. */
export type Folder = { readonly path: Bytes; readonly tree: Tree; readonly proc: boolean; readonly match: Matcher }

export type Folders = {
  /** The folder a path lies in. */
  of(path: Bytes): Folder
  /** The class of a file, or null where an access to it is ordinary. `pid`: who does it. */
  sensitivity(folder: Folder, path: Bytes, writes: boolean, pid: number): Sensitivity | null
}

/** `globs`: paths that the configuration calls sensitive. */
export function createFolders(globs: readonly string[]): Folders {
  const known = new Map<string, Folder>()

  function of(path: Bytes): Folder {
    const folder = path.slice(0, path.lastIndexOf('/') + 1) as Bytes
    const found = known.get(folder)
    if (found !== undefined) return found
    if (known.size >= KNOWN_MAX) known.clear()
    const made: Folder = { path: folder, tree: treeOf(folder), proc: folder.startsWith('/proc/'), match: sensitiveIn(folder) }
    known.set(folder, made)
    return made
  }

  function sensitivity(folder: Folder, path: Bytes, writes: boolean, pid: number): Sensitivity | null {
    for (const glob of globs) if (globMatches(glob, path)) return 'configured'
    switch (folder.tree) {
      case 'user':
      case 'vcs':
        return folder.match(path, folder.path.length, writes)
      case 'system':
        if (folder.proc) return ofOtherProcess(path, pid) ? 'process_memory' : null
        return writes ? folder.match(path, folder.path.length, writes) : null
      case 'library':
      case 'device':
        return null
      default:
        return folder.tree satisfies never
    }
  }

  return { of, sensitivity }
}

/** Files that are not named one by one where they are only read. */
export const isSystemFile = (folder: Folder, path: Bytes): boolean => (folder.tree !== 'user' && folder.tree !== 'vcs') || (folder.path === '/etc/' && isLinkerFile(path))

const SCRATCH: readonly string[] = ['-journal', '-wal', '-shm', '.lock', '.tmp', '.swp', '~']

/**
 * Files that exist only while another one is written: SQLite's three, lock files, the first half of "write aside, then rename".
 * What they become is told by the rename, so that their own coming and going is rolled up (with their names).
 */
export function isScratch(path: Bytes): boolean {
  for (const ending of SCRATCH) if (path.endsWith(ending)) return true
  const name = path.lastIndexOf('/') + 1
  return path.indexOf('.tmp.', name) >= 0 || path.startsWith('.tmp', name)
}

/** A process's own folder under /proc: names of its threads, its oom score. */
export const isOwnProc = (folder: Folder, pid: number): boolean => folder.proc && (folder.path.startsWith('/proc/' + pid + '/') || folder.path.startsWith('/proc/self/'))
