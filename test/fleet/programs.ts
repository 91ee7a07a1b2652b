import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A server of the fleet, started by this test and ended by it: by its own id, never by name. */
export type Program = { readonly name: string; readonly pid: number; log(): string; stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> }

const READY_MS = 60_000
const TERM_MS = 10_000

export async function startProgram(name: string, command: readonly string[], options: { env?: Record<string, string>; log: string; ready: string }): Promise<Program> {
  const out = openSync(options.log, 'a')
  const child = spawn(command[0]!, command.slice(1), { env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...options.env }, stdio: ['ignore', out, out] })
  closeSync(out)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const log = (): string => readFileSync(options.log, 'utf8').slice(-4000)
  const program: Program = { name, pid: child.pid ?? 0, log, stop: (signal) => stop(child, ended, signal) }
  const until = Date.now() + READY_MS
  while (!(await answers(options.ready))) {
    const dead = child.exitCode !== null || child.signalCode !== null || child.pid === undefined
    if (dead || Date.now() > until) {
      await program.stop('SIGKILL')
      throw new Error(`${name} ${dead ? 'ended' : `did not answer at ${options.ready}`}: ${log()}`)
    }
    await sleep(100)
  }
  return program
}

async function stop(child: ChildProcess, ended: Promise<void>, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_MS)
  await ended
  clearTimeout(timer)
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
