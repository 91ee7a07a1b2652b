import type { Claim } from '../model/claim.ts'
import type { CallKind } from './state.ts'

/** Tools that open a file in the agent's own program. Names are the agents' own: Claude Code 2.1, Codex 0.169, and the demo's. */
const READS = new Set(['Read', 'NotebookRead', 'view_image', 'read_file'])
const WRITES = new Set(['Write', 'Edit', 'MultiEdit', 'NotebookEdit', 'apply_patch', 'write_file'])
/** Take a command, but run none by themselves. */
const NO_SHELL = new Set(['Task', 'Agent', 'Skill', 'SlashCommand'])

/** Which trace a call leaves: a process of its own, a file opened by the agent's program, or none that could be told from others. */
export function kindOf(call: Extract<Claim, { kind: 'tool_call' }>): CallKind {
  if (call.program) return 'program'
  if (call.tool.startsWith('mcp__')) return 'other'
  if (WRITES.has(call.tool) && call.paths.length > 0) return 'write'
  if (READS.has(call.tool) && call.paths.length > 0) return 'read'
  return call.command !== null && !NO_SHELL.has(call.tool) ? 'shell' : 'other'
}
