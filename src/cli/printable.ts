/**
 * Controls, escape sequences, bidirectional and invisible characters, line separators, lone surrogates: what an observed program could put into
 * a file name or an argument to make a terminal show something else (CVE-2021-42574 and its kin).
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\e' }

function escaped(character: string): string {
  const named = NAMED[character]
  if (named !== undefined) return named
  const code = character.codePointAt(0) ?? 0
  if (code < 0x80) return '\\x' + code.toString(16).padStart(2, '0')
  return code <= 0xffff ? '\\u' + code.toString(16).padStart(4, '0') : '\\U' + code.toString(16).padStart(8, '0')
}

/** Text from outside, made safe for a terminal. */
export const printable = (text: string): string => text.replace(UNSAFE, escaped)

const PLAIN_ARGUMENT = /^[\w@%+=:,./~^-]+$/

/** An argument as a shell would take it: `$'...'` (bash, zsh) where it holds anything unprintable. */
export function quoted(argument: string): string {
  if (PLAIN_ARGUMENT.test(argument)) return argument
  if (argument.search(UNSAFE) < 0) return `'${argument.replaceAll("'", "'\\''")}'`
  return `$'${argument.replace(/['\\]/g, '\\$&').replace(UNSAFE, escaped)}'`
}

export const commandLine = (args: readonly string[]): string => args.map(quoted).join(' ')

/** At most `width` characters, cut at the end. */
export const clipped = (text: string, width: number): string => (text.length <= width ? text : text.slice(0, Math.max(1, width - 1)) + '…')

/** JSON whose strings are safe on a terminal as they are: JSON itself lets C1 controls and bidirectional marks through. 64-bit numbers become strings. */
export function safeJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(
    value,
    (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item instanceof Uint8Array ? Buffer.from(item).toString('base64') : item),
    indent,
  )
  return text.replace(JSON_UNSAFE, jsonEscaped)
}
/** As above without what JSON.stringify escapes itself, and without the newlines of `indent`. */
const JSON_UNSAFE = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu
const jsonEscaped = (character: string): string => Array.from({ length: character.length }, (_, i) => '\\u' + character.charCodeAt(i).toString(16).padStart(4, '0')).join('')
