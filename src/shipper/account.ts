import { chownSync, lstatSync, mkdirSync } from 'node:fs'
import { createAccounts, spoorAccount } from '../identity/accounts.ts'

export type Account = { readonly uid: number; readonly gid: number }

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
  const account = spoorAccount(createAccounts())
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
