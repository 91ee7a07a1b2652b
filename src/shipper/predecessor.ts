import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A shipper whose observer died flushes for 5 s; one that takes longer hangs, and is not waited for: then some is sent twice. */
const WAIT_MS = 8000
const LOOK_MS = 100

/** Two shippers on one cursor would send everything twice: waits for the end of the one that the file names, then names this one in it. */
export async function succeed(path: string): Promise<void> {
  const [pid, start] = read(path).split(' ')
  const number = Number(pid)
  const until = Date.now() + WAIT_MS
  if (Number.isInteger(number) && number > 1 && number !== process.pid) while (startOf(number) === start && Date.now() < until) await sleep(LOOK_MS)
  writeFileSync(path, `${process.pid} ${startOf(process.pid)}\n`, { mode: 0o600 })
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').slice(0, 64).trim()
  } catch {
    return ''
  }
}

/** Start time of a process in ticks, field 22 of proc(5) stat: tells a process from a later one with its number. Null: no such process, or it is over. */
function startOf(pid: number): string | null {
  const stat = read512(`/proc/${pid}/stat`)
  if (stat === '') return null
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? null : (fields[19] ?? null)
}
const read512 = (path: string): string => {
  try {
    return readFileSync(path, 'latin1').slice(0, 512)
  } catch {
    return ''
  }
}
