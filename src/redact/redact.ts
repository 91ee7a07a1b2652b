import { createHash } from 'node:crypto'
import { GLUED_OPTIONS, NOT_A_SECRET, SCHEMES, SECRET_HEADERS, SECRET_OPTIONS, SECRET_WORDS, TOKEN_BEGINS, TOKENS } from './rules.ts'

/** Longer text is not searched but replaced by its hash: the sensor cuts arguments far below this. */
const TEXT_MAX = 256 * 1024
/** What stands between a secret's name and its value, and in front of the name, is looked at this far. */
const NAME_MAX = 40

/** One way to find secrets: takes text, gives it back without them. */
export type Rule = (text: string) => string

export type Redactor = {
  /** Any text: a command, a URL. */
  text(text: string): string
  /** A program's arguments: what single texts cannot tell (`--password`, `hunter2`) is told by their order. */
  args(args: readonly string[]): readonly string[]
}

const mark = (kind: string): string => '<redacted:' + kind + '>'

/** Replaces secrets in what people and agents type. It fails closed: a rule that throws turns the whole value into a hash. */
export function createRedactor(rules: readonly Rule[] = RULES): Redactor {
  function text(value: string): string {
    if (value.length > TEXT_MAX) return hashed(value)
    try {
      let rest = value
      for (const rule of rules) rest = rule(rest)
      return rest
    } catch {
      return hashed(value)
    }
  }

  function args(values: readonly string[]): readonly string[] {
    try {
      return inOrder(values).map((value, i) => (value === values[i] ? text(value) : value))
    } catch {
      return values.map(hashed)
    }
  }
  return { text, args }
}

const hashed = (value: string): string => '<redacted:sha256:' + createHash('sha256').update(value).digest('hex').slice(0, 32) + '>'

/** Secrets that only their place among the arguments tells. */
function inOrder(args: readonly string[]): string[] {
  const program = (args[0] ?? '').slice((args[0] ?? '').lastIndexOf('/') + 1)
  const options = Object.hasOwn(SECRET_OPTIONS, program) ? SECRET_OPTIONS[program]! : []
  const glued = Object.hasOwn(GLUED_OPTIONS, program) ? GLUED_OPTIONS[program]! : null
  const out = [...args]
  for (let i = 1; i < args.length; i++) {
    const arg = args[i]!
    const next = args[i + 1]
    if (options.includes(arg) || isSecretOption(arg)) {
      if (next !== undefined && isValue(next, arg)) out[++i] = isUserAndPassword(program, arg, next) ? next.slice(0, next.indexOf(':') + 1) + mark('password') : mark('argument')
    } else if (glued !== null && arg.length > glued.length && arg.startsWith(glued) && !arg.startsWith('--')) out[i] = glued + mark('password')
  }
  return out
}

const isUserAndPassword = (program: string, option: string, value: string): boolean => program === 'curl' && option !== '--oauth2-bearer' && value.includes(':')

/** `--password`, `--api-key`, `-token`: a name that says so, and no value in the same argument. */
function isSecretOption(arg: string): boolean {
  if (arg.charCodeAt(0) !== 0x2d || arg.length < 4 || arg.length > 64 || arg.includes('=') || arg.includes(' ')) return false
  SECRET_WORDS.lastIndex = 0
  const word = SECRET_WORDS.exec(arg)
  if (word === null) return arg === '--auth' || arg === '--pass'
  return !NOT_A_SECRET.test(arg.slice(word.index + word[0].length)) && !arg.startsWith('--no-')
}

/** What can be a secret: not the next option, not a reference to a variable, not a number (of tokens; a password can be one). */
const isValue = (text: string, option: string): boolean => text.length > 0 && !text.startsWith('--') && !isReference(text) && !(/token/i.test(option) && /^\d{1,7}$/.test(text))

const PEM_BEGIN = '-----BEGIN '
const PEM_KEY = 'PRIVATE KEY'
const PEM_END = '-----END '

/** RFC 7468. Without an end all that follows is taken for the key, without a beginning all that stands before. */
function pem(text: string): string {
  let begin = text.indexOf(PEM_BEGIN)
  let end = text.indexOf(PEM_END)
  if (begin < 0 && end < 0) return text
  let out = ''
  let done = 0
  if (end >= 0 && (begin < 0 || end < begin) && text.slice(end, end + 64).includes(PEM_KEY)) {
    out = mark('private_key')
    done = afterDashes(text, end + PEM_END.length)
  }
  while (begin >= 0) {
    if (text.slice(begin, begin + 64).includes(PEM_KEY)) {
      end = text.indexOf(PEM_END, begin)
      out += text.slice(done, begin) + mark('private_key')
      done = end < 0 ? text.length : afterDashes(text, end + PEM_END.length)
    }
    begin = text.indexOf(PEM_BEGIN, Math.max(done, begin + 1))
  }
  return out + text.slice(done)
}

function afterDashes(text: string, from: number): number {
  const at = text.indexOf('-----', from)
  return at < 0 ? text.length : at + 5
}

const URL_END = /[\s/'"`<>?#\\]/
/** Characters of userinfo looked at (RFC 3986 sets no bound; browsers keep far less). */
const USERINFO_MAX = 1024

/** `scheme://user:password@host`: the password goes; a user name alone stays where it looks like one. */
function userinfo(text: string): string {
  let at = text.indexOf('://')
  if (at < 0) return text
  let out = ''
  let done = 0
  for (; at >= 0; at = text.indexOf('://', at + 3)) {
    const from = at + 3
    const part = text.slice(from, from + USERINFO_MAX)
    const end = part.search(URL_END)
    const authority = end < 0 ? part : part.slice(0, end)
    const sign = authority.lastIndexOf('@')
    if (sign <= 0) continue
    const info = authority.slice(0, sign)
    const colon = info.indexOf(':')
    const kept = colon >= 0 ? info.slice(0, colon + 1) : /^[a-z_][a-z0-9_.-]{0,19}$/.test(info) ? null : ''
    if (kept === null || colon === info.length - 1 || isReference(info.slice(colon + 1))) continue
    out += text.slice(done, from) + kept + mark(colon >= 0 ? 'password' : 'userinfo')
    done = from + sign
  }
  return out + text.slice(done)
}

/** `Authorization: ...` up to the end of its quotes or line. */
function headers(text: string): string {
  SECRET_HEADERS.lastIndex = 0
  let out = ''
  let done = 0
  for (let match = SECRET_HEADERS.exec(text); match !== null; match = SECRET_HEADERS.exec(text)) {
    const from = match.index + match[0].length
    const quote = quoteBefore(text, match.index)
    const value = quote === '' ? /^[^\r\n'"]*/.exec(text.slice(from))![0] : upTo(text, from, quote)
    if (value.trim() === '' || isReference(value.trim().replace(/^(?:Bearer|Basic|token)\s+/i, ''))) continue
    out += text.slice(done, from) + ' ' + mark('header')
    done = from + value.length
    SECRET_HEADERS.lastIndex = Math.max(done, SECRET_HEADERS.lastIndex)
  }
  return out + text.slice(done)
}

const quoteBefore = (text: string, at: number): string => {
  const before = text[at - 1]
  return before === '"' || before === "'" ? before : ''
}
function upTo(text: string, from: number, end: string): string {
  const at = text.indexOf(end, from)
  return at < 0 ? text.slice(from) : text.slice(from, at)
}

/** `name=value`, `"name": "value"`, `--name value`, where the name has a secret's word in it. */
function assignments(text: string): string {
  SECRET_WORDS.lastIndex = 0
  let out = ''
  let done = 0
  for (let word = SECRET_WORDS.exec(text); word !== null; word = SECRET_WORDS.exec(text)) {
    const after = word.index + word[0].length
    const rest = text.slice(after, after + 2 * NAME_MAX)
    if (NOT_A_SECRET.test(rest)) continue
    const sign = /^[A-Za-z0-9_-]{0,24}["']?\s{0,3}(?:[=:]|=>)\s{0,3}/.exec(rest) ?? (isOption(text, word.index) ? /^[A-Za-z0-9_-]{0,24}\s{1,4}/.exec(rest) : null)
    if (sign === null) continue
    const from = after + sign[0].length
    const value = valueAt(text, from)
    if (value.length === 0 || !isSecretValue(value, word[0])) continue
    out += text.slice(done, from) + mark('secret')
    done = from + value.length
    SECRET_WORDS.lastIndex = Math.max(done, after)
  }
  return out + text.slice(done)
}

/** Is the word part of an option's name: nothing but name characters back to a dash after white space? */
function isOption(text: string, at: number): boolean {
  for (let i = at - 1; i >= 0 && at - i <= NAME_MAX; i--) {
    const c = text[i]!
    if (c === '-' && (i === 0 || /\s/.test(text[i - 1]!))) return true
    if (!/[A-Za-z0-9_-]/.test(c)) return false
  }
  return false
}

function valueAt(text: string, from: number): string {
  const first = text[from]
  if (first === '"' || first === "'") {
    const inside = upTo(text, from + 1, first)
    return inside === '' ? '' : text.slice(from, from + 1 + inside.length + (text[from + 1 + inside.length] === first ? 1 : 0))
  }
  let end = from
  while (end < text.length && !/[\s&;|,"'`)}\]<>]/.test(text[end]!)) end++
  return text.slice(from, end)
}

const isReference = (value: string): boolean => /^["']?(?:\$[A-Za-z_({]|%[A-Z_]+%|\{\{)/.test(value)
/** Not a variable's name, a number of tokens, a switch, or what has been replaced already. */
const isSecretValue = (value: string, word: string): boolean =>
  !isReference(value) &&
  !value.startsWith('<redacted:') &&
  !value.startsWith('-') &&
  !/^["']?(?:true|false|null|none|undefined|yes|no)?["']?$/i.test(value) &&
  !(/^token$/i.test(word) && /^["']?\d{1,7}["']?$/.test(value))

function tokens(text: string): string {
  let rest = text.replace(SCHEMES, (found) => found.slice(0, found.search(/\s/)) + ' ' + mark('credentials'))
  if (!TOKEN_BEGINS.test(rest)) return rest
  for (const { kind, find } of TOKENS) rest = rest.replace(find, mark(kind))
  return rest
}

/** In this order: what is known best goes first, and what has been replaced is left alone by the later ones. */
export const RULES: readonly Rule[] = [pem, userinfo, headers, tokens, assignments]
