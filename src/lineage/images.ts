import type { BootNs, ObservationOf } from '../model/observation.ts'
import { type Image, imageOf, type Process } from '../model/process.ts'

/** A shell loop of `exec` would otherwise grow one row without end; 16 shows every real chain (codex: 4). */
export const IMAGES_MAX = 16

export const imageOfExec = (observation: ObservationOf<'exec'>, number: number): Image => ({
  number,
  path: observation.exe.path,
  called: observation.called,
  args: observation.args,
  argsBytes: observation.argsBytes,
  cwd: observation.cwd,
  env: observation.env,
  at: observation.boot,
})

/** A forked process runs its parent's program until it execs; unknown where the parent's is. */
export function imageOfFork(parent: Process, at: BootNs): Image | undefined {
  const image = imageOf(parent)
  return image === undefined ? undefined : { ...image, number: 0, at }
}

export const imageOfSeen = (observation: ObservationOf<'process.seen'>): Image => ({
  number: 0,
  path: observation.exe,
  called: observation.exe,
  args: observation.args,
  argsBytes: observation.args.head.reduce((bytes, arg) => bytes + arg.length + 1, 0),
  cwd: observation.cwd,
  env: observation.env,
  at: observation.boot,
})
