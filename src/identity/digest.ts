import { hash } from 'node:crypto'

/** Strings are hashed as UTF-8 (our ids as their lower-case hex text), bytes as they are, integers as u64 big-endian. */
export type Part = string | number | bigint | Uint8Array

/** Covers every ordinary derivation; longer input (an agent's own key) takes a buffer of its own. */
const SCRATCH_BYTES = 1024
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

/**
 * H(tag, parts) of SCHEMA.md: SHA-256 over the tag, a zero byte, then each part as u32be length + bytes.
 * The length prefixes make the encoding injective: no two lists of parts share their bytes.
 */
export function digest(tag: string, parts: readonly Part[], encoding: 'hex' | 'latin1' = 'hex'): string {
  let bound = tag.length + 1
  for (const part of parts) bound += 4 + (typeof part === 'string' ? part.length * 3 : typeof part === 'object' ? part.length : 8)
  const into = bound <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(bound)
  let at = into.write(tag, 0, 'latin1')
  into[at++] = 0
  for (const part of parts) {
    if (typeof part === 'string') {
      const length = into.write(part, at + 4, 'utf8')
      into.writeUInt32BE(length, at)
      at += 4 + length
    } else if (typeof part === 'object') {
      into.writeUInt32BE(part.length, at)
      into.set(part, at + 4)
      at += 4 + part.length
    } else {
      into.writeUInt32BE(8, at)
      into.writeBigUInt64BE(BigInt(part), at + 4)
      at += 12
    }
  }
  // A string is three times cheaper to get out of crypto.hash than a Buffer (0.3 against 0.9 us).
  return hash('sha256', into.subarray(0, at), encoding)
}
