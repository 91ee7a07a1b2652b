import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { markPath } from './files.ts'
import type { Item, Reader, Until } from './reader.ts'

/** Notices what a lost file event hid; one wake-up a second. */
const POLL_MS = 1000

/**
 * The batches of a journal from index `from` on, then further ones as they come, until `signal` aborts. It sleeps on file events of
 * the mark (`durable`) or of the segments (`written`).
 */
export async function* follow(dir: string, reader: Reader, from: number, signal: AbortSignal, until: Until = 'durable'): AsyncGenerator<readonly Item[], void> {
  let wake: (() => void) | null = null
  let changed = false
  const notice = (): void => {
    changed = true
    wake?.()
  }
  let watcher: FSWatcher | null = null
  try {
    watcher = watch(until === 'durable' ? markPath(dir) : join(dir, 'seg'), notice)
    watcher.on('error', () => watcher?.close())
  } catch {
    // Without inotify (its limit is reached) the poll alone has to do.
  }
  signal.addEventListener('abort', notice)
  try {
    let index = from
    while (!signal.aborted) {
      changed = false
      const batch = reader.read(index, { until })
      index = batch.next
      if (batch.items.length > 0) yield batch.items
      else if (!changed) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, POLL_MS)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        wake = null
      }
    }
  } finally {
    watcher?.close()
    signal.removeEventListener('abort', notice)
  }
}
