import { decodeChange } from './decode-change.ts'
import { decodeExec } from './decode-exec.ts'
import { decodeSock } from './decode-sock.ts'
import { CHANGE_BYTES, EXEC_BYTES, EXIT, EXIT_BYTES, FLAG, FORK, FORK_BYTES, HEADER, HEADER_BYTES, KIND, OPEN, OPEN_BYTES, SOCK_BYTES } from './layout.ts'
import { joinPath } from './paths.ts'
import { type Batch, type Each, fileRef, type Head, type Latin1, small, text } from './record.ts'

/** The kernel's struct bpf_ringbuf_hdr before each record: u32 length, whose highest bits say busy and discarded, u32 unused. */
const RING_HEADER = 8
const BUSY = 0x8000_0000
const DISCARDED = 0x4000_0000
const LENGTH = 0x3fff_ffff

/**
 * The observations in bytes of the ring, in order. Returns the number of records that are not as layout.ts says. Never throws, whatever the bytes are
 * (`each` may): a record that contradicts itself is skipped; one whose length in the ring cannot be is the batch's last, as nothing says where the next begins.
 */
export function decodeBatch(bytes: Uint8Array, position: bigint, each: Each): number {
  const batch = openBatch(bytes, position)
  const end = batch.u64.length * 8
  let malformed = end === bytes.length ? 0 : 1
  let at = 0
  while (at < end) {
    const word = batch.u32[at >> 2]!
    const length = word & LENGTH
    const next = at + ((RING_HEADER + length + 7) & ~7)
    if ((word & BUSY) !== 0 || next > end) return malformed + 1
    if ((word & DISCARDED) === 0 && !decodeRecord(batch, at + RING_HEADER, length, each)) malformed++
    at = next
  }
  return malformed
}

function openBatch(bytes: Uint8Array, position: bigint): Batch {
  // Wide typed arrays want aligned memory. The ring's is; a replayed copy may not be.
  const { buffer, byteOffset, length } = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
  const words = length >> 3
  return {
    bytes: Buffer.from(buffer, byteOffset, length) as Latin1,
    u16: new Uint16Array(buffer, byteOffset, words * 4),
    i32: new Int32Array(buffer, byteOffset, words * 2),
    u32: new Uint32Array(buffer, byteOffset, words * 2),
    u64: new BigUint64Array(buffer, byteOffset, words),
    position,
    task: { pid: 0, tid: 0, startTicks: 0 },
  }
}

/** Least size of each kind's record, by its number; 0 = there is no such kind. */
const LEAST = [0, FORK_BYTES, EXEC_BYTES, EXIT_BYTES, OPEN_BYTES, CHANGE_BYTES, SOCK_BYTES, SOCK_BYTES, SOCK_BYTES, SOCK_BYTES]

function decodeRecord(batch: Batch, at: number, length: number, each: Each): boolean {
  if (length < HEADER_BYTES) return false
  const type = batch.u16[(at + HEADER.type) >> 1]!
  const least = LEAST[type] ?? 0
  if (least === 0 || length < least || batch.u32[(at + HEADER.size) >> 2]! !== length) return false
  const head: Head = {
    seq: batch.position + BigInt(at - RING_HEADER),
    boot: batch.u64[(at + HEADER.boot_ns) >> 3]!,
    task: taskAt(batch, at),
    flags: batch.u16[(at + HEADER.flags) >> 1]!,
    at,
    end: at + length,
  }
  switch (type) {
    case KIND.OPEN:
      return decodeOpen(batch, head, each)
    case KIND.FORK:
      return decodeFork(batch, head, each)
    case KIND.EXEC:
      return decodeExec(batch, head, each)
    case KIND.EXIT:
      return decodeExit(batch, head, each)
    case KIND.CHANGE:
      return decodeChange(batch, head, each)
    default:
      return decodeSock(batch, head, type, each)
  }
}

function taskAt(batch: Batch, at: number) {
  const pid = batch.u32[(at + HEADER.tgid) >> 2]!
  const tid = batch.u32[(at + HEADER.tid) >> 2]!
  const startTicks = small(batch, at + HEADER.start_ticks)
  const { task } = batch
  if (task.tid === tid && task.pid === pid && task.startTicks === startTicks) return task
  return (batch.task = { pid, tid, startTicks })
}

function decodeOpen(batch: Batch, { seq, boot, task, flags, at, end }: Head, each: Each): boolean {
  const baseBytes = batch.u16[(at + OPEN.base_len) >> 1]!
  const nameBytes = batch.u16[(at + OPEN.name_len) >> 1]!
  const from = end - nameBytes - baseBytes
  if (from < at + OPEN_BYTES) return false
  const base = text(batch, from, end - nameBytes)
  const path = (flags & FLAG.EXACT) !== 0 ? base : joinPath(base, text(batch, end - nameBytes, end))
  const access = flags & (FLAG.READ | FLAG.WRITE)
  each({
    sensor: 'linux-ebpf',
    seq,
    boot,
    task,
    fidelity: 'exact',
    kind: 'open',
    file: fileRef(path, flags, batch.u32[(at + OPEN.dev) >> 2]!, batch.u64[(at + OPEN.ino) >> 3]!),
    access: access === FLAG.WRITE ? 'write' : access === (FLAG.READ | FLAG.WRITE) ? 'read_write' : 'read',
    created: (flags & FLAG.CREATED) !== 0,
    truncated: (flags & FLAG.TRUNCATED) !== 0,
    result: batch.i32[(at + OPEN.result) >> 2]!,
    count: batch.u32[(at + OPEN.count) >> 2]!,
    repeats: (flags & FLAG.REPEATS) !== 0,
  })
  return true
}

function decodeFork(batch: Batch, { seq, boot, task, at }: Head, each: Each): boolean {
  const pid = batch.u32[(at + FORK.child_tgid) >> 2]!
  each({ sensor: 'linux-ebpf', seq, boot, task, fidelity: 'exact', kind: 'fork', child: { pid, tid: pid, startTicks: small(batch, at + FORK.child_start_ticks) } })
  return true
}

function decodeExit(batch: Batch, { seq, boot, task, flags, at }: Head, each: Each): boolean {
  const status = batch.u32[(at + EXIT.status) >> 2]!
  each({
    sensor: 'linux-ebpf',
    seq,
    boot,
    task,
    fidelity: 'exact',
    kind: 'exit',
    code: (status >>> 8) & 0xff,
    signal: status & 0x7f,
    coreDumped: (flags & FLAG.CORE) !== 0,
    cpuNs: batch.u64[(at + EXIT.cpu_ns) >> 3]!,
  })
  return true
}
