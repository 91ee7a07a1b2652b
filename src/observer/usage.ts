import { readFileSync } from 'node:fs'
import type { SelfUse } from '../model/status.ts'

const NS_PER_TICK = 10_000_000n
const PAGE = 4096n

/** What a process of ours costs, from /proc/PID/stat (proc(5): utime 14, stime 15, rss 24); null where it is gone or there is no /proc. */
export function usageOf(pid: number): SelfUse | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const cpu = (BigInt(fields[11] ?? '0') + BigInt(fields[12] ?? '0')) * NS_PER_TICK
  return { pid, rssBytes: String(BigInt(fields[21] ?? '0') * PAGE), cpuNs: String(cpu) }
}
