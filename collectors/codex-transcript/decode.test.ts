import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Claim } from '../../src/model/claim.ts'
import { createDecoder } from './decode.ts'
import { codexTranscript } from './index.ts'
import { patchPaths } from './patch.ts'

const VERSION = '0.169.0'

function read(text: string): { claims: Claim[]; unread: number } {
  const decoder = createDecoder('thread', 'codex')
  const claims: Claim[] = []
  let unread = 0
  let order = 0
  for (const line of text.split('\n')) {
    if (line !== '') {
      const decoded = decoder.line(line, order)
      if (decoded.ok) claims.push(...decoded.claims)
      else unread++
    }
    order += Buffer.byteLength(line) + 1
  }
  return { claims, unread }
}
const fixture = (name: string) => read(readFileSync(new URL(`./fixtures/${VERSION}/${name}.jsonl`, import.meta.url), 'utf8'))
const calls = (claims: readonly Claim[]) => claims.filter((claim) => claim.kind === 'tool_call')
const results = (claims: readonly Claim[]) => claims.filter((claim) => claim.kind === 'tool_result')
const line = (type: string, payload: object): string => JSON.stringify({ timestamp: '2026-01-02T03:04:05.678Z', type, payload })

const GIT = "git init -q . && git add -A && git -c user.name=lab -c user.email=lab@example.invalid commit -q -m 'test: cover sum' && git log --oneline | cat"

test(`Codex ${VERSION}: an ordinary session`, () => {
  const { claims, unread } = fixture('coding')
  assert.equal(unread, 0)
  const [registry] = claims
  assert.ok(registry?.kind === 'registry' && registry.pid === null && registry.cwd === '/home/ann/project' && registry.version === VERSION)
  assert.equal(registry.conversation, '01a1f862-006d-7bd2-96b9-cf68829f9139')
  assert.deepEqual(
    calls(claims).map(({ tool, command, paths }) => [tool, command?.head ?? paths.join()]),
    [
      ['exec_command', "cat '/home/ann/project/package.json'"],
      ['exec_command', "cat '/home/ann/project/README.md'"],
      ['exec_command', "cat '/home/ann/project/src/sum.js'"],
      ['apply_patch', '/home/ann/project/test/sum.test.js'],
      ['exec_command', 'node --test'],
      ['exec_command', `node -e 'console.log(require("./src/sum.js").sum(20, 22))'`],
      ['exec_command', GIT],
    ],
  )
  assert.deepEqual(
    results(claims).map(({ id }) => id),
    calls(claims).map(({ id }) => id),
  )
  assert.deepEqual(
    results(claims).map(({ ok, exitCode }) => [ok, exitCode]),
    [0, 0, 0, null, 0, 0, 0].map((code) => [true, code]),
  )
  assert.deepEqual(
    claims.flatMap((claim) => (claim.kind === 'model' ? [claim.model] : claim.kind === 'mode' ? [claim.mode] : claim.kind === 'end' ? [claim.reason] : [])),
    ['gpt-5.5', 'never/danger-full-access', 'task_complete'],
  )
  const prompts = claims.filter((claim) => claim.kind === 'prompt')
  assert.deepEqual(
    prompts.map(({ length }) => length),
    ['Read the project, add a test for sum(), run the tests and commit.'.length],
  )
  assert.equal(new Set(claims.flatMap((claim) => ('turnId' in claim ? [claim.turnId] : []))).size, 1)
})

test(`Codex ${VERSION}: exit codes, parallel calls`, () => {
  const { claims } = fixture('failing-and-parallel')
  assert.deepEqual(
    results(claims).map(({ ok, exitCode }) => [ok, exitCode]),
    [
      [false, 1],
      [false, 3],
      [true, 0],
      [true, 0],
    ],
  )
  assert.deepEqual(
    calls(claims)
      .map(({ command }) => command?.head)
      .slice(2),
    ['echo one; sleep 0.3', "printf 'two\\n'"],
  )
})

test(`Codex ${VERSION}: an MCP tool has the same name with and without code mode`, () => {
  assert.deepEqual(
    calls(fixture('mcp').claims).map(({ tool }) => tool),
    ['mcp__lab__lab_fetch', 'exec_command'],
  )
  assert.deepEqual(
    calls(fixture('code-mode-mcp').claims).map(({ tool, program }) => [tool, program]),
    [
      ['exec', true],
      ['mcp__lab__lab_fetch', false],
      ['exec', true],
      ['exec_command', false],
    ],
  )
})

test(`Codex ${VERSION} in code mode: each program is one call, what it started are calls of their own below it`, () => {
  const { claims, unread } = fixture('code-mode-coding')
  assert.equal(unread, 0)
  const programs = calls(claims).filter(({ program }) => program)
  const nested = calls(claims).filter(({ program }) => !program)
  assert.equal(programs.length, 7)
  assert.ok(programs.every(({ parentId, tool, command }) => parentId === null && tool === 'exec' && /await tools\./.test(command?.head ?? '')))
  assert.deepEqual(
    nested.map(({ parentId }) => parentId),
    programs.map(({ id }) => id),
  )
  assert.deepEqual(nested.map(({ command, paths }) => command?.head ?? paths.join()).slice(3), [
    '/home/ann/project/test/sum.test.js',
    'node --test',
    `node -e 'console.log(require("./src/sum.js").sum(20, 22))'`,
    GIT,
  ])
  assert.ok(nested.every(({ id }) => /^exec-[0-9a-f-]{36}$/.test(id)))
  assert.equal(results(claims).length, 14)
})

test(`Codex ${VERSION} in code mode: with two programs open, a command goes to the one whose text has it`, () => {
  const { claims } = fixture('code-mode-parallel')
  const parent = new Map(calls(claims).map(({ id, command }) => [id, command?.head ?? '']))
  const nested = calls(claims).filter(({ program }) => !program)
  assert.equal(nested.length, 4)
  for (const { command, parentId } of nested) assert.ok(parent.get(parentId!)?.includes(JSON.stringify(command!.head).slice(1, -1)), command?.head ?? '')
})

test('two open programs that both could have started it: no parent, not a guess', () => {
  const open = (id: string) => line('response_item', { type: 'custom_tool_call', name: 'exec', call_id: id, input: 'await tools.exec_command({ cmd: c })' })
  const item = line('event_msg', {
    type: 'item_completed',
    item: { type: 'CommandExecution', id: 'exec-1', command: ['/bin/bash', '-lc', 'id'], status: 'completed', exit_code: 0 },
  })
  const { claims } = read([open('a'), open('b'), item].join('\n'))
  assert.equal(calls(claims)[2]?.parentId, null)
})

test('a command that outlives its first answer has two results', () => {
  const { claims } = read(
    [
      line('response_item', { type: 'function_call', name: 'exec_command', call_id: 'c', arguments: '{"cmd":"sleep 60","workdir":"/w"}' }),
      line('response_item', {
        type: 'function_call_output',
        call_id: 'c',
        output: 'Chunk ID: 1\nWall time: 10.0 seconds\nProcess running with session ID 7\nOutput:\nProcess exited with code 0\n',
      }),
      line('event_msg', { type: 'item_completed', item: { type: 'CommandExecution', id: 'c', command: ['/bin/bash', '-lc', 'sleep 60'], status: 'failed', exit_code: 143 } }),
    ].join('\n'),
  )
  assert.equal(calls(claims)[0]?.cwd, '/w')
  assert.deepEqual(
    results(claims).map(({ running, exitCode, ok }) => [running, exitCode, ok]),
    [
      [true, null, null],
      [false, 143, false],
    ],
  )
})

test('older forms: shell with an argv, user_message', () => {
  const { claims } = read(
    [
      line('event_msg', { type: 'user_message', message: 'hello' }),
      line('response_item', { type: 'function_call', name: 'shell', call_id: 'c', arguments: '{"command":["bash","-lc","ls -l"]}' }),
      line('response_item', { type: 'local_shell_call', call_id: 'd', action: { command: ['ls', '-a'] } }),
      line('response_item', { type: 'function_call_output', call_id: 'c', output: 'Exit code: 2\nOutput:\n' }),
    ].join('\n'),
  )
  assert.deepEqual(
    claims.map(({ kind }) => kind),
    ['prompt', 'tool_call', 'tool_call', 'tool_result'],
  )
  assert.deepEqual(
    calls(claims).map(({ command }) => command?.head),
    ['ls -l', 'ls -a'],
  )
  assert.equal(results(claims)[0]?.exitCode, 2)
})

test('paths of a patch, bounded', () => {
  assert.deepEqual([...patchPaths('*** Begin Patch\n*** Update File: a/b\n*** Move to: a/c\n@@\n-*** Add File: no\n*** Delete File: d e\n*** End Patch')], ['a/b', 'a/c', 'd e'])
  const many = Array.from({ length: 40 }, (_, at) => `*** Add File: f${at}`).join('\n')
  const { claims } = read(line('response_item', { type: 'custom_tool_call', name: 'apply_patch', call_id: 'p', input: many }))
  assert.equal(calls(claims)[0]?.paths.length, 16)
})

test('no text makes the decoder throw', () => {
  const decoder = createDecoder('thread', 'codex')
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json({ maxDepth: 6 })), (text) => {
      assert.equal(typeof decoder.line(text, 0).ok, 'boolean')
    }),
  )
  const types = ['session_meta', 'turn_context', 'response_item', 'item_completed', 'user_message', 'task_started', 'task_complete']
  const payloads = ['function_call', 'custom_tool_call', 'local_shell_call', 'function_call_output', 'item_completed', 'task_complete']
  fc.assert(
    fc.property(
      fc.constantFrom(...types, 'event_msg'),
      fc.constantFrom(...payloads),
      fc.dictionary(fc.constantFrom('call_id', 'name', 'arguments', 'output', 'item', 'input', 'id', 'cwd', 'action'), fc.jsonValue()),
      (type, inner, rest) => {
        assert.equal(typeof decoder.line(JSON.stringify({ type, payload: { type: inner, ...rest } }), 0).ok, 'boolean')
      },
    ),
  )
})

test('only rollouts have a place, and the day of either side is expected', () => {
  const place = (path: string) => codexTranscript.place(path.split('/'))
  assert.equal(place('sessions/2026/11/20/rollout-x.jsonl'), 'log')
  for (const none of ['auth.json', 'config.toml', 'history.jsonl', 'sessions/2026/11/20/x.json', 'sessions/x']) assert.equal(place(none), null, none)
  const noon = new Date(2026, 0, 1, 12).getTime()
  const expected = codexTranscript.expected({ home: '/', cwd: '/', env: {} }, noon)
  for (const folder of ['sessions/2025/12/31', 'sessions/2026/01/01', 'sessions/2026/01/02', 'sessions/2026']) assert.ok(expected.includes(folder), folder)
})
