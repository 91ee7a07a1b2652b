import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The program's entry file, whether these sources run or the bundle (in which every module has the bundle's address). */
export function entryFile(): string {
  const sources = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
  return existsSync(sources) ? sources : fileURLToPath(import.meta.url)
}
