import type { Libbpf } from './libbpf.ts'

/** bpf/maps.h: the key is the name, NUL-padded, with at least one NUL. */
const CANDIDATE_BYTES = 16
const VARIABLE_BYTES = 32
const PREFIX_BYTES = 8

/** Makes the keys of a map those given (value 1), taking out what an earlier observer left there. Returns the names that found no room. */
function replaceKeys(lib: Libbpf, fd: number, keys: ReadonlyMap<string, Uint8Array>, keyBytes: number): string[] {
  const wanted = new Set([...keys.values()].map(hex))
  const stale: Uint8Array[] = []
  let previous: Uint8Array | null = null
  for (;;) {
    const next = new Uint8Array(keyBytes)
    if (lib.nextKey(fd, previous, next) < 0) break
    if (!wanted.has(hex(next))) stale.push(next)
    previous = next
  }
  for (const key of stale) lib.remove(fd, key)
  const value = Uint8Array.of(1)
  return [...keys].flatMap(([name, key]) => (lib.update(fd, key, value, 0) < 0 ? [name] : []))
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function padded(text: string, bytes: number, used: number): Uint8Array {
  const key = new Uint8Array(bytes)
  key.set(Buffer.from(text, 'utf8').subarray(0, used))
  return key
}

/** Longer names are cut, as the kernel cuts the basename that it looks up. */
export const fillCandidates = (lib: Libbpf, fd: number, names: readonly string[]): string[] =>
  replaceKeys(lib, fd, new Map(names.map((name) => [name, padded(name, CANDIDATE_BYTES, CANDIDATE_BYTES - 1)])), CANDIDATE_BYTES)

/** A name that is too long is not cut: another variable could begin with the same bytes. Returned among those without room. */
export function fillEnvironment(lib: Libbpf, environmentFd: number, prefixesFd: number, names: readonly string[]): string[] {
  const fits = (name: string) => Buffer.byteLength(name) < VARIABLE_BYTES
  const usable = names.filter(fits)
  const full = replaceKeys(lib, environmentFd, new Map(usable.map((name) => [name, padded(name, VARIABLE_BYTES, VARIABLE_BYTES)])), VARIABLE_BYTES)
  replaceKeys(lib, prefixesFd, new Map(usable.map((name) => [name, padded(name, PREFIX_BYTES, PREFIX_BYTES)])), PREFIX_BYTES)
  return [...names.filter((name) => !fits(name)), ...full]
}

/** bpf/emit.h: STALE_NS. So long after the last sign of life the programs return early. */
const STALE_NS = 600_000_000_000n

/** Programs that were left running have gone on recording until now. */
export function stillRecording(lib: Libbpf, fd: number, bootNs: bigint): boolean {
  const value = new DataView(new ArrayBuffer(16))
  if (lib.lookup(fd, new Uint32Array(1), value) < 0) return false
  const heartbeat = value.getBigUint64(0, true)
  return heartbeat === 0n || bootNs - heartbeat < STALE_NS
}

/** struct control: the sign of life that keeps pinned programs going, and flags. */
export function writeControl(lib: Libbpf, fd: number, bootNs: bigint, flags: number): void {
  const value = new DataView(new ArrayBuffer(16))
  value.setBigUint64(0, bootNs, true)
  value.setUint32(8, flags, true)
  lib.update(fd, new Uint32Array(1), value, 0)
}
