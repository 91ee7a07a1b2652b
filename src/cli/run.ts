import { homedir } from 'node:os'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import type { ObserverOptions } from '../observer/face.ts'
import { type CommandSpec, readArguments, STATE_DIR } from './arguments.ts'
import { shippingOf } from './destination.ts'
import { createLive } from './live.ts'
import { printable } from './printable.ts'
import { failed, refused } from './say.ts'
import { defaultStateDir, isRoot } from './where.ts'

const COMMAND: CommandSpec = {
  name: 'run',
  usage: '[options]',
  summary: 'Observes the AI agents of this machine until Ctrl-C or SIGTERM; keeps what they do in the journal and ships it where told to.',
  options: {
    'state-dir': STATE_DIR,
    'otlp-endpoint': { type: 'text', value: 'URL', help: 'ship there by OTLP over HTTP, e.g. http://localhost:4318 (default: OTEL_EXPORTER_OTLP_ENDPOINT; none: ship nowhere)' },
    config: { type: 'text', value: 'FILE', help: 'configuration file (YAML)' },
  },
}
const SIGTERM = 15
const STOPPED_BY = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export async function main(argv: readonly string[]): Promise<number> {
  const args = readArguments(COMMAND, argv)
  if (!args.ok) return args.exit
  const loaded = await loadConfig(args.text('config'), isRoot())
  if (!loaded.ok) return refused('run', loaded.message)
  const { config } = loaded
  const shipping = shippingOf(args.text('otlp-endpoint'), config)
  if (!shipping.ok) return refused('run', shipping.message)
  const stateDir = args.text('state-dir') ?? config.stateDir ?? defaultStateDir()

  const stopped = stopSignal()
  const screen = process.stdout.isTTY ? terminal() : null
  const { startObserver } = await import('../observer/observer.ts')
  const told = screen === null ? await toLog() : toScreen(screen, config)
  const started = await startObserver({ stateDir, config, scope: 'machine', ship: shipping.environment, ...told })
  if (!started.ok) return failed('run', started.message)
  const { observer } = started
  const { sensor } = observer.status()
  if (screen === null) told.onState('observing', { stateDir, sensor: sensor?.name, rung: sensor?.rung, pinned: sensor?.pinned, destination: shipping.shown })
  else for (const line of await greeting(sensor, stateDir, shipping.shown)) screen(line)
  await stopped
  told.onState('stopping: settling what is open, closing the journal ...')
  await observer.stop()
  if (screen === null) told.onState('stopped')
  return 0
}

type Told = Required<Pick<ObserverOptions, 'onActivity' | 'onState'>>

async function toLog(): Promise<Told> {
  const { openStateLog } = await import('./state-log.ts')
  const log = await openStateLog()
  return { onActivity: log.activity, onState: log.info }
}

function toScreen(screen: (line: string) => void, config: Config): Told {
  const live = createLive({ write: screen, now: Date.now, width: () => process.stdout.columns || 120, home: homedir(), sensitive: config.sensitive })
  return { onActivity: live.onActivity, onState: (message) => screen(message) }
}

/** Resolves with the first signal that asks us to stop; a second one ends us at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    for (const [signal, code] of Object.entries(STOPPED_BY)) {
      process.on(signal as keyof typeof STOPPED_BY, () => {
        if (asked) process.exit(code)
        asked = true
        resolve()
      })
    }
    void followParent(resolve)
  })
}

/** npm dies of a SIGTERM without passing it on, and then nobody would end us: the kernel does. */
async function followParent(gone: () => void): Promise<void> {
  if (process.env['npm_lifecycle_event'] === undefined || process.platform !== 'linux') return
  const parent = process.ppid
  const { setParentDeathSignal } = await import('../identity/libc.ts')
  setParentDeathSignal(SIGTERM)
  if (process.ppid !== parent) gone() // it went in between
}

/** Lines to the terminal; when it goes away, nothing is printed and the observer goes on until it is told. */
function terminal(): (line: string) => void {
  let open = true
  process.stdout.on('error', () => {
    open = false
  })
  return (line) => {
    if (open) process.stdout.write(line + '\n')
  }
}

async function greeting(sensor: { readonly name: string; readonly rung: string } | null, stateDir: string, destination: string | null): Promise<readonly string[]> {
  const { version } = await import('./version.ts')
  return [
    `Spoor ${version()}: journal in ${printable(stateDir)}, sensor ${sensor === null ? 'none' : sensor.rung === sensor.name ? sensor.name : `${sensor.name} (${sensor.rung})`}`,
    destination === null ? 'ships nowhere (--otlp-endpoint URL, or OTEL_EXPORTER_OTLP_ENDPOINT)' : `ships to ${printable(destination)}`,
    'waiting for an agent: run claude, codex, gemini or opencode in another terminal; Ctrl-C stops',
  ]
}
