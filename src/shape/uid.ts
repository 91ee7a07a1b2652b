import { hash } from 'node:crypto'
import { recordUid } from '../identity/ids.ts'
import { ULID_LENGTH } from '../identity/ulid.ts'

/** Crockford's base 32 in ASCII. */
const DIGITS = Uint8Array.from(Buffer.from('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 'latin1'))
const TAG = 'spoor/uid/1'
const TWO_32 = 2 ** 32

export type WriteUid = (out: Uint8Array, at: number, index: number, unixMs: number) => void

/**
 * `recordUid` for many entries of one run, written in place: the bytes to hash stand ready and only the index changes, and no string is made
 * (0.35 against 0.8 us; every entry pays it). A test holds the two together.
 */
export function createUidWriter(journalId: string, runId: string): WriteUid {
  const input = Buffer.concat([Buffer.from(TAG + '\0', 'latin1'), part(journalId), part(runId), Buffer.from([0, 0, 0, 8]), Buffer.alloc(8)])
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  const indexAt = input.length - 8
  return (out, at, index, unixMs) => {
    if (unixMs < 0 || unixMs >= 2 ** 48) {
      const text = recordUid(journalId, runId, index, unixMs)
      for (let i = 0; i < ULID_LENGTH; i++) out[at + i] = text.charCodeAt(i)
      return
    }
    view.setUint32(indexAt, Math.floor(index / TWO_32))
    view.setUint32(indexAt + 4, index >>> 0)
    const bytes = hash('sha256', input, 'latin1')
    let high = Math.floor(unixMs / 2 ** 25)
    let low = unixMs % 2 ** 25
    for (let i = 4; i >= 0; i--) {
      out[at + i] = DIGITS[high & 31]!
      out[at + 5 + i] = DIGITS[low & 31]!
      high >>>= 5
      low >>>= 5
    }
    let bits = 0
    let held = 0
    let to = at + 10
    for (let i = 0; i < 10; i++) {
      held = ((held << 8) | bytes.charCodeAt(i)) & 0xffff
      bits += 8
      while (bits >= 5) {
        bits -= 5
        out[to++] = DIGITS[(held >> bits) & 31]!
      }
    }
  }
}

function part(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
