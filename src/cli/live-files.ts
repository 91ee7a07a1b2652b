import type { Bytes } from '../model/bytes.ts'
import type { ObservationOf } from '../model/observation.ts'
import type { Role, Session } from '../model/session.ts'
import { createFolders, isScratch } from '../shape/folders.ts'

export type NamedFile = {
  /** `r` read, `w` written, `+` made, `-` removed, or the operation. */
  readonly mark: string
  readonly path: Bytes
  /** Class of a sensitive file. */
  readonly why: string | null
}

const MARKS: Readonly<Record<ObservationOf<'change'>['op'], string>> = {
  rename: '+',
  link: '+',
  symlink: '+',
  mkdir: '+',
  mknod: '+',
  unlink: '-',
  rmdir: '-',
  truncate: 'w',
  chmod: 'chmod',
  chown: 'chown',
  setxattr: 'setxattr',
}

/** Says what to print of a file observation: changes of people's files and any access to sensitive ones; null = not for a terminal. */
export function createFileNamer(sensitive: readonly string[]) {
  const folders = createFolders(sensitive)

  return (observation: ObservationOf<'open'> | ObservationOf<'change'>, session: Session, role: Role): NamedFile | null => {
    // Said when it was opened; a report of repeats may carry only the end of its path.
    if (observation.kind === 'open' && observation.repeats) return null
    if (observation.result < 0) return null
    const change = observation.kind === 'change'
    const changes = change || observation.access !== 'read' || observation.created || observation.truncated
    // What a rename makes is the news, not the scratch file it came from.
    const path = change && observation.target !== undefined && observation.op !== 'symlink' ? observation.target.path : observation.file.path
    const folder = folders.of(path)
    const why = folders.sensitivity(folder, path, changes, observation.task.pid)
    const mark = change ? MARKS[observation.op] : observation.created ? '+' : changes ? 'w' : 'r'
    // Its own settings and tokens are what an agent opens first.
    const own = (why === 'agent_config' || why === 'agent_credentials') && (role === 'agent' || role === 'harness')
    if (why !== null && !own) return { mark, path, why }
    if (!changes || folder.tree !== 'user' || isScratch(path) || (!change && observation.file.class !== 'regular')) return null
    const cwd = session.image.cwd.endsWith('/') ? session.image.cwd : session.image.cwd + '/'
    // Below the working folder everything counts; elsewhere not what programs keep for themselves.
    const inside = cwd !== '/' && path.startsWith(cwd)
    if (!inside && (path.startsWith('/tmp/') || path.startsWith('/var/tmp/') || path.includes('/.'))) return null
    return { mark, path, why: null }
  }
}
