import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What a test cannot do without. Outside CI it is skipped with the reason printed; under `CI=true` a missing need fails the file: there nothing may be skipped in silence. */
export type Need = 'root' | 'ebpf' | 'compiler' | 'python3' | 'strace' | 'git' | 'npm' | 'unshare'

export function onPath(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {}
  }
  return null
}

/** A C compiler for the tests' own little programs (users need none). */
export const compiler = (): string | null => onPath('gcc') ?? onPath('clang') ?? onPath('clang-14')

const libraryFolders = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib']
function hasLibbpf(): boolean {
  return libraryFolders.some((folder) => {
    if (!existsSync(folder)) return false
    return existsSync(join(folder, 'libbpf.so.1')) || readdirSync(folder).some((name) => name.includes('-linux-') && existsSync(join(folder, name, 'libbpf.so.1')))
  })
}

const missing: Record<Need, () => string | null> = {
  root: () => (process.getuid?.() === 0 ? null : 'needs root'),
  ebpf: () => {
    if (process.platform !== 'linux') return 'needs Linux'
    if (process.getuid?.() !== 0) return 'needs root to load BPF programs'
    if (!existsSync('/sys/kernel/btf/vmlinux')) return 'needs a kernel with BTF (/sys/kernel/btf/vmlinux)'
    return hasLibbpf() ? null : 'needs libbpf.so.1 (Debian/Ubuntu: libbpf1, Fedora and Arch: libbpf)'
  },
  compiler: () => (compiler() ? null : 'needs a C compiler (gcc or clang)'),
  python3: () => (onPath('python3') ? null : 'needs python3'),
  strace: () => (onPath('strace') ? null : 'needs strace'),
  git: () => (onPath('git') ? null : 'needs git'),
  npm: () => (onPath('npm') ? null : 'needs npm'),
  unshare: () => (onPath('unshare') ? null : 'needs unshare (util-linux)'),
}

/** Options for `test()`: `test('…', need('root', 'ebpf'), …)`. */
export function need(...needs: Need[]): { skip: string | false } {
  const reasons = needs.map((name) => missing[name]()).filter((reason) => reason !== null)
  if (reasons.length === 0) return { skip: false }
  if (process.env['CI'] === 'true') throw new Error(`in CI this test must not be skipped, but it ${reasons.join(' and ')}`)
  return { skip: reasons.join('; ') }
}
