/** Each command lives in a file of its own, loaded when it is called. `main` returns the exit code. */
export type CommandModule = { readonly main: (argv: readonly string[]) => Promise<number> }
export type CommandEntry = { readonly summary: string; readonly load: () => Promise<CommandModule> }

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  run: { summary: 'observe the AI agents of this machine until stopped', load: () => import('./run.ts') },
  record: { summary: 'run one command as an observed session', load: () => import('./record.ts') },
  demo: { summary: 'watch a scripted agent do some things, and one it does not declare', load: () => import('./demo.ts') },
  sessions: { summary: 'list sessions', load: () => import('./sessions.ts') },
  show: { summary: 'show what one session did', load: () => import('./show.ts') },
  events: { summary: 'print journal entries', load: () => import('./events.ts') },
  status: { summary: 'say how the observer is, and its ledger', load: () => import('./status.ts') },
}

/** Programs that Spoor starts itself. */
export const HIDDEN: Readonly<Record<string, () => Promise<CommandModule>>> = {
  __shipper: async () => {
    const { runShipper } = await import('../shipper/main.ts')
    return { main: (argv) => runShipper(argv, process.env) }
  },
  __intake: async () => {
    const { runIntake } = await import('../intake/main.ts')
    return { main: runIntake }
  },
  '__demo-agent': async () => {
    const { runAgent } = await import('../demo/agent.ts')
    return { main: runAgent }
  },
}

export const overview = (): string =>
  'usage: spoor COMMAND [options]\n\nSees what AI agents do on this machine, keeps it as evidence, ships it as OpenTelemetry.\n\n' +
  Object.entries(COMMANDS)
    .map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}\n`)
    .join('') +
  '\n  spoor COMMAND --help  says more; spoor --version prints the version\n'
