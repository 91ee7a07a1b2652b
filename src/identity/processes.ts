import type { Bytes, Clip } from '../model/bytes.ts'
import type { BootNs, ObservationOf, SensorId, Task } from '../model/observation.ts'
import { listPids, readArgs, readCgroup, readCwd, readEnvironment, readExe, readIds, readStat, type Stat } from './procfs.ts'

/** Nobody nests deeper on purpose; a chain that loops (pids reused while we climb) ends here. */
const ANCESTORS_MAX = 64

/** A process above another one, as it is now. */
export type Ancestor = {
  readonly pid: number
  readonly ppid: number
  readonly startTicks: number
  readonly comm: Bytes
  readonly exe: Bytes
  readonly args: Clip<readonly Bytes[]>
  readonly sid: number
  /** Controlling terminal's device number, 0 = none. */
  readonly tty: number
  readonly uid: number
  readonly cgroup: string
}

const NO_ARGS: Clip<readonly Bytes[]> = { head: [], total: 0 }
const NOTHING = '' as Bytes
const taskOf = (stat: Stat): Task => ({ pid: stat.pid, tid: stat.pid, startTicks: stat.startTicks })

/** The processes above `pid`, nearest first, up to and with init. Ends early where one is gone: the rest is unknowable by then. */
export function ancestry(pid: number, root = '/proc'): readonly Ancestor[] {
  const found: Ancestor[] = []
  let child = readStat(pid, root)
  while (child !== null && child.ppid > 0 && found.length < ANCESTORS_MAX) {
    const stat: Stat | null = readStat(child.ppid, root)
    // A parent is never younger than its child: this pid has meanwhile been given to another process.
    if (stat === null || stat.startTicks > child.startTicks) break
    found.push({
      pid: stat.pid,
      ppid: stat.ppid,
      startTicks: stat.startTicks,
      comm: stat.comm,
      exe: readExe(stat.pid, root) ?? NOTHING,
      args: readArgs(stat.pid, root)?.args ?? NO_ARGS,
      sid: stat.sid,
      tty: stat.tty,
      uid: readIds(stat, root).uid,
      cgroup: readCgroup(stat.pid, root),
    })
    child = stat
  }
  return found
}

export type Seen = ObservationOf<'process.seen'>
export type SeenOptions = {
  readonly sensor: SensorId
  /** Position in the sensor's stream at which this snapshot stands. */
  readonly seq: bigint
  readonly boot: BootNs
  /** Names of the environment variables that may be read. */
  readonly environment: ReadonlySet<string>
  readonly root?: string
}

/** One process as an observation; null when it is gone, has ended but for its parent's wait, or is a kernel thread. */
export function seeProcess(pid: number, options: SeenOptions, parent?: Task | null): Seen | null {
  const { root = '/proc' } = options
  const stat = readStat(pid, root)
  if (stat === null || stat.kernelThread) return null
  // A leader that has exited before its threads is 'Z' too, and alive: its threads still count.
  if ((stat.state === 'Z' || stat.state === 'X') && stat.threads <= 1) return null
  const exe = readExe(pid, root)
  const args = readArgs(pid, root)?.args ?? NO_ARGS
  const seen: Seen = {
    kind: 'process.seen',
    sensor: options.sensor,
    seq: options.seq,
    boot: options.boot,
    fidelity: 'sampled',
    task: taskOf(stat),
    parent: parent === undefined ? parentOf(stat, root) : parent,
    comm: stat.comm,
    exe: exe ?? NOTHING,
    args,
    env: readEnvironment(pid, options.environment, root),
    cwd: readCwd(pid, root) ?? NOTHING,
    ids: readIds(stat, root),
  }
  // The pid may have passed to another process between the first file and the last.
  return readStat(pid, root)?.startTicks === stat.startTicks ? seen : null
}

function parentOf(stat: Stat, root: string): Task | null {
  const parent = stat.ppid > 0 ? readStat(stat.ppid, root) : null
  return parent !== null && parent.startTicks <= stat.startTicks ? taskOf(parent) : null
}

/** All processes of the machine but kernel threads, oldest first, so that a parent comes before its children. Some 0.1 ms each. */
export function seeProcesses(options: SeenOptions): Seen[] {
  const found: Seen[] = []
  for (const pid of listPids(options.root)) {
    const seen = seeProcess(pid, options)
    if (seen !== null) found.push(seen)
  }
  // pids wrap around; within one tick the lower one is (nearly always) the older.
  return found.sort((a, b) => a.task.startTicks - b.task.startTicks || a.task.pid - b.task.pid)
}
