import { readFileSync } from 'node:fs'
import type { Libbpf } from './libbpf.ts'
import { failed, libc, type Pointer } from './libc.ts'

/** A program's place in the kernel, held by a descriptor of ours and, where `pin` is set, by a file of bpffs. */
export type Link = { readonly program: string; readonly pointer: Pointer }
export type Attached = {
  /** Descriptors of our own, by name: maps, and the programs that are called rather than attached. */
  readonly maps: ReadonlyMap<string, number>
  readonly programs: ReadonlyMap<string, number>
  readonly links: readonly Link[]
}
/** SEC() of each program of the object, by name. */
export type Sections = ReadonlyMap<string, string>
export type Loaded = { readonly ok: true; readonly attached: Attached; readonly sections: Sections; readonly missing: readonly Missing[] }
export type Missing = { readonly program: string; readonly why: string }

export type Kernel = {
  /** Why this kernel has no such hook, or null. `section` as in SEC(). */
  lacks(section: string): string | null
}

/** Room for the verifier's words about one program. Before Linux 6.4 a longer log is cut at its end, and with it the reason. */
const LOG_BYTES = 1 << 20
const RING = 'ring'

/** What the running kernel offers: tracepoints by the folders of tracefs, typed ones by the type `btf_trace_NAME` in its BTF. */
export function inspectKernel(tracefs: string | null, btfPath: string, exists: (path: string) => boolean): Kernel {
  // 5.5 MB, scanned once a start: libbpf's own look-up parses all of it for every name.
  const btf = readFileSync(btfPath)
  return {
    lacks(section) {
      const [kind, category, name] = section.split('/')
      if (kind === 'tracepoint' || kind === 'tp') {
        if (tracefs === null) return 'tracefs is not mounted'
        return exists(`${tracefs}/events/${category}/${name}/id`) ? null : 'this kernel has no such tracepoint'
      }
      if (kind === 'tp_btf') return btf.indexOf(`\0btf_trace_${category}\0`, 0, 'latin1') >= 0 ? null : 'this kernel has no such typed tracepoint'
      return null
    },
  }
}

type Opened = { readonly object: Pointer; readonly programs: ReadonlyArray<{ readonly at: Pointer; readonly name: string; readonly section: string; readonly attaches: boolean }> }
type Failure = { readonly ok: false; readonly why: string }
/** Notes a program as missing; a failure where it must not be. */
type Refuse = (program: string, section: string, why: string) => Failure | null

/** Programs of an object and which of them this kernel lacks, without loading anything. */
export function listPrograms(lib: Libbpf, bytes: Uint8Array, kernel: Kernel): { readonly ok: true; readonly sections: Sections; readonly missing: readonly Missing[] } | Failure {
  const opened = openObject(lib, bytes)
  if (!opened.ok) return opened
  lib.objectClose(opened.object)
  const missing = opened.programs.flatMap(({ name, section }) => {
    const why = kernel.lacks(section)
    return why === null ? [] : [{ program: name, why }]
  })
  return { ok: true, sections: sectionsOf(opened), missing }
}

const sectionsOf = (opened: Opened): Sections => new Map(opened.programs.map(({ name, section }) => [name, section]))

/**
 * Loads an object. Programs that this kernel has no hook for are left out; so is one that it refuses (asked again without it), unless its section is `essential`.
 * `prepare` runs between loading and attaching: the filter has to be filled before the first event.
 */
export function loadObject(
  lib: Libbpf,
  bytes: Uint8Array,
  kernel: Kernel,
  ringBytes: number,
  essential: (section: string) => boolean,
  prepare: (maps: ReadonlyMap<string, number>, programs: ReadonlyMap<string, number>) => void,
): Loaded | Failure {
  const missing: Missing[] = []
  const refuse: Refuse = (program, section, why) => {
    if (essential(section)) return { ok: false, why: `the program ${program} does not run on this kernel: ${why}` }
    missing.push({ program, why })
    return null
  }
  for (;;) {
    const left = new Set(missing.map((each) => each.program))
    const opened = openObject(lib, bytes)
    if (!opened.ok) return opened
    try {
      for (const { at, name, section } of opened.programs) {
        const why = left.has(name) ? null : kernel.lacks(section)
        const end = why === null ? null : refuse(name, section, why)
        if (end !== null) return end
        if (why !== null || left.has(name)) lib.programSetAutoload(at, false)
      }
      const resized = resizeRing(lib, opened.object, ringBytes)
      if (resized < 0) return { ok: false, why: failed(resized, `setting the ring to ${ringBytes} bytes`).message }
      const error = lib.objectLoad(opened.object)
      if (error < 0) {
        const guilty = findRefused(lib, bytes, new Set(missing.map((each) => each.program)))
        if (guilty === null) return { ok: false, why: failed(error, 'loading the BPF object').message }
        const end = refuse(guilty.program, guilty.section, guilty.why)
        if (end !== null) return end
        continue
      }
      return attach(lib, opened, refuse, missing, prepare)
    } finally {
      lib.objectClose(opened.object)
      libc().trim()
    }
  }
}

function attach(
  lib: Libbpf,
  opened: Opened,
  refuse: Refuse,
  missing: readonly Missing[],
  prepare: (maps: ReadonlyMap<string, number>, programs: ReadonlyMap<string, number>) => void,
): Loaded | Failure {
  const os = libc()
  const maps = new Map<string, number>()
  const programs = new Map<string, number>()
  const links: Link[] = []
  // Descriptors of our own: the object goes as soon as all is attached, and with it a few MB of libbpf's copies.
  for (let map = lib.objectNextMap(opened.object, null); map !== null; map = lib.objectNextMap(opened.object, map)) {
    if (!lib.mapIsInternal(map)) maps.set(lib.mapName(map), os.duplicate(lib.mapFd(map)))
  }
  for (const { at, name, attaches } of opened.programs) if (!attaches && lib.programAutoload(at)) programs.set(name, os.duplicate(lib.programFd(at)))
  prepare(maps, programs)
  for (const { at, name, section, attaches } of opened.programs) {
    if (!attaches || !lib.programAutoload(at)) continue
    const link = lib.programAttach(at)
    if (link !== null) {
      links.push({ program: name, pointer: link })
      continue
    }
    const end = refuse(name, section, failed(lib.errno(), 'attaching').message)
    if (end === null) continue
    void release(lib, { maps, programs, links })
    return end
  }
  return { ok: true, attached: { maps, programs, links }, sections: sectionsOf(opened), missing }
}

/** Closes the descriptors. Links are destroyed in the background: each tracepoint's takes 75 ms. */
export async function release(lib: Libbpf, attached: Attached): Promise<void> {
  const os = libc()
  for (const fd of attached.maps.values()) os.close(fd)
  for (const fd of attached.programs.values()) os.close(fd)
  await Promise.all(attached.links.map((link) => new Promise<void>((done) => lib.linkDestroy(link.pointer, () => done()))))
}

function openObject(lib: Libbpf, bytes: Uint8Array): ({ readonly ok: true } & Opened) | Failure {
  // Without a name libbpf makes one of the buffer's address, and the names of .bss and .rodata would change with every start.
  const object = lib.objectOpenMem(bytes, bytes.byteLength, { sz: 16, object_name: 'spoor' })
  if (object === null) return { ok: false, why: failed(lib.errno(), 'reading the BPF object').message }
  const programs: Opened['programs'][number][] = []
  for (let at = lib.objectNextProgram(object, null); at !== null; at = lib.objectNextProgram(object, at)) {
    const section = lib.programSection(at)
    programs.push({ at, name: lib.programName(at), section, attaches: section !== 'syscall' })
  }
  return { ok: true, object, programs }
}

function resizeRing(lib: Libbpf, object: Pointer, bytes: number): number {
  for (let map = lib.objectNextMap(object, null); map !== null; map = lib.objectNextMap(object, map)) {
    if (lib.mapName(map) === RING) return lib.mapSetMaxEntries(map, bytes)
  }
  return 0
}

/** Loads once more, with a log for each program: libbpf writes into the log of the one that was refused only. */
function findRefused(lib: Libbpf, bytes: Uint8Array, without: ReadonlySet<string>): { readonly program: string; readonly section: string; readonly why: string } | null {
  const opened = openObject(lib, bytes)
  if (!opened.ok) return null
  try {
    const logs = opened.programs.map(({ at, name, section }) => {
      const log = Buffer.alloc(LOG_BYTES)
      if (without.has(name)) lib.programSetAutoload(at, false)
      else lib.programSetLogBuf(at, log, LOG_BYTES)
      return { name, section, log }
    })
    if (lib.objectLoad(opened.object) >= 0) return null
    const refused = logs.find(({ log }) => log[0] !== 0)
    return refused === undefined ? null : { program: refused.name, section: refused.section, why: lastWords(refused.log) }
  } finally {
    lib.objectClose(opened.object)
  }
}

/** The verifier's reason stands last, before its statistics. */
function lastWords(log: Buffer): string {
  const end = log.indexOf(0)
  const lines = log.toString('latin1', 0, end < 0 ? log.length : end).split('\n')
  const telling = lines.filter((line) => line.trim() !== '' && !/^(processed|verification time|stack depth|-- END)/.test(line))
  return telling.slice(-2).join('; ') || 'the verifier gave no reason'
}
