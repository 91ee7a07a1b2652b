import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { parseShipLine, type ShipLine } from '../ship/report.ts'
import { ordinary } from './priority.ts'
import type { ShipReport } from './status.ts'

/** A child that dies is started again; the wait doubles up to this. */
const MAX_RESTART_MS = 60_000
const FIRST_RESTART_MS = 500
/** How long a stopping shipper may go on sending what is durable. */
export const FLUSH_MS = 5_000
/** Longest ledger line that is read; a longer one is none of ours. */
const MAX_LINE = 256 * 1024

export type ShipChild = {
  readonly pid: () => number | null
  /** What it last reported. */
  readonly report: () => ShipReport | null
  readonly restarts: () => number
  /** Asks it to send what is durable, waits at most `FLUSH_MS` and a little, then ends it. */
  stop(): Promise<void>
}

export type ShipChildOptions = {
  /** Arguments of the program that is the shipper, e.g. the entry file and `__shipper`. */
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** What it tells beside its ledger. */
  readonly onLine: (line: Exclude<ShipLine, ShipReport>) => void
  readonly onState: (state: string, detail: Record<string, unknown>) => void
}

/** Keeps one shipper process alive. Its life hangs on its standard input: when the observer dies, however it dies, the pipe closes. */
export function startShipChild(options: ShipChildOptions): ShipChild {
  let child: ChildProcess | null = null
  let report: ShipReport | null = null
  let restarts = 0
  let stopping = false
  let timer: NodeJS.Timeout | undefined
  let ended: Promise<void> = Promise.resolve()

  function start(): void {
    const began = spawn(process.execPath, [...process.execArgv, ...options.command], { env: options.env, stdio: ['pipe', 'pipe', 'inherit'] })
    child = began
    ordinary(began.pid)
    began.stdin?.on('error', () => {})
    const lines = createInterface({ input: began.stdout! })
    lines.on('line', (line) => {
      if (line.length > MAX_LINE) return
      const said = parseShipLine(line)
      if (said?.type === 'ledger') report = said
      else if (said !== null) options.onLine(said)
    })
    ended = new Promise((resolve) => {
      began.once('error', (error) => {
        options.onState('shipper could not be started', { error: error.message })
        resolve()
      })
      began.once('close', (code, signal) => {
        if (child === began) child = null
        resolve()
        if (stopping) return
        const wait = Math.min(FIRST_RESTART_MS * 2 ** Math.min(restarts, 16), MAX_RESTART_MS)
        restarts++
        options.onState('shipper ended, starting it again', { code, signal, waitMs: wait })
        timer = setTimeout(start, wait)
      })
    })
  }
  start()
  return {
    pid: () => child?.pid ?? null,
    report: () => report,
    restarts: () => restarts,
    async stop() {
      stopping = true
      clearTimeout(timer)
      const last = child
      if (last === null) return
      last.stdin?.end('stop\n')
      const late = setTimeout(() => last.kill('SIGKILL'), FLUSH_MS + 2_000)
      await ended
      clearTimeout(late)
    },
  }
}
