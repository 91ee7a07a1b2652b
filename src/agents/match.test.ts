import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bytes, bytesOf } from '../model/bytes.ts'
import { createCatalogue } from './catalogue.ts'
import { match, opened, type Program } from './match.ts'

const catalogue = createCatalogue()
const program = (exe: string, args: readonly string[], called = exe, cwd = '/work'): Program => ({
  exe: bytesOf(exe),
  called: bytesOf(called),
  args: args.map(bytesOf) as Bytes[],
  cwd: bytesOf(cwd),
})
const verdict = (of: Program): string => {
  const found = match(catalogue, of)
  return found === null ? 'none' : `${found.agent} ${found.certain ? 'certain' : 'suspect'}${found.named ? '' : ' unnamed'}`
}

const LAB = '/home/ann/lab'
const NODE = `${LAB}/rt/node_modules/node/bin/node`

test('the real agents, as their processes look', () => {
  const claude = `${LAB}/cli/node_modules/@anthropic-ai/claude-code/bin/claude.exe`
  assert.equal(verdict(program(claude, [`${LAB}/cli/node_modules/.bin/claude`, '-p', 'x'], `${LAB}/cli/node_modules/.bin/claude`)), 'claude-code certain')
  const sdk = '/app/node_modules/@anthropic-ai/claude-agent-sdk-linux-x64/claude'
  assert.deepEqual(match(catalogue, program(sdk, [sdk, '--output-format', 'stream-json']))?.evidence, [`exe:${sdk}`, 'package:@anthropic-ai/claude-agent-sdk-linux-x64'])
  const own = '/home/ann/.local/share/claude/versions/2.1.328'
  assert.deepEqual(match(catalogue, program(own, ['claude'], '/home/ann/.local/bin/claude')), {
    agent: 'claude-code',
    evidence: [`exe:${own}`],
    version: '2.1.328',
    certain: true,
    named: true,
  })

  const codex = `${LAB}/cli/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex`
  assert.equal(verdict(program(codex, [codex, 'exec', 'x'])), 'codex certain')
  assert.equal(verdict(program(NODE, ['node', `${LAB}/cli/node_modules/@openai/codex/bin/codex.js`, 'exec'])), 'codex certain')
  assert.equal(verdict(program('/opt/homebrew/bin/codex', ['codex'])), 'codex certain')

  const bin = `${LAB}/cli/node_modules/.bin/gemini`
  assert.equal(verdict(program('/usr/bin/env', ['/usr/bin/env', 'node', bin, '--yolo'], bin)), 'gemini-cli suspect')
  assert.equal(verdict(program(NODE, ['node', bin, '--yolo'])), 'gemini-cli suspect')
  assert.equal(verdict(program(NODE, [NODE, '--max-old-space-size=12052', bin, '--yolo'])), 'gemini-cli suspect')
  assert.equal(verdict(program(NODE, ['node', '/usr/lib/node_modules/@google/gemini-cli/dist/index.js'])), 'gemini-cli certain')

  assert.equal(verdict(program(`${LAB}/cli/node_modules/opencode-ai/bin/opencode.exe`, ['opencode', 'run'])), 'opencode certain')
  assert.equal(verdict(program('/home/ann/.opencode/bin/opencode', ['opencode'])), 'opencode certain')
})

test('what only looks like one, or is its helper', () => {
  assert.equal(verdict(program(NODE, ['node', 'server.js'])), 'none')
  assert.equal(verdict(program(NODE, ['node', '-e', 'require("@openai/codex")'])), 'none')
  assert.equal(verdict(program('/usr/bin/python3.11', ['python3', '/home/ann/gemini.py'])), 'none')
  assert.equal(verdict(program('/usr/bin/gemini', ['gemini'])), 'none')
  assert.equal(verdict(program('/usr/bin/vim', ['vim', '/x/node_modules/@openai/codex/bin/codex.js'])), 'none')
  // A tool that the package brings along is not the agent.
  assert.equal(verdict(program('/x/node_modules/@openai/codex-linux-x64/vendor/x/codex-path/rg', ['rg', 'TODO'])), 'none')
  // Its own executable in another part: a helper, where the agent runs it.
  const codex = '/x/node_modules/@openai/codex-linux-x64/vendor/x/bin/codex'
  assert.equal(verdict(program(codex, ['/proc/self/exe', '--codex-run-as-process-setup'], '/proc/self/exe')), 'codex certain unnamed')
  // A wrapper script of the agent's name: what it execs will tell.
  assert.equal(verdict(program('/usr/bin/bash', ['/bin/bash', '/usr/local/bin/claude'], '/usr/local/bin/claude')), 'claude-code suspect')
})

test('an opened file of the package proves a suspect, of no other', () => {
  const path = bytesOf('/usr/lib/node_modules/@google/gemini-cli/package.json')
  assert.deepEqual(opened(catalogue, ['gemini-cli'], path), { agent: 'gemini-cli', evidence: 'opened:@google/gemini-cli' })
  assert.equal(opened(catalogue, ['codex'], path), null)
  assert.equal(opened(catalogue, ['gemini-cli'], bytesOf('/usr/lib/node_modules/@google/gemini-cli-core/package.json')), null)
})

test("a person's own entries: all that is given must match", () => {
  const own = createCatalogue([
    { name: 'acme', exe: '/opt/acme/**/agent-*', args: '--autonomous' },
    { name: 'pyagent', script: '**/pyagent/main.py' },
    { name: 'nodeagent', package: '@acme/nodeagent' },
  ])
  const name = (of: Program): string | undefined => match(own, of)?.agent
  assert.equal(name(program('/opt/acme/v1/bin/agent-x64', ['agent', '--autonomous=1'])), 'acme')
  assert.equal(name(program('/opt/acme/v1/bin/agent-x64', ['agent'])), undefined)
  assert.equal(name(program('/usr/bin/python3.11', ['python3', '-u', 'pyagent/main.py'], '/usr/bin/python3', '/home/ann')), 'pyagent')
  assert.equal(name(program('/usr/bin/dash', ['/bin/sh', '/home/ann/pyagent/main.py'], '/home/ann/pyagent/main.py')), 'pyagent')
  assert.equal(name(program('/usr/bin/python3.11', ['python3', 'other/main.py'])), undefined)
  assert.deepEqual(match(own, program('/usr/bin/node', ['node', '/x/node_modules/@acme/nodeagent/cli.js']))?.evidence, ['package:@acme/nodeagent'])
  assert.equal(match(own, program('/usr/bin/node', ['node', '/x/node_modules/.bin/nodeagent']))?.certain, false)
})
