import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onPath } from '../support/need.ts'
import { interval } from './statistics.ts'
import { beside, type Row } from './table.ts'
import type { Ground } from './workloads.ts'

const COUNT = 2000

/** One peer at work: `seen` = how many of the spawned processes' nonces stand in what it wrote. */
type Peer = { start(): Promise<ChildProcess | null>; stop(child: ChildProcess): Promise<void>; wrap?: readonly string[]; seen(): number }

/** bpftrace and auditd (and strace) doing the same job, exec with arguments and exit of everything, on the spawn workload; paired as Spoor's own ratio is. */
export async function peers(ground: Ground, rounds: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, peer] of [
    ['bpftrace', bpftrace(ground)],
    ['auditd', auditd(ground)],
    ['strace -f', strace(ground)],
  ] as const) {
    if (peer === null) {
      rows.push(beside(`${name}: spawn + wait`, 'not installed, or not free to use here'))
      continue
    }
    const ratios: number[] = []
    let seen = 0
    let failed = ''
    for (let round = 0; round < rounds && failed === ''; round++) {
      const without = spawnNs(ground, [])
      const child = await peer.start()
      if (child === null) {
        failed = 'did not start here'
        break
      }
      try {
        ratios.push(spawnNs(ground, peer.wrap ?? []) / without)
      } finally {
        await peer.stop(child)
      }
      seen += peer.seen()
    }
    if (failed !== '') rows.push(beside(`${name}: spawn + wait`, failed))
    else {
      const ratio = interval(ratios)
      rows.push(beside(`${name}: spawn + wait`, `${ratio.median.toFixed(2)}x (${ratio.low.toFixed(2)}-${ratio.high.toFixed(2)}) by wall time, ${seen} of ${COUNT * rounds} seen`))
    }
  }
  return rows
}

/** By wall time: what these tools do in processes of their own on the same cores counts too. */
function spawnNs(ground: Ground, wrap: readonly string[]): number {
  const [program, ...args] = [...wrap, ground.work, 'spawn', String(COUNT), '1', ground.work]
  const began = process.hrtime.bigint()
  const done = spawnSync(program!, args, { stdio: 'ignore' })
  if (done.status !== 0) throw new Error(`${program}: exit ${done.status}`)
  return Number(process.hrtime.bigint() - began)
}

function countNonces(file: string): number {
  let text = ''
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    return 0
  }
  return new Set(text.match(/nonce-\d+/g) ?? []).size
}

/** Ended by its pid, and waited for. */
const end = async (child: ChildProcess, signal: 'SIGINT' | 'SIGTERM'): Promise<void> => {
  const gone = new Promise((resolve) => child.once('close', resolve))
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  if (child.exitCode === null && child.signalCode === null) await gone
  clearTimeout(timer)
}

function bpftrace(ground: Ground): Peer | null {
  const program = onPath('bpftrace')
  if (program === null) return null
  const out = join(ground.root, 'bpftrace.out')
  const script =
    'tracepoint:syscalls:sys_enter_execve { printf("%d %d ", pid, curtask->real_parent->tgid); join(args->argv); } tracepoint:sched:sched_process_exit { printf("exit %d %d\\n", pid, curtask->exit_code); }'
  return {
    start: async () => {
      writeFileSync(out, '')
      const child = spawn(program, ['-o', out, '-e', script], { stdio: ['ignore', 'ignore', 'ignore'] })
      for (let i = 0; i < 100 && child.exitCode === null; i++) {
        await sleep(100)
        if (statSync(out).size > 0) break // "Attaching 2 probes..." once it is at work
      }
      await sleep(500)
      return child.exitCode === null ? child : null
    },
    stop: async (child) => {
      await sleep(500)
      await end(child, 'SIGINT')
    },
    seen: () => countNonces(out),
  }
}

/** Only where no auditd of the machine's own is at work: its rules and log are not ours to touch. */
function auditd(ground: Ground): Peer | null {
  const daemon = onPath('auditd') ?? '/usr/sbin/auditd'
  const control = onPath('auditctl') ?? '/usr/sbin/auditctl'
  const state = spawnSync(control, ['-s'], { encoding: 'utf8' })
  if (state.status !== 0 || !/^pid 0$/m.test(state.stdout) || !/^enabled 0$/m.test(state.stdout)) return null
  const folder = join(ground.root, 'audit')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const log = join(folder, 'audit.log')
  writeFileSync(
    join(folder, 'auditd.conf'),
    `log_file = ${log}\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 500\nmax_log_file_action = IGNORE\nspace_left = 100\nadmin_space_left = 50\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n`,
    { mode: 0o640 },
  )
  const rule = ['-a', 'always,exit', '-F', 'arch=b64', '-S', 'execve,execveat,exit_group', '-k', 'spoor-bench']
  return {
    start: async () => {
      writeFileSync(log, '', { mode: 0o600 })
      const child = spawn(daemon, ['-n', '-c', folder], { stdio: 'ignore' })
      await sleep(1000)
      if (child.exitCode !== null) return null
      spawnSync(control, ['-b', '8192'])
      spawnSync(control, rule)
      spawnSync(control, ['-e', '1'])
      return child
    },
    stop: async (child) => {
      await sleep(500)
      spawnSync(control, ['-d', ...rule.slice(1)])
      spawnSync(control, ['-e', '0'])
      await end(child, 'SIGTERM')
      spawnSync(control, ['-b', '64'])
    },
    seen: () => countNonces(log),
  }
}

function strace(ground: Ground): Peer | null {
  const program = onPath('strace')
  if (program === null) return null
  const out = join(ground.root, 'strace.out')
  return {
    start: async () => spawn('sleep', ['3600']),
    stop: (child) => end(child, 'SIGTERM'),
    wrap: [program, '-f', '-qq', '-o', out, '-e', 'trace=execve,exit_group'],
    seen: () => countNonces(out),
  }
}
