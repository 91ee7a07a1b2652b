import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { compiler } from './need.ts'
import { root } from './spoor.ts'

/** Compiles `programs/work.c` into a folder, under the name a test wants it to have. */
export function compileWork(folder: string, name = 'work'): string {
  const program = join(folder, name)
  const done = spawnSync(compiler()!, ['-O2', '-static', '-pthread', '-o', program, join(root, 'test/support/programs/work.c')], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`compiling work.c: ${done.error?.message ?? done.stderr}`)
  return program
}
