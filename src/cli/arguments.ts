import { parseArgs } from 'node:util'
import { misused, print } from './say.ts'

export type Option = { readonly type: 'text' | 'flag' /** Placeholder of a text's value. */; readonly value?: string; readonly help: string }

export type CommandSpec = {
  readonly name: string
  /** What follows the command's name in its usage line. */
  readonly usage: string
  readonly summary: string
  readonly options: Readonly<Record<string, Option>>
  readonly positionals?: { readonly min: number; readonly max: number; readonly what: string }
  readonly details?: string
}

export type Arguments =
  | { readonly ok: true; text(option: string): string | null; flag(option: string): boolean; readonly positionals: readonly string[] }
  | { readonly ok: false; readonly exit: 0 | 2 }

export const STATE_DIR: Option = { type: 'text', value: 'DIR', help: 'state directory (default: /var/lib/spoor as root, else $XDG_STATE_HOME/spoor)' }
export const JSON_OUT: Option = { type: 'flag', help: 'print JSON instead of text' }

export function helpOf(command: CommandSpec): string {
  const rows = Object.entries({ ...command.options, help: { type: 'flag', help: 'this text' } satisfies Option }).map(
    ([name, option]: [string, Option]) => [`--${name}${option.value === undefined ? '' : ' ' + option.value}`, option.help] as const,
  )
  const width = Math.max(...rows.map(([name]) => name.length))
  const options = rows.map(([name, help]) => `  ${name.padEnd(width)}  ${help}\n`).join('')
  return `usage: spoor ${command.name}${command.usage === '' ? '' : ' ' + command.usage}\n\n${command.summary}\n\n${options}${command.details === undefined ? '' : '\n' + command.details + '\n'}`
}

/** Parses a command's arguments; what is wrong with them, or the help asked for, is printed here. */
export function readArguments(command: CommandSpec, argv: readonly string[]): Arguments {
  const wrong = (message: string): Arguments => ({ ok: false, exit: misused(command.name, message) })
  const known = new Map(Object.entries(command.options))
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries([...known].map(([name, option]) => [name, { type: option.type === 'text' ? ('string' as const) : ('boolean' as const) }])),
  })
  const texts = new Map<string, string>()
  const flags = new Set<string>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    if (token.rawName === '--help' || token.rawName === '-h') {
      print(helpOf(command))
      return { ok: false, exit: 0 }
    }
    const option = token.rawName.startsWith('--') ? known.get(token.name) : undefined
    if (option === undefined) return wrong(`unknown option ${token.rawName}`)
    if (option.type === 'flag') {
      if (token.value !== undefined) return wrong(`${token.rawName} takes no value`)
      flags.add(token.name)
      continue
    }
    if (token.value === undefined || token.value === '' || (!token.inlineValue && token.value.startsWith('-')))
      return wrong(`${token.rawName} needs a value: ${option.value ?? 'VALUE'}`)
    if (token.value.includes('\0')) return wrong(`${token.rawName}: a value cannot hold a NUL character`)
    texts.set(token.name, token.value)
  }
  const { min, max, what } = command.positionals ?? { min: 0, max: 0, what: '' }
  if (positionals.length > max) return wrong(`unexpected argument '${positionals[max]}'`)
  if (positionals.length < min) return wrong(`${what} is missing`)
  return { ok: true, text: (name) => texts.get(name) ?? null, flag: (name) => flags.has(name), positionals }
}
