import type { Bytes } from '../model/bytes.ts'
import type { Evidence } from '../model/session.ts'
import type { Catalogue } from './catalogue.ts'
import type { AgentEntry, CustomAgent } from './entry.ts'
import { basename, globMatches, packageOf, resolvePath } from './paths.ts'
import { isRuntime, scriptOf } from './script.ts'

/** What one exec (or /proc) tells about a program. */
export type Program = { readonly exe: Bytes; readonly called: Bytes; readonly args: readonly Bytes[]; readonly cwd: Bytes }

export type Match = {
  readonly agent: string
  readonly evidence: readonly Evidence[]
  readonly version: string | null
  /**
   * False: a suspect. It is called like the agent (`.bin/gemini`, a wrapper script, `env`), and the proof will be a file of the
   * agent's package that it opens, or the program it execs next.
   */
  readonly certain: boolean
  /** It goes by the agent's own name. A program that only is the agent's executable (`/proc/self/exe --setup`, `rg` inside claude) is a helper where an agent runs it. */
  readonly named: boolean
}

/** Run a script or another program in the same process; what follows decides. */
const WRAPPERS = new Set(['env', 'sh', 'bash', 'dash', 'zsh', 'ash', 'busybox', 'coreutils', 'ld-linux-x86-64.so.2'])

/** Which agent a program is, with the evidence; certain matches go before suspects. comm is not looked at. */
export function match(catalogue: Catalogue, program: Program): Match | null {
  let suspect: Match | null = null
  for (const entry of catalogue) {
    const found = entry.custom === undefined ? matchEntry(entry, program) : matchCustom(entry, entry.custom, program)
    if (found === null) continue
    if (found.certain) return found
    suspect ??= found
  }
  return suspect
}

/** Does a path that was opened prove that a suspect is this agent? Gives the package. */
export function opened(catalogue: Catalogue, agents: readonly string[], path: Bytes): { readonly agent: string; readonly evidence: Evidence } | null {
  if (!path.includes('/node_modules/')) return null
  for (const entry of catalogue) {
    if (!agents.includes(entry.name)) continue
    const found = packageOf(path, entry.packages)
    if (found !== null) return { agent: entry.name, evidence: `opened:${found}` }
  }
  return null
}

function matchEntry(entry: AgentEntry, program: Program): Match | null {
  const { exe, called } = program
  const named = entry.bins.includes(basename(program.args[0] ?? called))
  const hit = (evidence: readonly Evidence[], certain: boolean, isNamed = named): Match => ({
    agent: entry.name,
    evidence,
    version: versionOf(entry, exe),
    certain,
    named: isNamed,
  })

  if (entry.natives.includes(basename(exe))) {
    const found = packageOf(exe, entry.packages)
    return hit(found === null ? [`exe:${exe}`] : [`exe:${exe}`, `package:${found}`], true)
  }
  if (entry.exes.some((glob) => globMatches(glob, exe))) return hit([`exe:${exe}`], true)

  if (isRuntime(exe)) {
    const script = scriptPath(program)
    if (script !== null) {
      const found = packageOf(script, entry.packages)
      if (found !== null) return INSTALL_STEP.test(basename(script)) ? null : hit([`script:${script}`, `package:${found}`], true, true)
      if (entry.bins.includes(basename(script))) return hit([`script:${script}`], false, true)
    }
  }
  const found = packageOf(called, entry.packages)
  if (found !== null && entry.bins.includes(basename(called))) return hit([`called:${called}`, `package:${found}`], true, true)
  if (entry.bins.includes(basename(called)) && (WRAPPERS.has(basename(exe)) || isRuntime(exe))) return hit([`called:${called}`], false, true)
  return null
}

/** What npm runs when the package is installed is no run of the agent. */
const INSTALL_STEP = /^(?:pre|post)?install\.[cm]?js$/

function matchCustom(entry: AgentEntry, custom: CustomAgent, program: Program): Match | null {
  const { exe, called, args } = program
  const script = scriptPath(program)
  const evidence: Evidence[] = []
  let certain = true
  if (custom.exe !== undefined) {
    const path = [exe, called].find((candidate) => globMatches(custom.exe!, candidate))
    if (path === undefined) return null
    evidence.push(`exe:${path}`)
  }
  if (custom.script !== undefined) {
    // A script that is called directly is its own path; its interpreter has it in argv.
    const path = [script, called === exe ? null : called].find((candidate) => candidate !== null && globMatches(custom.script!, candidate))
    if (path === undefined || path === null) return null
    evidence.push(`script:${path}`)
  }
  if (custom.args !== undefined) {
    const wanted = custom.args
    if (!args.some((arg) => arg.includes(wanted))) return null
    evidence.push(`args:${wanted}`)
  }
  if (custom.package !== undefined) {
    const found = packageOf(exe, entry.packages) ?? packageOf(called, entry.packages) ?? (script === null ? null : packageOf(script, entry.packages))
    if (found !== null) evidence.push(`package:${found}`)
    else {
      const name = [script, called].find((path) => path !== null && entry.bins.includes(basename(path)))
      if (name === undefined || name === null || !(isRuntime(exe) || WRAPPERS.has(basename(exe)))) return null
      evidence.push(`called:${name}`)
      certain = false
    }
  }
  return evidence.length === 0 ? null : { agent: entry.name, evidence, version: null, certain, named: true }
}

function scriptPath(program: Program): string | null {
  const script = scriptOf(program.args)
  if (script !== null) return resolvePath(program.cwd, script)
  // Bun and Deno may be the interpreter of a script that was called by itself, without an argument for it.
  return program.called !== program.exe && isRuntime(program.exe) && !isRuntime(program.called) ? resolvePath(program.cwd, program.called) : null
}

function versionOf(entry: AgentEntry, exe: string): string | null {
  if (entry.versionFolder === undefined) return null
  const at = exe.indexOf('/' + entry.versionFolder + '/')
  if (at < 0) return null
  const rest = exe.slice(at + entry.versionFolder.length + 2)
  const slash = rest.indexOf('/')
  const version = slash < 0 ? rest : rest.slice(0, slash)
  return /^\d[\w.+-]{0,63}$/.test(version) ? version : null
}
