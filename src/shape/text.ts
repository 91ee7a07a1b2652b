import { type Bytes, type Clip, decodeUtf8 } from '../model/bytes.ts'
import type { Value } from '../model/entry.ts'
import type { Redactor } from '../redact/redact.ts'

/** Attributes while a draft is being made. */
export type Draft = Record<string, Value>

/** One argument, and all of them: agents wrap a command in 2 to 4 kB of shell, and what was asked for stands at its end. */
const ARGUMENT_MAX = 8 * 1024
const ARGUMENTS_MAX = 24 * 1024
/** Of what is cut, this share of the room goes to the beginning. */
const HEAD_SHARE = 0.5
/** An argument counts this much beside its text. */
const PER_ARGUMENT = 4

/** Text of unknown encoding: as UTF-8, and where that loses something its bytes beside it. */
export function putBytes(draft: Draft, name: string, bytes: Bytes): void {
  const { text, lossy } = decodeUtf8(bytes)
  draft[name] = text
  if (lossy) draft['spoor.raw.' + name] = rawBytes(bytes)
}

/** The same for a list; the raw form has a zero byte after each. */
export function putList(draft: Draft, name: string, list: readonly Bytes[]): void {
  let lost = false
  draft[name] = list.map((bytes) => {
    const { text, lossy } = decodeUtf8(bytes)
    lost ||= lossy
    return text
  })
  if (lost) draft['spoor.raw.' + name] = rawBytes(list.map((bytes) => bytes + '\0').join('') as Bytes)
}

const rawBytes = (bytes: Bytes): Uint8Array => Buffer.from(bytes, 'latin1')

export function noteOnce(draft: Draft, list: 'spoor.truncated' | 'spoor.redacted', name: string): void {
  const before = draft[list]
  if (before === undefined) draft[list] = [name]
  else if (Array.isArray(before) && !before.includes(name)) draft[list] = [...before, name]
}

/**
 * A program's arguments, without secrets and within bounds; beginning and end are kept. Redaction comes before cutting: half a token is not
 * recognised. Raw bytes are added only where nothing had to be redacted. `bytes`: of the whole argv, where known.
 */
export function putArguments(draft: Draft, redactor: Redactor, args: Clip<readonly Bytes[]>, bytes = 0): void {
  const name = 'process.command_args'
  const { list, omittedAt, omittedCount, clipped } = unclip(args, bytes)
  let lost = false
  const texts = list.map((each) => {
    const { text, lossy } = decodeUtf8(each)
    lost ||= lossy
    return text
  })
  const safe = redactor.args(texts)
  const redacted = safe.some((text, i) => text !== texts[i])
  const shown = safe.map((text) => cutMiddle(text, ARGUMENT_MAX))
  if (omittedCount > 0) shown.splice(omittedAt, 0, omitted(omittedCount))
  const bounded = boundSum(shown)
  const whole = !clipped && bounded === shown && shown.every((text, i) => text === safe[i])
  draft[name] = bounded
  if (bounded.length !== args.total) draft['process.args_count'] = args.total
  if (!whole) noteOnce(draft, 'spoor.truncated', name)
  if (redacted) noteOnce(draft, 'spoor.redacted', name)
  else if (lost && whole) draft['spoor.raw.' + name] = rawBytes(list.map((each) => each + '\0').join('') as Bytes)
}

/** The arguments with the sensor's cut closed: for those who read them as one list. */
export const closeCut = (args: Clip<readonly Bytes[]>, bytes = 0): Clip<readonly Bytes[]> => ({ head: unclip(args, bytes).list, total: args.total })

/** Characters next to the sensor's cut that may be part of one word with what is missing. */
const WORD_MAX = 512
const CUT_MARK = '<cut>'

/**
 * The sensor cuts by bytes: the last argument of the head may be a beginning only, the first of the tail an end, of the same one or of another.
 * The word at each side of the cut goes too: it may be half a secret, which no rule would recognise.
 */
function unclip(
  args: Clip<readonly Bytes[]>,
  bytes: number,
): { readonly list: readonly Bytes[]; readonly omittedAt: number; readonly omittedCount: number; readonly clipped: boolean } {
  const { head, tail, total } = args
  if (tail === undefined || tail.length === 0) {
    const clipped = total > head.length || head.reduce((sum, each) => sum + each.length + 1, 0) < bytes
    const list = clipped && head.length > 0 ? [...head.slice(0, -1), beforeCut(head[head.length - 1]!)] : head
    return { list, omittedAt: list.length, omittedCount: Math.max(0, total - head.length), clipped }
  }
  const before = beforeCut(head[head.length - 1] ?? ('' as Bytes))
  const after = afterCut(tail[0]!)
  const missing = total - head.length - tail.length
  if (missing < 0) return { list: [...head.slice(0, -1), (before + after.slice(CUT_MARK.length)) as Bytes, ...tail.slice(1)], omittedAt: 0, omittedCount: 0, clipped: true }
  return { list: [...head.slice(0, -1), before, after, ...tail.slice(1)], omittedAt: head.length, omittedCount: missing, clipped: true }
}

function beforeCut(text: Bytes): Bytes {
  const from = Math.max(0, text.length - WORD_MAX)
  const space = text.slice(from).search(/\s\S*$/)
  return (text.slice(0, space < 0 ? from : from + space + 1) + CUT_MARK) as Bytes
}

function afterCut(text: Bytes): Bytes {
  const space = text.slice(0, WORD_MAX).search(/\s/)
  return (CUT_MARK + text.slice(space < 0 ? WORD_MAX : space)) as Bytes
}

/** Text that somebody typed. */
export function putText(draft: Draft, redactor: Redactor, name: string, text: string): void {
  const safe = redactor.text(text)
  const short = cutMiddle(safe, ARGUMENT_MAX)
  draft[name] = short
  if (safe !== text) noteOnce(draft, 'spoor.redacted', name)
  if (short !== safe) noteOnce(draft, 'spoor.truncated', name)
}

const omitted = (n: number): string => '<' + n + ' arguments omitted>'

/** Its beginning and end; what was between them is told by its length. */
export function cutMiddle(text: string, most: number): string {
  if (text.length <= most) return text
  const head = wholeBefore(text, Math.floor(most * HEAD_SHARE))
  const tail = wholeBefore(text, text.length - (most - head))
  return text.slice(0, head) + '<' + (tail - head) + ' characters omitted>' + text.slice(tail)
}

/** No character outside the basic plane is cut in half. */
const wholeBefore = (text: string, at: number): number => (at > 0 && (text.charCodeAt(at) & 0xfc00) === 0xdc00 ? at - 1 : at)

function boundSum(list: readonly string[]): readonly string[] {
  let sum = 0
  for (const text of list) sum += text.length + PER_ARGUMENT
  if (sum <= ARGUMENTS_MAX) return list
  let head = 0
  let room = ARGUMENTS_MAX * HEAD_SHARE
  while (head < list.length && room - list[head]!.length - PER_ARGUMENT >= 0) room -= list[head++]!.length + PER_ARGUMENT
  let tail = list.length
  room += ARGUMENTS_MAX * (1 - HEAD_SHARE)
  while (tail > head && room - list[tail - 1]!.length - PER_ARGUMENT >= 0) room -= list[--tail]!.length + PER_ARGUMENT
  return [...list.slice(0, head), omitted(tail - head), ...list.slice(tail)]
}
