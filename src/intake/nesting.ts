/** Deepest nesting parsed. Real records have about 12. */
export const DEPTH_MAX = 64

/**
 * Whether a JSON text nests deeper than `DEPTH_MAX`, without parsing it: a line of a million brackets would cost some 60 MB as objects.
 * Brackets in strings are skipped; in a text that is no JSON the answer does not matter.
 */
export function tooDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let quoted = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (quoted) {
      if (byte === 0x5c) at++
      else if (byte === 0x22) quoted = false
    } else if (byte === 0x22) quoted = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > DEPTH_MAX) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}
