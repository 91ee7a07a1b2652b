import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { decodeMark, firstOf, LEAF_BYTES, SEGMENT_ENTRIES, segmentName } from './format.ts'

/** Read by the shipper through the folder's group. */
const FILE_MODE = 0o640
const META_FORMAT = 1
/** A meta file is some 200 bytes; anything long is none of ours. */
const META_BYTES_MAX = 64 * 1024

export type Meta = { readonly journalId: string; readonly origin: string }
export type SegmentFile = { readonly first: number; readonly bytes: number; readonly leafBytes: number }

export const segmentPath = (dir: string, first: number): string => join(dir, 'seg', segmentName(first) + '.seg')
export const leafPath = (dir: string, first: number): string => join(dir, 'seg', segmentName(first) + '.l0')
export const markPath = (dir: string): string => join(dir, 'durable')

/** Opens for reading and writing; a new file gets the journal folder's owner and a mode that no umask changes. Throws as openSync does. */
export function openOwned(dir: string, path: string, flags = 0): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | flags, FILE_MODE)
  if (process.getuid?.() === 0) {
    const owner = statSync(dir)
    fchownSync(fd, owner.uid, owner.gid)
    fchmodSync(fd, FILE_MODE)
  }
  return fd
}

/** mkdir -p. Node's own turns for ever where mkdir answers ENOENT though the parent is there, as in /proc. */
export function makeFolder(path: string, mode: number): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent, mode)
  mkdirSync(path, { mode })
}

/** The folder of the segments: owner, group and mode of the journal's own, so that the shipper may read it. */
export function makeSegmentFolder(dir: string): void {
  const path = join(dir, 'seg')
  makeFolder(path, 0o700)
  const { uid, gid, mode } = statSync(dir)
  if (process.getuid?.() === 0) chownSync(path, uid, gid)
  chmodSync(path, mode & 0o777)
}

/** The folder's own entries reach the disk: without it a new file's name may be lost though its bytes were synced (fsync(2)). */
export function syncFolder(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** First indices of the segments, ascending. */
export const listFirsts = (dir: string): number[] =>
  readdirSync(join(dir, 'seg'))
    .map(firstOf)
    .filter((first) => first !== null)
    .sort((a, b) => a - b)

/** Segments in index order. A leaf file whose segment is gone is left over from pruning and not listed. */
export function listSegments(dir: string): SegmentFile[] {
  return listFirsts(dir).flatMap((first) => {
    const bytes = statSync(segmentPath(dir, first), { throwIfNoEntry: false })?.size
    return bytes === undefined ? [] : [{ first, bytes, leafBytes: statSync(leafPath(dir, first), { throwIfNoEntry: false })?.size ?? 0 }]
  })
}

/** The durable mark: null where the file is missing or no mark. */
export function readMark(dir: string): number | null {
  try {
    return decodeMark(readFileSync(markPath(dir)))
  } catch {
    return null
  }
}

/** Null: no such file. A text: what is wrong with it. */
export function readMeta(dir: string): Meta | null | string {
  const path = join(dir, 'meta.json')
  let text: string
  try {
    if (statSync(path).size > META_BYTES_MAX) return 'is far too long'
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    return (error as Error).message
  }
  try {
    const meta: unknown = JSON.parse(text)
    if (typeof meta !== 'object' || meta === null) return 'is no JSON object'
    const { format, journalId, origin } = meta as Record<string, unknown>
    if (format !== META_FORMAT) return `has format ${JSON.stringify(format)}; this Spoor knows ${META_FORMAT}`
    if (typeof journalId !== 'string' || !/^[0-9a-f]{32}$/.test(journalId) || typeof origin !== 'string') return 'lacks its journalId or origin'
    return { journalId, origin }
  } catch {
    return 'is no JSON'
  }
}

/** Makes the journal's name, once: by a rename, so that a crash leaves none or a whole one. */
export function createMeta(dir: string): Meta {
  const journalId = randomBytes(16).toString('hex')
  const meta = { journalId, origin: 'spoor/' + journalId }
  const fresh = join(dir, 'meta.json.new')
  const fd = openOwned(dir, fresh, constants.O_TRUNC)
  try {
    writeSync(fd, JSON.stringify({ format: META_FORMAT, ...meta, createdAt: new Date().toISOString() }, null, 2) + '\n', 0)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(fresh, join(dir, 'meta.json'))
  syncFolder(dir)
  return meta
}

/** Whole hashes in a leaf file; bounded, since a foreign file may have any size. */
export const leavesOf = (leafBytes: number): number => Math.min(Math.floor(leafBytes / LEAF_BYTES), SEGMENT_ENTRIES)
