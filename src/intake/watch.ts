import { lstatSync, type Stats } from 'node:fs'
import type { FSWatcher, watch } from 'chokidar'
import { type Counters, count } from './counters.ts'
import { fresh } from './files.ts'
import { expectedOf, placeOf, type Roots } from './roots.ts'

/** Each folder costs an inotify watch and some memory; a root has its own, one a project in use, and one a day. */
const FOLDERS_MAX = 64

export type Watch = {
  /** Watches what exists by now of the folders that are to be watched. */
  ensure(): void
  close(): Promise<void>
}

/**
 * Tells of paths below the roots that may have changed. Folders are watched one by one, without depth, and only where they are in use:
 * a home has thousands of old transcripts, and a watch on a path that does not exist yet loses what is made below it (chokidar 6.0.0).
 */
export function createWatch(start: typeof watch, roots: Roots, counters: Counters, now: () => number, hint: (path: string) => void): Watch {
  const folders = new Set<string>()
  const over = new Set<string>()
  let expected: ReadonlySet<string> = new Set()
  const watcher: FSWatcher = start([], { depth: 0, followSymlinks: false, atomic: false, ignorePermissionErrors: true, ignored })

  function wanted(path: string, stats: Stats | undefined): boolean {
    const found = roots.at(path)
    if (found === null) return false
    const place = placeOf(found.root, found.segments)
    if (place === null) return false
    if (place === 'enter') return stats === undefined || stats.isDirectory()
    if (stats === undefined) return true
    if (place === 'enter_fresh') return stats.isDirectory() && (expected.has(path) || fresh(found.root, stats.mtimeMs))
    return stats.isFile() && fresh(found.root, stats.mtimeMs)
  }
  function ignored(path: string, stats?: Stats): boolean {
    return !wanted(path, stats)
  }
  function enter(path: string): void {
    if (folders.has(path)) return
    if (folders.size >= FOLDERS_MAX) {
      if (!over.has(path)) count(counters, 'folders_over_bound')
      if (over.size < FOLDERS_MAX) over.add(path)
      return
    }
    folders.add(path)
    watcher.add(path)
  }

  watcher.on('addDir', (path, stats) => {
    if (wanted(path, stats)) enter(path)
  })
  watcher.on('add', hint)
  watcher.on('change', hint)
  watcher.on('unlink', hint)
  watcher.on('unlinkDir', (path) => folders.delete(path))
  // The limit on watches, a folder that may not be read: what is followed is also looked at every second.
  watcher.on('error', () => count(counters, 'open_failed'))

  return {
    ensure() {
      const all = new Set<string>()
      for (const root of roots.all) for (const folder of expectedOf(root, now())) all.add(folder)
      expected = all
      for (const folder of all) if (!folders.has(folder) && isFolder(folder)) enter(folder)
    },
    close: () => watcher.close(),
  }
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(path).isDirectory()
  } catch {
    return false
  }
}
