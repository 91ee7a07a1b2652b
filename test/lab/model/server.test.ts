import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import type { Step } from '../scenarios/scenario.ts'
import { type ModelServer, startModel } from './server.ts'

// Stand-ins for the two CLIs: they do what the real ones were seen to do with each answer, and keep the whole history.

type Json = Record<string, unknown>
const TURNS: readonly (readonly Step[])[] = [
  [
    { kind: 'shell', command: 'echo "a"' },
    { kind: 'shell', command: 'echo b' },
  ],
  [{ kind: 'read', path: "/w/it's" }],
  [{ kind: 'edit', path: '/w/x', from: 'one', to: 'two' }],
]

const eventsOf = (body: string): Json[] =>
  body
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const [name, data] = block.split('\n')
      const parsed = JSON.parse(data!.slice('data: '.length)) as Json
      assert.equal(name, `event: ${parsed['type']}`)
      return parsed
    })

async function withModel(run: (model: ModelServer) => Promise<void>): Promise<void> {
  const model = await startModel({ farewell: 'bye' }, TURNS)
  try {
    await run(model)
  } finally {
    await model.close()
  }
}

test('Anthropic Messages: tool calls stream as Claude Code reads them, turn after turn, to the farewell', () =>
  withModel(async (model) => {
    const messages: Json[] = [{ role: 'user', content: 'go' }]
    const seen: Json[][] = []
    for (let n = 0; n < 10; n++) {
      const answer = await fetch(`${model.url}/v1/messages?beta=true`, {
        method: 'POST',
        body: JSON.stringify({ model: 'm', stream: true, tools: [{ name: 'Bash' }, { name: 'Read' }], messages }),
      })
      const blocks: Json[] = []
      const partial: string[] = []
      let stop: unknown
      for (const event of eventsOf(await answer.text())) {
        const index = event['index'] as number
        const delta = event['delta'] as Json
        if (event['type'] === 'content_block_start') blocks[index] = event['content_block'] as Json
        if (event['type'] === 'content_block_delta') partial[index] = (partial[index] ?? '') + (delta['partial_json'] ?? delta['text'])
        if (event['type'] === 'message_delta') stop = delta['stop_reason']
      }
      if (stop === 'end_turn') {
        assert.deepEqual(partial, ['bye'])
        break
      }
      const calls = blocks.map((block, i) => ({ ...block, input: JSON.parse(partial[i]!) as unknown }))
      seen.push(calls.map(({ input }) => input as Json))
      messages.push({ role: 'assistant', content: calls })
      messages.push({
        role: 'user',
        content: blocks.map((block) => ({ type: 'tool_result', tool_use_id: block['id'], content: [{ type: 'text', text: 'fine' }], is_error: n === 1 })),
      })
    }
    assert.deepEqual(seen, [
      [
        { command: 'echo "a"', description: 'A step of the lab' },
        { command: 'echo b', description: 'A step of the lab' },
      ],
      [{ file_path: "/w/it's" }],
      [{ file_path: '/w/x', old_string: 'one', new_string: 'two' }],
    ])
    assert.deepEqual(
      model.asked.map((call) => [call.turn, call.tool, call.result]),
      [
        [0, 'Bash', { text: 'fine', isError: false }],
        [0, 'Bash', { text: 'fine', isError: false }],
        [1, 'Read', { text: 'fine', isError: true }],
        [2, 'Edit', { text: 'fine', isError: false }],
      ],
    )
  }))

async function responses(model: ModelServer, tools: Json, results: 'function_call_output' | 'custom_tool_call_output'): Promise<Json[][]> {
  const input: Json[] = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'go' }] }]
  const seen: Json[][] = []
  for (let n = 0; n < 10; n++) {
    // Codex packs its requests.
    const body = zstdCompressSync(Buffer.from(JSON.stringify({ model: 'm', stream: true, ...tools, input: [...((tools['input'] as Json[]) ?? []), ...input] })))
    const answer = await fetch(`${model.url}/v1/responses`, { method: 'POST', headers: { 'content-encoding': 'zstd' }, body })
    const events = eventsOf(await answer.text())
    assert.equal(events.at(-1)?.['type'], 'response.completed')
    assert.deepEqual(
      events.map((event) => event['sequence_number']),
      events.map((_, i) => i),
    )
    const items = events.filter((event) => event['type'] === 'response.output_item.done').map((event) => event['item'] as Json)
    if (items.some((item) => item['type'] === 'message')) break
    seen.push(items)
    input.push(...items, ...items.map((item) => ({ type: results, call_id: item['call_id'], output: [{ type: 'input_text', text: 'fine' }] })))
  }
  return seen
}

test('OpenAI Responses: exec_command and apply_patch', () =>
  withModel(async (model) => {
    const [first, second, third] = await responses(
      model,
      {
        tools: [
          { type: 'function', name: 'exec_command' },
          { type: 'custom', name: 'apply_patch' },
        ],
      },
      'function_call_output',
    )
    assert.deepEqual(
      first!.map((item) => JSON.parse(String(item['arguments'])).cmd),
      ['echo "a"', 'echo b'],
    )
    assert.equal(JSON.parse(String(second![0]!['arguments'])).cmd, "cat '/w/it'\\''s'")
    assert.equal(third![0]!['input'], '*** Begin Patch\n*** Update File: /w/x\n@@\n-one\n+two\n*** End Patch\n')
    assert.ok(model.asked.every((call) => call.result?.text === 'fine'))
  }))

test('code mode: one program for all steps of a turn, tools found in the input', () =>
  withModel(async (model) => {
    const tools = { input: [{ type: 'additional_tools', tools: [{ type: 'namespace', name: 'functions', tools: [{ type: 'custom', name: 'exec' }] }] }] }
    const seen = await responses(model, tools, 'custom_tool_call_output')
    assert.equal(seen.length, 3)
    assert.ok(seen.every((items) => items.length === 1 && items[0]!['name'] === 'exec' && items[0]!['namespace'] === 'functions'))
    const program = String(seen[0]![0]!['input'])
    const ran: string[] = []
    const run = Object.getPrototypeOf(async () => {}).constructor('tools', 'text', program) as (tools: object, text: () => void) => Promise<void>
    await run({ exec_command: async ({ cmd }: { cmd: string }) => ran.push(cmd), apply_patch: async () => {} }, () => {})
    assert.deepEqual(ran, ['echo "a"', 'echo b'])
    assert.deepEqual(
      model.asked.map((call) => call.steps.length),
      [2, 1, 1],
    )
  }))

test('what offers no tools gets a word; anything else is not found and remembered; garbage ends nothing', () =>
  withModel(async (model) => {
    const title = await fetch(`${model.url}/v1/messages`, { method: 'POST', body: '{"messages":[]}' })
    assert.deepEqual(((await title.json()) as Json)['content'], [{ type: 'text', text: 'Lab' }])
    for (const [path, body] of [
      ['/v1/messages', '{"tools":'],
      ['/v1/messages/count_tokens', '{}'],
    ])
      assert.equal((await fetch(model.url + path, { method: 'POST', body: body! })).status, 404)
    assert.deepEqual(model.others, ['POST /v1/messages', 'POST /v1/messages/count_tokens'])
    assert.equal(model.asked.length, 0)
  }))
