import { type Bytes, bytesOf, type Clip } from '../model/bytes.ts'
import { basename } from './paths.ts'

const SHELLS = new Set(['sh', 'bash', 'dash', 'zsh', 'ash', 'ksh'])
/** `bash -c` that execs `bash -c` that ...: openclaw and codex nest two. */
const DEPTH_MAX = 4
/** Stands for what the sensor's bound cut out of the middle. */
const CUT: string = bytesOf('\u2026')
/** Shell options that take the next argument. */
const WITH_VALUE = new Set(['-o', '+o', '-O', '+O', '--rcfile', '--init-file'])

/**
 * The command a person would recognise in a shell's argv, without the prelude an agent puts around it (snapshots, traps, `eval`);
 * null where argv is no `sh -c`. For display and for `spoor.command`; argv itself is kept as it is.
 * Preludes as seen in claude-code 2.1, codex 0.169, gemini-cli 0.52 to 0.61, openclaw 2026.9; others have none.
 */
export function unwrapCommand(args: Clip<readonly Bytes[]>): Bytes | null {
  const joined = args.tail === undefined ? args.head : joinCut(args.head, args.tail)
  return unwrap(joined, DEPTH_MAX) as Bytes | null
}

/** Head and tail meet inside one argument: the last of the head goes on in the first of the tail. */
function joinCut(head: readonly string[], tail: readonly string[]): readonly string[] {
  if (head.length === 0 || tail.length === 0) return [...head, ...tail]
  return [...head.slice(0, -1), head[head.length - 1]! + CUT + tail[0]!, ...tail.slice(1)]
}

function unwrap(args: readonly string[], depth: number): string | null {
  const at = scriptAt(args)
  if (at < 0 || depth === 0) return null
  const script = args[at]!
  // sh -c 'exec "$0" "$@"' PROGRAM ARGS
  if (script.endsWith('exec "$0" "$@"') && at + 1 < args.length) return unwrap(args.slice(at + 1), depth - 1) ?? args.slice(at + 1).join(' ')
  return unwrapScript(script, depth)
}

/** Index of the text behind `-c`, of the first shell in argv (codex puts its own setup stage before it); -1 without one. */
function scriptAt(args: readonly string[]): number {
  for (let start = 0; start < args.length; start++) {
    if (!SHELLS.has(basename(args[start]!)) || (start > 0 && !args[0]!.endsWith('/exe'))) continue
    let command = false
    for (let i = start + 1; i < args.length; i++) {
      const arg = args[i]!
      if (arg === '--') return command && i + 1 < args.length ? i + 1 : -1
      if (!arg.startsWith('-') && !arg.startsWith('+')) {
        // codex names the program twice: what to exec, and its argv[0].
        if (!command && i === start + 1 && SHELLS.has(basename(arg))) continue
        return command ? i : -1
      }
      if (WITH_VALUE.has(arg)) i++
      else if (!arg.startsWith('--') && arg.includes('c')) command = true
    }
    return -1
  }
  return -1
}

function unwrapScript(script: string, depth: number): string {
  if (script.startsWith('__CODEX_SNAPSHOT_') || script.includes('__CODEX_SNAPSHOT_OVERRIDE')) {
    const at = script.lastIndexOf("\nexec '")
    if (at >= 0) {
      const inner = unwrap(words(script, at + '\nexec '.length), depth - 1)
      if (inner !== null) return inner
    }
    return script
  }
  // gemini-cli: (\n  trap 'jobs -p > "$_bgpids_file"' EXIT\nCMD\n)\n__code=$?
  const trap = script.includes('_bgpids_file') ? script.indexOf("' EXIT\n") : -1
  if (trap >= 0) return script.slice(trap + "' EXIT\n".length, endOf(script, '\n)\n__code='))
  if (script.startsWith('{ ') && script.includes('}; __code=$?')) return script.slice(2, endOf(script, '}; __code=$?')).replace(/;? $/, '')
  // claude-code: source SNAPSHOT ... && eval 'CMD' < /dev/null && pwd -P >| FILE ; openclaw: ...\neval 'CMD'
  const evalAt = script.includes('shell-snapshots/') || script.includes(' pwd -P >| ') ? Math.max(script.indexOf('&& eval '), script.lastIndexOf('\neval ')) : -1
  if (evalAt >= 0) {
    const from = script.indexOf('eval ', evalAt) + 'eval '.length
    return words(script, from, 1)[0] ?? script
  }
  return script
}

const endOf = (script: string, mark: string): number => {
  const at = script.lastIndexOf(mark)
  return at < 0 ? script.length : at
}

/** Shell words from `at` on, quotes taken off, to the end of the line outside quotes. Linear. */
function words(text: string, at: number, max = 64): string[] {
  const found: string[] = []
  let word = ''
  let inWord = false
  for (let i = at; i < text.length && found.length < max; i++) {
    const char = text[i]!
    if (char === "'") {
      const end = text.indexOf("'", i + 1)
      word += text.slice(i + 1, end < 0 ? text.length : end)
      inWord = true
      i = end < 0 ? text.length : end
    } else if (char === '"') {
      inWord = true
      for (i++; i < text.length && text[i] !== '"'; i++) {
        if (text[i] === '\\' && i + 1 < text.length && '"\\$`'.includes(text[i + 1]!)) i++
        word += text[i]
      }
    } else if (char === '\\' && i + 1 < text.length) {
      word += text[++i]
      inWord = true
    } else if (char === ' ' || char === '\t' || char === '\n') {
      if (inWord) found.push(word)
      word = ''
      inWord = false
      if (char === '\n') return found
    } else {
      word += char
      inWord = true
    }
  }
  if (inWord && found.length < max) found.push(word)
  return found
}
