import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Kind, Observation, ObservationOf } from '../../src/model/observation.ts'
import { decodeBatch } from './decode.ts'
import { FLAG, HEADER, KIND, OPEN, OPEN_BYTES } from './layout.ts'

const FIXTURES = join(import.meta.dirname, 'fixtures')
const names = readdirSync(FIXTURES).filter((name) => name.endsWith('.ring'))

/** What the kernel wrote into its ring once (fixtures/capture.ts). */
function fixture(name: string) {
  const file = readFileSync(join(FIXTURES, `${name}.ring`))
  return { position: file.readBigUInt64LE(0), bytes: new Uint8Array(file.subarray(8)) }
}

function decode(bytes: Uint8Array, position = 0n) {
  const all: Observation[] = []
  const malformed = decodeBatch(bytes, position, (o) => all.push(o))
  const of = <K extends Kind>(kind: K) => all.filter((o): o is ObservationOf<K> => o.kind === kind)
  return { all, malformed, of }
}

const captured = (name: string) => {
  const { bytes, position } = fixture(name)
  const decoded = decode(bytes, position)
  assert.equal(decoded.malformed, 0)
  return decoded
}

/** Begin of each record in a batch. */
function records(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const starts: number[] = []
  for (let at = 0; at < bytes.length; at += (8 + (view.getUint32(at, true) & 0x3fff_ffff) + 7) & ~7) starts.push(at)
  return starts
}

test('changes: paths are joined and folded, what has a descriptor is exact', () => {
  const { of } = captured('changes')
  const rename = of('change').filter((o) => o.op === 'rename')
  assert.deepEqual(
    rename.map((o) => [o.file.path, o.target!.path, o.file.exact, o.target!.exact, o.result]),
    [
      ['/tmp/spoor-fixture/a', '/tmp/spoor-fixture/sub/b', false, false, 0],
      ['/tmp/spoor-fixture/sub/b', '/tmp/spoor-fixture/sub/c', false, false, 0],
    ],
  )
  const [byDescriptor] = of('change').filter((o) => o.op === 'truncate')
  assert.equal(byDescriptor!.file.exact, true)
  assert.equal(byDescriptor!.file.class, 'regular')
  const created = of('open').find((o) => o.created)!
  assert.deepEqual([byDescriptor!.file.ino, byDescriptor!.file.dev], [created.file.ino, created.file.dev])
  // A symbolic link's text is relative to the link's folder, not to the caller's.
  assert.equal(of('change').find((o) => o.op === 'symlink')!.target!.path, '/tmp/spoor-fixture/outside')
  assert.ok(of('change').some((o) => o.file.path === '/tmp/spoor-fixture/bad\xff\n\x1b'))
  assert.deepEqual(
    of('change')
      .filter((o) => o.result < 0)
      .map((o) => [o.op, o.result]),
    [
      ['unlink', -2],
      ['mkdir', -17],
    ],
  )
})

test('opens: access, failure, deleted and coalesced ones', () => {
  const { of } = captured('opens')
  const at = (path: string) => of('open').filter((o) => o.file.path === `/tmp/spoor-fixture/${path}`)
  assert.deepEqual(
    at('deep/new').map((o) => [o.access, o.created, o.truncated, o.repeats, o.count]),
    [
      ['write', true, false, false, 1],
      ['write', false, true, false, 1],
      ['read', false, false, false, 1],
      ['read_write', false, false, false, 1],
      ['read', false, false, true, 5],
    ],
  )
  assert.deepEqual(
    at('deep/missing').map((o) => [o.result, o.file.exact, o.file.ino, o.file.class]),
    [[-2, false, 0n, 'unknown']],
  )
  assert.deepEqual(
    at('gone').map((o) => o.file.deleted),
    [false, true],
  )
  assert.equal(
    of('open')
      .find((o) => o.file.path.endsWith('/file'))!
      .file.path.split('/').length,
    44,
  )
})

test('sockets: both sides, both families, bytes both ways', () => {
  const { of } = captured('sockets')
  assert.deepEqual(
    of('connect').map((o) => [o.sock.family, o.sock.peer.address, o.sock.protocol, o.result]),
    [
      [2, '127.0.0.1', 'tcp', 0],
      [10, '::1', 'tcp', 0],
      [2, '127.0.0.1', 'tcp', 0],
      [2, '127.0.0.1', 'tcp', -111],
      [10, '::1', 'tcp', -111],
    ],
  )
  assert.deepEqual(
    of('connect')
      .slice(3)
      .map((o) => o.sock.peer.port),
    [9, 9],
  )
  const moved = of('sock.end').map((o) => [Number(o.tx), Number(o.rx)].join('/'))
  assert.deepEqual(moved.sort(), ['10/20', '100000/300', '20/10', '300/100000', '5000/7000', '7000/5000'])
  assert.equal(new Set([...of('connect'), ...of('accept')].map((o) => o.sock.cookie)).size, 8)
})

test('threads and programs: ends, argv, environment', () => {
  const leader = captured('leaderFirst')
  assert.deepEqual(
    leader.of('exit').map((o) => [o.code, o.signal, o.task.pid === o.task.tid]),
    [[3, 0, false]],
  )
  const taken = captured('execFromThread')
  assert.deepEqual(taken.of('exec')[0]!.args, { head: ['echo', 'from another thread'], total: 2 })
  assert.equal(taken.of('exec')[0]!.comm, 'echo')
  const { of } = captured('programs')
  const [long, clean, many] = of('exec')
  assert.equal(long!.args.head[2]!.length, 2048 - '/bin/true\0head\0'.length)
  assert.deepEqual(long!.args.tail!.slice(-2), ['tail', ''])
  assert.equal(long!.args.total, 13)
  assert.deepEqual(clean!.args, { head: ['', 'a', '', 'b'], total: 4 })
  assert.deepEqual(
    clean!.env.map(([name, value]) => `${name}=${value}`),
    ['TRACEPARENT=00-1-2-01', 'CI=yes', 'CLAUDE_CODE_SESSION_ID=s'],
  )
  assert.deepEqual([many!.env.length, many!.envMissed], [0, true])
  assert.deepEqual(
    of('exit').map((o) => [o.code, o.signal]),
    [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 9],
      [7, 0],
      [0, 0],
    ],
  )
})

test('no byte of what a filtered environment holds is in the ring', () => {
  const { bytes } = fixture('programs')
  for (const secret of ['SECRET', 'TRACEPARENTS', 'CIX', 'SIXTEEN_BYTES_AB', 'EMPTY']) assert.equal(Buffer.from(bytes).includes(secret), false, secret)
})

test('sequence numbers are positions in the ring, and rise', () => {
  for (const name of names.map((file) => file.replace('.ring', ''))) {
    const { bytes, position } = fixture(name)
    const { all } = decode(bytes, position)
    assert.deepEqual(
      all.map((o) => o.seq),
      records(bytes).map((at) => position + BigInt(at)),
    )
    assert.ok(
      all.every((o, i) => i === 0 || o.boot >= all[i - 1]!.boot || o.kind === 'open' || o.kind === 'connect'),
      name,
    )
  }
})

test('a copy at any address and a batch in parts decode to the same', () => {
  const { bytes, position } = fixture('programs')
  const whole = decode(bytes, position)
  for (const shift of [1, 4, 7]) {
    const memory = Buffer.alloc(bytes.length + 8)
    memory.set(bytes, shift)
    assert.deepEqual(decode(memory.subarray(shift, shift + bytes.length), position).all, whole.all)
  }
  const parts = records(bytes).flatMap((at, i, all) => decode(bytes.slice(at, all[i + 1] ?? bytes.length), position + BigInt(at)).all)
  assert.deepEqual(parts, whole.all)
})

test('discarded records are passed over; a busy one, or one that reaches beyond the batch, ends it', () => {
  const { bytes } = fixture('changes')
  const starts = records(bytes)
  const with_ = (at: number, change: (word: number) => number) => {
    const copy = bytes.slice()
    const view = new DataView(copy.buffer)
    view.setUint32(at, change(view.getUint32(at, true)) >>> 0, true)
    return decode(copy)
  }
  const all = decode(bytes).all
  const discarded = with_(starts[2]!, (word) => word | 0x4000_0000)
  assert.deepEqual([discarded.malformed, discarded.all], [0, all.toSpliced(2, 1)])
  const busy = with_(starts[2]!, (word) => word | 0x8000_0000)
  assert.deepEqual([busy.malformed, busy.all], [1, all.slice(0, 2)])
  const beyond = with_(starts.at(-1)!, () => 0x3fff_ffff)
  assert.deepEqual([beyond.malformed, beyond.all], [1, all.slice(0, -1)])
})

test('records that contradict themselves are counted, one by one', () => {
  const { bytes } = fixture('opens')
  const starts = records(bytes)
  const view = (copy: Uint8Array) => new DataView(copy.buffer)
  const spoilt = bytes.slice()
  view(spoilt).setUint16(starts[0]! + 8 + HEADER.type, 77, true)
  view(spoilt).setUint32(starts[1]! + 8 + HEADER.size, 9, true)
  const open = decode(bytes).all.findIndex((o) => o.kind === 'open')
  view(spoilt).setUint16(starts[open + 5]! + 8 + OPEN.base_len, 0xffff, true)
  const { malformed, all } = decode(spoilt)
  assert.equal(malformed, 3)
  assert.equal(all.length, starts.length - 3)
})

test('garbage never throws, and what comes out of it is well-formed', () => {
  const whole = (value: unknown) => JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}` : inner === undefined ? assert.fail('undefined') : inner))
  const check = (bytes: Uint8Array) => {
    const { all, malformed } = decode(bytes, 4096n)
    assert.ok(malformed >= 0 && all.length + malformed <= bytes.length / 8 + 1)
    for (const o of all) whole(o)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), check), { numRuns: 500 })
  // Real records with bytes changed, cut anywhere.
  const samples = names.map((name) => fixture(name.replace('.ring', '')).bytes)
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(change, { maxLength: 40 }), fc.nat(), (sample, changes, cut) => {
      const copy = sample.slice(0, sample.length - (cut % 64))
      for (const [at, byte] of changes) copy[at % copy.length] = byte
      check(copy)
    }),
    { numRuns: 500 },
  )
})

test('any open decodes to what was put in', () => {
  const path = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 300 })
  const record = fc.record(
    {
      path,
      pid: fc.nat(),
      startTicks: fc.maxSafeNat(),
      boot: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      ino: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      result: fc.integer(),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (wanted) => {
      const batch = Buffer.concat(
        wanted.map(({ path, pid, startTicks, boot, ino, result }) => {
          const size = OPEN_BYTES + path.length
          const bytes = Buffer.alloc((8 + size + 7) & ~7)
          bytes.writeUInt32LE(size, 0)
          const at = 8
          bytes.writeUInt16LE(KIND.OPEN, at + HEADER.type)
          bytes.writeUInt16LE(FLAG.EXACT | FLAG.READ | (8 << 12), at + HEADER.flags)
          bytes.writeUInt32LE(size, at + HEADER.size)
          bytes.writeBigUInt64LE(boot, at + HEADER.boot_ns)
          bytes.writeUInt32LE(pid, at + HEADER.tgid)
          bytes.writeUInt32LE(pid, at + HEADER.tid)
          bytes.writeBigUInt64LE(BigInt(startTicks), at + HEADER.start_ticks)
          bytes.writeBigUInt64LE(ino, at + OPEN.ino)
          bytes.writeInt32LE(result, at + OPEN.result)
          bytes.writeUInt32LE(1, at + OPEN.count)
          bytes.writeUInt16LE(path.length, at + OPEN.base_len)
          bytes.write(path, at + OPEN_BYTES, 'latin1')
          return bytes
        }),
      )
      const { all, malformed } = decode(new Uint8Array(batch))
      assert.equal(malformed, 0)
      assert.deepEqual(
        all.map((o) => o.kind === 'open' && { path: `${o.file.path}`, pid: o.task.pid, startTicks: o.task.startTicks, boot: o.boot, ino: o.file.ino, result: o.result }),
        wanted,
      )
    }),
  )
})
