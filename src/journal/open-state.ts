import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, renameSync, rmSync, writeSync, writevSync } from 'node:fs'
import { crc32 } from 'node:zlib'

/** `{u32be length, u32be kind, u32be crc32 of those eight bytes and the chunks}`, then the chunks. */
const HEAD_BYTES = 12
/** A snapshot of 65,536 processes is some 30 MB; a longer frame is none of ours. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024
/** The kind of the frame that a rotation begins the file with. */
export const SNAPSHOT = 0
/** It holds what no entry does: raw command lines and paths. */
const FILE_MODE = 0o600

/** What the end of the file was cut by at open, 0 = nothing. */
export type Replayed = { readonly frames: number; readonly tornBytes: number }

export type OpenState = {
  /** Bytes of the file: the caller rotates when it has grown. */
  readonly bytes: number
  /**
   * Adds one frame by one writev(2): from then on a kill of this process cannot lose it. False: the disk did not take it (nothing of it stays),
   * and `trouble` says why.
   */
  append(kind: number, ...chunks: readonly Uint8Array[]): boolean
  /** Begins anew with a snapshot, atomically: at any moment the file is the old one or the new one. False: the old one goes on. */
  rotate(snapshot: Uint8Array): boolean
  readonly trouble: string | null
  close(): void
}

/**
 * Opens the write-ahead log of the observer and gives each whole frame in it to `replay`, in order; what follows the last whole one is cut.
 * No fsync: it outlives a kill, not a power cut (its boot id tells the caller). Throws only where the file cannot be opened or read.
 */
export function openOpenState(path: string, replay: (kind: number, bytes: Buffer) => void): { readonly state: OpenState; readonly replayed: Replayed } {
  const fresh = path + '.new'
  // Left over where a rotation was killed.
  rmSync(fresh, { force: true, recursive: true })
  const replayed = { frames: 0, tornBytes: 0 }
  let fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE)
  let size = 0
  try {
    const total = fstatSync(fd).size
    for (;;) {
      const frame = readFrame(fd, size, total)
      if (frame === null) break
      size += HEAD_BYTES + frame.bytes.length
      replayed.frames++
      replay(frame.kind, frame.bytes)
    }
    replayed.tornBytes = total - size
    if (replayed.tornBytes > 0) ftruncateSync(fd, size)
  } catch (error) {
    closeSync(fd)
    throw error
  }

  let trouble: string | null = null
  function append(kind: number, ...chunks: readonly Uint8Array[]): boolean {
    const [wrote, why] = writeFrame(fd, size, kind, chunks)
    trouble = why
    if (why === null) {
      size += wrote
      return true
    }
    // Half a frame would hide all later ones from a replay.
    try {
      if (wrote > 0) ftruncateSync(fd, size)
    } catch {
      // The next frame is written over it at the same place.
    }
    return false
  }

  return {
    state: {
      get bytes() {
        return size
      },
      get trouble() {
        return trouble
      },
      append,
      rotate(snapshot) {
        let next = -1
        try {
          next = openSync(fresh, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, FILE_MODE)
          const [wrote, why] = writeFrame(next, 0, SNAPSHOT, [snapshot])
          if (why !== null) throw new Error(why)
          renameSync(fresh, path)
          closeSync(fd)
          fd = next
          size = wrote
          trouble = null
          return true
        } catch (error) {
          if (next >= 0) closeSync(next)
          rmSync(fresh, { force: true, recursive: true })
          trouble = (error as Error).message
          return false
        }
      },
      close: () => closeSync(fd),
    },
    replayed,
  }
}

/** Writes at `at`; on failure the second value says why, and the first how much was written. */
function writeFrame(fd: number, at: number, kind: number, chunks: readonly Uint8Array[]): [wrote: number, why: string | null] {
  const head = Buffer.allocUnsafe(HEAD_BYTES)
  let length = 0
  for (const chunk of chunks) length += chunk.length
  if (length > FRAME_BYTES_MAX) return [0, `a frame of ${length} bytes is over the bound of ${FRAME_BYTES_MAX}`]
  head.writeUInt32BE(length, 0)
  head.writeUInt32BE(kind, 4)
  // Over the head too: else a page of zeroes after a power cut would be a row of empty frames.
  let crc = crc32(head.subarray(0, 8))
  for (const chunk of chunks) crc = crc32(chunk, crc)
  head.writeUInt32BE(crc, 8)
  const total = HEAD_BYTES + length
  let wrote = 0
  try {
    wrote = writevSync(fd, [head, ...chunks], at)
    // Short only where the disk is full or the frame is huge.
    let before = 0
    for (const chunk of [head, ...chunks]) {
      while (wrote < before + chunk.length) wrote += writeSync(fd, chunk, wrote - before, before + chunk.length - wrote, at + wrote)
      before += chunk.length
    }
    return [total, null]
  } catch (error) {
    return [wrote, (error as Error).message]
  }
}

function readFrame(fd: number, at: number, total: number): { readonly kind: number; readonly bytes: Buffer } | null {
  if (at + HEAD_BYTES > total) return null
  const head = readAt(fd, at, HEAD_BYTES)
  const length = head.readUInt32BE(0)
  if (length > FRAME_BYTES_MAX || at + HEAD_BYTES + length > total) return null
  const bytes = readAt(fd, at + HEAD_BYTES, length)
  if (crc32(bytes, crc32(head.subarray(0, 8))) !== head.readUInt32BE(8)) return null
  return { kind: head.readUInt32BE(4), bytes }
}

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let have = 0
  while (have < length) {
    const got = readSync(fd, bytes, have, length - have, at + have)
    if (got === 0) break
    have += got
  }
  return bytes
}
