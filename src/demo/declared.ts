/** A tool call as the agent's own transcript tells it. */
export type Declared = {
  readonly id: string
  readonly tool: string
  readonly command: string | null
  readonly path: string | null
  readonly url: string | null
  readonly failed: boolean | null
}

type Json = Readonly<Record<string, unknown>>
const object = (value: unknown): Json => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {})
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** The tool calls in the lines of a transcript in Claude Code's format, in their order. For the demo's own: `spoor run` reads transcripts elsewhere, with bounds. */
export function declaredIn(transcript: string): readonly Declared[] {
  const calls = new Map<string, Declared>()
  for (const line of transcript.split('\n')) {
    const content = object(object(parsed(line))['message'])['content']
    if (!Array.isArray(content)) continue
    for (const item of content.map(object)) {
      if (item['type'] === 'tool_use' && typeof item['id'] === 'string') {
        const input = object(item['input'])
        calls.set(item['id'], {
          id: item['id'],
          tool: text(item['name']) ?? '?',
          command: text(input['command']),
          path: text(input['file_path']),
          url: text(input['url']),
          failed: null,
        })
      }
      const result = item['type'] === 'tool_result' && typeof item['tool_use_id'] === 'string' ? calls.get(item['tool_use_id']) : undefined
      if (result !== undefined) calls.set(result.id, { ...result, failed: item['is_error'] === true })
    }
  }
  return [...calls.values()]
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null // the last line may be half written
  }
}
