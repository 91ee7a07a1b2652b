import type { Claim, Unreadable } from '../model/claim.ts'
import { claimOf, stateOf } from './parse.ts'

/** Of one frame's JSON text. A claim with its longest command, all of it characters that JSON writes as six, is 100 KiB. */
export const FRAME_MAX = 256 * 1024
const HEADER = 4

/** The file that claims came from, and where its next unread line begins: what a restarted intake is told, so that nothing is read twice. */
export type FilePosition = { readonly path: string; readonly dev: number; readonly ino: number; readonly next: number }
export type IntakeCounters = {
  readonly lines: number
  readonly bytes: number
  readonly claims: number
  readonly files: number
  /** Bytes that stand in followed files and have not been read yet. */
  readonly behind: number
  readonly unreadable: Readonly<Partial<Record<Unreadable, number>>>
}
export type IntakeFrame =
  /** Ready: all is imported, rights are given up. */
  | { readonly type: 'hello'; readonly pid: number; readonly uid: number }
  | { readonly type: 'claims'; readonly file: FilePosition; readonly claims: readonly Claim[] }
  /** At least every `ALIVE_MS`: no sign of life means stuck. Counters are totals since this intake started. */
  | { readonly type: 'alive'; readonly counters: IntakeCounters }

export const ALIVE_MS = 5_000

/** `{u32be length}{JSON}`. Null: longer than a frame may be. 64-bit times are decimal strings. */
export function encodeFrame(frame: IntakeFrame): Buffer | null {
  const json = JSON.stringify(frame, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
  const length = Buffer.byteLength(json)
  if (length > FRAME_MAX) return null
  const bytes = Buffer.allocUnsafe(HEADER + length)
  bytes.writeUInt32BE(length, 0)
  bytes.write(json, HEADER)
  return bytes
}

/**
 * Frames out of whatever pieces a pipe gives. What is no frame is counted and left out; a length beyond `FRAME_MAX` ends the stream, since what follows can no longer
 * be told apart (`broken`). The writer runs as the user: nothing it sends is taken as it is. Never throws.
 */
export function createFrameReader(each: (frame: IntakeFrame) => void): { push(chunk: Buffer): void; readonly malformed: number; readonly broken: boolean } {
  let pieces: Buffer[] = []
  let held = 0
  let malformed = 0
  let broken = false
  function take(bytes: Buffer): void {
    const frame = parseFrame(bytes)
    if (frame === null) malformed++
    else each(frame)
  }
  return {
    push(chunk) {
      if (broken) return
      pieces.push(chunk)
      held += chunk.length
      // Joined only once a frame is whole: many small pieces of a large frame are not copied again and again.
      while (held >= HEADER) {
        if (pieces[0]!.length < HEADER) pieces = [Buffer.concat(pieces)]
        const length = pieces[0]!.readUInt32BE(0)
        if (length > FRAME_MAX) {
          broken = true
          pieces = []
          return
        }
        if (held < HEADER + length) return
        const all = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
        take(all.subarray(HEADER, HEADER + length))
        held = all.length - HEADER - length
        pieces = held === 0 ? [] : [all.subarray(HEADER + length)]
      }
    },
    get malformed() {
      return malformed
    },
    get broken() {
      return broken
    },
  }
}

function parseFrame(bytes: Buffer): IntakeFrame | null {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
  return stateOf(value, claimOf)
}
