import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { libc } from './libc.ts'
import { BATCH_BYTES, openRing, type Ring } from './ring.ts'

// A file can stand in for a BPF ring as far as mmap goes: consumer page, producer page, data, data again.
// The kernel maps the data twice; here `put` writes it twice.
const folder = mkdtempSync(join(tmpdir(), 'spoor-ring-'))
after(() => rmSync(folder, { recursive: true }))
const BUSY = 0x8000_0000
const DISCARDED = 0x4000_0000
let files = 0

type Batch = { readonly bytes: Uint8Array; readonly position: bigint }
function fixture(ringBytes: number, start = 0) {
  const page = libc().pageSize()
  const fd = openSync(join(folder, String(files++)), 'w+')
  ftruncateSync(fd, 2 * page + 2 * ringBytes)
  let produced = start
  const setPosition = (at: number, position: number) => writeSync(fd, new Uint8Array(BigUint64Array.of(BigInt(position)).buffer), 0, 8, at)
  const write = (bytes: Uint8Array, position: number) => {
    for (let i = 0; i < bytes.length; i++) {
      const at = (position + i) % ringBytes
      for (const copy of [0, ringBytes]) writeSync(fd, bytes, i, 1, 2 * page + copy + at)
    }
  }
  const header = (position: number, length: number, flags: number) => write(new Uint8Array(Uint32Array.of((length | flags) >>> 0, 0).buffer), position)
  setPosition(0, start)
  setPosition(page, start)
  const batches: Batch[] = []
  let fail: Error | null = null
  let during: (() => void) | null = null
  const opened = openRing(fd, ringBytes, {
    batch(bytes, position) {
      during?.()
      if (fail !== null) throw fail
      batches.push({ bytes: bytes.slice(), position })
    },
  })
  assert.ok(opened.ok)
  const ring: Ring = opened.ring
  return {
    ring,
    batches,
    put(length: number, flags = 0, body: Uint8Array = new Uint8Array(0)): number {
      const at = produced
      header(at, length, flags)
      write(body, at + 8)
      produced += (8 + length + 7) & ~7
      setPosition(page, produced)
      return at
    },
    submit: (at: number, length: number, flags = 0) => header(at, length, flags),
    fail: (error: Error | null) => (fail = error),
    during: (call: (() => void) | null) => (during = call),
    consumer(): bigint {
      const bytes = Buffer.alloc(8)
      readSync(fd, bytes, 0, 8, 0)
      return bytes.readBigUInt64LE()
    },
    end() {
      ring.close()
      closeSync(fd)
    },
  }
}

test('whole records are delivered as they stand, and the reader moves behind them', () => {
  const f = fixture(4096)
  f.put(5, 0, Buffer.from('hello'))
  f.put(3, DISCARDED)
  f.ring.drain()
  assert.equal(f.batches.length, 1)
  assert.equal(f.batches[0]!.bytes.length, 32)
  assert.equal(Buffer.from(f.batches[0]!.bytes).toString('latin1', 8, 13), 'hello')
  assert.equal(f.consumer(), 32n)
  assert.equal(f.ring.position(), 32n)
  assert.equal(f.ring.waiting(), 0)
  f.ring.drain()
  assert.equal(f.batches.length, 1)
  f.end()
})

test('a record that is not submitted yet stops the reader in front of it', () => {
  const f = fixture(4096)
  f.put(8)
  const busy = f.put(16, BUSY)
  f.put(8)
  f.ring.drain()
  assert.deepEqual(
    f.batches.map((b) => b.bytes.length),
    [16],
  )
  assert.equal(f.consumer(), BigInt(busy))
  assert.equal(f.ring.waiting(), 40)
  f.submit(busy, 16)
  f.ring.drain()
  assert.deepEqual(
    f.batches.map((b) => [b.bytes.length, b.position]),
    [
      [16, 0n],
      [40, 16n],
    ],
  )
  f.end()
})

test('a record that wraps is one piece, and positions go on past the size and past 2^32', () => {
  const start = 2 ** 40 + 4096 - 16
  const f = fixture(4096, start)
  f.put(20, 0, Buffer.from('over the edge of it.'))
  f.ring.drain()
  assert.equal(f.batches[0]!.position, BigInt(start))
  assert.equal(Buffer.from(f.batches[0]!.bytes).toString('latin1', 8, 28), 'over the edge of it.')
  assert.equal(f.consumer(), BigInt(start + 32))
  f.end()
})

test('batches are bounded and cut between records', () => {
  const f = fixture(1 << 20)
  const records = 10
  const length = 60_000
  for (let i = 0; i < records; i++) f.put(length)
  f.ring.drain()
  const record = (8 + length + 7) & ~7
  const perBatch = Math.floor(BATCH_BYTES / record)
  assert.deepEqual(
    f.batches.map((b) => b.bytes.length / record),
    [perBatch, perBatch, records - 2 * perBatch],
  )
  assert.equal(f.ring.waiting(), 0)
  f.end()
})

test('where the sink throws the reader does not move, and the same bytes come again', () => {
  const f = fixture(4096)
  f.put(8, 0, Buffer.from('keep me!'))
  f.fail(new Error('disk full'))
  assert.throws(() => f.ring.drain(), /disk full/)
  assert.throws(() => f.ring.drain(), /disk full/)
  assert.equal(f.consumer(), 0n)
  f.fail(null)
  f.ring.drain()
  assert.equal(Buffer.from(f.batches[0]!.bytes).toString('latin1', 8, 16), 'keep me!')
  assert.equal(f.consumer(), 16n)
  f.end()
})

test('within the sink, drain does nothing and the reader has not moved yet', () => {
  const f = fixture(4096)
  f.put(8)
  const seen: Array<readonly [bigint, bigint]> = []
  f.during(() => {
    f.ring.drain()
    seen.push([f.ring.position(), f.consumer()])
  })
  f.ring.drain()
  assert.deepEqual(seen, [[0n, 0n]])
  assert.equal(f.batches.length, 1)
  f.end()
})

test('a descriptor that cannot be mapped is an answer, not an exception', () => {
  const fd = openSync('/dev/null', 'r')
  const opened = openRing(fd, 4096, { batch: () => assert.fail() })
  assert.equal(opened.ok, false)
  assert.match(opened.ok ? '' : opened.message, /mmap/)
  closeSync(fd)
})
