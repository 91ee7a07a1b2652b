import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'

/** sun_path holds 108 bytes with its final NUL (unix(7)). */
const SUN_PATH_MAX = 107

/** Gives `use` a name for the socket that fits the kernel's 107 bytes, whatever the length of the state directory's path. */
export async function withSocketPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= SUN_PATH_MAX) return use(path)
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return await use(`/proc/self/fd/${folder}/${basename(path)}`)
  } finally {
    closeSync(folder)
  }
}
