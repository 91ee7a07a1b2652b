import type { ClaimSource } from '../../src/model/claim.ts'
import { createDecoder, decodeRegistry, SOURCE } from './decode.ts'

/** Claude Code names a project's folder after its path, with every character that is not a letter or digit as a dash. Very long ones get a hash: found by the registry or by the kernel's open. */
export const projectFolder = (cwd: string): string => cwd.replace(/[^a-zA-Z0-9]/g, '-')

/** Claude Code's transcripts and its registry of live processes. The `.key` files beside the registry are secrets: no place names them. */
export const claudeTranscript: ClaimSource = {
  id: SOURCE,
  agents: ['claude-code', 'spoor-demo'],
  environment: ['CLAUDE_CONFIG_DIR'],
  root({ home, env }) {
    const named = env['CLAUDE_CONFIG_DIR']
    return named?.startsWith('/') ? { path: named, named: true } : { path: `${home}/.claude`, named: false }
  },
  rootOf: (path) => /^(\/.+)\/projects\/[^/]+\/[^/]+(?:\/subagents\/[^/]+)?\.jsonl$/.exec(path)?.[1] ?? null,
  expected: ({ cwd }) => ['projects', 'sessions', `projects/${projectFolder(cwd)}`],
  place(segments) {
    const [top, second, third, fourth, fifth] = segments
    const depth = segments.length
    if (depth === 0) return 'enter'
    if (top === 'sessions') return depth === 1 ? 'enter' : depth === 2 && /^\d{1,10}\.json$/.test(second!) ? 'document' : null
    if (top !== 'projects') return null
    if (depth === 1) return 'enter'
    if (depth === 2) return 'enter_fresh'
    if (depth === 3) return third!.endsWith('.jsonl') ? 'log' : 'enter_fresh'
    if (fourth !== 'subagents') return null
    return depth === 4 ? 'enter' : depth === 5 && fifth!.endsWith('.jsonl') ? 'log' : null
  },
  decoder(segments, agent) {
    // projects/<folder>/<session>.jsonl, or projects/<folder>/<session>/subagents/<name>.jsonl
    const conversation = (segments[2] ?? '').replace(/\.jsonl$/, '').slice(0, 256)
    return createDecoder(conversation === '' ? 'unknown' : conversation, agent)
  },
  document: (_, agent, text) => decodeRegistry(text, agent),
  /** The `end` has the id of the registry claim that it ends. */
  gone: (last) =>
    last
      .filter((claim) => claim.kind === 'registry')
      .map(({ source, agent, conversation, order, id }) => ({
        source,
        agent,
        conversation,
        at: null,
        order,
        id,
        kind: 'end',
        scope: 'conversation',
        reason: 'registry_removed',
        turnId: null,
      })),
}
