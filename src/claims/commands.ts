import { unwrapCommand } from '../agents/unwrap.ts'
import { type Bytes, type Clip, decodeUtf8 } from '../model/bytes.ts'
import type { Process } from '../model/process.ts'
import type { CommandText } from './state.ts'

/** What agents are known to change: Claude Code closes a shell's input, at the end or behind the first stage of a pipeline. */
const EDITS = /\s*<\s*\/dev\/null/g
/** What stands for the part that the sensor cut out (src/agents/unwrap.ts). */
const CUT = '\u2026'
/** Two cut texts are the same where at least this much of them is. */
const ENOUGH = 64

/** Runs of white space are one; known edits are taken out. */
export const normalised = (text: string): string => text.replace(EDITS, '').replace(/\s+/g, ' ')

export function claimedText(command: Clip<string>): CommandText | null {
  const head = normalised(command.head)
  if (command.tail !== undefined) return { head: head.trimStart(), tail: normalised(command.tail).trimEnd() }
  return head.trim() === '' ? null : { head: head.trim(), tail: null }
}

/** Codex sets its snapshot up around the command; where the sensor cut that text, the next image of the same process has the command alone. */
const PRELUDE = '__CODEX_SNAPSHOT'

/**
 * The command a tool-root process was asked to run: of its first shell, without the agent's prelude. What that shell execs later is no evidence:
 * a command could end in `exec sh -c 'what was declared'`. Null: not known (yet).
 */
export function textOf(process: Pick<Process, 'images'>): CommandText | null {
  for (const { args, argsBytes } of process.images) {
    const found = unwrapCommand(args)
    if (found === null || found.includes(PRELUDE)) continue
    return observedText(found, isOpenEnded(args, argsBytes), args.tail !== undefined)
  }
  return null
}

/** The end is missing. Where the sensor kept an end, what it cut out of the middle shows as a mark in the text, or lay in the prelude. */
const isOpenEnded = (args: Clip<readonly Bytes[]>, bytes: number): boolean =>
  args.tail === undefined && (args.total > args.head.length || args.head.reduce((sum, arg) => sum + arg.length + 1, 0) < bytes)

function observedText(bytes: Bytes, openEnded: boolean, marked: boolean): CommandText {
  const { text } = decodeUtf8(bytes)
  const at = marked ? text.lastIndexOf(CUT) : -1
  if (at >= 0) return { head: normalised(text.slice(0, at)).trimStart(), tail: normalised(text.slice(at + CUT.length)).trimEnd() }
  return openEnded ? { head: normalised(text).trimStart(), tail: '' } : { head: normalised(text).trim(), tail: null }
}

/** Whether two texts can be the same command; where one was cut, as far as both are known. */
export function sameText(a: CommandText, b: CommandText): boolean {
  if (a.tail === null && b.tail === null) return a.head === b.head
  if (a.tail === null) return fits(b, a.head)
  if (b.tail === null) return fits(a, b.head)
  const head = Math.min(a.head.length, b.head.length)
  const tail = Math.min(a.tail.length, b.tail.length)
  return head + tail >= ENOUGH && a.head.slice(0, head) === b.head.slice(0, head) && a.tail.slice(a.tail.length - tail) === b.tail.slice(b.tail.length - tail)
}

function fits(cut: CommandText, whole: string): boolean {
  const tail = cut.tail ?? ''
  return cut.head.length + tail.length >= ENOUGH && whole.length >= cut.head.length + tail.length && whole.startsWith(cut.head) && whole.endsWith(tail)
}
