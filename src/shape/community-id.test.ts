import assert from 'node:assert/strict'
import test from 'node:test'
import type { Sock } from '../model/observation.ts'
import { addressBytes, communityId } from './community-id.ts'

const sock = (protocol: Sock['protocol'], a: string, aPort: number, b: string, bPort: number): Sock => ({
  cookie: 1n,
  family: a.includes(':') ? 10 : 2,
  protocol,
  local: { address: a, port: aPort },
  peer: { address: b, port: bPort },
})

test('the vectors of the specification, in both directions', () => {
  const vectors: [Sock['protocol'], string, number, string, number, string][] = [
    ['tcp', '128.232.110.120', 34855, '66.35.250.204', 80, '1:LQU9qZlK+B5F3KDmev6m5PMibrg='],
    ['udp', '192.168.1.52', 54585, '8.8.8.8', 53, '1:d/FP5EW3wiY1vCndhwleRRKHowQ='],
  ]
  for (const [protocol, a, aPort, b, bPort, id] of vectors) {
    assert.equal(communityId(sock(protocol, a, aPort, b, bPort)), id)
    assert.equal(communityId(sock(protocol, b, bPort, a, aPort)), id)
  }
})

test('an end that is not known has no id', () => {
  assert.equal(communityId(sock('tcp', '0.0.0.0', 80, '1.2.3.4', 0)), null)
  assert.equal(communityId(sock('tcp', 'nonsense', 80, '1.2.3.4', 5)), null)
})

test('addresses', () => {
  assert.deepEqual(addressBytes('::1'), [...new Array(15).fill(0), 1])
  assert.deepEqual(addressBytes('::'), new Array(16).fill(0))
  assert.deepEqual(addressBytes('fe80::200:86ff:fe05:80da'), [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0x86, 0xff, 0xfe, 5, 0x80, 0xda])
  assert.deepEqual(addressBytes('::ffff:1.2.3.4')?.slice(10), [255, 255, 1, 2, 3, 4])
  for (const bad of ['', '1.2.3', '1.2.3.256', '1::2::3', ':::', '1:2:3:4:5:6:7:8:9', 'g::1', '1:2:3:4:5:6:7:8::']) assert.equal(addressBytes(bad), null, bad)
})
