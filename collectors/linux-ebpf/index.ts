import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { BatchSink, Capabilities, Running, Sensor, SensorOptions, Unavailable } from '../../src/model/sensor.ts'
import { decodeBatch } from './decode.ts'
import { type Libbpf, openLibbpf } from './libbpf.ts'
import { libc } from './libc.ts'
import { inspectKernel, type Kernel, type Loaded, listPrograms, loadObject, release } from './load.ts'
import { ensureBpffs, ensureTracefs } from './mounts.ts'
import { createOrders } from './orders.ts'
import { findPins, pinFolder, pinVersion, reopen, replacePins } from './pins.ts'
import { hostNow, type ProbeHost, probeHost, unavailable } from './probe.ts'
import { run } from './running.ts'
import { fillCandidates, fillEnvironment, stillRecording, writeControl } from './tables.ts'

const OBJECT = 'spoor.bpf.o'
/** Without these a session would not be a tree: rather no sensor than such a one. */
const ESSENTIAL = new Set(['syscall', 'tp_btf/sched_process_fork', 'tp_btf/sched_process_exec', 'tp_btf/sched_process_exit'])
/** Maps that this side reads or writes. */
const MAPS = ['ring', 'counters', 'control', 'candidates', 'environment', 'prefixes', 'slots'] as const

const CAPABILITIES: Capabilities = {
  'process.seen': 'none',
  fork: 'exact',
  exec: 'exact',
  exit: 'exact',
  open: 'exact',
  change: 'exact',
  connect: 'exact',
  accept: 'exact',
  listen: 'exact',
  'sock.end': 'exact',
  loss: 'exact',
}

/** bpf/maps.h: CONTROL_*, for bench and tests. */
export const CONTROL_NO_ENVIRONMENT = 1
export const CONTROL_NO_COALESCING = 2

export type Parameters = {
  readonly host?: Partial<ProbeHost>
  /** The BPF object's file; by default the one that comes with Spoor. */
  readonly object?: string
  readonly control?: number
}

/** Watches processes, files and sockets of tracked process trees by BPF programs, loaded with libbpf (DESIGN 6). */
export function createLinuxEbpf(parameters: Parameters = {}): Sensor {
  return {
    id: 'linux-ebpf',
    capabilities: CAPABILITIES,
    probe: () => probeHost(hostNow(parameters.host)),
    start: (options, sink) => start(parameters, options, sink),
    decode: decodeBatch,
  }
}

export const linuxEbpf: Sensor = createLinuxEbpf()

async function start(parameters: Parameters, options: SensorOptions, sink: BatchSink): Promise<Running | Unavailable> {
  const host = hostNow(parameters.host)
  const probed = probeHost(host)
  if (!probed.ok) return probed
  const opened = openLibbpf(host.library)
  if (!opened.ok) return unavailable(opened.why, 'install libbpf 1.x')
  const { lib } = opened
  const objectPath = parameters.object ?? findObject()
  if (objectPath === null) return unavailable(`${OBJECT} is missing beside this program`, 'install Spoor again')
  const object = readFileSync(objectPath)
  const tracefs = ensureTracefs()
  if (!tracefs.ok) return unavailable(`system calls cannot be watched without tracefs: ${tracefs.why}`, 'mount it: mount -t tracefs tracefs /sys/kernel/tracing')
  const kernel = inspectKernel(tracefs.at, host.btf, exists)

  const notes: string[] = []
  const cannotPin = (why: string) => void notes.push(`pins, by which a killed observer misses nothing: ${why}`)
  const bpffs = options.pinName === null ? null : ensureBpffs()
  if (bpffs !== null && !bpffs.ok) cannotPin(bpffs.why)
  let folder = bpffs?.ok && options.pinName !== null ? pinFolder(bpffs.at, options.pinName) : null
  const version = pinVersion(object, options.ringBytes)
  const control = parameters.control ?? 0
  const prepare = (maps: Fds, programs: Fds) => void notes.push(...fill(lib, options, control, maps, programs))

  const resumed = folder === null ? null : resume(lib, folder, version, object, kernel)
  if (resumed !== null) {
    prepare(resumed.attached.maps, resumed.attached.programs)
    return await run(lib, options, sink, { ...resumed, folder, resumed: true, notes, control })
  }
  const loaded = loadObject(lib, object, kernel, options.ringBytes, (section) => ESSENTIAL.has(section), prepare)
  if (!loaded.ok) return unavailable(loaded.why, 'please report this, with the output of: uname -a')
  if (folder !== null) {
    // The new programs run already: nothing is missed while the old ones go.
    const pinned = await replacePins(lib, folder, version, loaded.attached)
    if (pinned !== null) {
      cannotPin(pinned)
      folder = null
    }
  }
  return await run(lib, options, sink, { ...loaded, folder, resumed: false, notes, control })
}

type Fds = ReadonlyMap<string, number>

/** Fills what the programs look things up in, before the first of them runs. Returns what found no room. */
function fill(lib: Libbpf, options: SensorOptions, control: number, maps: Fds, programs: Fds): string[] {
  const lacking = [...MAPS.filter((name) => !maps.has(name)), ...['order'].filter((name) => !programs.has(name))]
  if (lacking.length > 0) throw new Error(`the BPF object lacks ${lacking.join(', ')}`)
  const fd = (name: (typeof MAPS)[number]) => maps.get(name)!
  writeControl(lib, fd('control'), libc().bootTime(), control)
  const candidates = fillCandidates(lib, fd('candidates'), options.candidates)
  const environment = fillEnvironment(lib, fd('environment'), fd('prefixes'), options.environment)
  const orders = createOrders(lib, programs.get('order')!, fd('slots'))
  for (const task of options.self) orders.own(task)
  return [
    ...candidates.map((name) => `candidate ${name}: no room in the kernel's table`),
    ...environment.map((name) => `environment variable ${name}: longer than 31 bytes, or no room in the kernel's table`),
  ]
}

/** Takes over what an earlier observer pinned, where that is of this version and has recorded until now. */
function resume(lib: Libbpf, folder: string, version: string, object: Uint8Array, kernel: Kernel): Loaded | null {
  if (findPins(folder, version) !== 'same') return null
  const listed = listPrograms(lib, object, kernel)
  const reopened = reopen(lib, folder)
  if (!listed.ok || !reopened.ok) return null
  const { attached } = reopened
  const control = attached.maps.get('control')
  if (control === undefined || !stillRecording(lib, control, libc().bootTime())) {
    void release(lib, attached)
    return null
  }
  const present = new Set([...attached.programs.keys(), ...attached.links.map((link) => link.program)])
  const reasons = new Map(listed.missing.map(({ program, why }) => [program, why]))
  const absent = [...listed.sections.keys()].filter((program) => !present.has(program))
  return {
    ok: true,
    attached,
    sections: listed.sections,
    missing: absent.map((program) => ({ program, why: reasons.get(program) ?? 'this kernel refused it when it was loaded' })),
  }
}

/** Beside this file in the sources; one folder over from the bundle. */
function findObject(): string | null {
  const here = import.meta.dirname
  return [join(here, OBJECT), join(here, '..', 'collectors', 'linux-ebpf', OBJECT)].find(exists) ?? null
}

/** Not access(2), which existsSync calls: it ignores capabilities of whoever is not root. */
function exists(path: string): boolean {
  try {
    statSync(path)
    return true
  } catch {
    return false
  }
}
