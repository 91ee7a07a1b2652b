/**
 * Text as the kernel gave it, with no encoding assumed: a string in which every char code (0-255) is one byte.
 * It is as cheap as any string to slice, compare and key a map by; UTF-8 is decoded at stage 5 only (`decodeUtf8`).
 */
export type Bytes = string & { readonly __bytes: true }

/** The bytes of a JavaScript string, as UTF-8. */
export const bytesOf = (text: string): Bytes => Buffer.from(text, 'utf8').toString('latin1') as Bytes

/** Decodes as UTF-8. `lossy` is true where a byte sequence was invalid and became U+FFFD. */
export function decodeUtf8(bytes: Bytes): { readonly text: string; readonly lossy: boolean } {
  let ascii = true
  for (let i = 0; i < bytes.length; i++) {
    if (bytes.charCodeAt(i) > 0x7f) {
      ascii = false
      break
    }
  }
  if (ascii) return { text: bytes, lossy: false }
  const raw = Buffer.from(bytes, 'latin1')
  const text = raw.toString('utf8')
  return { text, lossy: text.includes('\ufffd') && !raw.equals(Buffer.from(text, 'utf8')) }
}

/** Head and tail of something longer than the sensor's bound; `total` is its true length (bytes, or items for a list). */
export type Clip<T> = { readonly head: T; readonly tail?: T; readonly total: number }
