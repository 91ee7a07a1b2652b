import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ProcessId, SessionId, TurnId } from '../model/ids.ts'
import { digest, type Part } from './digest.ts'
import { connectionId, notZero, ownKey, processId, recordUid, STARTUP_KEY, sessionId, spanId, toolCallId, traceIdOfSession, traceIdOfTurn, turnId } from './ids.ts'

const machine = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
const boot = Buffer.from('f0e0d0c0b0a090807060504030201000', 'hex')

/** SCHEMA.md's definition, written a second time and slowly. */
function slowly(tag: string, parts: readonly Part[]): string {
  const hash = createHash('sha256')
    .update(tag)
    .update(Buffer.from([0]))
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : typeof part === 'object' ? part : Buffer.from(BigInt(part).toString(16).padStart(16, '0'), 'hex')
    hash.update(Buffer.from(bytes.length.toString(16).padStart(8, '0'), 'hex')).update(bytes)
  }
  return hash.digest('hex')
}

test('ids are those of the test vectors: they must never change', () => {
  const process = processId(machine, boot, 4242, 123_456)
  const session = sessionId(process)
  const turn = turnId(session, STARTUP_KEY)
  const tool = toolCallId(session, ownKey(process))
  assert.deepEqual(
    {
      process,
      furtherLife: processId(machine, boot, 4242, 123_456, 1),
      session,
      turn,
      tool,
      connection: connectionId(process, boot, 18_446_744_073_709_551_615n),
      traceOfTurn: traceIdOfTurn(turn),
      traceOfSession: traceIdOfSession(session),
      spans: [spanId('session', session), spanId('turn', turn), spanId('tool_call', tool), spanId('process', process)],
      uid: recordUid('0f'.repeat(16), 'f0'.repeat(16), 65_536, 1_700_000_000_123),
    },
    VECTORS,
  )
})

test('a derivation is what its definition says', () => {
  assert.equal(processId(machine, boot, 1, 2), slowly('spoor/process/1', [machine, boot, 1, 2]).slice(0, 32))
  assert.equal(processId(machine, boot, 1, 2, 3), slowly('spoor/process/1', [machine, boot, 1, 2, 3]).slice(0, 32))
  const part = fc.oneof(fc.string({ unit: 'binary' }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(), fc.uint8Array({ maxLength: 2000 }))
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', '/', '1') }), fc.array(part, { maxLength: 6 }), (tag, parts) => digest(tag, parts) === slowly(tag, parts)))
})

test('pid reuse, reboot and another machine make another id; kinds of span do not collide', () => {
  const id = processId(machine, boot, 77, 1000)
  const others = [
    processId(machine, boot, 77, 1001),
    processId(machine, boot, 78, 1000),
    processId(boot, boot, 77, 1000),
    processId(machine, machine, 77, 1000),
    processId(machine, boot, 77, 1000, 1),
  ]
  assert.equal(new Set([id, ...others]).size, 6)
  assert.notEqual(spanId('turn', id), spanId('process', id))
  assert.notEqual(traceIdOfTurn(id as string as TurnId), id as ProcessId as string)
  assert.equal(traceIdOfTurn(id as string as TurnId), traceIdOfSession(id as string as SessionId) as string)
})

test('an id is never all zero', () => {
  assert.equal(notZero('0'.repeat(16)), '0000000000000001')
  assert.equal(notZero('0000000000000010'), '0000000000000010')
})

test('ids are lower-case hex of their width', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (pid, ticks) => {
      const id = processId(machine, boot, pid, ticks)
      assert.match(id, /^[0-9a-f]{32}$/)
      assert.match(spanId('process', id), /^[0-9a-f]{16}$/)
      assert.match(recordUid(id, id, ticks, pid), /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
    }),
  )
})

const VECTORS = {
  process: '8961758bd0d368b668a90146b4e0bbe3',
  furtherLife: 'ac4266fe960981495f6d1bf7b6785684',
  session: 'a00b20f58c8924825d2e9ac833a4483a',
  turn: '1b82bd3e3e1aff9425c10377ea8bed94',
  tool: 'f9a137a2a2223a85e327de5d661066ef',
  connection: 'd588d551d23559b8a8c40b2341264158',
  traceOfTurn: 'fbfc4261472521cd8ea29222d1becf9a',
  traceOfSession: 'a91e9bc7e265f2938a9acbc47631fd01',
  spans: ['085805f7edb66882', '7086fe1e988a6ce9', '6fd90244b4454f23', '417f1a63e2b4442d'],
  uid: '01HF7YAT3VJ2A8YVJS48CM3WT7',
}
