import type { AgentEntry } from '../entry.ts'

/** The scripted agent of `spoor demo`: no model. It lays itself out as an npm package in its temporary folder and writes a transcript in Claude Code's format below CLAUDE_CONFIG_DIR. */
export const spoorDemo: AgentEntry = {
  name: 'spoor-demo',
  packages: ['spoor-demo'],
  natives: [],
  exes: [],
  bins: ['spoor-demo.mjs'],
  claims: 'claude-transcript',
  conversationVariables: ['CLAUDE_CODE_SESSION_ID'],
  environment: ['CLAUDE_CODE_SESSION_ID', 'CLAUDE_PID', 'CLAUDE_CONFIG_DIR'],
}
