import { bootNow, dropPrivileges, setParentDeathSignal } from '../identity/libc.ts'
import type { Claim } from '../model/claim.ts'
import { count, createCounters } from './counters.ts'
import { createFollower } from './follow.ts'
import { ALIVE_MS, encodeFrame, type FilePosition, type IntakeFrame } from './frames.ts'
import { ORDER_MAX, orderOf } from './orders.ts'
import { CLAIMS_PER_FRAME } from './parse.ts'

const SIGKILL = 9
/** How soon after something could not be read the observer hears of it. */
const TELL_MS = 500
/** Bytes of frames that wait for the observer. */
const UNTAKEN_MAX = 512 * 1024

/**
 * The intake: `--uid N --gid N`, orders as lines on standard input, frames on standard output. It reads what that user's agents write about themselves, as that user,
 * and does nothing else: no network, no children, no writing. Its life hangs on its standard input. Resolves with the exit code.
 */
export async function runIntake(argv: readonly string[]): Promise<number> {
  const [uid, gid] = [Number(argv[1]), Number(argv[3])]
  if (argv[0] !== '--uid' || argv[2] !== '--gid' || argv.length !== 4 || !Number.isSafeInteger(uid) || !Number.isSafeInteger(gid)) {
    process.stderr.write('spoor: intake: usage: spoor __intake --uid N --gid N\n')
    return 2
  }
  const parent = process.ppid
  // Everything is loaded before the rights go: these files may lie where only root may read.
  const { watch } = await import('chokidar')
  bootNow()
  try {
    if (process.getuid?.() !== uid) dropPrivileges(uid, gid)
  } catch (error) {
    process.stderr.write(`spoor: intake: cannot become uid ${uid}: ${(error as Error).message}\n`)
    return 1
  }
  setParentDeathSignal(SIGKILL)
  if (process.ppid !== parent) return 0
  process.chdir('/')
  // A terminal signals the whole group; the observer is the one to end this process, by its pipe.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

  const counters = createCounters()
  let ended: () => void = () => {}
  const over = new Promise<void>((resolve) => {
    ended = resolve
  })
  process.stdout.on('error', ended)
  /** An observer that falls behind slows the reading (`held`), and nothing is dropped: what is not read waits in the user's files. */
  const send = (frame: IntakeFrame): boolean => {
    const bytes = encodeFrame(frame)
    if (bytes !== null) process.stdout.write(bytes)
    return bytes !== null
  }
  function emit(file: FilePosition, claims: readonly Claim[]): void {
    if (claims.length <= CLAIMS_PER_FRAME && send({ type: 'claims', file, claims })) return
    if (claims.length <= 1) {
      count(counters, 'frame_too_large')
      return
    }
    const half = claims.length >> 1
    // A restart between the two reads on from the first line not told.
    emit({ ...file, next: Math.min(file.next, claims[half]!.order) }, claims.slice(0, half))
    emit(file, claims.slice(half))
  }
  const follower = createFollower({ uid, watch, now: Date.now, counters, emit, held: () => process.stdout.writableLength > UNTAKEN_MAX })
  process.stdout.on('drain', () => follower.resume())
  let told = ''
  const alive = (): void => {
    const now = follower.counters()
    told = JSON.stringify(now.unreadable)
    for (const file of follower.moved()) send({ type: 'claims', file, claims: [] })
    send({ type: 'alive', counters: now })
  }
  const sign = setInterval(alive, ALIVE_MS)
  const tell = setInterval(() => {
    if (JSON.stringify(counters.unreadable) !== told) alive()
  }, TELL_MS)
  onLines(
    process.stdin,
    (line) => {
      const order = orderOf(line)
      if (order !== null) follower.obey(order)
    },
    ended,
  )
  send({ type: 'hello', pid: process.pid, uid })
  await over
  clearInterval(sign)
  clearInterval(tell)
  await follower.close()
  return 0
}

function onLines(input: NodeJS.ReadStream, each: (line: string) => void, ended: () => void): void {
  let rest = ''
  input.setEncoding('utf8')
  input.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > ORDER_MAX) rest = ''
    for (const line of lines) each(line)
  })
  input.on('end', ended)
  input.on('close', ended)
  input.on('error', ended)
}
