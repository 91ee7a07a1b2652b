import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Duplex } from 'node:stream'
import { type Account, environmentFor } from './account.ts'

/** How a command ended: its exit code, or 128 + the number of the signal that ended it, as a shell says it. */
export type Ending = { readonly exitCode: number; readonly signal: NodeJS.Signals | null }

/** A command that waits behind a gate: its process is there and can be tracked, its program has not begun. */
export type Shim = {
  readonly pid: number
  readonly startTicks: number
  /** Lets the command begin. Its exec is then the first thing the process does. */
  open(): void
  /** Ends it before it began. */
  abandon(): Promise<void>
  readonly ended: Promise<Ending>
  kill(signal: NodeJS.Signals): void
}

/**
 * Says that it is there on descriptor 3 (a socket), waits for a line from it, closes it, becomes the command: by then the shell's own start-up is over and
 * nothing of it falls into the session. End of file instead of a line (we died): the command never begins.
 * `ulimit` undoes what Node did to itself at its start (it raises the soft limit of open files to the hard one).
 */
const GATE = 'test -z "$1" || ulimit -S -n "$1" 2>/dev/null; shift; echo >&3; read -r _ <&3 || exit 125; exec 3<&-; exec "$@"'
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'] as const

/** Standard input, output and error of a command: ours, nothing, or open files. */
export type Streams = readonly ['inherit' | 'ignore', 'inherit' | number, 'inherit' | number]

/** Starts `command` behind its gate, in our process group and on our terminal. `account`: as that user, with all of the user's groups. */
export async function startShim(
  command: readonly string[],
  account: Account | null,
  env: NodeJS.ProcessEnv = process.env,
  streams: Streams = ['inherit', 'inherit', 'inherit'],
): Promise<Shim | string> {
  const gate = ['/bin/sh', '-c', GATE, 'sh', openFilesLimit(), ...command]
  let argv: readonly string[] = gate
  if (account !== null) {
    const setpriv = SETPRIV.find((path) => existsSync(path))
    if (setpriv === undefined) return '--user needs setpriv (package util-linux)'
    argv = [setpriv, `--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', '--', ...gate]
  }
  const child = spawn(argv[0]!, argv.slice(1), { stdio: [...streams, 'pipe'], env: account === null ? env : environmentFor(account, env) })
  const ended = endingOf(child)
  try {
    await once(child, 'spawn')
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'E2BIG'
      ? 'the argument list is too long'
      : `cannot start a shell: ${error instanceof Error ? error.message : String(error)}`
  }
  const pid = child.pid!
  const pipe = child.stdio[3] as unknown as Duplex
  pipe.on('error', () => {}) // the shim is gone: `ended` tells
  await Promise.race([once(pipe, 'data'), ended])
  const startTicks = child.exitCode === null && child.signalCode === null ? startTicksOf(pid) : null
  if (startTicks === null) return `the command could not be prepared (${account === null ? 'sh' : 'setpriv'} ended with ${(await ended).exitCode})`
  return {
    pid,
    startTicks,
    open: () => void pipe.end('\n'),
    async abandon() {
      child.kill('SIGKILL')
      await ended
    },
    ended,
    kill: (signal) => void child.kill(signal),
  }
}

async function endingOf(child: ChildProcess): Promise<Ending> {
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done) => {
    child.once('exit', (...how) => done(how))
    child.once('error', () => done([127, null]))
  })
  return { exitCode: signal === null ? (code ?? 0) : 128 + constants.signals[signal], signal }
}

/** Field 22 of /proc/PID/stat, behind the name in parentheses that may hold anything (proc(5)). */
export function startTicksOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    return Number.isSafeInteger(ticks) && ticks > 0 ? ticks : null
  } catch {
    return null
  }
}

/** The soft limit of open files that our parent (the user's shell) has, which we would have passed on had Node not raised it. '' = leave it. */
function openFilesLimit(): string {
  try {
    const found = /^Max open files\s+(\d+)\s/m.exec(readFileSync(`/proc/${process.ppid}/limits`, 'latin1'))
    return found?.[1] ?? ''
  } catch {
    return ''
  }
}
