import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

export const SYSTEM_STATE_DIR = '/var/lib/spoor'

export const controlPath = (stateDir: string): string => join(stateDir, 'run', 'control.sock')

export const isRoot = (): boolean => process.getuid?.() === 0

/** Root: /var/lib/spoor. Others: their own, as the XDG base directory specification says (a relative value is to be ignored). */
export function defaultStateDir(root = isRoot(), env: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  if (root) return SYSTEM_STATE_DIR
  const xdg = env['XDG_STATE_HOME']
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, '.local', 'state'), 'spoor')
}

/** Control sockets to try, in order: a named directory only itself; else the machine's observer, then one's own. */
export function controlPaths(flag: string | null, root = isRoot(), own = defaultStateDir(root)): readonly string[] {
  if (flag !== null) return [controlPath(flag)]
  return root ? [controlPath(own)] : [controlPath(SYSTEM_STATE_DIR), controlPath(own)]
}
