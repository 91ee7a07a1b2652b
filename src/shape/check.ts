import type { EntryDraft, Value } from '../model/entry.ts'
import { ATTRIBUTES, type AttributeDefinition, EVENTS, RAW_PREFIX, type Type } from './registry.ts'

/** Where a draft is not as the registry has it; one sentence each. For tests: stage 5 writes what it has, and is not slowed down by this. */
export function problemsOf(draft: EntryDraft): string[] {
  const event = EVENTS[draft.eventName]
  if (event === undefined) return [draft.eventName + ' is no known event']
  const problems: string[] = []
  const known: Readonly<Record<string, AttributeDefinition>> = ATTRIBUTES
  for (const name of event.required) if (!(name in draft.attributes)) problems.push(draft.eventName + ' lacks ' + name)
  for (const [name, value] of Object.entries(draft.attributes)) {
    if (name.startsWith(RAW_PREFIX) && known[name.slice(RAW_PREFIX.length)] !== undefined) {
      if (typeOf(value) !== 'bytes') problems.push(name + ' is no bytes')
      continue
    }
    const definition = known[name]
    if (definition === undefined) problems.push(name + ' is no known attribute')
    else if (!fits(value, definition.type)) problems.push(name + ' is ' + typeOf(value) + ', not ' + definition.type)
    if (![...event.required, ...event.optional].some((allowed) => allowed === name)) problems.push(draft.eventName + ' does not have ' + name)
  }
  return problems
}

const fits = (value: Value, type: Type): boolean =>
  typeOf(value) === type || (type === 'double' && typeOf(value) === 'int') || (type === 'string[]' && Array.isArray(value) && value.length === 0)

function typeOf(value: Value): Type | 'unknown' {
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'bigint':
      return 'int'
    case 'number':
      return Number.isInteger(value) ? 'int' : 'double'
    case 'boolean':
      return 'boolean'
    default:
      if (value instanceof Uint8Array) return 'bytes'
      if (Array.isArray(value)) return value.every((item) => typeof item === 'string') ? 'string[]' : 'unknown'
      return 'map'
  }
}
