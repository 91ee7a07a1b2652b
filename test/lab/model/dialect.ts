import type { Step } from '../scenarios/scenario.ts'

export type Json = Readonly<Record<string, unknown>>
export const objectOf = (value: unknown): Json => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {})
export const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(objectOf) : [])

/** A tool call as the model makes it. One may carry several steps (a program that runs several commands). */
export type ModelCall = { readonly id: string; readonly name: string; readonly steps: readonly Step[]; readonly block: Json }
export type ModelResult = { readonly id: string; readonly text: string; readonly isError: boolean }

/** One wire API. Pure: requests in, answers out. */
export type Dialect = {
  readonly name: string
  readonly path: RegExp
  /** Does this request offer what a step needs? Requests for a title or a summary offer nothing. */
  offersTools(request: Json): boolean
  /** Results of tool calls anywhere in the history. */
  results(request: Json): readonly ModelResult[]
  calls(request: Json, steps: readonly Step[], id: (n: number) => string): readonly ModelCall[]
  /** Server-sent events, or one document where the client does not stream. */
  answer(request: Json, calls: readonly ModelCall[], text: string, serial: number): { readonly type: string; readonly body: string }
}

export const event = (data: Json): string => `event: ${data['type']}\ndata: ${JSON.stringify(data)}\n\n`

/** The text in a result, whatever it is wrapped in. */
export function textIn(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(textIn).join('\n')
  const { text, output, content } = objectOf(value)
  return text !== undefined || output !== undefined || content !== undefined ? textIn(text ?? output ?? content) : ''
}
