import { ATTRIBUTES, type AttributeDefinition, EVENTS, RAW_PREFIX, SCHEMA_VERSION } from './registry.ts'
import { sensitiveClasses } from './sensitive.ts'

/** The text of docs/schema.md. A test holds the file against it; `write-schema-page.ts` writes it. */
export function schemaPage(): string {
  const attributes = Object.entries(ATTRIBUTES) as [string, AttributeDefinition][]
  return `# Schema ${SCHEMA_VERSION}

Made from \`src/shape/registry.ts\` by \`src/shape/write-schema-page.ts\`; do not edit.

Every entry is an OTLP LogRecord of the scope \`spoor\`, version \`${SCHEMA_VERSION}\`. Its time is when it happened, its observed time when Spoor wrote it.
All carry \`log.record.uid\`. Changes are additive. Text that is not UTF-8 has U+FFFD where bytes did not fit, and its bytes in \`${RAW_PREFIX}<name>\`
(lists: each item with a zero byte behind it). Integers beyond 64 bits are decimal strings. An entry has at most 65,535 bytes: the longest values are cut,
and \`spoor.truncated\` names them. Secrets in arguments and commands are replaced by \`<redacted:kind>\`, and \`spoor.redacted\` names the attributes.

Class *fact*: written at once, in the context of the turn's or tool call's span where that is known. Class *settled*: written when it is over; makes one span,
with \`spoor.start_time\` as its beginning, the record's own ids and \`spoor.parent.span_id\`. Class *own*: about Spoor itself.

## Events
${Object.entries(EVENTS)
  .map(
    ([name, event]) => `
### \`${name}\`
*${event.class}*. ${event.brief}.

Always: ${listed(event.required)}.
${event.optional.length > 0 ? `Where it applies: ${listed([...new Set(event.optional)])}.\n` : ''}`,
  )
  .join('')}
## Attributes
| name | type | of | stability | meaning |
|---|---|---|---|---|
${attributes.map(([name, a]) => `| \`${name}\` | ${a.type} | ${a.source} | ${a.stability.replace('_', ' ')} | ${a.brief} |`).join('\n')}

## Sensitive files
An access to one of these is an entry of its own (the first of each kind by a process). (writes): only changing it is.

| class | files |
|---|---|
${sensitiveClasses()
  .map(({ is, files }) => `| \`${is}\` | ${files.join(', ')} |`)
  .join('\n')}
`
}

const listed = (names: readonly string[]): string => names.map((name) => '`' + name + '`').join(', ')
