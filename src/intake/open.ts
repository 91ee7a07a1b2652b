import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import type { Unreadable } from '../model/claim.ts'

export type Opened =
  | { readonly ok: true; readonly fd: number; readonly stat: Stats }
  | { readonly ok: false; readonly why: Extract<Unreadable, 'not_regular' | 'not_own' | 'outside' | 'open_failed'> | 'absent' }

/**
 * Opens a user's file for reading as that user: only a regular file of their own below `root` (a real path).
 * Looked at before the open (opening a device can act) and after it (what stood there may have changed), and the path is asked of the kernel for what *was* opened:
 * no link on the way can lead elsewhere. Never blocks on a FIFO.
 */
export function openOwn(path: string, root: string, uid: number): Opened {
  let fd: number
  try {
    const before = lstatSync(path)
    if (before.isSymbolicLink()) return { ok: false, why: 'outside' }
    if (!before.isFile()) return { ok: false, why: 'not_regular' }
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch (error) {
    return { ok: false, why: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'absent' : 'open_failed' }
  }
  const refuse = (why: Extract<Unreadable, 'not_regular' | 'not_own' | 'outside' | 'open_failed'>): Opened => {
    closeSync(fd)
    return { ok: false, why }
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) return refuse('not_regular')
    if (stat.uid !== uid) return refuse('not_own')
    const real = readlinkSync(`/proc/self/fd/${fd}`)
    return real.startsWith(root + '/') ? { ok: true, fd, stat } : refuse('outside')
  } catch {
    return refuse('open_failed')
  }
}
