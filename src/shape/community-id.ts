import { hash } from 'node:crypto'
import type { Sock } from '../model/observation.ts'

const PROTOCOL = { tcp: 6, udp: 17 } as const
/** Everyone who compares ids must use the same seed; 0 is the default of Zeek, Suricata and others. */
const SEED = [0, 0]

/** Community ID version 1 of a flow (github.com/corelight/community-id-spec), or null where an end of it is not known. */
export function communityId(sock: Sock): string | null {
  const local = addressBytes(sock.local.address)
  const peer = addressBytes(sock.peer.address)
  if (local === null || peer === null || local.length !== peer.length || sock.local.port === 0 || sock.peer.port === 0) return null
  const forward = isOrdered(local, sock.local.port, peer, sock.peer.port)
  const [a, aPort, b, bPort] = forward ? [local, sock.local.port, peer, sock.peer.port] : [peer, sock.peer.port, local, sock.local.port]
  const bytes = Uint8Array.from([...SEED, ...a, ...b, PROTOCOL[sock.protocol], 0, aPort >> 8, aPort & 255, bPort >> 8, bPort & 255])
  return '1:' + hash('sha1', bytes, 'base64')
}

/** The smaller end goes first, so that both directions have one id. */
function isOrdered(a: readonly number[], aPort: number, b: readonly number[], bPort: number): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]!
  return aPort <= bPort
}

/** 4 or 16 bytes of a textual address; null where it is none. */
export function addressBytes(text: string): number[] | null {
  if (!text.includes(':')) return ipv4(text)
  const [head, tail, more] = text.split('::')
  if (more !== undefined || head === undefined) return null
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  if (front === null || back === null) return null
  const missing = 16 - front.length - back.length
  if (tail === undefined ? missing !== 0 : missing < 2) return null
  return [...front, ...new Array<number>(missing).fill(0), ...back]
}

function groups(text: string): number[] | null {
  if (text === '') return []
  const bytes: number[] = []
  for (const group of text.split(':')) {
    if (group.includes('.')) {
      const embedded = ipv4(group)
      if (embedded === null) return null
      bytes.push(...embedded)
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return null
      const n = Number.parseInt(group, 16)
      bytes.push(n >> 8, n & 255)
    }
  }
  return bytes.length <= 16 ? bytes : null
}

function ipv4(text: string): number[] | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  const bytes = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256))
  return bytes.every((n) => n <= 255) ? bytes : null
}
