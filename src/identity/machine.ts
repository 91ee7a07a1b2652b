import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs'
import { arch, hostname, release } from 'node:os'
import { join } from 'node:path'
import { digest } from './digest.ts'

/** Ids and os-release are far shorter. */
const FILE_BYTES_MAX = 64 * 1024
const ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id']

/** `id`: 16 bytes. */
export type MachineId = { readonly id: Uint8Array; readonly source: 'machine-id' | 'random' }

/** 32 hex digits, dashes allowed, as 16 bytes; null for anything else, and for all zeroes ("uninitialized" images). */
export function parseId(text: string): Uint8Array | null {
  const hex = text.trim().replaceAll('-', '').toLowerCase()
  return /^[0-9a-f]{32}$/.test(hex) && !/^0+$/.test(hex) ? Buffer.from(hex, 'hex') : null
}

/** This machine's id (machine-id(5)); without one a random id, kept in the state directory. Throws where that cannot be kept. */
export function machineId(stateDir: string, files: readonly string[] = ID_FILES): MachineId {
  for (const file of files) {
    const id = parseId(readHead(file) ?? '')
    if (id !== null) return { id, source: 'machine-id' }
  }
  const path = join(stateDir, 'machine-id')
  const kept = parseId(readHead(path) ?? '')
  if (kept !== null) return { id: kept, source: 'random' }
  const id = randomBytes(16)
  writeFileSync(path + '.new', id.toString('hex') + '\n', { mode: 0o640 })
  renameSync(path + '.new', path)
  return { id, source: 'random' }
}

/** The kernel's id of this boot, 16 bytes. Throws without /proc. */
export function bootId(path = '/proc/sys/kernel/random/boot_id'): Uint8Array {
  const id = parseId(readFileSync(path, 'utf8'))
  if (id === null) throw new Error(`${path} holds no boot id`)
  return id
}

/** `host.id` as it is exported: as OpenTelemetry and EDR agents send it, or hashed for privacy (`host.id: hashed`). */
export function hostId(machine: Uint8Array, form: 'plain' | 'hashed' = 'plain'): string {
  return form === 'plain' ? Buffer.from(machine).toString('hex') : digest('spoor/host/1', [machine]).slice(0, 32)
}

/** Facts of the host for the resource, by their OpenTelemetry names. */
export function hostFacts(machine: Uint8Array, form: 'plain' | 'hashed' = 'plain', osRelease = '/etc/os-release'): Readonly<Record<string, string>> {
  const os = parseOsRelease(readHead(osRelease) ?? '')
  const arches: Readonly<Record<string, string>> = { x64: 'amd64', arm: 'arm32', ia32: 'x86' }
  return {
    'host.id': hostId(machine, form),
    'host.name': hostname(),
    'host.arch': arches[arch()] ?? arch(),
    'os.type': 'linux',
    ...(os['NAME'] !== undefined && { 'os.name': os['NAME'] }),
    ...(os['VERSION_ID'] !== undefined && { 'os.version': os['VERSION_ID'] }),
    ...(os['PRETTY_NAME'] !== undefined && { 'os.description': os['PRETTY_NAME'] }),
    'os.build_id': release(),
  }
}

/** os-release(5): shell assignments, quoted or not. */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = Object.create(null)
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"']*))\s*$/.exec(line)
    if (match) found[match[1]!] = match[2] ?? match[3] ?? match[4] ?? ''
  }
  return found
}

/** The first bytes of a small file, null where it cannot be read. */
function readHead(path: string): string | null {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const bytes = Buffer.alloc(FILE_BYTES_MAX)
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0))
    } finally {
      closeSync(fd)
    }
  } catch {
    return null
  }
}
