import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { SessionDocument, StatusDocument } from '../../src/model/status.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const main = join(root, 'src/cli/main.ts')
const flags = ['--max-semi-space-size=4', '--max-old-space-size=64', '--memory-saver-mode']
/** `run` and `record` may have to mount tracefs and load BPF on a busy machine. */
const READY_MS = 20_000

const cleanEnv = (extra: Readonly<Record<string, string>> = {}): Record<string, string> => {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined && !/^(OTEL_|SPOOR_|npm_|NODE_)/.test(name)) env[name] = value
  return { ...env, ...extra }
}

export type Finished = { readonly code: number | null; readonly signal: string | null; readonly stdout: string; readonly stderr: string }
export type CommandOptions = { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string; readonly input?: string; readonly timeoutMs?: number; readonly uid?: number }

/** Argument vector of a `spoor` command run from the sources. */
export const commandLine = (args: readonly string[]): string[] => [process.execPath, ...(args[0] === 'run' || args[0] === 'record' ? flags : []), main, ...args]

/** One `spoor` command to its end. */
export function spoor(args: readonly string[], options: CommandOptions = {}): Finished {
  const [node, ...rest] = commandLine(args)
  const done = spawnSync(node!, rest, {
    env: cleanEnv(options.env),
    cwd: options.cwd,
    input: options.input ?? '',
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  return { code: done.status, signal: done.signal, stdout: done.stdout ?? '', stderr: done.stderr ?? '' }
}

/** The same without blocking this process (which may be the sink that the command talks to). */
export async function spoorAsync(args: readonly string[], options: CommandOptions = {}): Promise<Finished> {
  const [node, ...rest] = commandLine(args)
  const child = spawn(node!, rest, { env: cleanEnv(options.env), cwd: options.cwd, stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
  if (options.input !== undefined) child.stdin?.end(options.input)
  const output = collect(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.on('close', (c, s) => resolve([c, s])))
  clearTimeout(timer)
  return { code, signal, stdout: output.stdout(), stderr: output.stderr() }
}

function collect(child: ChildProcess): { stdout(): string; stderr(): string } {
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  child.stdout?.on('data', (part: Buffer) => parts.stdout.push(part))
  child.stderr?.on('data', (part: Buffer) => parts.stderr.push(part))
  return { stdout: () => Buffer.concat(parts.stdout).toString('utf8'), stderr: () => Buffer.concat(parts.stderr).toString('utf8') }
}

/** A line of `spoor events --json`. */
export type Event = {
  readonly schema: string
  readonly index: string | number
  readonly uid: string
  readonly timeUnixNano: string
  readonly eventName: string
  readonly severityText: string
  readonly sessionId: string | null
  readonly traceId: string | null
  readonly spanId: string | null
  readonly attributes: Readonly<Record<string, unknown>>
}
/** `spoor show --json`, as far as tests read it. */
export type Shown = {
  readonly session: SessionDocument
  readonly turns: ReadonlyArray<{ readonly id: string; readonly basis: string; readonly toolCalls: ReadonlyArray<{ readonly id: string; readonly verdict: string }> }>
  readonly processes: ReadonlyArray<{
    readonly id: string
    readonly pid: number
    readonly parentId: string | null
    readonly images: ReadonlyArray<{ readonly path: string; readonly args: readonly string[] }>
    readonly exit: { readonly code: number | null; readonly signal: number | null } | null
  }>
  readonly files: ReadonlyArray<{ readonly path: string }>
  readonly connections: readonly unknown[]
}

/** A running observer and what a test does with it. */
export type Observer = {
  readonly stateDir: string
  readonly child: ChildProcess
  readonly pid: number
  output(): { stdout: string; stderr: string }
  /** SIGTERM and wait: exit status. */
  stop(): Promise<number | null>
  /** SIGKILL and wait. */
  kill(): Promise<void>
}

export type RunOptions = { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>>; readonly config?: string }

/** `spoor run`, returned once `spoor status` finds it at work. */
export async function startRun(stateDir: string, options: RunOptions = {}): Promise<Observer> {
  const config: string[] = []
  if (options.config !== undefined) {
    const file = `${stateDir}.yaml`
    writeFileSync(file, options.config, { mode: 0o600 })
    config.push('--config', file)
  }
  const [node, ...rest] = commandLine(['run', '--state-dir', stateDir, ...config, ...(options.args ?? [])])
  const child = spawn(node!, rest, { env: cleanEnv(options.env), stdio: ['ignore', 'pipe', 'pipe'] })
  const output = collect(child)
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  const began = Date.now()
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`spoor run ended with ${child.exitCode ?? child.signalCode}: ${output.stderr()}${output.stdout()}`)
    const answer = status(stateDir)
    if (answer !== null && answer.state !== 'disabled' && answer.self.observer?.pid === child.pid) break
    if (Date.now() - began > READY_MS) {
      child.kill('SIGKILL')
      throw new Error(`spoor run was not ready after ${READY_MS} ms; status: ${JSON.stringify(answer)}; it said: ${output.stderr()}${output.stdout()}`)
    }
    await sleep(50)
  }
  return {
    stateDir,
    child,
    pid: child.pid!,
    output: () => ({ stdout: output.stdout(), stderr: output.stderr() }),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
      const code = await ended
      clearTimeout(timer)
      return code
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

export function status(stateDir: string): StatusDocument | null {
  const done = spoor(['status', '--json', '--state-dir', stateDir])
  try {
    return JSON.parse(done.stdout)
  } catch {
    return null
  }
}

export function events(stateDir: string, ...args: string[]): Event[] {
  const done = spoor(['events', '--json', '--state-dir', stateDir, ...args])
  if (done.code !== 0) throw new Error(`spoor events: exit ${done.code} ${done.signal ?? ''}: ${done.stderr}`)
  return done.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event)
}

export function sessions(stateDir: string): SessionDocument[] {
  const done = spoor(['sessions', '--json', '--state-dir', stateDir])
  return done.code === 0 ? JSON.parse(done.stdout).sessions : []
}
export const show = (stateDir: string, id: string): Shown => JSON.parse(spoor(['show', id, '--json', '--state-dir', stateDir]).stdout)

/** Polls until `probe` gives something: for what happens in another process. */
export async function until<T>(what: string, probe: () => T | null | undefined | false, timeoutMs = 15_000): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const value = probe()
    if (value !== null && value !== undefined && value !== false) return value
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await sleep(100)
  }
}

/** A string attribute, or a failure that names the event. */
export function text(event: Event, name: string): string {
  const value = event.attributes[name]
  if (typeof value !== 'string') throw new Error(`${event.eventName} ${event.uid} has no text attribute ${name}: ${JSON.stringify(event.attributes)}`)
  return value
}
/** A number attribute (64-bit ones come as strings). */
export function number(event: Event, name: string): number {
  const value = event.attributes[name]
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new Error(`${event.eventName} ${event.uid} has no number attribute ${name}: ${JSON.stringify(event.attributes)}`)
  return Number(value)
}
export const list = (event: Event, name: string): readonly string[] => (Array.isArray(event.attributes[name]) ? event.attributes[name].map(String) : [])
