import type { Bytes } from '../../src/model/bytes.ts'

/**
 * What a caller's name means below a folder that the kernel walked: joined, with empty, `.` and `..` components folded. Symbolic links in the middle are not
 * followed, so the result is not exact. A relative name below an unknown folder ('') stays relative.
 */
export function joinPath(folder: string, name: string): Bytes {
  const path = name.startsWith('/') || folder === '' ? name : name === '' ? folder : folder === '/' ? `/${name}` : `${folder}/${name}`
  return (needsFolding(path) ? fold(path) : path) as Bytes
}

/** Folder of an absolute path; of a bare name ''. */
export const folderOf = (path: string): string => (path.lastIndexOf('/') === 0 ? '/' : path.slice(0, Math.max(path.lastIndexOf('/'), 0)))

/** '//', '/.' before a slash or the end (hence also '/..'), or a trailing slash. '/.git' has none of them, '/.x/..' does. */
const needsFolding = (path: string): boolean =>
  path.includes('//') || (path.length > 1 && path.endsWith('/')) || path.includes('/./') || path.includes('/../') || path.endsWith('/.') || path.endsWith('/..')

function fold(path: string): string {
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..' && (kept.length > 0 ? kept.at(-1) !== '..' : path.startsWith('/'))) kept.pop()
    else kept.push(part)
  }
  return (path.startsWith('/') ? '/' : '') + kept.join('/')
}
