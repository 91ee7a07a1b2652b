import { spawnSync } from 'node:child_process'
import { chmodSync, constants, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

/** Exact: with a Node that a package does not like, npm takes an older release without a word where it may choose. */
export const PACKAGES = {
  claude: { name: '@anthropic-ai/claude-code', version: '2.1.328', bin: 'claude' },
  codex: { name: '@openai/codex', version: '0.169.0', bin: 'codex' },
} as const
export type Program = keyof typeof PACKAGES

const INSTALL_MS = 10 * 60_000

/** $XDG_CACHE_HOME/spoor-lab; root's is one that the ordinary user whom the CLI runs as can reach. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env['XDG_CACHE_HOME']
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'spoor-lab')
  return process.getuid?.() === 0 ? '/var/cache/spoor-lab' : join(homedir(), '.cache', 'spoor-lab')
}

/** The path of a CLI, installed from npm when it is not there yet. Throws a sentence. */
export function install(program: Program, say: (line: string) => void, cache = cacheFolder()): string {
  const { name, version, bin } = PACKAGES[program]
  const folder = join(cache, `${program}-${version}`)
  const path = join(folder, 'node_modules', '.bin', bin)
  if (installedVersion(folder, name) !== version || !existsSync(path)) {
    say(`lab: installing ${name} ${version} into ${folder} ...`)
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const env = { ...process.env, npm_config_global: undefined, npm_config_prefix: undefined, npm_config_local_prefix: undefined }
    const done = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--save-exact', `${name}@${version}`], {
      cwd: folder,
      env,
      stdio: ['ignore', 2, 2],
      timeout: INSTALL_MS,
    })
    const found = installedVersion(folder, name)
    if (done.status !== 0 || found !== version)
      throw new Error(`npm could not install ${name} ${version} (${found === null ? `exit ${done.status}` : `it took ${found}`}); see above`)
  }
  return path
}

/** A folder with a `node` in it that any user can run: our own may stand in a home that is closed to others. */
export function nodeFolder(cache = cacheFolder()): string {
  const path = join(cache, `node-${process.versions.node}`, 'bin', 'node')
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    copyFileSync(process.execPath, `${path}.${process.pid}`, constants.COPYFILE_FICLONE)
    chmodSync(`${path}.${process.pid}`, 0o755)
    renameSync(`${path}.${process.pid}`, path)
  }
  return dirname(path)
}

function installedVersion(folder: string, name: string): string | null {
  try {
    const found: unknown = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'))
    return typeof found === 'object' && found !== null && 'version' in found ? String(found.version) : null
  } catch {
    return null
  }
}
