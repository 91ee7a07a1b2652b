import type { Sock } from '../../src/model/observation.ts'
import { addressText, isMapped } from './address.ts'
import { KIND, SOCK } from './layout.ts'
import type { Batch, Each, Head } from './record.ts'

const IPPROTO_UDP = 17
const AF_INET = 2
const AF_INET6 = 10

export function decodeSock(batch: Batch, { seq, boot, task, at }: Head, type: number, each: Each): boolean {
  const sock = sockAt(batch, at)
  if (sock === null) return false
  const base = { sensor: 'linux-ebpf', seq, boot, task, fidelity: 'exact', sock } as const
  const result = batch.i32[(at + SOCK.sock_result) >> 2]!
  const u64 = (offset: number) => batch.u64[(at + offset) >> 3]!
  if (type === KIND.CONNECT) each({ ...base, kind: 'connect', result })
  else if (type === KIND.ACCEPT) each({ ...base, kind: 'accept', result })
  else if (type === KIND.LISTEN) each({ ...base, kind: 'listen', result })
  else each({ ...base, kind: 'sock.end', tx: u64(SOCK.tx), rx: u64(SOCK.rx), durNs: u64(SOCK.duration_ns), error: result })
  return true
}

function sockAt(batch: Batch, at: number): Sock | null {
  const { bytes } = batch
  const told = batch.u16[(at + SOCK.family) >> 1]!
  if (told !== AF_INET && told !== AF_INET6) return null
  const local = at + SOCK.local
  const peer = at + SOCK.peer
  // Both must be mapped: "any" (::) is the local side of a mapped connection that was never bound, and has no other peer than a mapped one.
  const mapped = told === AF_INET6 && isMapped(bytes, peer)
  const family = mapped ? AF_INET : told
  const address = (from: number) => (mapped ? (isMapped(bytes, from) ? addressText(bytes, from + 12, AF_INET) : '0.0.0.0') : addressText(bytes, from, told))
  return {
    cookie: batch.u64[(at + SOCK.cookie) >> 3]!,
    family,
    protocol: batch.u16[(at + SOCK.protocol) >> 1] === IPPROTO_UDP ? 'udp' : 'tcp',
    local: { address: address(local), port: bytes.readUInt16BE(at + SOCK.local_port) },
    peer: { address: address(peer), port: bytes.readUInt16BE(at + SOCK.peer_port) },
  }
}
