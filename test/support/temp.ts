import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** A folder that is gone when the test file has ended. */
export function tempFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `spoor-${name}-`))
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
