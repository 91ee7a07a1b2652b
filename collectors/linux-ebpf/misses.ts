import type { Kind } from '../../src/model/observation.ts'
import type { Libbpf } from './libbpf.ts'
import { libc } from './libc.ts'
import type { Link } from './load.ts'

/** Kernel: include/uapi/linux/bpf.h, struct bpf_link_info.prog_id and struct bpf_prog_info.recursion_misses (since 5.12). */
const LINK_PROGRAM_AT = 8
const PROGRAM_MISSES_AT = 208
const INFO_BYTES = 256

/** What a program of this section reports, for the most part. */
export function kindOf(section: string): Kind {
  const hook = section.slice(section.lastIndexOf('/') + 1)
  if (hook === 'sched_process_fork') return 'fork'
  if (hook === 'sched_process_exec') return 'exec'
  if (hook === 'sched_process_exit') return 'exit'
  if (hook === 'inet_sock_set_state') return 'sock.end'
  const call = hook.replace(/^sys_exit_/, '')
  if (call.startsWith('open') || call === 'creat') return 'open'
  if (call === 'connect' || call === 'listen') return call
  if (call.startsWith('accept')) return 'accept'
  return 'change'
}

/**
 * A program that would run while it runs already on that CPU is skipped by the kernel, which counts that. The count is of all processes, tracked or not: what was
 * lost of the tracked is at most that much.
 */
export function createMisses(lib: Libbpf, links: readonly Link[], sections: ReadonlyMap<string, string>): { read(): ReadonlyMap<Kind, bigint>; close(): void } {
  const info = new Uint8Array(new ArrayBuffer(INFO_BYTES))
  const view = new DataView(info.buffer)
  const length = new Uint32Array(1)
  const ask = (fd: number): boolean => {
    info.fill(0)
    length[0] = INFO_BYTES
    return lib.infoByFd(fd, info, length) === 0
  }
  const programs: Array<{ readonly kind: Kind; readonly fd: number }> = []
  for (const { program, pointer } of links) {
    if (!ask(lib.linkFd(pointer))) continue
    const fd = lib.progFdById(view.getUint32(LINK_PROGRAM_AT, true))
    if (fd >= 0) programs.push({ kind: kindOf(sections.get(program) ?? ''), fd })
  }
  return {
    read() {
      const misses = new Map<Kind, bigint>()
      for (const { kind, fd } of programs) {
        const count = ask(fd) ? view.getBigUint64(PROGRAM_MISSES_AT, true) : 0n
        if (count > 0n) misses.set(kind, (misses.get(kind) ?? 0n) + count)
      }
      return misses
    },
    close() {
      for (const { fd } of programs) libc().close(fd)
    },
  }
}
