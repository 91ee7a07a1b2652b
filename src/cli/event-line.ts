import type { Attributes, Entry, Value } from '../model/entry.ts'
import { textOf } from './attributes.ts'
import { clipped, commandLine, printable, quoted } from './printable.ts'
import { localTime } from './units.ts'

/** Said first and without their names. */
const LEADING = ['spoor.command', 'process.command_args', 'file.path', 'spoor.file.folder', 'gen_ai.agent.name', 'network.peer.address'] as const
/** In columns of their own, or of no use to a reader. */
const LEFT_OUT = new Set(['session.id', 'spoor.process.id', 'process.pid', 'spoor.process.parent_id'])
const VALUE_MAX = 120
const LINE_MAX = 1000

/** One entry in one line, for people; `--json` has all of it. */
export function eventLine(entry: Entry): string {
  const { attributes } = entry
  const session = textOf(attributes, 'session.id')?.slice(0, 8) ?? '-'
  const pid = attributes['process.pid']
  const head = `${localTime(entry.timeUnixNano)}  ${printable(session).padEnd(8)}  ${(pid === undefined ? '-' : printable(String(pid))).padStart(7)}  ${printable(entry.eventName).padEnd(22)}  `
  const leading = LEADING.flatMap((name) => (attributes[name] === undefined ? [] : [shown(attributes[name])]))
  const others = Object.keys(attributes).filter((name) => !LEFT_OUT.has(name) && !LEADING.some((known) => known === name))
  return head + clipped([...leading, ...others.sort().map((name) => `${printable(name)}=${shown(attributes[name])}`)].join(' '), LINE_MAX)
}

function shown(value: Value | undefined): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return clipped(quoted(value), VALUE_MAX)
  if (Array.isArray(value)) return clipped(value.every((item) => typeof item === 'string') ? commandLine(value) : '[' + value.map(shown).join(',') + ']', VALUE_MAX)
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (typeof value === 'object')
    return clipped(
      '{' +
        Object.entries(value as Attributes)
          .map(([key, item]) => `${printable(key)}:${shown(item)}`)
          .join(',') +
        '}',
      VALUE_MAX,
    )
  return String(value)
}
