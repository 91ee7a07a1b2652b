import { closeSync, fdatasyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs'

/** Our own small files; a longer one is not ours. */
const FILE_MAX_BYTES = 4 * 1024 * 1024

/**
 * Replaces a file as a whole: a reader, and a restart after kill -9, sees the old or the new one. With `sync` the content is on disk before it
 * gets its name, so that a power cut cannot leave an empty file in place of an old one.
 */
export function writeFileAtomic(path: string, text: string, sync: boolean): void {
  const temporary = path + '.new'
  const fd = openSync(temporary, 'w', 0o600)
  try {
    writeSync(fd, text)
    if (sync) fdatasyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
}

/** The JSON in a file of our own; null where there is none, undefined where it is unreadable. */
export function readJson(path: string): unknown {
  try {
    if (statSync(path).size > FILE_MAX_BYTES) return undefined
    const text = readFileSync(path, 'utf8')
    const parsed: unknown = JSON.parse(text)
    return parsed ?? undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : undefined
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
export const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
