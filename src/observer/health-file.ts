import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/** `run/health.json`: which run this is, or was. A run that ended cleanly says so; one that is not there any more and does not say so crashed. */
export type HealthFile = { readonly runId: string; readonly bootId: string; readonly pid: number; readonly endedClean: boolean }

export type PreviousRun = { readonly id: string | null; readonly end: 'clean' | 'crash' | 'reboot' | 'unknown' }

const BYTES_MAX = 4096

export function previousRun(path: string, bootId: string): PreviousRun {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return { id: null, end: 'unknown' }
  }
  try {
    const last = JSON.parse(text.slice(0, BYTES_MAX)) as Partial<HealthFile>
    if (typeof last.runId !== 'string' || !/^[0-9a-f]{32}$/.test(last.runId)) return { id: null, end: 'unknown' }
    if (last.endedClean === true) return { id: last.runId, end: 'clean' }
    return { id: last.runId, end: last.bootId === bootId ? 'crash' : 'reboot' }
  } catch {
    return { id: null, end: 'unknown' }
  }
}

/** False: the disk did not take it; the next start will say `crash` or `unknown`. */
export function writeHealthFile(path: string, health: HealthFile): boolean {
  try {
    writeFileSync(path + '.new', JSON.stringify(health) + '\n', { mode: 0o644 })
    renameSync(path + '.new', path)
    return true
  } catch {
    return false
  }
}
