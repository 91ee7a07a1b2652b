import { claudeCode } from './catalogue/claude-code.ts'
import { codex } from './catalogue/codex.ts'
import { gemini } from './catalogue/gemini.ts'
import { opencode } from './catalogue/opencode.ts'
import { spoorDemo } from './catalogue/spoor-demo.ts'
import type { AgentEntry, CustomAgent } from './entry.ts'
import { basename, isLiteral } from './paths.ts'

/** Whom to look for, a person's own entries first. */
export type Catalogue = readonly AgentEntry[]

const BUILT_IN: Catalogue = [claudeCode, codex, gemini, opencode, spoorDemo]

/** Programs that run an agent's script; their exec is reported at once, and released at once where it is no agent. */
const RUNTIMES = ['node', 'bun', 'deno']
/** Only where a person's own entry may be a script in these. `/usr/bin/python3` is a link: the executable's own name counts as well. */
const SCRIPT_RUNTIMES = ['python', 'python3', ...Array.from({ length: 9 }, (_, i) => `python3.${i + 8}`), 'ruby', 'tsx']

/** What the kernel compares: TASK_COMM_LEN without its NUL. */
const COMM_BYTES = 15

/** Told by many agents, launchers and machines (facts: a generic hint, who asked, a foreign trace). */
const COMMON_ENVIRONMENT = ['TRACEPARENT', 'AI_AGENT', 'AGENT', 'SSH_CONNECTION', 'TERM_PROGRAM', 'CI', 'GITHUB_ACTIONS', 'GITLAB_CI', 'JENKINS_URL']

export const createCatalogue = (own: readonly CustomAgent[] = []): Catalogue => [...own.map(entryOf), ...BUILT_IN]

function entryOf(custom: CustomAgent): AgentEntry {
  const names = new Set<string>([custom.name, ...(custom.candidates ?? [])])
  for (const glob of [custom.exe, custom.script]) {
    const base = glob === undefined ? '' : basename(glob)
    if (base !== '' && isLiteral(base)) names.add(base)
  }
  if (custom.package !== undefined) names.add(basename(custom.package))
  return { name: custom.name, packages: custom.package === undefined ? [] : [custom.package], natives: [], exes: [], bins: [...names], environment: [], custom }
}

/** Basenames for the kernel's `candidates`: an exec of anything else is not looked at. */
export function candidates(catalogue: Catalogue): readonly string[] {
  const names = new Set<string>(RUNTIMES)
  for (const entry of catalogue) {
    for (const name of [...entry.bins, ...entry.natives]) names.add(name)
    if (entry.custom?.script !== undefined || entry.custom?.package !== undefined) for (const name of SCRIPT_RUNTIMES) names.add(name)
  }
  return [...new Set([...names].map((name) => name.slice(0, COMM_BYTES)))]
}

/** Environment variables that may be read, exactly. */
export function environmentNames(catalogue: Catalogue, more: readonly string[] = []): readonly string[] {
  const names = new Set<string>(COMMON_ENVIRONMENT)
  for (const entry of catalogue) for (const name of entry.environment) names.add(name)
  for (const name of more) names.add(name)
  return [...names]
}
