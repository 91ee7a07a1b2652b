import type { Claim, ClaimBase, ClaimDecoder, Decoded } from '../../src/model/claim.ts'
import { boundPaths, clip, digestOf, type Fields, fields, list, name, nanoseconds, path, sha256, text, whole } from '../../src/model/claim-text.ts'
import { patchPaths } from './patch.ts'

export const SOURCE = 'codex-transcript'
/** Calls without a result that are remembered, for the parent of what a program starts and for exit codes told before the result. */
const OPEN_CALLS_MAX = 256
/** Of an open program's text, in which the commands it starts are looked for. */
const SOURCE_MAX = 16 * 1024
const NONE: Decoded = { ok: true, claims: [] }

type Outcome = { readonly ok: boolean | null; readonly exitCode: number | null }
/** `source`: of a program, until it is answered. */
type Call = { source: string | null; outcome: Outcome | null; answered: boolean }

/**
 * Lines of `~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`: `{timestamp, type, payload}`.
 * A call is told when the model makes it (`response_item`), its command again when that has ended (`item_completed`, with the exit code, under the id in CODEX_TOOL_CALL_ID).
 * In code mode the two have different ids: the call is a program (`exec`, JavaScript), the commands that it started are told only when each has ended.
 */
export function createDecoder(thread: string, agent: string): ClaimDecoder {
  const calls = new Map<string, Call>()
  let conversation = thread
  let model: string | null = null
  let mode: string | null = null
  let cwd: string | null = null
  let turn: string | null = null

  function remember(id: string, source: string | null): void {
    calls.delete(id)
    calls.set(id, { source, outcome: null, answered: false })
    if (calls.size > OPEN_CALLS_MAX) calls.delete(calls.keys().next().value!)
  }
  /** The open program that started this: the only one, or the only one whose text has the command. The record itself does not say. */
  function program(command: string | null): string | null {
    const open = [...calls].filter(([, call]) => call.source !== null)
    if (open.length === 1) return open[0]![0]
    const quoted = command === null ? null : JSON.stringify(command).slice(1, -1)
    const naming = quoted === null ? [] : open.filter(([, call]) => call.source!.includes(quoted))
    return naming.length === 1 ? naming[0]![0] : null
  }

  function responseItem(base: ClaimBase, payload: Fields): Decoded {
    const type = payload['type']
    const turnId = name(fields(payload['internal_chat_message_metadata_passthrough'])?.['turn_id']) ?? turn
    if (type === 'function_call' || type === 'custom_tool_call' || type === 'local_shell_call') {
      const call = callOf(payload, cwd)
      const id = name(payload['call_id'])
      if (call === null || id === null) return { ok: false, why: 'bound' }
      remember(id, call.program ? (text(payload['input']) ?? '').slice(0, SOURCE_MAX) : null)
      return { ok: true, claims: [{ ...base, id, kind: 'tool_call', ...call, parentId: null, turnId }] }
    }
    if (type === 'function_call_output' || type === 'custom_tool_call_output') {
      const id = name(payload['call_id'])
      if (id === null) return { ok: false, why: 'bound' }
      const output = outputText(payload['output'])
      const call = calls.get(id)
      const said = call?.outcome ?? outcomeOf(output)
      const running = said.exitCode === null && /^(?:.*\n){0,3}Process running with session ID /.test(output.slice(0, 512))
      if (call !== undefined) {
        call.answered = true
        call.source = null
      }
      return { ok: true, claims: [{ ...base, id, kind: 'tool_result', ok: said.ok, exitCode: said.exitCode, bytes: Buffer.byteLength(output), running, turnId }] }
    }
    return NONE
  }

  function itemCompleted(base: ClaimBase, payload: Fields): Decoded {
    const item = fields(payload['item'])
    const id = name(item?.['id'])
    if (item === null || id === null) return { ok: false, why: 'shape' }
    const turnId = name(payload['turn_id']) ?? turn
    if (item['type'] === 'UserMessage') return { ok: true, claims: prompt({ ...base, id }, list(item['content']), turnId) }
    const act = actOf(item)
    if (act === null) return NONE
    const code = item['exit_code']
    const exitCode = typeof code === 'number' && Number.isSafeInteger(code) ? code : null
    const outcome: Outcome = { ok: item['status'] === 'completed' && (exitCode ?? 0) === 0, exitCode }
    const call = calls.get(id)
    const result: Claim = { ...base, id, kind: 'tool_result', ...outcome, bytes: act.bytes, running: false, turnId }
    if (call !== undefined) {
      call.outcome = outcome
      // The call's own output follows and tells it all at once, unless it came before: a command that outlived its first answer.
      return call.answered ? { ok: true, claims: [result] } : NONE
    }
    const inputSha256 = digestOf(act.input)
    if (inputSha256 === null) return { ok: false, why: 'bound' }
    const { tool, command, paths } = act
    const began = startOf(payload, item) ?? base.at
    const nested: Claim = {
      ...base,
      at: began,
      id,
      kind: 'tool_call',
      tool,
      command,
      program: false,
      paths,
      cwd: act.cwd ?? cwd,
      inputSha256,
      parentId: program(command?.head ?? null),
      turnId,
    }
    return { ok: true, claims: [nested, result] }
  }

  return {
    line(line, order) {
      const record = parse(line)
      if (record === null) return { ok: false, why: 'not_json' }
      const payload = fields(record['payload'])
      if (payload === null) return NONE
      const base: ClaimBase = { source: SOURCE, agent, conversation, at: nanoseconds(record['timestamp']), order, id: `${conversation}:${order}` }
      const type = record['type'] === 'event_msg' ? payload['type'] : record['type']
      switch (type) {
        case 'session_meta': {
          conversation = name(payload['id']) ?? name(payload['session_id']) ?? conversation
          cwd = path(payload['cwd']) ?? cwd
          return {
            ok: true,
            claims: [{ ...base, conversation, id: conversation, kind: 'registry', pid: null, startTicks: null, pidNamespace: null, cwd, version: name(payload['cli_version']) }],
          }
        }
        case 'turn_context': {
          turn = name(payload['turn_id']) ?? turn
          cwd = path(payload['cwd']) ?? cwd
          const claims: Claim[] = []
          const said = name(payload['model'])
          if (said !== null && said !== model) claims.push({ ...base, kind: 'model', model: (model = said), turnId: turn })
          const rights = modeOf(payload)
          if (rights !== null && rights !== mode) claims.push({ ...base, kind: 'mode', mode: (mode = rights), turnId: turn })
          return { ok: true, claims }
        }
        case 'response_item':
          return responseItem(base, payload)
        case 'item_completed':
          return itemCompleted(base, payload)
        // Before `item_completed` existed.
        case 'user_message':
          return { ok: true, claims: prompt(base, [{ type: 'text', text: payload['message'] }], turn) }
        case 'task_started':
          turn = name(payload['turn_id']) ?? turn
          return NONE
        case 'task_complete':
        case 'turn_aborted':
          return { ok: true, claims: [{ ...base, kind: 'end', scope: 'turn', reason: type, turnId: name(payload['turn_id']) ?? turn }] }
        default:
          return NONE
      }
    },
  }
}

type CallFields = Pick<Extract<Claim, { kind: 'tool_call' }>, 'tool' | 'command' | 'program' | 'paths' | 'cwd' | 'inputSha256'>

function callOf(payload: Fields, cwd: string | null): CallFields | null {
  const own = name(payload['name']) ?? (payload['type'] === 'local_shell_call' ? 'local_shell' : null)
  if (own === null) return null
  const namespace = name(payload['namespace'])
  // As in code mode and in Claude Code: mcp__<server>__<tool>.
  const tool = namespace?.startsWith('mcp__') ? name(`${namespace}__${own}`) : own
  if (tool === null) return null
  if (payload['type'] === 'custom_tool_call') {
    const input = text(payload['input']) ?? ''
    if (own === 'exec') return { tool, command: clip(input), program: true, paths: [], cwd, inputSha256: sha256(input) }
    return { tool, command: null, program: false, paths: own === 'apply_patch' ? boundPaths(patchPaths(input)) : [], cwd, inputSha256: sha256(input) }
  }
  const raw = text(payload['arguments'])
  const input = raw === null ? fields(payload['action']) : parse(raw)
  const inputSha256 = raw === null ? digestOf(input) : sha256(raw)
  if (inputSha256 === null) return null
  const command = commandText(input?.['cmd'] ?? input?.['command'])
  return { tool, command: command === null ? null : clip(command), program: false, paths: boundPaths([input?.['path']]), cwd: path(input?.['workdir']) ?? cwd, inputSha256 }
}

type Act = Pick<CallFields, 'tool' | 'command' | 'paths'> & { readonly cwd: string | null; readonly bytes: number | null; readonly input: unknown }

/** What a completed item did, where it is an act of a tool. */
function actOf(item: Fields): Act | null {
  switch (item['type']) {
    case 'CommandExecution': {
      const command = commandText(item['command'])
      const output = text(item['aggregated_output'])
      return {
        tool: 'exec_command',
        command: command === null ? null : clip(command),
        paths: [],
        cwd: folderOf(item['cwd']),
        bytes: output === null ? null : Buffer.byteLength(output),
        input: item['command'],
      }
    }
    case 'FileChange': {
      const changes = fields(item['changes']) ?? {}
      return { tool: 'apply_patch', command: null, paths: boundPaths(Object.keys(changes)), cwd: null, bytes: Buffer.byteLength(text(item['stdout']) ?? ''), input: changes }
    }
    case 'McpToolCall': {
      const tool = name(`mcp__${text(item['server']) ?? ''}__${text(item['tool']) ?? ''}`)
      return tool === null ? null : { tool, command: null, paths: boundPaths([fields(item['arguments'])?.['path']]), cwd: null, bytes: null, input: item['arguments'] }
    }
    default:
      return null
  }
}

/** A text as it is; of an argv the script of `sh -c` (Codex writes `bash -lc` where it runs `bash -c`), else its words. */
function commandText(value: unknown): string | null {
  if (typeof value === 'string') return value
  const words = list(value)
  if (words.length === 0 || !words.every((word) => typeof word === 'string')) return null
  return words.length === 3 && /^-l?c$/.test(words[1]!) ? words[2]! : words.join(' ')
}

const folderOf = (value: unknown): string | null => {
  const said = text(value)
  if (said === null || !said.startsWith('file://')) return path(said)
  try {
    return path(decodeURIComponent(said.slice('file://'.length)))
  } catch {
    return null
  }
}

function prompt(base: ClaimBase, content: readonly unknown[], turnId: string | null): Claim[] {
  const parts = content.map((part) => text(fields(part)?.['text'])).filter((part) => part !== null)
  if (parts.length === 0) return []
  const said = parts.join('\n')
  return [{ ...base, kind: 'prompt', sha256: sha256(said), length: Buffer.byteLength(said), turnId }]
}

function modeOf(payload: Fields): string | null {
  const approval = name(payload['approval_policy'])
  const sandbox = name(fields(payload['sandbox_policy'])?.['type'] ?? fields(payload['sandbox_policy'])?.['mode'])
  return approval === null ? null : name(sandbox === null ? approval : `${approval}/${sandbox}`)
}

const outputText = (value: unknown): string => {
  if (typeof value === 'string') return value
  const parts = Array.isArray(value) ? value : list(fields(value)?.['content'] ?? value)
  return parts.map((part) => text(fields(part)?.['text']) ?? '').join('')
}

/** Where no `item_completed` came first. The words are Codex's own, in the head that it puts before the command's output. */
function outcomeOf(output: string): Outcome {
  const code = /^(?:.*\n){0,3}(?:Process exited with code|Exit code:) (-?\d{1,10})$/m.exec(output.slice(0, 512).split('\nOutput:')[0]!)?.[1]
  if (code !== undefined) return { ok: Number(code) === 0, exitCode: Number(code) }
  return { ok: output.startsWith('Script completed') ? true : output.startsWith('Script failed') ? false : null, exitCode: null }
}

function startOf(payload: Fields, item: Fields): bigint | null {
  const ended = whole(payload['completed_at_ms'])
  const took = fields(item['duration'])
  const secs = whole(took?.['secs'])
  const nanos = whole(took?.['nanos'])
  if (ended === null || secs === null || nanos === null || nanos >= 1_000_000_000) return null
  const began = BigInt(ended) * 1_000_000n - BigInt(secs) * 1_000_000_000n - BigInt(nanos)
  return began > 0n ? began : null
}

function parse(line: string): Fields | null {
  try {
    return fields(JSON.parse(line))
  } catch {
    return null
  }
}
