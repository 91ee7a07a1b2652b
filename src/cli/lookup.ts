import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'

/** What execvp(3) takes when there is no PATH. */
const DEFAULT_PATH = '/usr/local/bin:/bin:/usr/bin'

export type Found = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly exit: 126 | 127; readonly message: string }

/** Finds a command as a shell does, with a shell's two exit codes for what goes wrong. */
export function lookUpCommand(name: string, env: NodeJS.ProcessEnv = process.env): Found {
  if (name === '') return { ok: false, exit: 127, message: 'the command is empty' }
  const candidates = name.includes('/') ? [name] : (env['PATH'] ?? DEFAULT_PATH).split(':').map((folder) => join(folder === '' ? '.' : folder, name))
  let refused: string | null = null
  for (const path of candidates) {
    try {
      if (statSync(path).isDirectory()) {
        if (name.includes('/')) refused = `${path} is a folder`
        continue
      }
    } catch {
      continue // not there, or in a folder that this user may not search
    }
    try {
      accessSync(path, constants.X_OK)
      return { ok: true, path }
    } catch {
      refused = `${path} is not executable`
    }
  }
  return refused === null ? { ok: false, exit: 127, message: `command not found: ${name}` } : { ok: false, exit: 126, message: refused }
}
