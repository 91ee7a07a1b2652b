import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import type { Libbpf } from './libbpf.ts'
import { type Failed, failed } from './libc.ts'
import { type Attached, type Link, release } from './load.ts'

/**
 * One folder of bpffs per state directory. bpffs takes no dots in names. The marker is pinned last and removed first, so a folder without it is the rest
 * of a start or stop that was killed, and one with another version's marker is another version's: neither is taken over.
 */
const MAP = 'map_'
const PROGRAM = 'program_'
const LINK = 'link_'
const COMPLETE = 'complete_'
/** Pinned once more as the marker; any map would do. */
const MARKED_MAP = 'ring'

export const pinFolder = (bpffs: string, name: string): string => `${bpffs}/spoor-${name}`

/** What must be equal for pinned programs to be taken over. */
export const pinVersion = (object: Uint8Array, ringBytes: number): string => createHash('sha256').update(object).update(`\0${ringBytes}`).digest('hex').slice(0, 16)

export type Found = 'none' | 'same' | 'other'
export function findPins(folder: string, version: string): Found {
  const names = list(folder)
  if (names === null) return 'none'
  return names.includes(COMPLETE + version) ? 'same' : 'other'
}

/** Pins in the place of whatever is there. Returns why that is not possible, or null; then nothing is left there where that can be done. */
export async function replacePins(lib: Libbpf, folder: string, version: string, attached: Attached): Promise<string | null> {
  try {
    await removePins(folder)
    mkdirSync(folder, { mode: 0o700 })
    const pinned = pin(lib, folder, version, attached)
    if (pinned.ok) return null
    await removePins(folder)
    return pinned.message
  } catch (error) {
    // bpffs itself: another user's pins, a folder that is not ours to write.
    return (error as Error).message
  }
}

function pin(lib: Libbpf, folder: string, version: string, attached: Attached): { readonly ok: true } | Failed {
  const steps: Array<readonly [string, (path: string) => number]> = []
  for (const [name, fd] of attached.maps) steps.push([MAP + name, (path) => lib.objPin(fd, path)])
  for (const [name, fd] of attached.programs) steps.push([PROGRAM + name, (path) => lib.objPin(fd, path)])
  for (const { program, pointer } of attached.links) steps.push([LINK + program, (path) => lib.linkPin(pointer, path)])
  steps.push([COMPLETE + version, (path) => lib.objPin(attached.maps.get(MARKED_MAP)!, path)])
  for (const [name, make] of steps) {
    const error = make(`${folder}/${name}`)
    if (error < 0) return failed(error, `pinning ${name} in ${folder}`)
  }
  return { ok: true }
}

/** Opens what an earlier process pinned. Nothing is loaded or attached. */
export function reopen(lib: Libbpf, folder: string): { readonly ok: true; readonly attached: Attached } | Failed {
  const maps = new Map<string, number>()
  const programs = new Map<string, number>()
  const links: Link[] = []
  const attached = { maps, programs, links }
  const give = (failure: Failed): Failed => {
    void release(lib, attached)
    return failure
  }
  for (const name of list(folder) ?? []) {
    const path = `${folder}/${name}`
    if (name.startsWith(LINK)) {
      const pointer = lib.linkOpen(path)
      if (pointer === null) return give(failed(lib.errno(), `opening ${path}`))
      links.push({ program: name.slice(LINK.length), pointer })
      continue
    }
    const [prefix, into] = name.startsWith(MAP) ? [MAP, maps] : [PROGRAM, programs]
    if (!name.startsWith(prefix)) continue
    const fd = lib.objGet(path)
    if (fd < 0) return give(failed(fd, `opening ${path}`))
    into.set(name.slice(prefix.length), fd)
  }
  return { ok: true, attached }
}

/** Where nothing else holds them, programs detach as their pins go: in the background, 75 ms each for tracepoints. */
export async function removePins(folder: string): Promise<void> {
  const names = list(folder)
  if (names === null) return
  for (const name of names) if (name.startsWith(COMPLETE)) unlinkSync(`${folder}/${name}`)
  await Promise.all(names.filter((name) => !name.startsWith(COMPLETE)).map((name) => unlink(`${folder}/${name}`)))
  rmdirSync(folder)
}

function list(folder: string): string[] | null {
  try {
    return readdirSync(folder)
  } catch (error) {
    // What cannot be read cannot be taken over; replacing it will say why.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : []
  }
}
