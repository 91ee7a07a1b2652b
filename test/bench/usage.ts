import { readdirSync, readFileSync } from 'node:fs'

/** CPU time of a process and of its ended children that it has waited for, in ns. Clock ticks are 10 ms: measure over seconds. */
export function cpuNs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000_000
}

/** Proportional set size without the sensor's ring (a BPF map, mapped twice), and the ring's own part, in bytes. */
export function memory(pid: number): { pssBytes: number; ringBytes: number } {
  let total = 0
  let ring = 0
  let mapping = ''
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) mapping = line
    const pss = /^Pss: +(\d+) kB/.exec(line)
    if (pss === null) continue
    const bytes = Number(pss[1]) * 1024
    if (mapping.includes('bpf-map') || mapping.includes('bpf_map')) ring += bytes
    else total += bytes
  }
  return { pssBytes: total, ringBytes: ring }
}

/** Voluntary context switches of all threads: each is one wake-up. */
export function wakeUps(pid: number): number {
  let total = 0
  for (const thread of readdirSync(`/proc/${pid}/task`))
    total += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1'))?.[1] ?? 0)
  return total
}
