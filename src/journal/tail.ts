import { hash } from 'node:crypto'
import { closeSync, fdatasync, readSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { leafPath, openOwned, segmentPath } from './files.ts'
import { LEAF_BYTES, PREFIX_BYTES } from './format.ts'
import type { Segment } from './recover.ts'

/** What one write(2) takes at ordinary load; it fills in some 10 ms at 50,000 entries/s. */
const PENDING_BYTES = 256 * 1024
const LEAVES_BYTES = PENDING_BYTES / 8
/** What waits in memory while the disk takes nothing (10 s of a busy agent); beyond it entries are counted as lost. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024

const datasync = promisify(fdatasync)

/** The system calls that a test replaces to have them fail. */
export type Disk = {
  readonly write: (fd: number, bytes: Uint8Array, from: number, length: number, at: number) => number
  readonly datasync: (fd: number) => Promise<void>
}
export const realDisk: Disk = { write: writeSync, datasync }

/** The segment that grows: entries wait in memory, leave by one write(2) per file, and reach the disk by `sync`. */
export class Tail {
  readonly segment: Segment
  /** Entries whose bytes are in the file; `segment.end` counts the waiting ones too. */
  written: number
  readonly #dir: string
  readonly #disk: Disk
  #fd = -1
  #leafFd = -1
  #pending = Buffer.allocUnsafeSlow(PENDING_BYTES)
  #used = 0
  #out = 0
  #leaves = Buffer.allocUnsafeSlow(LEAVES_BYTES)
  #leavesUsed = 0
  #leavesOut = 0
  /** Bytes in the two files; the parts before `#synced` and `#leavesSynced` are on the disk. */
  #size: number
  #leafSize: number
  #synced: number
  #leavesSynced: number
  #suspect = false

  constructor(dir: string, segment: Segment, disk: Disk) {
    this.#dir = dir
    this.#disk = disk
    this.segment = segment
    this.written = segment.end
    this.#size = segment.bytes
    this.#leafSize = segment.leafBytes
    // Not known: an earlier process may have written without syncing.
    this.#synced = -1
    this.#leavesSynced = -1
  }

  /** Takes one entry, or answers false when no more fits: then flush, and `grow` where that failed. */
  add(entry: Uint8Array): boolean {
    const at = this.#used
    const end = at + PREFIX_BYTES + entry.length
    const pending = this.#pending
    if (end > pending.length || this.#leavesUsed === this.#leaves.length) return false
    pending.set(entry, at + PREFIX_BYTES)
    // The byte before the record is the zero of SHA-256(0x00 || record) until it becomes the low byte of the length: nothing is copied to hash it.
    pending[at + 1] = 0
    this.#leaves.write(hash('sha256', pending.subarray(at + 1, end), 'latin1'), this.#leavesUsed, 'latin1')
    pending[at] = entry.length >> 8
    pending[at + 1] = entry.length
    this.#used = end
    this.#leavesUsed += LEAF_BYTES
    const segment = this.segment
    segment.end++
    segment.bytes += PREFIX_BYTES + entry.length
    segment.leafBytes += LEAF_BYTES
    return true
  }

  /** False: the bound is reached. */
  grow(): boolean {
    if (this.#pending.length >= PENDING_BYTES_MAX) return false
    const pending = Buffer.allocUnsafeSlow(this.#pending.length * 2)
    pending.set(this.#pending.subarray(0, this.#used))
    const leaves = Buffer.allocUnsafeSlow(this.#leaves.length * 2)
    leaves.set(this.#leaves.subarray(0, this.#leavesUsed))
    this.#pending = pending
    this.#leaves = leaves
    return true
  }

  get waiting(): number {
    return this.segment.end - this.written
  }

  /** Writes what waits. Throws what the system answered; what was written by then is remembered, and the next call goes on behind it. */
  flush(): void {
    if (this.waiting === 0) return
    this.open()
    // Hashes first: after a crash a whole entry then always has its hash, and what has none is the tear.
    while (this.#leavesOut < this.#leavesUsed) {
      const wrote = this.#disk.write(this.#leafFd, this.#leaves, this.#leavesOut, this.#leavesUsed - this.#leavesOut, this.#leafSize)
      this.#leavesOut += wrote
      this.#leafSize += wrote
    }
    while (this.#out < this.#used) {
      const wrote = this.#disk.write(this.#fd, this.#pending, this.#out, this.#used - this.#out, this.#size)
      this.#out += wrote
      this.#size += wrote
    }
    this.written = this.segment.end
    this.#used = this.#out = this.#leavesUsed = this.#leavesOut = 0
    if (this.#pending.length > PENDING_BYTES) {
      this.#pending = Buffer.allocUnsafeSlow(PENDING_BYTES)
      this.#leaves = Buffer.allocUnsafeSlow(LEAVES_BYTES)
    }
  }

  /** Opens (makes) both files. */
  open(): void {
    if (this.#leafFd < 0) this.#leafFd = openOwned(this.#dir, leafPath(this.#dir, this.segment.first))
    if (this.#fd < 0) this.#fd = openOwned(this.#dir, segmentPath(this.#dir, this.segment.first))
  }

  /** Brings what is written to the disk, off-thread. Rejects where the disk failed. */
  async sync(): Promise<void> {
    if (this.#fd < 0) return
    const size = this.#size
    const leafSize = this.#leafSize
    if (size === this.#synced && leafSize === this.#leavesSynced) return
    if (this.#suspect) {
      this.#rewrite(this.#leafFd, Math.max(this.#leavesSynced, 0), leafSize)
      this.#rewrite(this.#fd, Math.max(this.#synced, 0), size)
    }
    this.#suspect = true
    await Promise.all([this.#disk.datasync(this.#leafFd), this.#disk.datasync(this.#fd)])
    this.#suspect = false
    this.#synced = size
    this.#leavesSynced = leafSize
  }

  /**
   * After a failed fdatasync the kernel holds the pages for clean, and the next fdatasync succeeds without having written them
   * (https://lwn.net/Articles/752063/): they are made dirty again by writing what they hold.
   */
  #rewrite(fd: number, from: number, to: number): void {
    const chunk = Buffer.allocUnsafe(Math.min(PENDING_BYTES, Math.max(to - from, 1)))
    for (let at = from; at < to; ) {
      const got = readSync(fd, chunk, 0, Math.min(chunk.length, to - at), at)
      if (got === 0) throw new Error('the segment became shorter')
      for (let out = 0; out < got; ) out += this.#disk.write(fd, chunk, out, got - out, at + out)
      at += got
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd)
    if (this.#leafFd >= 0) closeSync(this.#leafFd)
    this.#fd = this.#leafFd = -1
  }
}
