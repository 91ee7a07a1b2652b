import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KindLedger, StatusDocument } from '../model/status.ts'
import { statusText } from './status-text.ts'

const kind: KindLedger = { observed: '12', single: '10', folded: '0', rolledUp: '1', coalesced: '0', filtered: { self: '1' }, lost: { ring_full: '0' } }
const signal = { entries: '9', acknowledged: '7', rejected: { 'HTTP 400\x1b[2J': '2' }, parked: '0', pending: '0', expired: '0' }
const status = {
  schema: 'spoor.status/1',
  state: 'degraded',
  why: ['the disk is full\x1b]0;x\x07'],
  run: { id: 'ab', startedAt: '1763600000000000000', stateDir: '/var/lib/spoor', version: '0.1.0', openSessions: 1 },
  sensor: { name: 'linux-ebpf', rung: 'tp_btf', capabilities: { exec: 'exact', connect: 'none' }, pinned: null, ringBytes: 4194304 },
  ledger: { sensors: { 'linux-ebpf': { exec: kind, fork: { ...kind, observed: '0' } } }, entries: '9', derived: {}, destinations: { collector: { logs: signal, traces: null } } },
  journal: { first: '0', next: '10', durable: '9', bytes: '1234' },
  self: { observer: { pid: 7, rssBytes: '80000000', cpuNs: '1200000000' }, shipper: null, intake: null },
} as unknown as StatusDocument

test('state, what is not seen, what it costs and the ledger stand in the text; nothing in it steers the terminal', () => {
  const text = statusText(status)
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
  assert.match(text, /^state +degraded: the disk is full\\e\]0;x\\x07$/m)
  assert.match(text, /^not seen +connect$/m)
  assert.match(text, /^journal +entries 0 to 10, durable up to 9, 1\.2 kB$/m)
  assert.match(text, /^observer +pid 7, 80 MB, 1\.2 s of CPU$/m)
  assert.match(text, /^ {2}exec +12 +10 +0 +1 +0 +1 self +0$/m)
  assert.doesNotMatch(text, /^ {2}fork/m)
  assert.match(text, /^ {2}logs +9 +7 +2 HTTP 400\\e\[2J +0 +0 +0$/m)
})
