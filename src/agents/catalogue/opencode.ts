import type { AgentEntry } from '../entry.ts'

/** opencode 1.18: one ELF made with Bun, in npm and in ~/.opencode/bin. */
export const opencode: AgentEntry = {
  name: 'opencode',
  packages: ['opencode-ai', 'opencode'],
  natives: ['opencode', 'opencode.exe'],
  exes: [],
  bins: ['opencode', 'opencode.exe'],
  environment: ['OPENCODE', 'OPENCODE_PID'],
}
