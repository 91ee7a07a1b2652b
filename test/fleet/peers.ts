// The real programs of the fleet test, built from their released sources through Go modules (Prometheus: Debian's package) and kept between runs.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { onPath } from '../support/need.ts'

export type Peers = Readonly<Record<'otelcol' | 'jaeger' | 'loki' | 'prometheus', string>>

const COLLECTOR = '0.159.0'
/** The tag under which the Go proxy has Jaeger 2.13 (its own v2 tags are no legal versions of that module). */
const JAEGER = '1.76.0'
const LOKI = '3.7.8'
const OLDEST_GO = [1, 26] as const
const BUILD_MS = 3_600_000

const manifest = join(import.meta.dirname, 'otelcol.yaml')
const digest = createHash('sha256').update(readFileSync(manifest)).digest('hex').slice(0, 8)
const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'spoor-peers')

type Recipe = { readonly name: keyof Peers; readonly version: string; readonly build: (folder: string) => void }
const recipes: readonly Recipe[] = [
  { name: 'otelcol', version: `${COLLECTOR}-${digest}`, build: buildCollector },
  { name: 'jaeger', version: JAEGER, build: (folder) => buildMain(folder, 'jaeger', `github.com/jaegertracing/jaeger@v${JAEGER}`, './cmd/jaeger', []) },
  // The replacement points into its own repository, at a folder that is a module of its own and so not in the sources of this one.
  { name: 'loki', version: LOKI, build: (folder) => buildMain(folder, 'loki', `github.com/grafana/loki/v3@v${LOKI}`, './cmd/loki', ['github.com/grafana/loki/pkg/push']) },
  { name: 'prometheus', version: 'debian', build: unpackPrometheus },
]

/** Where the programs are, after building those that are not there yet; or why this machine cannot have them. */
export function ensurePeers(): Peers | { readonly unavailable: string } {
  const programs: Partial<Record<keyof Peers, string>> = {}
  const installed = onPath('prometheus')
  if (installed !== null) programs.prometheus = installed
  const missing: Recipe[] = []
  for (const recipe of recipes) {
    if (programs[recipe.name] !== undefined) continue
    const program = join(cache, `${recipe.name}-${recipe.version}`, recipe.name)
    if (existsSync(program)) programs[recipe.name] = program
    else missing.push(recipe)
  }
  const why = missing.some((recipe) => recipe.name !== 'prometheus') ? noGo() : null
  if (why !== null) return { unavailable: why }
  if (missing.some((recipe) => recipe.name === 'prometheus') && onPath('apt-get') === null)
    return { unavailable: 'needs prometheus on the PATH (there is no apt-get here to fetch it)' }
  for (const recipe of missing) programs[recipe.name] = make(recipe)
  return programs as Peers
}

function noGo(): string | null {
  const done = spawnSync('go', ['version'], { encoding: 'utf8' })
  const found = /go(\d+)\.(\d+)/.exec(done.stdout ?? '')
  if (done.status !== 0 || found === null) return `needs Go ${OLDEST_GO.join('.')} or newer to build the Collector and the stores: there is no go on the PATH`
  const [major, minor] = [Number(found[1]), Number(found[2])]
  return major > OLDEST_GO[0] || minor >= OLDEST_GO[1] ? null : `needs Go ${OLDEST_GO.join('.')} or newer to build the Collector and the stores, this is ${found[0]}`
}

/** Whole or not at all: two runs at once, or one that was killed, leave no half-built folder behind under the final name. */
function make(recipe: Recipe): string {
  mkdirSync(cache, { recursive: true })
  const began = Date.now()
  console.log(`fleet: building ${recipe.name} ${recipe.version} (once; kept in ${cache}) ...`)
  const folder = mkdtempSync(join(cache, `.${recipe.name}-`))
  const final = join(cache, `${recipe.name}-${recipe.version}`)
  try {
    recipe.build(folder)
    if (!existsSync(final)) renameSync(folder, final)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  console.log(`fleet: ${recipe.name} built in ${Math.round((Date.now() - began) / 1000)} s`)
  return join(final, recipe.name)
}

function run(command: readonly string[], cwd: string): string {
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod', GOWORK: 'off' }
  const done = spawnSync('nice', ['-n', '19', ...command], { cwd, env, encoding: 'utf8', timeout: BUILD_MS, maxBuffer: 1 << 28 })
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.error?.message ?? `exit ${done.status}`}\n${done.stderr.slice(-4000)}`)
  return done.stdout
}

function buildCollector(folder: string): void {
  const work = join(folder, 'build') // output_path of the manifest
  run(['go', 'run', `go.opentelemetry.io/collector/cmd/builder@v${COLLECTOR}`, '--config', manifest, '--ldflags=-s -w'], folder)
  renameSync(join(work, 'otelcol'), join(folder, 'otelcol'))
  rmSync(work, { recursive: true })
}

/** A module whose go.mod has replacements can be built only as the main module: from a copy of its sources. */
function buildMain(folder: string, name: string, module: string, main: string, dropped: readonly string[]): void {
  const { Dir } = JSON.parse(run(['go', 'mod', 'download', '-json', module], folder)) as { Dir: string }
  const work = join(folder, 'build')
  cpSync(Dir, work, { recursive: true })
  run(['chmod', '-R', 'u+w', work], folder)
  for (const replaced of dropped) run(['go', 'mod', 'edit', `-dropreplace=${replaced}`], work)
  run(['go', 'build', '-trimpath', '-ldflags=-s -w', '-o', join(folder, name), main], work)
  rmSync(work, { recursive: true })
}

/** Unpacked, not installed: no service starts, and nothing of the machine changes. */
function unpackPrometheus(folder: string): void {
  const download = ['apt-get', 'download', '-q', '-o', 'APT::Sandbox::User=root', 'prometheus']
  try {
    run(download, folder)
  } catch {
    run(['apt-get', 'update', '-q'], folder) // no lists yet, or old ones
    run(download, folder)
  }
  const file = readdirSync(folder).find((name) => name.endsWith('.deb'))!
  run(['dpkg-deb', '-x', file, 'root'], folder)
  renameSync(join(folder, 'root/usr/bin/prometheus'), join(folder, 'prometheus'))
  rmSync(join(folder, 'root'), { recursive: true })
  rmSync(join(folder, file))
}
