import type { AgentEntry } from '../entry.ts'

/**
 * OpenAI Codex CLI 0.169: a Node launcher that execs (Node >= 24) or spawns (Node 20) a static Rust program.
 * Each tool shell starts as `/proc/self/exe --codex-run-as-process-setup ...`: the agent's program, not a second agent.
 */
export const codex: AgentEntry = {
  name: 'codex',
  packages: ['@openai/codex'],
  natives: ['codex'],
  exes: [],
  bins: ['codex', 'codex.js'],
  environment: ['CODEX_TOOL_CALL_ID', 'CODEX_SESSION_ID', 'CODEX_THREAD_ID', 'CODEX_VERSION', 'CODEX_CI'],
  // Its environment and snapshot shells at start are session leaders too, but carry no call id.
  toolCallVariable: 'CODEX_TOOL_CALL_ID',
  claims: 'codex-transcript',
  conversationVariables: ['CODEX_THREAD_ID', 'CODEX_SESSION_ID'],
}
