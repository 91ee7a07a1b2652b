import type { AgentEntry } from '../entry.ts'

/** Google Gemini CLI 0.61: a Node script that relaunches itself with a larger heap; the child is the agent, both are one session. */
export const gemini: AgentEntry = {
  name: 'gemini-cli',
  packages: ['@google/gemini-cli'],
  natives: [],
  exes: [],
  bins: ['gemini'],
  environment: ['GEMINI_CLI', 'GEMINI_CLI_NO_RELAUNCH'],
}
