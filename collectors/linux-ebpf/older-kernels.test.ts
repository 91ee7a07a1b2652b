// Older kernels lack some of what reading.h uses. The programs are compiled as if this one lacked it, and must load and report the same.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { linuxEbpf } from './index.ts'
import { NAMED, NOT_OPENED, named } from './kernel.names.ts'
import { startScenarios } from './kernel.scenarios.ts'

const LACKING: ReadonlyArray<readonly [string, ReadonlyArray<readonly [from: RegExp, to: string]>]> = [
  ['reads of any memory (before 6.17)', [[/#define READS_ANY_MEMORY .*/g, '#define READS_ANY_MEMORY 0']]],
  ['typed casts either (before 6.2)', [[/bpf_rdonly_cast/g, 'spoor_no_such_function']]],
  ['bpf_loop either (before 5.17)', [[/BPF_FUNC_loop/g, 'BPF_FUNC_no_such']]],
]

function whyNot(): string | false {
  const probed = linuxEbpf.probe()
  if (!probed.ok) return `${probed.unavailable}: ${probed.why}`
  try {
    execFileSync('clang-14', ['--version'])
    execFileSync('llvm-strip-14', ['--version'])
  } catch {
    return 'needs clang-14 and llvm-strip-14 (Debian: clang-14, llvm-14)'
  }
  return existsSync('/usr/include/bpf/bpf_helpers.h') ? false : 'needs the headers of libbpf (Debian: libbpf-dev)'
}

/** The sources without what the first `count` of LACKING say, compiled. */
function build(into: string, count: number): string {
  cpSync(join(import.meta.dirname, 'bpf'), into, { recursive: true })
  const rules = LACKING.slice(0, count).flatMap(([, rules_]) => rules_)
  const met = new Set<RegExp>()
  for (const name of readdirSync(into)) {
    let source = readFileSync(join(into, name), 'utf8')
    for (const [from, to] of rules) {
      const changed = source.replace(from, to)
      if (changed !== source) met.add(from)
      source = changed
    }
    writeFileSync(join(into, name), source)
  }
  assert.equal(met.size, rules.length, 'the sources are no longer as this test knows them')
  execFileSync('sh', [join(into, 'build.sh'), join(into, 'older.o')])
  return join(into, 'older.o')
}

const skip = whyNot()
for (const [index, [what]] of LACKING.entries()) {
  test(`without ${what}`, { skip }, async () => {
    const sources = mkdtempSync(join(tmpdir(), 'spoor-older-'))
    try {
      const scenarios = await startScenarios(build(sources, index + 1))
      try {
        assert.deepEqual(scenarios.running.describe().missing, [])
        const done = await scenarios.run('descriptors')
        const { changes, failed } = named(scenarios, done)
        assert.deepEqual([done.code, changes, failed], [0, NAMED, NOT_OPENED])
        const opens = (await scenarios.run('opens')).of('open')
        assert.ok(opens.some((o) => o.created && o.file.exact && scenarios.short(o.file.path) === '~/deep/new'))
        assert.ok(opens.some((o) => o.created && o.file.exact && o.file.path.endsWith('/l38/l39/file')))
      } finally {
        await scenarios.stop()
      }
    } finally {
      rmSync(sources, { recursive: true, force: true })
    }
  })
}
