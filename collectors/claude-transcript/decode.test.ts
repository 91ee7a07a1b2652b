import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Claim, ClaimDecoder } from '../../src/model/claim.ts'
import { createDecoder, decodeRegistry } from './decode.ts'
import { claudeTranscript, projectFolder } from './index.ts'

const VERSION = '2.1.328'
const fixture = (name: string): string => readFileSync(new URL(`./fixtures/${VERSION}/${name}`, import.meta.url), 'utf8')

/** All claims of a file, and how many of its lines could not be read. */
function read(text: string, decoder: ClaimDecoder = createDecoder('file', 'claude-code')): { claims: Claim[]; unread: number } {
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
const calls = (claims: readonly Claim[]) => claims.filter((claim) => claim.kind === 'tool_call')
const results = (claims: readonly Claim[]) => claims.filter((claim) => claim.kind === 'tool_result')

test(`Claude Code ${VERSION}: an ordinary session, in its order`, () => {
  const { claims, unread } = read(fixture('coding.jsonl'))
  assert.equal(unread, 0)
  assert.deepEqual(
    calls(claims).map(({ tool, command, paths }) => [tool, command?.head ?? paths.join()]),
    [
      ['Read', '/home/ann/project/package.json'],
      ['Read', '/home/ann/project/README.md'],
      ['Read', '/home/ann/project/src/sum.js'],
      ['Write', '/home/ann/project/test/sum.test.js'],
      ['Bash', 'node --test'],
      ['Bash', `node -e 'console.log(require("./src/sum.js").sum(20, 22))'`],
      ['Bash', "git init -q . && git add -A && git -c user.name=lab -c user.email=lab@example.invalid commit -q -m 'test: cover sum' && git log --oneline | cat"],
    ],
  )
  const [prompt] = claims.filter((claim) => claim.kind === 'prompt')
  assert.equal(prompt?.length, 'Read the project, add a test for sum(), run the tests and commit.'.length)
  assert.deepEqual(new Set(calls(claims).map(({ turnId }) => turnId)), new Set([prompt?.turnId]))
  assert.deepEqual(
    claims
      .filter(({ kind }) => kind === 'mode' || kind === 'model' || kind === 'end')
      .map((claim) => [claim.kind, 'mode' in claim ? claim.mode : 'model' in claim ? claim.model : 'scope' in claim ? claim.scope : '']),
    [
      ['mode', 'bypassPermissions'],
      ['model', 'claude-opus-5-5'],
      ['end', 'turn'],
    ],
  )
  assert.deepEqual(
    results(claims).map(({ id }) => id),
    calls(claims).map(({ id }) => id),
  )
  assert.ok(results(claims).every(({ ok }) => ok === true))
  for (let at = 1; at < claims.length; at++) assert.ok(claims[at - 1]!.order <= claims[at]!.order && claims[at - 1]!.at! <= claims[at]!.at!)
})

test(`Claude Code ${VERSION}: a failed read, an exit code, parallel calls answered out of order, decisions`, () => {
  const { claims } = read(fixture('failing-and-parallel.jsonl'))
  assert.deepEqual(
    results(claims).map(({ ok, exitCode }) => [ok, exitCode]),
    [
      [false, null],
      [false, 3],
      [true, null],
      [true, null],
    ],
  )
  const [, , first, second] = calls(claims)
  assert.deepEqual(
    results(claims)
      .map(({ id }) => id)
      .slice(2),
    [second!.id, first!.id],
  )
  const decisions = claims.filter((claim) => claim.kind === 'decision')
  assert.deepEqual(
    decisions.map(({ id, decision, by, reason }) => [id, decision, by, reason]),
    calls(claims)
      .map(({ id }) => [id, 'accept', 'config', 'mode'])
      .toSpliced(2, 2, [second!.id, 'accept', 'config', 'mode'], [first!.id, 'accept', 'config', 'mode']),
  )
})

test(`Claude Code ${VERSION}: an MCP tool is named, its path argument kept`, () => {
  const [call] = calls(read(fixture('mcp.jsonl')).claims)
  assert.equal(call?.tool, 'mcp__lab__lab_fetch')
  assert.deepEqual(call?.paths, ['/home/ann/.aws/credentials'])
})

test('the registry binds a conversation to a process, and its end names the same binding', () => {
  const decoded = decodeRegistry(fixture('session.json'), 'claude-code')
  assert.ok(decoded.ok)
  const [claim] = decoded.claims
  assert.ok(claim?.kind === 'registry')
  assert.deepEqual(
    { pid: claim.pid, startTicks: claim.startTicks, pidNamespace: claim.pidNamespace, cwd: claim.cwd, version: claim.version, conversation: claim.conversation },
    { pid: 18179, startTicks: 339725, pidNamespace: 4026531836, cwd: '/home/ann/project', version: VERSION, conversation: 'c779401e-56d8-48e1-a53e-5bff225fe790' },
  )
  const [end] = claudeTranscript.gone(decoded.claims)
  assert.deepEqual([end?.kind, end?.id, end?.conversation], ['end', claim.id, claim.conversation])
})

test("a subagent's lines and Claude Code's own are no prompts; a background command still runs; a long command keeps head and tail", () => {
  const base = { uuid: 'u', sessionId: 's', timestamp: '2026-01-02T03:04:05.678Z' }
  const long = '€'.repeat(8000)
  const lines = [
    { ...base, type: 'user', isSidechain: true, message: { role: 'user', content: 'do this' } },
    { ...base, type: 'user', isMeta: true, message: { role: 'user', content: 'caveat' } },
    {
      ...base,
      type: 'user',
      message: { content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'started' }] }] },
      toolUseResult: { backgroundTaskId: 'b1' },
    },
    { ...base, type: 'assistant', message: { content: [{ type: 'tool_use', id: 't2', name: 'Bash', input: { command: long } }] } },
  ]
  const { claims, unread } = read(lines.map((line) => JSON.stringify(line)).join('\n'))
  assert.equal(unread, 0)
  assert.deepEqual(
    claims.map(({ kind }) => kind),
    ['tool_result', 'tool_call'],
  )
  assert.ok(claims[0]?.kind === 'tool_result' && claims[0].running && claims[0].at === 1767323045678000000n)
  const command = claims[1]?.kind === 'tool_call' ? claims[1].command : null
  assert.equal(command?.total, 24000)
  assert.equal(command?.head, '€'.repeat(4096))
  assert.equal(command?.tail, '€'.repeat(1365))
})

test('no text makes the decoder throw, and what it refuses it counts', () => {
  const decoder = createDecoder('file', 'claude-code')
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json({ maxDepth: 6 })), (text) => {
      assert.equal(typeof decoder.line(text, 0).ok, 'boolean')
      assert.equal(typeof decodeRegistry(text, 'claude-code').ok, 'boolean')
    }),
  )
  const deep = { type: 'assistant', uuid: 'u', message: { content: [{ type: 'tool_use', id: 't', name: 'Bash', input: 'DEEP' }] } }
  assert.equal(typeof decoder.line(JSON.stringify(deep).replace('"DEEP"', '['.repeat(200_000) + ']'.repeat(200_000)), 0).ok, 'boolean')
  assert.deepEqual(decoder.line(JSON.stringify({ ...deep, message: { content: [{ type: 'tool_use', id: 'x'.repeat(257), name: 'Bash', input: {} }] } }), 0), {
    ok: false,
    why: 'bound',
  })
})

test('only transcripts and the registry have a place; the keys beside it have none', () => {
  const place = (path: string) => claudeTranscript.place(path.split('/'))
  assert.equal(place('projects/-p/a.jsonl'), 'log')
  assert.equal(place('projects/-p/a/subagents/agent-1.jsonl'), 'log')
  assert.equal(place('sessions/12.json'), 'document')
  for (const none of ['sessions/12.abc.key', 'settings.json', '.credentials.json', 'projects/-p/a/tool-results/x.jsonl', 'history.jsonl', 'shell-snapshots'])
    assert.equal(place(none), null, none)
  assert.equal(projectFolder('/home/ann/my_project.x'), '-home-ann-my-project-x')
  assert.equal(claudeTranscript.rootOf('/x/.claude/projects/-p/a.jsonl'), '/x/.claude')
})
