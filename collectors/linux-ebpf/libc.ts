import { createRequire } from 'node:module'
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'

export type Koffi = typeof import('koffi')
/** A native address. NULL is null; only mmap fails with another value (MAP_FAILED). */
export type Pointer = bigint
export type Failed = { readonly ok: false; readonly errno: number; readonly message: string }

let loaded: Koffi | undefined
/** koffi is native code: loaded at first use, never by importing this module. Throws where koffi has no binary for this platform. */
export function koffi(): Koffi {
  loaded ??= createRequire(import.meta.url)('koffi') as Koffi
  return loaded
}

/** `errno` as libbpf gives it (negative) or as errno(3) does (positive). */
export function failed(errno: number, doing: string): Failed {
  const number = Math.abs(errno)
  return { ok: false, errno: number, message: `${doing}: ${getSystemErrorMessage(-number)} (${getSystemErrorName(-number)})` }
}

export const PROT_READ = 1
export const PROT_WRITE = 2
/** Flags of the mounts that systemd makes: nosuid, nodev, noexec. */
export const MOUNT_FLAGS = 2 | 4 | 8
const MAP_SHARED = 1
const MAP_FAILED = 0xffff_ffff_ffff_ffffn
const CLOCK_BOOTTIME = 7

export type Libc = {
  pageSize(): number
  map(fd: number, offset: number, length: number, protection: number): { readonly ok: true; readonly at: Pointer } | Failed
  unmap(at: Pointer, length: number): void
  mount(type: string, target: string, flags: number, data: string): { readonly ok: true } | Failed
  /** A second descriptor of the same object, closed on exec. */
  duplicate(fd: number): number
  close(fd: number): void
  /** CLOCK_BOOTTIME, ns. */
  bootTime(): bigint
  /** Gives freed heap back to the system (glibc only; elsewhere nothing). */
  trim(): void
}

let bound: Libc | undefined
/** The C library of this process. */
export function libc(): Libc {
  bound ??= bind(koffi())
  return bound
}

function bind(k: Koffi): Libc {
  const self = k.load(null)
  const getpagesize = self.func('int getpagesize()') as () => number
  const mmap = self.func('void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)') as (
    addr: null,
    length: number,
    prot: number,
    flags: number,
    fd: number,
    offset: number,
  ) => Pointer | null
  const munmap = self.func('int munmap(void *addr, size_t length)') as (addr: Pointer, length: number) => number
  const mount = self.func('int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)') as (
    source: string,
    target: string,
    type: string,
    flags: number,
    data: string,
  ) => number
  const fcntl = self.func('int fcntl(int fd, int cmd, ...)') as (fd: number, cmd: number, type: string, arg: number) => number
  const close = self.func('int close(int fd)') as (fd: number) => number
  const clockGettime = self.func('int clock_gettime(int clock, void *at)') as (clock: number, at: BigInt64Array) => number
  const trim = optional(() => self.func('int malloc_trim(size_t pad)') as (pad: number) => number)
  const time = new BigInt64Array(new ArrayBuffer(16))
  const F_DUPFD_CLOEXEC = 1030
  return {
    pageSize: getpagesize,
    map(fd, offset, length, protection) {
      const at = mmap(null, length, protection, MAP_SHARED, fd, offset)
      return at === null || at === MAP_FAILED ? failed(k.errno(), 'mmap') : { ok: true, at }
    },
    unmap: (at, length) => void munmap(at, length),
    mount: (type, target, flags, data) => (mount(type, target, type, flags, data) === 0 ? { ok: true } : failed(k.errno(), `mount ${type} at ${target}`)),
    duplicate: (fd) => fcntl(fd, F_DUPFD_CLOEXEC, 'int', 3),
    close: (fd) => void close(fd),
    bootTime() {
      clockGettime(CLOCK_BOOTTIME, time)
      return time[0]! * 1_000_000_000n + time[1]!
    },
    trim: () => void trim?.(0),
  }
}

function optional<T>(find: () => T): T | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}
