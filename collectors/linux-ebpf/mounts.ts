import { existsSync, statfsSync } from 'node:fs'
import { libc, MOUNT_FLAGS } from './libc.ts'

/** Kernel: include/uapi/linux/magic.h. */
const TRACEFS_MAGIC = 0x7472_6163
const BPF_FS_MAGIC = 0xcafe_4a11

export const TRACEFS = '/sys/kernel/tracing'
export const BPFFS = '/sys/fs/bpf'
/** Where older set-ups have it. libbpf looks here first. */
const TRACEFS_IN_DEBUGFS = '/sys/kernel/debug/tracing'

export type Mounted = { readonly ok: true; readonly at: string } | { readonly ok: false; readonly why: string }

export const isTracefs = (path: string): boolean => magic(path) === TRACEFS_MAGIC
export const isBpffs = (path: string): boolean => magic(path) === BPF_FS_MAGIC

/** Finds tracefs; mounts it where systemd would have, when it is nowhere. */
export function ensureTracefs(): Mounted {
  for (const at of [TRACEFS, TRACEFS_IN_DEBUGFS]) if (isTracefs(at)) return { ok: true, at }
  return mount('tracefs', TRACEFS, '')
}

/** Finds bpffs; mounts it where and as systemd would have (0700), when it is not there. */
export function ensureBpffs(at: string = BPFFS): Mounted {
  return isBpffs(at) ? { ok: true, at } : mount('bpf', at, 'mode=700')
}

function mount(type: string, at: string, data: string): Mounted {
  if (!existsSync(at)) return { ok: false, why: `${at} does not exist: this kernel is built without ${type === 'bpf' ? 'BPF' : 'tracing'}, or /sys is not mounted` }
  const mounted = libc().mount(type, at, MOUNT_FLAGS, data)
  return mounted.ok ? { ok: true, at } : { ok: false, why: mounted.message }
}

function magic(path: string): number | undefined {
  try {
    return statfsSync(path).type
  } catch {
    return undefined
  }
}
