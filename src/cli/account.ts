import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export type Account = { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string; readonly shell: string }

/** One line of passwd(5). */
export function parseAccount(line: string, name: string): Account | null {
  const [found, , uid, gid, , home, shell] = line.split(':')
  if (found !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) return null
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' }
}

/** /etc/passwd first; then whatever the machine's name service knows (LDAP, sssd), through getent(1). */
export function accountOf(name: string): Account | null {
  if (!/^[A-Za-z_][A-Za-z0-9_.@-]*\$?$/.test(name)) return null
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const account = parseAccount(line, name)
    if (account !== null) return account
  }
  const asked = spawnSync('/usr/bin/getent', ['passwd', '--', name], { encoding: 'utf8', timeout: 5000 })
  return asked.status === 0 ? parseAccount(asked.stdout.split('\n')[0] ?? '', name) : null
}

/** The environment that goes with an account: root's own folders are of no use to it. */
export function environmentFor(account: Account, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const theirs: NodeJS.ProcessEnv = { ...env, HOME: account.home, USER: account.name, LOGNAME: account.name, SHELL: account.shell }
  for (const name of ['XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME']) delete theirs[name]
  return theirs
}
