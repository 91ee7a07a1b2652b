import { readFileSync, statSync } from 'node:fs'

/** Larger ones exist (LDAP dumps); reading this much takes some ms. */
const PASSWD_BYTES_MAX = 4 * 1024 * 1024
/** Of the account that the shipper runs as where it does not exist: a number that no distribution hands out. */
export const SPOOR_ID = 61_180

export type Account = { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string; readonly shell: string }
export type Accounts = { byUid(uid: number): Account | null; byName(name: string): Account | null }

/** The accounts in /etc/passwd (no NSS: a directory service is asked nothing), read again when the file changes. */
export function createAccounts(path = '/etc/passwd'): Accounts {
  let stamp = ''
  let uids = new Map<number, Account>()
  let names = new Map<string, Account>()
  function refresh(): void {
    try {
      const { mtimeMs, size, ino } = statSync(path)
      const now = `${ino} ${size} ${mtimeMs}`
      if (now === stamp || size > PASSWD_BYTES_MAX) return
      stamp = now
      uids = new Map()
      names = new Map()
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        const [name, , uid, gid, , home, shell] = line.split(':')
        if (!name || uid === undefined || gid === undefined || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) continue
        const account = { name, uid: Number(uid), gid: Number(gid), home: home ?? '/', shell: shell ?? '' }
        // As getpwuid(3): the first line wins.
        if (!uids.has(account.uid)) uids.set(account.uid, account)
        if (!names.has(name)) names.set(name, account)
      }
    } catch {
      // As unreadable now as it may be readable later: what was known stays.
    }
  }
  return {
    byUid(uid) {
      refresh()
      return uids.get(uid) ?? null
    },
    byName(name) {
      refresh()
      return names.get(name) ?? null
    },
  }
}

/** Who owns what the shipper may read or write when Spoor runs as root. */
export function spoorAccount(accounts: Accounts): { readonly uid: number; readonly gid: number } {
  return accounts.byName('spoor') ?? { uid: SPOOR_ID, gid: SPOOR_ID }
}
