import type { AgentEntry } from '../entry.ts'

/** Anthropic Claude Code 2.1 (npm: one ELF made with Bun; own installer: ~/.local/share/claude/versions/2.1.328), and the copy inside the Agent SDK. */
export const claudeCode: AgentEntry = {
  name: 'claude-code',
  packages: ['@anthropic-ai/claude-code', '@anthropic-ai/claude-agent-sdk'],
  natives: ['claude', 'claude.exe'],
  exes: ['**/claude/versions/*'],
  bins: ['claude', 'claude.exe'],
  environment: ['CLAUDECODE', 'CLAUDE_CODE_SESSION_ID', 'CLAUDE_PID', 'CLAUDE_CODE_ENTRYPOINT', 'CLAUDE_CODE_CHILD_SESSION', 'CLAUDE_AGENT_SDK_VERSION'],
  claims: 'claude-transcript',
  conversationVariables: ['CLAUDE_CODE_SESSION_ID'],
  versionFolder: 'claude/versions',
}
