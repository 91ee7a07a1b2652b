import { constants } from 'node:os'
import { loadConfig } from '../config/load.ts'
import type { SessionSummary } from '../model/status.ts'
import { accountOf } from './account.ts'
import { type CommandSpec, readArguments, STATE_DIR } from './arguments.ts'
import { shippingOf } from './destination.ts'
import { lookUpCommand } from './lookup.ts'
import { ownObserver, type Recorder, runningObserver } from './recorder.ts'
import { failed, misused, refused, say } from './say.ts'
import { type Ending, startShim } from './shim.ts'
import { summaryText } from './summary-text.ts'
import { controlPaths, defaultStateDir, isRoot } from './where.ts'

const COMMAND: CommandSpec = {
  name: 'record',
  usage: '[options] -- COMMAND [ARGUMENT...]',
  summary: 'Runs one command as an observed session and says on standard error what it did. Exits as the command does (128 + signal).',
  options: {
    'state-dir': STATE_DIR,
    'otlp-endpoint': { type: 'text', value: 'URL', help: 'ship there by OTLP over HTTP (default: OTEL_EXPORTER_OTLP_ENDPOINT)' },
    config: { type: 'text', value: 'FILE', help: 'configuration file (YAML)' },
    name: { type: 'text', value: 'NAME', help: 'name of the session (default: that of the agent or command)' },
    user: { type: 'text', value: 'NAME', help: 'run the command as this user (as root only)' },
  },
  positionals: { min: 0, max: Number.POSITIVE_INFINITY, what: '' },
  details: 'Where an observer runs already, the session is its; else this command observes by itself, which takes root or capabilities.',
}
const NAME_MAX = 128
const SAME_SIGNAL_MS = 300
/** An observer's start takes well under a second, on a busy machine some. */
const ARRIVAL_MS = 5000

export async function main(argv: readonly string[]): Promise<number> {
  const end = argv.indexOf('--')
  const args = readArguments(COMMAND, end < 0 ? argv : argv.slice(0, end))
  if (!args.ok) return args.exit
  const command = end < 0 ? [] : argv.slice(end + 1)
  if (command.length === 0 || args.positionals.length > 0) return misused('record', 'COMMAND is missing: it stands behind --, as in spoor record -- make test')
  const name = args.text('name')
  if (name !== null && name.length > NAME_MAX) return misused('record', `--name is longer than ${NAME_MAX} characters`)
  const user = args.text('user')
  if (user !== null && !isRoot()) return misused('record', '--user takes root: use sudo')
  const account = user === null ? null : accountOf(user)
  if (user !== null && account === null) return failed('record', `there is no user ${user} on this machine`)
  const found = lookUpCommand(command[0] ?? '')
  if (!found.ok) {
    failed('record', found.message)
    return found.exit
  }

  const recorder = await openRecorder('record', args.text('state-dir'), args.text('otlp-endpoint'), args.text('config'))
  if (typeof recorder === 'number') return recorder
  const ignored = ignoreTerminalSignals()
  const shim = await startShim(command, account)
  if (typeof shim === 'string') {
    await recorder.abandon()
    return failed('record', shim)
  }
  ignored.forwardTo((signal) => shim.kill(signal))
  const recorded = await recorder.record(shim, name)
  if (typeof recorded === 'string') {
    await shim.abandon()
    await recorder.abandon()
    return failed('record', recorded)
  }
  const began = process.hrtime.bigint()
  shim.open()
  const ending = await shim.ended
  const lasted = process.hrtime.bigint() - began
  ignored.endWith(ending)
  const summary = await recorder.finish(recorded.session)
  report(recorder, summary, recorded.session, ending, lasted, args.text('state-dir'))
  return ending.exitCode
}

/** The observer that runs already, else one of our own. A number is an exit code: what went wrong has been said. */
export async function openRecorder(command: string, stateDirFlag: string | null, endpoint: string | null, configFile: string | null): Promise<Recorder | 1 | 2> {
  const running = await runningObserver(controlPaths(stateDirFlag))
  if (typeof running === 'string') return failed(command, running)
  if (running !== null) {
    if (endpoint !== null || configFile !== null)
      say(`spoor ${command}: an observer runs already: it ships and is configured as it was started, not by --otlp-endpoint or --config`)
    return running
  }
  const loaded = await loadConfig(configFile, isRoot())
  if (!loaded.ok) return refused(command, loaded.message)
  const shipping = shippingOf(endpoint, loaded.config)
  if (!shipping.ok) return refused(command, shipping.message)
  const { startObserver } = await import('../observer/observer.ts')
  const started = await startObserver({
    stateDir: stateDirFlag ?? loaded.config.stateDir ?? defaultStateDir(),
    config: loaded.config,
    scope: 'command',
    ship: shipping.environment,
  })
  if (started.ok) return ownObserver(started.observer)
  // One that is about to answer: it has the directory, its socket comes a moment later.
  const late = started.message.startsWith('Another observer') ? await arriving(() => runningObserver(controlPaths(stateDirFlag))) : null
  return late === null || typeof late === 'string' ? failed(command, late ?? started.message) : late
}

async function arriving<T>(look: () => Promise<T | null>): Promise<T | null> {
  for (const until = Date.now() + ARRIVAL_MS; Date.now() < until; ) {
    const found = await look()
    if (found !== null) return found
    await new Promise((done) => setTimeout(done, 100))
  }
  return null
}

/**
 * The command is in our process group: what the terminal sends (Ctrl-C, Ctrl-\) it gets by itself, and it alone decides. What is sent to us only is passed on.
 * Ctrl-Z stops us both, as any job.
 */
function ignoreTerminalSignals() {
  let kill: (signal: NodeJS.Signals) => void = () => {}
  let ending: Ending | null = null
  let endedAt = 0
  const over = (): void => {
    // The command has ended and only our own tidying up is left: whoever insists is let go. The Ctrl-C that ended the command may come to us after its end.
    if (ending !== null && Date.now() - endedAt > SAME_SIGNAL_MS) process.exit(ending.exitCode)
  }
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, over)
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) {
    process.on(signal, () => {
      over()
      kill(signal)
    })
  }
  return {
    forwardTo(target: (signal: NodeJS.Signals) => void) {
      kill = target
    },
    endWith(how: Ending) {
      ending = how
      endedAt = Date.now()
    },
  }
}

function report(recorder: Recorder, summary: SessionSummary | null, session: string, { exitCode, signal }: Ending, lasted: bigint, stateDir: string | null): void {
  const how = signal === null ? `exit ${exitCode}` : `${signal} (${constants.signals[signal]})`
  for (const line of summaryText({ session, summary, how, lasted, hint: hintOf(recorder, session, stateDir) })) say(line)
}

function hintOf(recorder: Recorder, session: string, stateDir: string | null): string {
  const sudo = !recorder.own && !isRoot() ? 'sudo ' : ''
  return `${sudo}spoor show ${session.slice(0, 8)}${stateDir === null ? '' : ` --state-dir ${stateDir}`}`
}
