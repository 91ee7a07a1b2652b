import type { Bytes } from '../../src/model/bytes.ts'
import type { FileRef, Observation, Task } from '../../src/model/observation.ts'
import { FLAG } from './layout.ts'

export type Each = (observation: Observation) => void

/** Of Buffer, as old as Node and three times as fast as toString('latin1') for a short string; @types/node leaves it out. */
export type Latin1 = Buffer & { latin1Slice(start: number, end: number): string }

/** A batch's bytes, in the forms that are fast to read, and what its records have in common. Typed arrays: a DataView takes three times as long. */
export type Batch = {
  readonly bytes: Latin1
  readonly u16: Uint16Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly u64: BigUint64Array
  readonly position: bigint
  /** The last record's, which the next one mostly shares. */
  task: Task
}

/** What every record says in its header. `at` is where it begins in the batch, `end` behind its last byte. */
export type Head = { readonly seq: bigint; readonly boot: bigint; readonly task: Task; readonly flags: number; readonly at: number; readonly end: number }

/** A u64 that is known to stay below 2^53. */
export const small = (batch: Batch, at: number): number => batch.u32[at >> 2]! + batch.u32[(at >> 2) + 1]! * 2 ** 32

export const text = (batch: Batch, from: number, to: number): Bytes => batch.bytes.latin1Slice(from, to) as Bytes

const CLASSES: readonly FileRef['class'][] = Array.from({ length: 16 }, () => 'unknown')
/** S_IFMT >> 12, inode(7). */
const S_IF: ReadonlyArray<readonly [number, FileRef['class']]> = [
  [1, 'fifo'],
  [2, 'char'],
  [4, 'dir'],
  [6, 'block'],
  [8, 'regular'],
  [10, 'symlink'],
  [12, 'sock'],
]
for (const [type, name] of S_IF) (CLASSES as FileRef['class'][])[type] = name

/** The kernel's dev_t (major << 20 | minor) as stat(2) and /proc give it (linux/kdev_t.h, new_encode_dev). */
export const userDev = (dev: number): number => ((dev & 0xff) | ((dev >>> 20) << 8) | ((dev & 0xfff00) << 12)) >>> 0

export const fileRef = (path: Bytes, flags: number, dev: number, ino: bigint): FileRef => ({
  path,
  exact: (flags & FLAG.EXACT) !== 0,
  dev: userDev(dev),
  ino,
  class: CLASSES[flags >>> 12]!,
  deleted: (flags & FLAG.DELETED) !== 0,
  cut: (flags & FLAG.CUT) !== 0,
})
