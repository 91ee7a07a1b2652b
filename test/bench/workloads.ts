import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { SessionDocument } from '../../src/model/status.ts'
import { compiler } from '../support/need.ts'
import { sessions, until } from '../support/spoor.ts'
import { compileWork } from '../support/work.ts'

/** Where the workloads live: a tmpfs mounted directly below /, so that a file in a folder of it has a path of three components. */
export type Ground = {
  readonly root: string
  /** The program as an ordinary one, and the same under the name that the bench's config calls an agent. */
  readonly work: string
  readonly agent: string
  readonly config: string
  remove(): void
}

export function prepare(): Ground {
  const root = mkdtempSync('/sb')
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3g,nr_inodes=2m', 'spoor-bench', root], { encoding: 'utf8' })
  if (mounted.status !== 0) throw new Error(`mounting a tmpfs: ${mounted.stderr}`)
  const bin = join(root, 'bin')
  mkdirSync(bin)
  const work = compileWork(bin, 'work')
  const agent = compileWork(bin, 'bench-agent')
  run(work, ['make', root, '20', '1000'])
  const sources = join(root, 'src')
  mkdirSync(sources)
  for (let i = 0; i < 8; i++) {
    writeFileSync(
      join(sources, `unit${i}.c`),
      `#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n${Array.from({ length: 60 }, (_, j) => `int f${i}_${j}(int a) { char b[64]; snprintf(b, 64, "%d", a * ${j}); return (int)strlen(b); }`).join('\n')}\n`,
    )
  }
  return {
    root,
    work,
    agent,
    config: `agents:\n  - name: bench\n    exe: "${agent}"\n`,
    remove: () => {
      spawnSync('umount', ['-l', root])
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function run(program: string, args: readonly string[]): string {
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: exit ${done.status} ${done.stderr}`)
  return done.stdout
}

/** `ns`: CPU time, of one operation where there are many. */
export type Workload = { readonly name: string; readonly tracked: boolean; readonly bound: number; readonly ns: (ground: Ground) => number }

const perOperation = (stdout: string): number => {
  const { ops, cpuNs } = JSON.parse(stdout) as { ops: number; cpuNs: number }
  return cpuNs / ops
}
/** CPU time of a shell command with all it waits for. */
const shell = (ground: Ground, command: string): number => {
  const done = spawnSync(ground.work, ['measure', '/bin/sh', '-c', command], { encoding: 'utf8', cwd: ground.root })
  const line = done.stderr.trim().split('\n').at(-1) ?? ''
  const { cpuNs, code } = JSON.parse(line) as { cpuNs: number; code: number }
  if (code !== 0) throw new Error(`${command}: exit ${code} ${done.stderr}`)
  return cpuNs
}

/** `scale` 1 = the full bench. Bounds: the issue "First light". */
export function workloads(scale: number): Workload[] {
  const n = (full: number): string => String(Math.round(full * scale))
  const folders = String(Math.max(4, Math.round(20 * scale)))
  const compile = `${compiler()} -O1 -c`
  return [
    { name: 'tracked: spawn + wait', tracked: true, bound: 1.08, ns: (g) => perOperation(run(g.agent, ['spawn', n(2000), '1', g.work])) },
    {
      name: 'tracked: open + close, distinct paths of 3 components',
      tracked: true,
      bound: 1.35,
      ns: (g) => perOperation(run(g.agent, ['open', g.root, folders, '1000', '0', '1'])),
    },
    { name: 'tracked: open + close, one file (coalesced)', tracked: true, bound: 1.25, ns: (g) => perOperation(run(g.agent, ['reopen', `${g.root}/d0/f0`, n(200_000)])) },
    { name: 'untracked: tar of 20,000 files', tracked: false, bound: 1.02, ns: (g) => shell(g, 'tar cf - d* | cat > /dev/null') },
    { name: 'untracked: find | xargs cat', tracked: false, bound: 1.02, ns: (g) => shell(g, 'find d* -type f -print0 | xargs -0 -n 40 cat > /dev/null') },
    { name: 'untracked: gcc build', tracked: false, bound: 1.02, ns: (g) => shell(g, `for f in src/unit*.c; do ${compile} $f -o /dev/null || exit 1; done`) },
    { name: 'untracked: spawn + wait', tracked: false, bound: 1.02, ns: (g) => perOperation(run(g.work, ['spawn', n(2000), '1', g.work])) },
    { name: 'untracked: bare open + close loop', tracked: false, bound: 1.1, ns: (g) => perOperation(run(g.work, ['reopen', `${g.root}/d0/f0`, n(400_000)])) },
    { name: 'untracked: getppid', tracked: false, bound: 1.07, ns: (g) => perOperation(run(g.work, ['getppid', n(2_000_000)])) },
  ]
}

/** As many writers as cores open `folders` x 1000 distinct files in the name of the agent; resolves when all have ended. */
export function openAll(ground: Ground, folder: string, folders: number): Promise<void> {
  const writers = availableParallelism()
  // One process tree of the agent: the shell is not the agent, each writer is one of its own session.
  const each = (writer: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn(ground.agent, ['open', folder, String(folders), '1000', String(writer), String(writers)], { stdio: 'ignore' })
      child.on('error', reject)
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`writer ${writer}: exit ${code}`))))
    })
  return Promise.all(Array.from({ length: writers }, (_, writer) => each(writer))).then(() => undefined)
}

/** The bench's own sessions, once there are some and all have ended: what else runs on the machine is none of them. */
export const benchEnded = (state: string): Promise<readonly SessionDocument[]> =>
  until(
    'the bench\u2019s sessions to end',
    () => {
      const all = sessions(state).filter((one) => one.agent.name === 'bench')
      return all.length > 0 && all.every((one) => one.state === 'ended') && all
    },
    60_000,
  )
