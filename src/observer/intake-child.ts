import { type ChildProcess, spawn } from 'node:child_process'
import { ALIVE_MS, createFrameReader, type IntakeCounters, type IntakeFrame } from '../intake/frames.ts'
import type { IntakeOrder } from '../intake/orders.ts'

/** No sign of life for this long, three times the period: it is stuck (a hung file system, stopped by its user) and is replaced. */
export const STUCK_MS = 3 * ALIVE_MS
/** Time to load and to give up rights, on a machine that is busy. */
const START_MS = 30_000
const FIRST_RESTART_MS = 500
const MAX_RESTART_MS = 60_000
/** An intake that lived this long starts its next life without a wait of before. */
const SETTLED_MS = 60_000
/** Frames of one intake taken a second; the rest waits in the pipe, and the intake with it. A user who forges frames slows their own claims only. */
const BYTES_PER_SECOND = 4 * 1024 * 1024
const WINDOW_MS = 100
/** Orders that wait for a pipe that is not read; more means stuck, and a new one is told everything anyway. */
const ORDERS_BYTES_MAX = 4 * 1024 * 1024

export type IntakeState = 'starting' | 'reading' | 'stuck' | 'restarting' | 'stopped'

export type IntakeChild = {
  order(order: IntakeOrder): void
  readonly pid: () => number | null
  readonly state: () => IntakeState
  readonly restarts: () => number
  readonly malformed: () => number
  readonly counters: () => IntakeCounters | null
  stop(): Promise<void>
}

export type IntakeChildOptions = {
  readonly uid: number
  readonly gid: number
  /** Arguments of the program that is the intake, e.g. the entry file and `__intake`. */
  readonly command: readonly string[]
  /** What a newly started intake is told first. */
  readonly briefing: () => readonly IntakeOrder[]
  readonly onClaims: (frame: Extract<IntakeFrame, { type: 'claims' }>) => void
  readonly onState: (state: string, detail: Record<string, unknown>) => void
  readonly stuckMs?: number
}

/** Keeps one user's intake alive. It starts as we are and becomes that user itself, after loading: our files may be closed to them. */
export function startIntakeChild(options: IntakeChildOptions): IntakeChild {
  const { uid, gid, onState } = options
  const stuckMs = options.stuckMs ?? STUCK_MS
  let child: ChildProcess | null = null
  let state: IntakeState = 'starting'
  let counters: IntakeCounters | null = null
  let restarts = 0
  let failures = 0
  let malformed = 0
  let stopping = false
  let timer: NodeJS.Timeout | undefined
  let ended: Promise<void> = Promise.resolve()

  function start(): void {
    state = 'starting'
    const arguments_ = [...process.execArgv, ...confinement(), ...options.command, '--uid', String(uid), '--gid', String(gid)]
    // Nothing of our environment: after the change of user its memory is that user's to read, and OTEL_EXPORTER_OTLP_HEADERS holds tokens.
    const began = spawn(process.execPath, arguments_, { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] })
    const startedAt = performance.now()
    let heardAt = startedAt + START_MS - stuckMs
    child = began
    const reader = createFrameReader((frame) => {
      heardAt = performance.now()
      if (frame.type === 'claims') return options.onClaims(frame)
      if (frame.type === 'alive') counters = frame.counters
      else if (state === 'starting') {
        state = 'reading'
        onState('intake reads', { uid, pid: began.pid })
      }
    })
    const watchdog = setInterval(() => {
      if (performance.now() - heardAt < stuckMs) return
      clearInterval(watchdog)
      state = 'stuck'
      onState('intake is stuck: it is ended and started again', { uid, pid: began.pid, silentMs: Math.round(performance.now() - heardAt) })
      began.kill('SIGKILL')
    }, stuckMs / 5)
    watchdog.unref()
    began.stdin!.on('error', () => {})
    let taken = 0
    let paused: NodeJS.Timeout | undefined
    began.stdout!.on('error', () => {})
    began.stdout!.on('data', (chunk: Buffer) => {
      const before = reader.malformed
      reader.push(chunk)
      malformed += reader.malformed - before
      if (reader.broken) {
        malformed++
        onState('intake sent what is no frame: it is ended and started again', { uid, pid: began.pid })
        began.stdout!.destroy()
        began.kill('SIGKILL')
        return
      }
      taken += chunk.length
      if (taken < (BYTES_PER_SECOND * WINDOW_MS) / 1000 || paused !== undefined) return
      began.stdout!.pause()
      // What waits in the pipe is a sign of life too.
      paused = setTimeout(() => {
        paused = undefined
        taken = 0
        heardAt = performance.now()
        began.stdout!.resume()
      }, WINDOW_MS)
    })
    ended = new Promise((resolve) => {
      began.once('error', (error) => {
        clearInterval(watchdog)
        resolve()
        onState('intake could not be started', { uid, error: error.message })
        if (began.pid === undefined) again(startedAt)
      })
      began.once('close', (code, signal) => {
        clearInterval(watchdog)
        clearTimeout(paused)
        resolve()
        if (!stopping) {
          onState('intake ended', { uid, code, signal })
          again(startedAt)
        }
      })
    })
    for (const order of options.briefing()) write(order)
  }
  function again(startedAt: number): void {
    child = null
    if (stopping) return
    failures = performance.now() - startedAt > SETTLED_MS ? 0 : failures + 1
    const waitMs = failures === 0 ? 0 : Math.min(FIRST_RESTART_MS * 2 ** Math.min(failures - 1, 16), MAX_RESTART_MS)
    state = 'restarting'
    restarts++
    onState('intake is started again', { uid, waitMs, restarts })
    timer = setTimeout(start, waitMs)
  }
  function write(order: IntakeOrder): void {
    const input = child?.stdin
    if (input == null || !input.writable) return
    input.write(JSON.stringify(order) + '\n')
    if (input.writableLength > ORDERS_BYTES_MAX) child?.kill('SIGKILL')
  }
  start()
  return {
    order: write,
    pid: () => child?.pid ?? null,
    state: () => state,
    restarts: () => restarts,
    malformed: () => malformed,
    counters: () => counters,
    async stop() {
      stopping = true
      clearTimeout(timer)
      const last = child
      state = 'stopped'
      if (last === null) return
      last.stdin?.end()
      const late = setTimeout(() => last.kill('SIGKILL'), 2_000)
      await ended
      clearTimeout(late)
      child = null
    },
  }
}

/**
 * Node's permission model, as a second wall: no child processes, no workers, no writing, no network. Reading is the file system's to decide, by the user's rights;
 * addons are needed for the one that gives up our rights. Off where these flags are not known.
 */
function confinement(): readonly string[] {
  const known = process.allowedNodeEnvironmentFlags
  return known.has('--permission') && known.has('--allow-net') && known.has('--allow-addons')
    ? ['--permission', '--allow-fs-read=*', '--allow-addons', '--disable-warning=SecurityWarning']
    : []
}
