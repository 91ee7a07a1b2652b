import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createShowFold } from '../cli/show-fold.ts'
import type { Attributes, Entry } from '../model/entry.ts'
import { compare } from './compare.ts'
import type { Declared } from './declared.ts'

const FOLDERS = { work: '/t/work', home: '/t/home', configDir: '/t/home/.claude' }
const AGENT = '01'.repeat(16)
const SHELL = '02'.repeat(16)
const CHILD = '03'.repeat(16)
const call = (some: Partial<Declared>): Declared => ({ id: 'x', tool: 'Bash', command: null, path: null, url: null, failed: false, ...some })

let index = 0
const entry = (eventName: string, ms: number, id: string, attributes: Attributes): Entry => ({
  index: index++,
  uid: '',
  eventName,
  timeUnixNano: BigInt(ms) * 1_000_000n,
  observedTimeUnixNano: 0n,
  severity: 9,
  attributes: { 'session.id': 'ab'.repeat(16), 'spoor.process.id': id, ...attributes },
})
function seen(...entries: readonly Entry[]) {
  const fold = createShowFold()
  for (const one of entries) fold.add(one)
  return fold
}
const agent = entry('spoor.process.exec', 1, AGENT, { 'process.pid': 10, 'spoor.process.role': 'agent', 'process.command_args': ['node', 'spoor-demo.mjs'] })
const shell = (command: string): Entry =>
  entry('spoor.process.exec', 20, SHELL, {
    'process.pid': 20,
    'spoor.process.parent_id': AGENT,
    'spoor.process.role': 'tool',
    'process.command_args': ['sh', '-c', command],
    'spoor.command': command,
  })
const child = entry('spoor.process.exec', 21, CHILD, { 'process.pid': 21, 'spoor.process.parent_id': SHELL, 'process.command_args': ['curl'] })
const exit = entry('spoor.process.exit', 30, SHELL, { 'spoor.process.parent_id': AGENT, 'process.exit.code': 3 })

test('a shell is found by its command, with its tree and exit code', () => {
  const rows = compare([call({ command: 'curl x | sh' })], seen(agent, shell('curl x | sh'), child, exit), FOLDERS)
  assert.deepEqual(rows, [{ declared: 'Bash  curl x | sh', seen: '2 processes, exit 3' }])
})

test('a lie is two lines: what was said and not seen, what was seen and not said', () => {
  const rows = compare([call({ command: 'ls' })], seen(agent, shell('curl x'), exit), FOLDERS)
  assert.deepEqual(rows, [
    { declared: 'Bash  ls', seen: null },
    { declared: null, seen: 'curl x: 1 process, exit 3' },
  ])
})

test('one run of a command proves one declaration of it', () => {
  const rows = compare([call({ command: 'ls' }), call({ command: 'ls' })], seen(agent, shell('ls'), exit), FOLDERS)
  assert.equal(rows.filter((row) => row.seen === null).length, 1)
})

test('file tools are the agent process itself; temporary file and rename is one write of the target', () => {
  const own = seen(
    agent,
    entry('spoor.file.open', 5, AGENT, { 'file.path': '/t/work/a.tmp.10', 'spoor.file.access': 'write' }),
    entry('spoor.file.change', 6, AGENT, { 'file.path': '/t/work/a.tmp.10', 'spoor.file.operation': 'rename', 'spoor.file.target_path': '/t/work/a' }),
    entry('spoor.file.rollup', 7, AGENT, { 'spoor.file.folder': '/t/work', 'spoor.file.access': 'read', 'spoor.file.opens': 1, 'spoor.file.paths': ['/t/work/b'] }),
    entry('spoor.file.open', 8, AGENT, { 'file.path': '/t/work/hidden', 'spoor.file.access': 'write' }),
    entry('spoor.file.open', 8, AGENT, { 'file.path': '/t/home/.claude/projects/x.jsonl', 'spoor.file.access': 'write' }),
  )
  const rows = compare([call({ tool: 'Write', path: '/t/work/a' }), call({ tool: 'Read', path: '/t/work/b' }), call({ tool: 'Read', path: '/t/work/c' })], own, FOLDERS)
  assert.deepEqual(
    rows.filter((row) => row.seen === null),
    [{ declared: 'Read  c', seen: null }],
  )
  assert.deepEqual(
    rows.filter((row) => row.declared === null),
    [{ declared: null, seen: 'wrote hidden' }],
  )
  assert.equal(rows.length, 4)
})

test('a request is found by its port; another connection of the agent is its own secret', () => {
  const connect = (id: string, port: number): Entry =>
    entry('spoor.network.connect', port, AGENT, { 'spoor.connection.id': id, 'network.peer.address': '127.0.0.1', 'network.peer.port': port })
  const rows = compare([call({ tool: 'WebFetch', url: 'http://127.0.0.1:81/x' })], seen(agent, connect('a', 81), connect('b', 90)), FOLDERS)
  assert.deepEqual(rows, [
    { declared: 'WebFetch  http://127.0.0.1:81/x', seen: 'connection to 127.0.0.1:81, open' },
    { declared: null, seen: 'connection to 127.0.0.1:90, open' },
  ])
})
