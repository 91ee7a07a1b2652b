import { readFileSync } from 'node:fs'

/** From package.json, which stands above src/cli/ in a clone and above dist/ in a package. */
export function version(): string {
  for (const up of ['../../package.json', '../package.json']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'))
      if (typeof found === 'object' && found !== null && 'name' in found && found.name === 'spoor' && 'version' in found) return String(found.version)
    } catch {
      // the other place
    }
  }
  return 'unknown'
}
