import type { Step } from '../scenarios/scenario.ts'
import { type Dialect, event, type Json, listOf, type ModelCall, textIn } from './dialect.ts'

// Anthropic Messages API, as Claude Code 2.1 uses it. https://platform.claude.com/docs/en/api/messages-streaming

const USAGE = { input_tokens: 1000, output_tokens: 50, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }

function toolUse(step: Step): { readonly name: string; readonly input: Json } {
  switch (step.kind) {
    case 'shell':
      return { name: 'Bash', input: { command: step.command, description: 'A step of the lab' } }
    case 'read':
      return { name: 'Read', input: { file_path: step.path } }
    case 'write':
      return { name: 'Write', input: { file_path: step.path, content: step.content } }
    case 'edit':
      return { name: 'Edit', input: { file_path: step.path, old_string: step.from, new_string: step.to } }
  }
}

export const anthropic: Dialect = {
  name: 'anthropic',
  path: /\/v1\/messages$/,
  offersTools: (request) => listOf(request['tools']).some((tool) => tool['name'] === 'Bash'),
  results: (request) =>
    listOf(request['messages'])
      .flatMap((message) => listOf(message['content']))
      .filter((item) => item['type'] === 'tool_result')
      .map((item) => ({ id: String(item['tool_use_id']), text: textIn(item['content']), isError: item['is_error'] === true })),
  calls: (_request, steps, id) =>
    steps.map((step, n): ModelCall => {
      const { name, input } = toolUse(step)
      return { id: `toolu_${id(n)}`, name, steps: [step], block: { type: 'tool_use', id: `toolu_${id(n)}`, name, input } }
    }),
  answer(request, calls, text, serial) {
    const content: readonly Json[] = calls.length > 0 ? calls.map((call) => call.block) : [{ type: 'text', text }]
    const stopReason = calls.length > 0 ? 'tool_use' : 'end_turn'
    const message = { id: `msg_lab${serial}`, type: 'message', role: 'assistant', model: request['model'] ?? 'lab', stop_sequence: null, usage: USAGE }
    if (request['stream'] !== true) return { type: 'application/json', body: JSON.stringify({ ...message, content, stop_reason: stopReason }) }
    const events: Json[] = [{ type: 'message_start', message: { ...message, content: [], stop_reason: null } }]
    for (const [index, block] of content.entries()) {
      const tool = block['type'] === 'tool_use'
      events.push({ type: 'content_block_start', index, content_block: tool ? { ...block, input: {} } : { type: 'text', text: '' } })
      events.push({ type: 'content_block_delta', index, delta: tool ? { type: 'input_json_delta', partial_json: JSON.stringify(block['input']) } : { type: 'text_delta', text } })
      events.push({ type: 'content_block_stop', index })
    }
    events.push({ type: 'message_delta', delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: USAGE.output_tokens } })
    events.push({ type: 'message_stop' })
    return { type: 'text/event-stream', body: events.map(event).join('') }
  },
}
