import type { Claim, ClaimBase, ClaimDecoder, Decoded } from '../../src/model/claim.ts'
import { boundPaths, clip, digestOf, type Fields, fields, list, name, nanoseconds, path, sha256, text, whole } from '../../src/model/claim-text.ts'

export const SOURCE = 'claude-transcript'
const NONE: Decoded = { ok: true, claims: [] }

/**
 * Lines of `~/.claude/projects/<folder>/<session>.jsonl` (and of its subagents). The format is Claude Code's own and bound to its version: a record of a shape that
 * is not known is no act; one of a known type that lacks what makes it an act is counted as unreadable. Fixtures stand in `fixtures/<version>`.
 */
export function createDecoder(conversation: string, agent: string): ClaimDecoder {
  let turnId: string | null = null
  let model: string | null = null
  let mode: string | null = null
  return {
    line(line, order) {
      const record = parse(line)
      if (record === null) return { ok: false, why: 'not_json' }
      if (record['type'] !== 'user' && record['type'] !== 'assistant') return NONE
      const message = fields(record['message'])
      if (message === null) return { ok: false, why: 'shape' }
      const uuid = name(record['uuid'])
      if (uuid === null) return { ok: false, why: 'shape' }
      const base: ClaimBase = { source: SOURCE, agent, conversation: name(record['sessionId']) ?? conversation, at: nanoseconds(record['timestamp']), order, id: uuid }
      const claims: Claim[] = []
      if (record['type'] === 'assistant') {
        const said = name(message['model'])
        // What Claude Code writes by itself (an error, an interruption) has the model `<synthetic>`.
        if (said !== null && said !== model && said !== '<synthetic>') claims.push({ ...base, kind: 'model', model: (model = said), turnId })
        for (const part of list(message['content'])) {
          const block = fields(part)
          if (block?.['type'] !== 'tool_use') continue
          const call = toolCall(base, block, path(record['cwd']), turnId)
          if (call === null) return { ok: false, why: 'bound' }
          claims.push(call)
        }
        if (message['stop_reason'] === 'end_turn' && record['isSidechain'] !== true) claims.push({ ...base, kind: 'end', scope: 'turn', reason: 'end_turn', turnId })
        return { ok: true, claims }
      }
      const results = list(message['content'])
        .map(fields)
        .filter((block) => block?.['type'] === 'tool_result') as Fields[]
      turnId = name(record['promptId']) ?? turnId
      const said = name(record['permissionMode'])
      if (said !== null && said !== mode) claims.push({ ...base, kind: 'mode', mode: (mode = said), turnId })
      for (const block of results) {
        const id = name(block['tool_use_id'])
        if (id === null) return { ok: false, why: 'bound' }
        claims.push(...answers({ ...base, id }, block, record, turnId))
      }
      // A subagent's prompt is written by the agent; a `meta` one by Claude Code.
      if (results.length === 0 && record['isSidechain'] !== true && record['isMeta'] !== true && record['isCompactSummary'] !== true) {
        const prompt = promptText(message['content'])
        if (prompt !== null) claims.push({ ...base, kind: 'prompt', sha256: sha256(prompt), length: Buffer.byteLength(prompt), turnId })
      }
      return { ok: true, claims }
    },
  }
}

/** `~/.claude/sessions/<pid>.json`: which process holds which conversation right now. */
export function decodeRegistry(document: string, agent: string): Decoded {
  const record = parse(document)
  if (record === null) return { ok: false, why: 'not_json' }
  const conversation = name(record['sessionId'])
  const pid = whole(record['pid'])
  if (conversation === null || pid === null) return { ok: false, why: 'shape' }
  const ticks = text(record['procStart'])
  const startTicks = ticks !== null && /^\d{1,15}$/.test(ticks) ? Number(ticks) : whole(record['procStart'])
  const namespace = /pid:\[(\d{1,10})\]$/.exec(name(record['pidDomain']) ?? '')?.[1]
  const startedMs = whole(record['startedAt'])
  return {
    ok: true,
    claims: [
      {
        source: SOURCE,
        agent,
        conversation,
        at: startedMs === null ? null : BigInt(startedMs) * 1_000_000n,
        order: 0,
        id: `${pid}:${startTicks ?? '?'}:${conversation}`.slice(0, 256),
        kind: 'registry',
        pid,
        startTicks,
        pidNamespace: namespace === undefined ? null : Number(namespace),
        cwd: path(record['cwd']),
        version: name(record['version']),
      },
    ],
  }
}

function toolCall(base: ClaimBase, block: Fields, cwd: string | null, turnId: string | null): Claim | null {
  const id = name(block['id'])
  const tool = name(block['name'])
  const inputSha256 = digestOf(block['input'])
  if (id === null || tool === null || inputSha256 === null) return null
  const input = fields(block['input']) ?? {}
  const command = text(input['command'])
  const paths = boundPaths([input['file_path'], input['notebook_path'], input['path']])
  return { ...base, id, kind: 'tool_call', tool, command: command === null ? null : clip(command), program: false, paths, cwd, inputSha256, parentId: null, turnId }
}

function answers(base: ClaimBase, block: Fields, record: Fields, turnId: string | null): Claim[] {
  const claims: Claim[] = []
  const permission = fields(record['permissionDecision'])
  const decision = name(permission?.['decision'])
  if (decision !== null) claims.push({ ...base, kind: 'decision', decision, by: name(permission?.['source']), reason: name(permission?.['reasonType']) })
  const content = contentText(block['content'])
  const failed = block['is_error'] === true
  const code = failed ? /^(?:Error: )?Exit code (\d{1,3})\b/.exec(content)?.[1] : undefined
  const running = name(fields(record['toolUseResult'])?.['backgroundTaskId']) !== null
  claims.push({ ...base, kind: 'tool_result', ok: !failed, exitCode: code === undefined ? null : Number(code), bytes: Buffer.byteLength(content), running, turnId })
  return claims
}

function promptText(content: unknown): string | null {
  if (typeof content === 'string') return content
  const parts = list(content)
    .map(fields)
    .filter((block) => block?.['type'] === 'text')
  return parts.length === 0 ? null : parts.map((block) => text(block?.['text']) ?? '').join('\n')
}

const contentText = (content: unknown): string =>
  typeof content === 'string'
    ? content
    : list(content)
        .map((block) => text(fields(block)?.['text']) ?? '')
        .join('\n')

function parse(line: string): Fields | null {
  try {
    return fields(JSON.parse(line))
  } catch {
    return null
  }
}
