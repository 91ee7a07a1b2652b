import { chmodSync, chownSync, closeSync, constants, ftruncateSync, lstatSync, openSync, readdirSync, readSync, type Stats, statSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { flock } from '../identity/libc.ts'
import { makeFolder } from './files.ts'

const LAYOUT = 1
/** A VERSION file is a number; anything longer is none of ours. */
const VERSION_BYTES_MAX = 64

/** Folders by who owns them when root runs Spoor; for anybody else all are theirs, 0700. */
const FOLDERS: readonly { readonly name: string; readonly owner: 'root' | 'spoor'; readonly mode: number }[] = [
  { name: 'journal', owner: 'root', mode: 0o750 },
  { name: 'keys', owner: 'root', mode: 0o700 },
  { name: 'ship', owner: 'spoor', mode: 0o700 },
  { name: 'index', owner: 'spoor', mode: 0o750 },
  { name: 'claims', owner: 'root', mode: 0o750 },
  // control.sock in it is for everybody: the peer's uid decides what it answers.
  { name: 'run', owner: 'root', mode: 0o755 },
]

export type StateDir = {
  readonly path: string
  readonly journal: string
  readonly keys: string
  readonly ship: string
  readonly index: string
  readonly claims: string
  readonly run: string
  readonly openState: string
  readonly control: string
  readonly health: string
}

export type StateDirOptions = {
  readonly path: string
  /** Owner of `ship` and `index`, and group of the rest, where root runs Spoor. */
  readonly spoor: { readonly uid: number; readonly gid: number }
  /** Of this process; a parameter for the tests. */
  readonly uid?: number
}

export type Prepared = { readonly ok: true; readonly dir: StateDir } | { readonly ok: false; readonly message: string }
export type Locked = { readonly ok: true; readonly unlock: () => void } | { readonly ok: false; readonly message: string }

export function stateDirAt(path: string): StateDir {
  const run = join(path, 'run')
  return {
    path,
    journal: join(path, 'journal'),
    keys: join(path, 'keys'),
    ship: join(path, 'ship'),
    index: join(path, 'index'),
    claims: join(path, 'claims'),
    run,
    openState: join(run, 'open.state'),
    control: join(run, 'control.sock'),
    health: join(run, 'health.json'),
  }
}

/** Makes the state directory, or checks one that is there and mends its modes. Afterwards nobody else can write in it. */
export function prepareStateDir(options: StateDirOptions): Prepared {
  const { path, spoor, uid = process.getuid?.() ?? 0 } = options
  const root = uid === 0
  const refuse = (message: string): Prepared => ({ ok: false, message: `The state directory ${path} ${message}` })
  const owned = { root: { uid, gid: spoor.gid }, spoor }
  try {
    makeFolder(dirname(path), root ? 0o755 : 0o700)
    makeFolder(path, 0o700)
    const link = lstatSync(path)
    // A link of our own (to a larger disk) is as good as a folder; what it leads to is checked like one.
    const wrong = foreign(link.isSymbolicLink() && link.uid === uid ? statSync(path) : link, [uid])
    if (wrong !== null) return refuse(`${wrong}: name another one with --state-dir.`)
    const version = readVersion(path)
    // A start that was killed in here leaves some of our folders and no VERSION.
    if (version === null && readdirSync(path).some((name) => !FOLDERS.some((folder) => folder.name === name)))
      return refuse('is not empty and no Spoor made it (it has no VERSION file): name an empty or new one with --state-dir.')
    if (version !== null) {
      if (!/^\d+\n?$/.test(version)) return refuse(`has a VERSION file that is no number: it is damaged or not Spoor's. Move it away, or name another one with --state-dir.`)
      if (Number(version) > LAYOUT)
        return refuse(`was made by a later Spoor (layout ${Number(version)}, this one knows ${LAYOUT}): install that version, or name another one with --state-dir.`)
    }
    for (const folder of FOLDERS) {
      const at = join(path, folder.name)
      const owner = owned[folder.owner]
      makeFolder(at, 0o700)
      const wrongFolder = foreign(lstatSync(at), root ? [uid, owner.uid] : [uid])
      if (wrongFolder !== null) return refuse(`cannot be used: ${at} ${wrongFolder}. Move it away, or name another state directory with --state-dir.`)
      settle(at, root ? owner : null, root ? folder.mode : 0o700)
    }
    settle(path, root ? owned.root : null, root ? 0o751 : 0o700)
    // Last: a directory with a VERSION file is whole.
    if (version === null) writeFileSync(join(path, 'VERSION'), `${LAYOUT}\n`, { mode: 0o644, flag: 'wx' })
    return { ok: true, dir: stateDirAt(path) }
  } catch (error) {
    return refuse(`cannot be used (${explain(error)}): make it writable, or name another one with --state-dir.`)
  }
}

/** Takes the directory for one observer; the lock ends with the process. */
export function lockStateDir(path: string): Locked {
  let fd: number
  try {
    fd = openSync(join(path, 'lock'), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o640)
  } catch (error) {
    return { ok: false, message: `The state directory ${path} cannot be locked (${explain(error)}).` }
  }
  const locked = flock(fd)
  if (!locked.ok) {
    const holder = Buffer.alloc(16)
    const pid = Number.parseInt(holder.toString('latin1', 0, readSync(fd, holder, 0, holder.length, 0)), 10)
    closeSync(fd)
    if (!locked.busy)
      return { ok: false, message: `The state directory ${path} cannot be locked (${locked.error}): its file system does not support flock(2); name another one with --state-dir.` }
    return { ok: false, message: `Another observer${pid > 0 ? ` (pid ${pid})` : ''} runs on ${path}: stop it, or name another directory with --state-dir.` }
  }
  ftruncateSync(fd, 0)
  writeSync(fd, `${process.pid}\n`, 0)
  return { ok: true, unlock: () => closeSync(fd) }
}

/** What makes a folder unfit to be trusted, or null. */
function foreign(found: Stats, owners: readonly number[]): string | null {
  if (found.isSymbolicLink()) return 'is a symbolic link'
  if (!found.isDirectory()) return 'is not a directory'
  if (!owners.includes(found.uid)) return `belongs to uid ${found.uid}, not to uid ${owners[0]}`
  return null
}

function settle(path: string, owner: { readonly uid: number; readonly gid: number } | null, mode: number): void {
  if (owner !== null) chownSync(path, owner.uid, owner.gid)
  chmodSync(path, mode)
}

function readVersion(path: string): string | null {
  let fd: number
  try {
    fd = openSync(join(path, 'VERSION'), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const bytes = Buffer.alloc(VERSION_BYTES_MAX)
    return bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0))
  } finally {
    closeSync(fd)
  }
}

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'its file system is read-only',
  ENOSPC: 'no space left on its disk',
  ENOTDIR: 'a part of its path is no directory',
  EEXIST: 'a file of that name is in the way',
  ELOOP: 'a symbolic link is in the way',
  ENAMETOOLONG: 'its path is too long',
}

const explain = (error: unknown): string => {
  const { code = '', message } = error as NodeJS.ErrnoException
  return WHY[code] ?? message
}
