import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'

/** What strace saw of one process (a thread group). */
export type TrueProcess = {
  readonly pid: number
  parent: number | null
  /** `path` as passed to execve. */
  readonly execs: { readonly path: string; readonly args: readonly string[] }[]
  readonly files: Set<string>
  readonly connects: string[]
  exit: number | null
}

const unquote = (text: string): string =>
  Buffer.from(
    text.replace(/\\(x[0-9a-f]{2}|[0-7]{1,3}|.)/g, (_, e: string) =>
      e[0] === 'x'
        ? String.fromCharCode(Number.parseInt(e.slice(1), 16))
        : /^[0-7]/.test(e)
          ? String.fromCharCode(Number.parseInt(e, 8))
          : ({ n: '\n', t: '\t', r: '\r', v: '\v', f: '\f', a: '\x07', b: '\b', e: '\x1b' }[e] ?? e),
    ),
    'latin1',
  ).toString('utf8')

/** The strings of `["a", "b"...]` from the bracket on. */
function strings(text: string, from: number): string[] {
  const found: string[] = []
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === ']') break
    if (text[i] !== '"') continue
    let end = i + 1
    while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1
    found.push(unquote(text.slice(i + 1, end)))
    i = end
  }
  return found
}

type Line = { readonly pid: number; readonly at: number; readonly text: string }

/** Joins "<unfinished ...>" with "<... resumed>"; in the order in which the calls began. */
function lines(file: string): Line[] {
  const pending = new Map<number, { at: number; text: string }>()
  const all: Line[] = []
  for (const raw of readFileSync(file, 'latin1').split('\n')) {
    const match = /^(\d+) +(\d+\.\d+) (.*)$/s.exec(raw)
    if (match === null) continue
    const pid = Number(match[1])
    const at = Number(match[2])
    const unfinished = /^(.*?) <unfinished \.\.\.>$/s.exec(match[3]!)
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(match[3]!)
    if (unfinished) pending.set(pid, { at, text: unfinished[1]! })
    else if (resumed) {
      const begun = pending.get(pid)
      if (begun !== undefined) all.push({ pid, at: begun.at, text: begun.text + resumed[1]! })
      pending.delete(pid)
    } else all.push({ pid, at, text: match[3]! })
  }
  return all.sort((a, b) => a.at - b.at)
}

/** The process tree from the first exec of a program called `agent` on: what came before (strace's own child, setpriv) is no session. */
export function readTruth(file: string, agent: string): Map<number, TrueProcess> {
  const calls = lines(file)
  const leader = new Map<number, number>()
  const parents = new Map<number, number>()
  for (const { pid, text } of calls) {
    const made = /^(?:clone|clone3|fork|vfork)\(/.test(text) ? /= (\d+)(?:<.*>)?$/.exec(text) : null
    if (made === null) continue
    if (text.includes('CLONE_THREAD')) leader.set(Number(made[1]), pid)
    else parents.set(Number(made[1]), pid)
  }
  const group = (tid: number): number => {
    let pid = tid
    for (let i = 0; i < 50 && leader.has(pid); i++) pid = leader.get(pid)!
    return pid
  }
  const tree = new Map<number, TrueProcess>()
  const process = (pid: number): TrueProcess => {
    let found = tree.get(pid)
    if (found === undefined) {
      const parent = parents.get(pid)
      found = { pid, parent: parent === undefined ? null : group(parent), execs: [], files: new Set(), connects: [], exit: null }
      tree.set(pid, found)
    }
    return found
  }
  let begun = false
  for (const { pid, text } of calls) {
    const exec = /^execve(?:at)?\(/.test(text) && /= 0$/.test(text) ? /"((?:[^"\\]|\\.)*)"/.exec(text) : null
    if (exec !== null && basename(unquote(exec[1]!)) === agent) begun = true
    if (!begun) continue
    const self = process(group(pid))
    if (exec !== null) self.execs.push({ path: unquote(exec[1]!), args: strings(text, text.indexOf('[', exec.index + exec[0].length)) })
    const opened = /^(?:openat|open|creat)\(.*\) += \d+<((?:[^>\\]|\\.)*)>$/s.exec(text)
    if (opened !== null && !/O_DIRECTORY|O_PATH/.test(text)) self.files.add(unquote(opened[1]!).replace(/ ?\(deleted\)$/, ''))
    const connect = /^connect\(.*(?:sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)|sin6_port=htons\((\d+)\).*inet_pton\(AF_INET6, "([^"]+)").*= /s.exec(text)
    // A resolver's datagram sockets are not in this version: port 53, and connects of the address selection that send nothing.
    if (connect !== null && !['53', '0'].includes(connect[1] ?? connect[3] ?? '')) self.connects.push(`${connect[2] ?? connect[4]}:${connect[1] ?? connect[3]}`)
    const end = /^exit_group\((-?\d+)\)/.exec(text)
    if (end !== null) self.exit = Number(end[1]) & 255
  }
  for (const [pid, parent] of parents) if (tree.has(group(parent))) process(pid)
  for (const found of tree.values()) if (found.parent !== null && !tree.has(found.parent)) found.parent = null
  return tree
}

const SYSTEM =
  /^(?:\/usr\/|\/lib|\/bin\/|\/sbin\/|\/etc\/(?:ld|ssl|alternatives|localtime|nsswitch|locale|gai|host\.conf)|\/proc\/|\/sys\/|\/dev\/|pipe:|socket:|anon_inode:|\/memfd:)|\/node_modules\/|\/site-packages\/|\/\.git\/objects\//
/** Files that every reader of a session expects to see by name. */
export const worthNaming = (path: string): boolean => path.startsWith('/') && !SYSTEM.test(resolve(path))
