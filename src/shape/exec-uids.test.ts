import assert from 'node:assert/strict'
import test from 'node:test'
import type { EntryDraft } from '../model/entry.ts'
import { type ExecUids, linkExec } from './exec-uids.ts'

const draft = (eventName: string, id: string): EntryDraft => ({ eventName, timeUnixNano: 1n, severity: 9, attributes: { 'spoor.process.id': id } })

test('an exit names the last exec of its process', () => {
  const known: ExecUids = new Map()
  linkExec(known, draft('spoor.process.exec', 'a'), () => 'U1')
  linkExec(known, draft('spoor.process.exec', 'b'), () => 'U2')
  linkExec(known, draft('spoor.process.exec', 'a'), () => 'U3')
  assert.equal(linkExec(known, draft('spoor.process.exit', 'a'), () => 'U4').attributes['spoor.exec_uid'], 'U3')
  assert.deepEqual([...known], [['b', 'U2']])
  const never = draft('spoor.process.exit', 'c')
  assert.equal(
    linkExec(known, never, () => 'U5'),
    never,
  )
  assert.equal(linkExec(known, draft('spoor.file.open', 'b'), () => assert.fail('not asked for')).attributes['spoor.exec_uid'], undefined)
})

test('what is remembered is bounded', () => {
  const known: ExecUids = new Map()
  for (let i = 0; i < 70_000; i++) linkExec(known, draft('spoor.process.exec', 'p' + i), () => 'U')
  assert.equal(known.size, 65_536)
  assert.ok(known.has('p69999'))
})
