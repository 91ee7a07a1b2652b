/**
 * What kind of tree a folder lies in.
 * `system` and `library`: the machine's and other people's code: reads are counted, not named. `device`: no files at all.
 * `vcs`: git's own bookkeeping: named, but never entry by entry. `user`: everything else: nothing in it stays unnamed.
 */
export type Tree = 'user' | 'vcs' | 'library' | 'system' | 'device'

const SYSTEM: readonly string[] = [
  '/usr/',
  '/lib/',
  '/lib64/',
  '/lib32/',
  '/libx32/',
  '/bin/',
  '/sbin/',
  '/sys/',
  '/nix/store/',
  '/snap/',
  '/etc/ssl/certs/',
  '/etc/alternatives/',
  '/etc/ld.so.conf.d/',
]
/** Installed or generated code inside anybody's folders. */
const LIBRARY: readonly string[] = [
  '/node_modules/',
  '/site-packages/',
  '/dist-packages/',
  '/.git/objects/',
  '/__pycache__/',
  '/_cacache/',
  '/.cargo/registry/',
  '/go/pkg/mod/',
  '/.pnpm-store/',
  '/.m2/repository/',
  '/.rustup/toolchains/',
]

/** `folder` has a slash at both ends. */
export function treeOf(folder: string): Tree {
  if (folder.startsWith('/dev/')) return folder.startsWith('/dev/shm/') ? 'user' : 'device'
  if (folder.startsWith('/proc/')) return 'system'
  for (const prefix of SYSTEM) if (folder.startsWith(prefix)) return 'system'
  for (const part of LIBRARY) if (folder.includes(part)) return 'library'
  return folder.includes('/.git/') ? 'vcs' : 'user'
}

/** Of /etc only the linker's files are the system's; every program opens them. */
export const isLinkerFile = (path: string): boolean => path.startsWith('/etc/ld.so.')

/** The nearest folder above both. Both have a slash at their end. */
export function commonFolder(a: string, b: string): string {
  if (b.startsWith(a)) return a
  const length = Math.min(a.length, b.length)
  let slash = 0
  for (let i = 0; i < length && a.charCodeAt(i) === b.charCodeAt(i); i++) if (a.charCodeAt(i) === 0x2f) slash = i
  return a.slice(0, slash + 1)
}
