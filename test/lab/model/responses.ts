import type { Step } from '../scenarios/scenario.ts'
import { type Dialect, event, type Json, listOf, type ModelCall, objectOf, textIn } from './dialect.ts'

// OpenAI Responses API, as Codex 0.169 uses it: plain (exec_command, apply_patch) and code mode (`exec` takes a JavaScript program that calls the tools).

/** Longer than any step of a scenario: a command that is still running when it is over comes back as a session to poll. */
const YIELD_MS = 20_000

const quote = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`

function patchOf(step: Extract<Step, { kind: 'write' | 'edit' }>): string {
  const hunk =
    step.kind === 'write'
      ? [
          `*** Add File: ${step.path}`,
          ...step.content
            .replace(/\n$/, '')
            .split('\n')
            .map((line) => '+' + line),
        ]
      : [`*** Update File: ${step.path}`, '@@', `-${step.from}`, `+${step.to}`]
  return ['*** Begin Patch', ...hunk, '*** End Patch', ''].join('\n')
}

const commandOf = (step: Extract<Step, { kind: 'shell' | 'read' }>): string => (step.kind === 'shell' ? step.command : `cat ${quote(step.path)}`)

/** Tools may stand in the request or, with newer models, in an item of the input; in groups, or by themselves. */
function toolsOf(request: Json): readonly { readonly name: string; readonly type: string; readonly namespace: string | null }[] {
  const flat = (tools: readonly Json[], namespace: string | null): ReturnType<typeof toolsOf> =>
    tools.flatMap((tool) =>
      tool['type'] === 'namespace' ? flat(listOf(tool['tools']), String(tool['name'])) : [{ name: String(tool['name']), type: String(tool['type']), namespace }],
    )
  const added = listOf(request['input']).filter((item) => item['type'] === 'additional_tools')
  return [...flat(listOf(request['tools']), null), ...added.flatMap((item) => flat(listOf(item['tools']), null))]
}

function plainCall(step: Step, id: string): ModelCall {
  if (step.kind === 'write' || step.kind === 'edit')
    return { id, name: 'apply_patch', steps: [step], block: { type: 'custom_tool_call', call_id: id, name: 'apply_patch', input: patchOf(step), status: 'completed' } }
  const argumentText = JSON.stringify({ cmd: commandOf(step), yield_time_ms: YIELD_MS })
  return { id, name: 'exec_command', steps: [step], block: { type: 'function_call', call_id: id, name: 'exec_command', arguments: argumentText, status: 'completed' } }
}

/** One program for all steps of the turn. */
function programCall(steps: readonly Step[], id: string, namespace: string | null): ModelCall {
  const calls = steps.map((step) =>
    step.kind === 'write' || step.kind === 'edit'
      ? `tools.apply_patch(${JSON.stringify(patchOf(step))})`
      : `tools.exec_command(${JSON.stringify({ cmd: commandOf(step), yield_time_ms: YIELD_MS })})`,
  )
  const input = `const done = await Promise.all([\n  ${calls.join(',\n  ')},\n]);\nfor (const one of done) text(typeof one === 'string' ? one : one.output ?? JSON.stringify(one));`
  return { id, name: 'exec', steps, block: { type: 'custom_tool_call', call_id: id, name: 'exec', ...(namespace === null ? {} : { namespace }), input, status: 'completed' } }
}

export const responses: Dialect = {
  name: 'responses',
  path: /\/responses$/,
  offersTools: (request) => toolsOf(request).some(({ name }) => name === 'exec_command' || name === 'exec'),
  results: (request) =>
    listOf(request['input'])
      .filter((item) => String(item['type']).endsWith('_call_output'))
      .map((item) => {
        const text = textIn(item['output'])
        return { id: String(item['call_id']), text, isError: objectOf(item['output'])['success'] === false }
      }),
  calls(request, steps, id) {
    const code = toolsOf(request).find(({ name, type }) => name === 'exec' && type === 'custom')
    return code === undefined ? steps.map((step, n) => plainCall(step, `call_${id(n)}`)) : [programCall(steps, `call_${id(0)}`, code.namespace)]
  },
  answer(request, calls, text, serial) {
    const output = (
      calls.length > 0
        ? calls.map((call) => call.block)
        : [{ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text, annotations: [] }] } satisfies Json]
    ).map((item: Json, n): Json => ({ id: `item_lab${serial}_${n}`, ...item }))
    const usage = { input_tokens: 1000, input_tokens_details: { cached_tokens: 0 }, output_tokens: 50, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 1050 }
    const response = { id: `resp_lab${serial}`, object: 'response', created_at: Math.floor(Date.now() / 1000), model: request['model'] ?? 'lab', error: null }
    const completed = { ...response, status: 'completed', output, usage }
    if (request['stream'] !== true) return { type: 'application/json', body: JSON.stringify(completed) }
    const events: Json[] = [{ type: 'response.created', response: { ...response, status: 'in_progress', output: [] } }]
    for (const [index, item] of output.entries()) {
      events.push({ type: 'response.output_item.added', output_index: index, item: { ...item, status: 'in_progress' } })
      if (item['type'] === 'message') events.push({ type: 'response.output_text.delta', item_id: item['id'], output_index: index, content_index: 0, delta: text })
      events.push({ type: 'response.output_item.done', output_index: index, item })
    }
    events.push({ type: 'response.completed', response: completed })
    return { type: 'text/event-stream', body: events.map((one, n) => event({ ...one, sequence_number: n })).join('') }
  },
}
