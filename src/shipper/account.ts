import { chownSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'

/** The shipper's own account where no `spoor` exists: a number that distributions do not give out. */
export const FALLBACK_ID = 61_180
const ACCOUNT = 'spoor'
const FILE_MAX = 1024 * 1024

export type Account = { readonly uid: number; readonly gid: number }

/** Of the account `spoor`; a part that does not exist, or is root's, is the fallback number. */
export function shipperAccount(read: (path: string) => string = (path) => readFileSync(path, 'utf8')): Account {
  const field = (path: string, at: number): number => {
    try {
      const line = read(path)
        .slice(0, FILE_MAX)
        .split('\n')
        .find((each) => each.startsWith(ACCOUNT + ':'))
      const id = Number(line?.split(':')[at])
      return Number.isInteger(id) && id > 0 && id < 2 ** 32 - 1 ? id : FALLBACK_ID
    } catch {
      return FALLBACK_ID
    }
  }
  return { uid: field('/etc/passwd', 2), gid: field('/etc/group', 2) }
}

/**
 * The shipper's own folder, and who it is to become: the folder's owner, where root's observer has already given it away.
 * Null: not root, nothing to give up. Throws where something else stands there.
 */
export function prepareFolder(path: string): Account | null {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const found = lstatSync(path)
  if (!found.isDirectory()) throw new Error(`${path} is not a folder`)
  if (process.getuid?.() !== 0) return null
  if (found.uid !== 0 && found.gid !== 0) return { uid: found.uid, gid: found.gid }
  const account = shipperAccount()
  chownSync(path, account.uid, account.gid)
  return account
}

/** From here on no privilege is left, and nothing outside what the account may read. Everything that is to be imported must be by now. */
export function dropTo(account: Account): void {
  process.setgroups?.([])
  process.setgid?.(account.gid)
  process.setuid?.(account.uid)
  if (process.getuid?.() !== account.uid || process.geteuid?.() !== account.uid || process.getegid?.() !== account.gid)
    throw new Error(`could not become uid ${account.uid}, gid ${account.gid}`)
}
