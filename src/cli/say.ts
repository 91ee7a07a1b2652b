import { writeSync } from 'node:fs'
import { printable } from './printable.ts'

const STDOUT = 1
const STDERR = 2
/** A terminal that is not blocking says EAGAIN while it is full; so long, then the line is given up. */
const TRIES = 50

function write(fd: number, text: string): void {
  let rest = Buffer.from(text)
  for (let i = 0; i < TRIES && rest.length > 0; i++) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
    }
  }
}

/** One line to standard error. Synchronous and without Node's stream, which would change the descriptor that a recorded command shares with us. */
export const say = (line: string): void => write(STDERR, line + '\n')

/** A short text to standard output: help, a version. Listings go through `standardOutput`. */
export const print = (text: string): void => write(STDOUT, text)

/** What went wrong, in one sentence; the exit code for it. */
export function failed(command: string, message: string): 1 {
  say(`spoor ${command}: ${printable(message)}`)
  return 1
}

export function misused(command: string, message: string): 2 {
  say(`spoor ${command}: ${printable(message)} (spoor ${command} --help)`)
  return 2
}

/** As `misused`, where the wrong word stands in a file or the environment: help on flags would not help. */
export function refused(command: string, message: string): 2 {
  say(`spoor ${command}: ${printable(message)}`)
  return 2
}
