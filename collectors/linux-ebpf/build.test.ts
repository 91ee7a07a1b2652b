import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

/** Another compiler, or other helper headers, make other bytes of the same sources. */
const CLANG = '14.0.6'
const LIBBPF = '#define LIBBPF_MAJOR_VERSION 1\n#define LIBBPF_MINOR_VERSION 1\n'

function whyNot(): string | false {
  try {
    const version = /version (\S+)/.exec(execFileSync('clang-14', ['--version'], { encoding: 'utf8' }))?.[1]
    if (version !== CLANG) return `the committed object is of clang ${CLANG}, this is ${version}`
    execFileSync('llvm-strip-14', ['--version'])
  } catch {
    return `needs clang-14 and llvm-strip-14 (Debian: clang-14, llvm-14)`
  }
  try {
    return readFileSync('/usr/include/bpf/libbpf_version.h', 'utf8').includes(LIBBPF) ? false : 'the committed object is of the headers of libbpf 1.1'
  } catch {
    return 'needs the headers of libbpf 1.1 (Debian: libbpf-dev)'
  }
}

test('the committed object is what its sources make, byte for byte, in any folder', { skip: whyNot() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'spoor-build-'))
  try {
    const sources = join(folder, 'a folder with another name')
    cpSync(join(import.meta.dirname, 'bpf'), sources, { recursive: true })
    execFileSync(join(sources, 'build.sh'), [join(folder, 'made.o')])
    assert.ok(
      readFileSync(join(folder, 'made.o')).equals(readFileSync(join(import.meta.dirname, 'spoor.bpf.o'))),
      'spoor.bpf.o is not of these sources: run collectors/linux-ebpf/bpf/build.sh',
    )
    const again = join(folder, 'again.o')
    execFileSync('sh', ['bpf/build.sh', again], { cwd: import.meta.dirname })
    assert.ok(readFileSync(again).equals(readFileSync(join(folder, 'made.o'))))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
