import type { ClaimSource } from '../../src/model/claim.ts'
import { createDecoder, SOURCE } from './decode.ts'

const DAY_MS = 86_400_000

/** `sessions/YYYY/MM/DD` of a day in local time, as Codex names it. */
export function dayFolder(ms: number): string {
  const day = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `sessions/${day.getFullYear()}/${two(day.getMonth() + 1)}/${two(day.getDate())}`
}

/** Codex CLI's rollouts. A resumed thread goes on in the file of the day on which it began: found by the kernel's open. */
export const codexTranscript: ClaimSource = {
  id: SOURCE,
  agents: ['codex'],
  environment: ['CODEX_HOME'],
  root({ home, env }) {
    const named = env['CODEX_HOME']
    return named?.startsWith('/') ? { path: named, named: true } : { path: `${home}/.codex`, named: false }
  },
  rootOf: (path) => /^(\/.+)\/sessions\/\d{4}\/\d{2}\/\d{2}\/rollout-[^/]+\.jsonl$/.exec(path)?.[1] ?? null,
  // The agent's time zone may be another than ours: a day to either side.
  expected: (_, nowMs) => [...new Set([-DAY_MS, 0, DAY_MS].flatMap((shift) => chain(dayFolder(nowMs + shift))))],
  place(segments) {
    const depth = segments.length
    if (depth === 0) return 'enter'
    if (segments[0] !== 'sessions' || depth > 5) return null
    if (depth === 1) return 'enter'
    if (depth < 5) return /^\d{2,4}$/.test(segments[depth - 1]!) ? 'enter_fresh' : null
    return /^rollout-.*\.jsonl$/.test(segments[4]!) ? 'log' : null
  },
  decoder(segments, agent) {
    // rollout-2026-11-20T09-55-34-<thread>.jsonl
    const thread = /^rollout-\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}-(.{1,128})\.jsonl$/.exec(segments[4] ?? '')?.[1]
    return createDecoder(thread ?? 'unknown', agent)
  },
  document: () => ({ ok: false, why: 'shape' }),
  gone: () => [],
}

/** A folder and all above it. */
const chain = (folder: string): string[] => folder.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'))
