/** Address text of `bytes` at `at`: 4 bytes for family 2, 16 for 10 (RFC 5952 form). */
export function addressText(bytes: Uint8Array, at: number, family: 2 | 10): string {
  return family === 2 ? `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` : ipv6(bytes, at)
}

/** ::ffff:a.b.c.d: an IPv4 connection of an IPv6 socket. */
export function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff
}

function ipv6(bytes: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[at + 2 * i]! << 8) | bytes[at + 2 * i + 1]!)
  // The first of the longest runs of two or more zero groups becomes '::'.
  let from = -1
  let longest = 1
  for (let i = 0; i < 8; i++) {
    let run = 0
    while (i + run < 8 && groups[i + run] === 0) run++
    if (run > longest) {
      from = i
      longest = run
    }
    i += run
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':')
  return from < 0 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + longest))}`
}
