import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { declaredIn } from './declared.ts'
import { openTranscript } from './transcript.ts'

const configDir = mkdtempSync(join(tmpdir(), 'spoor-transcript-'))
after(() => rmSync(configDir, { recursive: true, force: true }))

test('what the transcript says can be read back; the registry stands while the agent runs', () => {
  const transcript = openTranscript({ configDir, cwd: '/tmp/a b', pid: 4711, procStart: '99', now: () => new Date(0) })
  const registry = join(configDir, 'sessions', '4711.json')
  assert.deepEqual((({ pid, sessionId, cwd, procStart }) => ({ pid, sessionId, cwd, procStart }))(JSON.parse(readFileSync(registry, 'utf8'))), {
    pid: 4711,
    sessionId: transcript.sessionId,
    cwd: '/tmp/a b',
    procStart: '99',
  })
  assert.equal(transcript.path, join(configDir, 'projects', '-tmp-a-b', `${transcript.sessionId}.jsonl`))

  transcript.prompt('do it')
  const shell = transcript.toolUse({ tool: 'Bash', input: { command: 'ls', description: '' } })
  transcript.toolResult(shell, 'no such file', true)
  const open = transcript.toolUse({ tool: 'Read', input: { file_path: '/tmp/x' } })
  appendFileSync(transcript.path, '{"type":"assistant","message":{"content":[{"type":"tool_')

  const written = readFileSync(transcript.path, 'utf8')
  assert.deepEqual(declaredIn(written), [
    { id: shell, tool: 'Bash', command: 'ls', path: null, url: null, failed: true },
    { id: open, tool: 'Read', command: null, path: '/tmp/x', url: null, failed: null },
  ])
  const lines = written
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    lines.map((line) => line.parentUuid),
    [null, ...lines.slice(0, -1).map((line) => line.uuid)],
    'each line hangs on the one before',
  )
  transcript.close()
  assert.ok(!existsSync(registry))
})

test('garbage declares nothing', () => {
  assert.deepEqual(declaredIn('[]\nnull\n"x"\n{"message":{"content":[null,1,{"type":"tool_use"}]}}\n\0\xff'), [])
})
