import { existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Green, Unavailable } from '../../src/model/sensor.ts'
import { LIBBPF, type Libbpf, openLibbpf } from './libbpf.ts'
import { failed, libc } from './libc.ts'
import { BPFFS, isBpffs, isTracefs, TRACEFS } from './mounts.ts'

export const RUNG = 'linux-ebpf'
export const VMLINUX_BTF = '/sys/kernel/btf/vmlinux'

/** What a probe looks at, so that a test can take each away. */
export type ProbeHost = {
  readonly library: string
  readonly btf: string
  readonly release: string
  readonly arch: string
  /** The text of /proc/self/status. */
  readonly status: string
  /** The text of /sys/kernel/security/lockdown, or '' where there is none. */
  readonly lockdown: string
  readonly tryLoad: typeof tryLoad
}

/** SEC("syscall") programs, by which user space gives its orders, exist from 5.14 on. */
const KERNEL_FLOOR = [5, 14] as const
/** Kernel: include/uapi/linux/capability.h. */
const CAPABILITIES = { DAC_READ_SEARCH: 2, SYS_PTRACE: 19, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 } as const

export const unavailable = (why: string, mend: string): Unavailable => ({ ok: false, unavailable: 'Spoor cannot watch this machine through eBPF', why, mend })

export const hostNow = (over: Partial<ProbeHost> = {}): ProbeHost => ({
  library: LIBBPF,
  btf: VMLINUX_BTF,
  release: release(),
  arch: process.arch,
  status: readOr('/proc/self/status', ''),
  lockdown: readOr('/sys/kernel/security/lockdown', ''),
  tryLoad,
  ...over,
})

/** Changes nothing: what start would mount is said in the notes. */
export function probeHost(host: ProbeHost): Green | Unavailable {
  if (host.status === '') return unavailable('this is not Linux (or /proc is not mounted)', 'run Spoor on Linux')
  if (host.arch !== 'x64' && host.arch !== 'arm64') return unavailable(`its BPF programs are built for x86_64 and arm64, and this is ${host.arch}`, 'run Spoor on one of these')
  const [major = 0, minor = 0] = host.release.split('.').map((part) => Number.parseInt(part, 10))
  if (major < KERNEL_FLOOR[0] || (major === KERNEL_FLOOR[0] && minor < KERNEL_FLOOR[1]))
    return unavailable(`this is Linux ${host.release}, and it takes ${KERNEL_FLOOR.join('.')} or newer`, 'upgrade the kernel')
  const lacking = lackingCapabilities(host.status)
  if (lacking.length > 0) return unavailable(`this process is not root and lacks ${lacking.join(', ')}`, 'run it as root: sudo spoor run')
  if (!existsSync(host.btf))
    return unavailable(
      `the kernel offers no type information: ${host.btf} does not exist`,
      'use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as the kernels of Debian 12, Ubuntu 22.04, Fedora and Arch are',
    )
  const opened = openLibbpf(host.library)
  if (!opened.ok) {
    return unavailable(
      `${host.library} cannot be loaded: ${opened.why.trim()}`,
      'install libbpf 1.x: apt install libbpf1 (Debian, Ubuntu), dnf install libbpf (Fedora), pacman -S libbpf (Arch)',
    )
  }
  if (host.lockdown.includes('[confidentiality]')) return unavailable('the kernel is locked down (confidentiality): BPF programs may not read kernel memory', LIFT_LOCKDOWN)
  const plain = host.tryLoad(opened.lib, RETURN_0)
  if (plain < 0)
    return unavailable(
      `the kernel refused a BPF program although the capabilities are there: ${failed(plain, 'bpf(2)').message}`,
      'in a container, allow the bpf system call (seccomp profile) and run it in the initial user namespace, or run Spoor on the host',
    )
  const reading = host.tryLoad(opened.lib, READ_KERNEL)
  if (reading < 0) return unavailable(`the kernel lets BPF programs run but not read kernel memory: ${failed(reading, 'bpf(2)').message}`, LIFT_LOCKDOWN)
  const notes: string[] = []
  if (!isTracefs(TRACEFS)) notes.push(`tracefs is not mounted: start mounts it at ${TRACEFS}`)
  if (!isBpffs(BPFFS)) notes.push(`bpffs is not mounted: start mounts it at ${BPFFS} when it has to pin`)
  return { ok: true, rung: RUNG, notes }
}

const LIFT_LOCKDOWN = 'boot with lockdown=integrity or none; Secure Boot alone does not ask for confidentiality'

function lackingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`)
  const has = (bit: number) => ((effective >> BigInt(bit)) & 1n) === 1n
  const lacking: string[] = []
  if (!has(CAPABILITIES.SYS_ADMIN)) {
    if (!has(CAPABILITIES.BPF)) lacking.push('CAP_BPF')
    if (!has(CAPABILITIES.PERFMON)) lacking.push('CAP_PERFMON')
  }
  if (!has(CAPABILITIES.DAC_READ_SEARCH)) lacking.push('CAP_DAC_READ_SEARCH')
  if (!has(CAPABILITIES.SYS_PTRACE)) lacking.push('CAP_SYS_PTRACE')
  return lacking
}

const BPF_PROG_TYPE_TRACEPOINT = 5
const instruction = (code: number, registers: number, immediate: number): number[] => [
  code,
  registers,
  0,
  0,
  immediate & 255,
  (immediate >> 8) & 255,
  (immediate >> 16) & 255,
  (immediate >> 24) & 255,
]
const MOV = 0xb7
const END = [...instruction(MOV, 0, 0), ...instruction(0x95, 0, 0)]
/** r0 = 0; exit */
export const RETURN_0 = Uint8Array.from(END)
/** bpf_probe_read_kernel(r10 - 8, 8, NULL); r0 = 0; exit */
export const READ_KERNEL = Uint8Array.from([
  ...instruction(0xbf, 0xa1, 0),
  ...instruction(0x07, 0x01, -8),
  ...instruction(MOV, 0x02, 8),
  ...instruction(MOV, 0x03, 0),
  ...instruction(0x85, 0, 113),
  ...END,
])

/** Loads a program and lets it go: 0, or -errno. */
export function tryLoad(lib: Libbpf, program: Uint8Array): number {
  const fd = lib.progLoad(BPF_PROG_TYPE_TRACEPOINT, 'spoor_probe', 'GPL', program, program.byteLength / 8, null)
  if (fd < 0) return fd
  libc().close(fd)
  return 0
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return otherwise
  }
}
