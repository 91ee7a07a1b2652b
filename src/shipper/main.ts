import { readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { openReader } from '../journal/reader.ts'
import { SCHEMA_VERSION } from '../shape/registry.ts'
import { type Environment, parseDestination } from '../ship/config.ts'
import { createParkedReporter, type ShipLine } from '../ship/report.ts'
import { BACKOFF } from '../ship/retry.ts'
import { dropTo, prepareFolder } from './account.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { startMetrics } from './metrics.ts'
import { succeed } from './predecessor.ts'
import { detectedResource } from './resource.ts'

/** How long what is durable may still be sent once the observer has gone or says so. */
const FLUSH_MS = 5000
const REPORT_EVERY_MS = 1000
/** The watch tells of new entries; this is for where it does not (network file systems, a limit on watches). */
const POLL_MS = 2000
const EXIT = { ok: 0, failed: 1, usage: 2 } as const
const SCOPE = { name: 'spoor', version: SCHEMA_VERSION }

const say = (line: ShipLine): void => {
  process.stdout.write(JSON.stringify(line) + '\n')
}

/**
 * The shipper: `--state-dir DIR`, the destination in the OTEL_EXPORTER_OTLP_* variables of `env`. Its life hangs on its standard input:
 * it ends when that does, or on a line `stop`, after a flush of at most `FLUSH_MS`. Resolves with the exit code.
 */
export async function runShipper(argv: readonly string[], env: Environment): Promise<number> {
  const stateDir = argv[0] === '--state-dir' ? argv[1] : undefined
  if (stateDir === undefined || argv.length !== 2) return fail(EXIT.usage, 'usage: spoor __shipper --state-dir DIR')
  const parsed = parseDestination(env, (path) => readFileSync(path))
  if (!parsed.ok) return fail(EXIT.usage, parsed.message)
  const { destination } = parsed
  if (destination === null) return fail(EXIT.usage, 'no endpoint is configured: there is nothing to ship to')
  // A terminal and a supervisor signal the whole group; the observer is the one to end this process, by its pipe.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  process.stdout.on('error', () => {})

  let lanes: Lanes | null = null
  const ledger = (): Extract<ShipLine, { type: 'ledger' }> => {
    const logs = lanes?.logs?.report() ?? null
    const traces = lanes?.traces?.report() ?? null
    return {
      type: 'ledger',
      destinations: { [destination.name]: { logs: logs?.ledger ?? null, traces: traces?.ledger ?? null } },
      health: { [destination.name]: { logs: logs && { state: logs.state, why: logs.why }, traces: traces && { state: traces.state, why: traces.why } } },
    }
  }
  const fallback = await detectedResource()
  const metrics = await startMetrics(env, ledger)

  try {
    // Relative from here on: after the drop the way to the folder may be closed (a state directory below root's home).
    process.chdir(stateDir)
    const account = prepareFolder('ship')
    if (account !== null) dropTo(account)
  } catch (error) {
    return fail(EXIT.failed, `the state directory ${stateDir} cannot be used for shipping: ${(error as Error).message}`)
  }
  const probe = openReader('journal')
  if (!probe.ok) return fail(EXIT.failed, probe.message)
  probe.reader.close()
  await succeed(join('ship', 'shipper.pid'))

  const reporter = createReporter(ledger)
  const parked = createParkedReporter(destination.name)
  lanes = await createLanes({
    folder: 'ship',
    open: () => {
      const opened = openReader('journal')
      if (!opened.ok) throw new Error(opened.message)
      const { reader } = opened
      return { id: reader.id, bounds: reader.bounds, read: (from, limits) => reader.read(from, limits) }
    },
    destination,
    env,
    fallback,
    scope: SCOPE,
    backoff: BACKOFF,
    onChange: reporter.changed,
    onParked: (target, range) => {
      parked.add(target.signal, range)
      for (const line of parked.due(Date.now())) say(line)
    },
    onNote: (message) => say({ type: 'note', message }),
  })
  const { logs, traces } = lanes
  const look = (): void => {
    logs?.wake()
    traces?.wake()
    for (const line of parked.due(Date.now())) say(line)
  }
  const watcher = watchJournal(() => {
    look()
    reporter.changed()
  })
  const poll = setInterval(look, POLL_MS)
  look()
  reporter.changed()

  await ending()
  clearInterval(poll)
  watcher?.close()
  const until = Date.now() + FLUSH_MS
  // A hung file system must not keep a process alive that nobody owns any more.
  setTimeout(() => process.exit(EXIT.ok), FLUSH_MS + 1000).unref()
  await Promise.all([logs?.drain(until), traces?.drain(until)])
  lanes.close()
  reporter.last()
  await metrics?.stop()
  return EXIT.ok
}

function fail(code: number, message: string): number {
  process.stderr.write(`spoor: shipper: ${message}\n`)
  return code
}

/** The durable mark stands in the journal's folder, the entries below it: so this wakes once for each sync, and never on an idle machine. */
function watchJournal(wake: () => void): { close(): void } | null {
  try {
    const watcher = watch('journal', (_, name) => {
      if (name === null || name === 'durable') wake()
    })
    watcher.on('error', () => {})
    return watcher
  } catch {
    return null
  }
}

/** The end of standard input, or a line `stop` on it. */
function ending(): Promise<void> {
  return new Promise((resolve) => {
    let text = ''
    process.stdin.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString('latin1')).slice(-64)
      if (/^stop$/m.test(text)) resolve()
    })
    process.stdin.on('end', resolve)
    process.stdin.on('close', resolve)
    process.stdin.on('error', () => resolve())
  })
}

function createReporter(ledger: () => ShipLine): { changed(): void; last(): void } {
  let told = ''
  let timer: NodeJS.Timeout | null = null
  let toldAt = Number.NEGATIVE_INFINITY
  const tell = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    toldAt = Date.now()
    const line = JSON.stringify(ledger())
    if (line === told) return
    told = line
    process.stdout.write(line + '\n')
  }
  return {
    changed() {
      timer ??= setTimeout(tell, Math.max(0, toldAt + REPORT_EVERY_MS - Date.now()))
    },
    last: tell,
  }
}
