import type { BatchSink } from '../../src/model/sensor.ts'
import { type Failed, type Koffi, koffi, libc, PROT_READ, PROT_WRITE } from './libc.ts'

/** One batch at most: bounds what the observer writes ahead and reduces before the kernel gets its room back. A single record is always smaller. */
export const BATCH_BYTES = 256 * 1024
/** While there is something, look every so often: the kernel wakes the reader only after it had caught up, so this bounds the wake-ups (facts: 2.4 % of a core at 50,000 events/s). */
export const DRAIN_MS = 5
/** More than this share of the ring waiting: read on at once (after other work of the loop), not after DRAIN_MS. */
const URGENT = 1 / 8

/** Kernel: struct bpf_ringbuf_hdr. The length's two highest bits say "not yet submitted" and "discarded". */
const HEADER_BYTES = 8
const BUSY = 1 << 31
const LENGTH = 0x3fff_ffff

export type Ring = {
  /** Where the next batch begins. */
  position(): bigint
  /** Bytes between the reader and the writers. */
  waiting(): number
  /** Delivers what is there now (at most a ring full), batch by batch. Within `sink.batch` it does nothing. */
  drain(): void
  /** From here on batches come by themselves. */
  start(): void
  /** Ends that and unmaps the ring: a batch's bytes must not be touched any more. */
  close(): void
}

/**
 * Maps a BPF ring buffer and reads it in place. The reader's position moves after `sink.batch` has returned; where it throws, the position stays,
 * the error goes up as any exception does, and reading by itself ends (it would throw again for ever); `drain` tries again.
 */
export function openRing(fd: number, ringBytes: number, sink: BatchSink): { readonly ok: true; readonly ring: Ring } | Failed {
  const os = libc()
  const k = koffi()
  const page = os.pageSize()
  const consumerMap = os.map(fd, 0, page, PROT_READ | PROT_WRITE)
  if (!consumerMap.ok) return consumerMap
  // The kernel maps the data twice, one after the other: a record that wraps is one piece of memory.
  const dataBytes = page + 2 * ringBytes
  const dataMap = os.map(fd, page, dataBytes, PROT_READ)
  if (!dataMap.ok) {
    os.unmap(consumerMap.at, page)
    return dataMap
  }
  const consumerAt = new BigUint64Array(k.view(consumerMap.at, 8))
  const view = k.view(dataMap.at, dataBytes)
  const producerAt = new BigUint64Array(view, 0, 1)
  const headers = new Int32Array(view, page)
  const data = new Uint8Array(view, page)

  // A position is exact as a number up to 2^53 bytes: 28 years at 10 MB/s.
  let consumer = Number(Atomics.load(consumerAt, 0))
  let delivering = false
  let halted = false
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let immediate: NodeJS.Immediate | undefined

  const produced = () => Number(Atomics.load(producerAt, 0))

  /** Bytes of submitted records from the reader on: at most BATCH_BYTES, never past `end`. */
  function submitted(end: number): number {
    const from = consumer % ringBytes
    const available = end - consumer
    let bytes = 0
    while (bytes < available) {
      const header = Atomics.load(headers, (from + bytes) >> 2)
      if ((header & BUSY) !== 0) break
      const record = (HEADER_BYTES + (header & LENGTH) + 7) & ~7
      if (bytes + record > BATCH_BYTES && bytes > 0) break
      bytes += record
    }
    return bytes
  }

  /** Returns false where it stopped at a record that a writer has not submitted yet. */
  function deliver(): boolean {
    const end = produced()
    delivering = true
    try {
      while (consumer < end) {
        const bytes = submitted(end)
        if (bytes === 0) return false
        const from = consumer % ringBytes
        sink.batch(data.subarray(from, from + bytes), BigInt(consumer))
        consumer += bytes
        Atomics.store(consumerAt, 0, BigInt(consumer))
      }
      return true
    } finally {
      delivering = false
    }
  }

  // koffi's poll handle is libuv's own: no thread, no wake-up while idle. It is level-triggered, hence stopped while the timer reads.
  // It calls outside of Node's callback scope (an exception would get lost, promises would not run), so the work is done from an immediate.
  let poll: ReturnType<Koffi['node']['poll']> | undefined
  const readable = () => {
    poll?.stop()
    immediate = setImmediate(pump)
  }
  function arm() {
    if (poll === undefined) poll = k.node.poll(fd, { readable: true }, readable)
    else poll.start({ readable: true }, readable)
  }

  function pump() {
    if (closed || halted) return
    const before = consumer
    // Cleared at the end only: an exception of the sink ends the pump.
    halted = true
    deliver()
    halted = false
    if (closed) return
    const left = produced() - consumer
    if (left > ringBytes * URGENT) immediate = setImmediate(pump)
    else if (left > 0 || consumer > before) timer = setTimeout(pump, DRAIN_MS)
    else arm()
  }

  const ring: Ring = {
    position: () => BigInt(consumer),
    waiting: () => (closed ? 0 : produced() - consumer),
    drain() {
      if (closed || delivering) return
      deliver()
      if (halted && poll !== undefined) {
        halted = false
        pump()
      }
    },
    start: arm,
    close() {
      if (closed) return
      closed = true
      poll?.close()
      clearTimeout(timer)
      clearImmediate(immediate)
      os.unmap(consumerMap.at, page)
      os.unmap(dataMap.at, dataBytes)
    },
  }
  return { ok: true, ring }
}
