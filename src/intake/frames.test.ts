import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Claim } from '../model/claim.ts'
import { createFrameReader, encodeFrame, FRAME_MAX, type IntakeFrame } from './frames.ts'

const base = { source: 's', agent: 'a', conversation: 'c', at: 1_795_168_532_928_000_000n, order: 7, id: 'i' }
const CLAIMS: readonly Claim[] = [
  { ...base, kind: 'prompt', sha256: 'a'.repeat(64), length: 3, turnId: 't' },
  {
    ...base,
    at: null,
    kind: 'tool_call',
    tool: 'Bash',
    command: { head: 'a\u0000\ud800', tail: 'z', total: 20_000 },
    program: false,
    paths: ['/x'],
    cwd: '/w',
    inputSha256: 'b'.repeat(64),
    parentId: null,
    turnId: null,
  },
  { ...base, kind: 'tool_result', ok: null, exitCode: -1, bytes: null, running: true, turnId: null },
  { ...base, kind: 'decision', decision: 'accept', by: 'config', reason: null },
  { ...base, kind: 'mode', mode: 'm', turnId: null },
  { ...base, kind: 'model', model: 'm', turnId: null },
  { ...base, kind: 'end', scope: 'turn', reason: 'r', turnId: null },
  { ...base, kind: 'registry', pid: 1, startTicks: 2, pidNamespace: 3, cwd: null, version: null },
]
const FRAMES: readonly IntakeFrame[] = [
  { type: 'hello', pid: 1, uid: 0 },
  { type: 'claims', file: { path: '/f', dev: 1, ino: 2, next: 3 }, claims: CLAIMS },
  { type: 'alive', counters: { lines: 1, bytes: 2, claims: 3, files: 4, behind: 5, unreadable: { not_json: 6 } } },
]

function read(chunks: readonly Buffer[]): { frames: IntakeFrame[]; malformed: number; broken: boolean } {
  const frames: IntakeFrame[] = []
  const reader = createFrameReader((frame) => frames.push(frame))
  for (const chunk of chunks) reader.push(chunk)
  return { frames, malformed: reader.malformed, broken: reader.broken }
}
const raw = (json: string): Buffer => {
  const bytes = Buffer.from(json)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(bytes.length)
  return Buffer.concat([head, bytes])
}

test('frames come out as they went in, however the pipe cuts them', () => {
  const bytes = Buffer.concat(FRAMES.map((frame) => encodeFrame(frame)!))
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sizes) => {
      const chunks: Buffer[] = []
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = sizes[turn % sizes.length]!
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      assert.deepEqual(read(chunks), { frames: FRAMES, malformed: 0, broken: false })
    }),
  )
})

test('what is no frame is counted and left out, and never throws', () => {
  fc.assert(fc.property(fc.json(), (json) => assert.equal(read([raw(json)]).malformed + read([raw(json)]).frames.length, 1)))
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => void read(chunks.map((chunk) => Buffer.from(chunk)))))
  assert.deepEqual(read([raw('{'), encodeFrame(FRAMES[0]!)!]), { frames: [FRAMES[0]], malformed: 1, broken: false })
})

test('a length beyond the bound ends the stream before anything of it is held', () => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(FRAME_MAX + 1)
  assert.deepEqual(read([head, encodeFrame(FRAMES[0]!)!]), { frames: [], malformed: 0, broken: true })
  assert.equal(encodeFrame({ type: 'claims', file: { path: '/f', dev: 1, ino: 2, next: 3 }, claims: Array.from({ length: 4000 }, () => CLAIMS[0]!) }), null)
})

test('each bound of a claim is checked again by the reader', () => {
  const call = CLAIMS[1]!
  const bad: readonly object[] = [
    { ...call, id: 'x'.repeat(257) },
    { ...call, id: '' },
    { ...call, kind: 'other' },
    { ...call, paths: Array.from({ length: 17 }, () => '/x') },
    { ...call, paths: ['x'.repeat(4097)] },
    { ...call, command: { head: 'x'.repeat(17 * 1024), total: 1 } },
    { ...call, command: 'ls' },
    { ...call, inputSha256: 'x' },
    { ...call, order: -1 },
    { ...call, order: 0.5 },
    { ...call, at: 12 },
    { ...call, at: '1'.repeat(21) },
    { ...call, program: 'yes' },
    { ...CLAIMS[7], pid: '1' },
    { ...CLAIMS[6], scope: 'all' },
  ]
  for (const claim of bad) {
    const frame = { type: 'claims', file: { path: '/f', dev: 1, ino: 2, next: 3 }, claims: [claim] }
    const json = JSON.stringify(frame, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
    assert.deepEqual(read([raw(json)]), { frames: [], malformed: 1, broken: false }, json.slice(0, 200))
  }
  // Fields that are none of ours do not come through.
  const { frames } = read([raw(JSON.stringify({ type: 'hello', pid: 1, uid: 2, __proto__x: 1, extra: {} }))])
  assert.deepEqual(frames, [{ type: 'hello', pid: 1, uid: 2 }])
})
