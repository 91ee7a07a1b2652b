import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { defaultConfig } from './config.ts'
import type { ConfigResult } from './parse.ts'

/** What must hold of a config file that root obeys: nobody else may write it, nor replace it. Null = fine. */
export function whyUntrusted(file: string, stat: { readonly uid: number; readonly mode: number }, folder: { readonly uid: number; readonly mode: number }): string | null {
  if (stat.uid !== 0) return `${file}: belongs to uid ${stat.uid}, and root takes its configuration from root only: chown root '${file}'`
  if ((stat.mode & 0o022) !== 0) return `${file}: can be written by others than root: chmod go-w '${file}'`
  const sticky = (folder.mode & 0o1000) !== 0
  if (folder.uid !== 0 || ((folder.mode & 0o022) !== 0 && !sticky))
    return `${file}: its folder can be written by others than root, so the file can be replaced: move it, e.g. to /etc/spoor/`
  return null
}

/** Reads and parses `file`; no file = the defaults. The YAML parser is loaded only when there is one. */
export async function loadConfig(file: string | null, asRoot: boolean): Promise<ConfigResult> {
  if (file === null) return { ok: true, config: defaultConfig() }
  const path = resolve(file)
  let source: string
  let descriptor: number | null = null
  try {
    // O_NONBLOCK: a FIFO given by mistake must not hang us.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return { ok: false, message: `${file}: is not a regular file` }
    const { CONFIG_MAX_BYTES } = await import('./parse.ts')
    if (stat.size > CONFIG_MAX_BYTES) return { ok: false, message: `${file}: has ${stat.size} bytes, a configuration has at most ${CONFIG_MAX_BYTES}` }
    const untrusted = asRoot ? whyUntrusted(file, stat, statSync(dirname(path))) : null
    if (untrusted !== null) return { ok: false, message: untrusted }
    source = readFileSync(descriptor, 'utf8')
  } catch (error) {
    return { ok: false, message: `${file}: cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}` }
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
  const { parseConfig } = await import('./parse.ts')
  return parseConfig(source, file)
}
