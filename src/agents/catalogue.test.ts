import assert from 'node:assert/strict'
import { test } from 'node:test'
import { candidates, createCatalogue, environmentNames } from './catalogue.ts'

test('candidates: names and runtimes, cut as the kernel cuts comm, nothing twice', () => {
  const names = candidates(createCatalogue([{ name: 'acme', exe: '/opt/acme/a-very-long-agent-name', candidates: ['acme-d'] }]))
  for (const name of ['claude', 'claude.exe', 'codex', 'gemini', 'opencode', 'node', 'bun', 'a-very-long-age', 'acme', 'acme-d']) assert.ok(names.includes(name), name)
  assert.equal(new Set(names).size, names.length)
  assert.ok(names.every((name) => name.length <= 15))
  // Shells and Python are everybody's: only a person's own script entry makes the kernel look at Python.
  for (const name of ['bash', 'sh', 'python3', 'env']) assert.ok(!names.includes(name), name)
  assert.ok(candidates(createCatalogue([{ name: 'p', script: '**/p.py' }])).includes('python3.11'))
})

test('environment: an allow-list without secrets, each name within what the kernel compares', () => {
  const names = environmentNames(createCatalogue(), ['ACME_SESSION'])
  for (const name of [
    'TRACEPARENT',
    'AI_AGENT',
    'CLAUDECODE',
    'CLAUDE_CODE_SESSION_ID',
    'CODEX_TOOL_CALL_ID',
    'GEMINI_CLI',
    'OPENCODE_PID',
    'SSH_CONNECTION',
    'CI',
    'ACME_SESSION',
  ])
    assert.ok(names.includes(name), name)
  assert.ok(names.every((name) => Buffer.byteLength(name) <= 32))
  assert.ok(!names.some((name) => /KEY|TOKEN$|SECRET|PASS/.test(name)))
})
