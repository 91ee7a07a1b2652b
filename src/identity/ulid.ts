/** Crockford's base 32, as the ULID specification takes it. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const PAIRS: readonly string[] = Array.from({ length: 1024 }, (_, n) => DIGITS[n >> 5]! + DIGITS[n & 31]!)
export const ULID_LENGTH = 26
/** 48 bits. */
const MAX_MS = 2 ** 48 - 1

/** A ULID of `unixMs` (clamped to 48 bits) and the first 10 bytes of `random`, a string with one byte in each char. */
export function ulid(unixMs: number, random: string): string {
  const ms = unixMs > 0 ? Math.min(Math.floor(unixMs), MAX_MS) : 0
  let text = PAIRS[Math.floor(ms / 2 ** 40)]! + PAIRS[Math.floor(ms / 2 ** 30) & 1023]! + PAIRS[Math.floor(ms / 2 ** 20) & 1023]!
  text += PAIRS[Math.floor(ms / 2 ** 10) & 1023]! + PAIRS[ms % 1024]!
  for (let at = 0; at < 10; at += 5) {
    // 5 bytes are 40 bits are 4 pairs of digits.
    const a = random.charCodeAt(at)
    const b = random.charCodeAt(at + 1)
    const c = random.charCodeAt(at + 2)
    const d = random.charCodeAt(at + 3)
    const e = random.charCodeAt(at + 4)
    text += PAIRS[(a << 2) | (b >> 6)]! + PAIRS[((b & 63) << 4) | (c >> 4)]! + PAIRS[((c & 15) << 6) | (d >> 2)]! + PAIRS[((d & 3) << 8) | e]!
  }
  return text
}

/** The time in a ULID, or null where the text is none. */
export function ulidMs(text: string): number | null {
  if (text.length !== ULID_LENGTH || text.charCodeAt(0) > 0x37) return null
  let ms = 0
  for (let i = 0; i < ULID_LENGTH; i++) {
    const digit = DIGITS.indexOf(text[i]!)
    if (digit < 0) return null
    if (i < 10) ms = ms * 32 + digit
  }
  return ms
}
