import { randomUUID } from 'node:crypto'
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ToolUse } from './acts.ts'

/** The Claude Code whose files this writes look like. */
const FORMAT_VERSION = '2.1.328'
const MODEL = 'spoor-demo-script'

export type TranscriptOptions = { readonly configDir: string; readonly cwd: string; readonly pid: number; readonly procStart: string; readonly now?: () => Date }

/** What the agent says of itself, as Claude Code 2.1 does: projects/FOLDER/SESSION.jsonl grows line by line, sessions/PID.json stands as long as the process does. */
export type Transcript = {
  readonly sessionId: string
  readonly path: string
  prompt(text: string): void
  /** Gives the call's id. */
  toolUse(use: ToolUse): string
  toolResult(id: string, content: string, isError: boolean): void
  text(text: string): void
  close(): void
}

export function openTranscript({ configDir, cwd, pid, procStart, now = () => new Date() }: TranscriptOptions): Transcript {
  const sessionId = randomUUID()
  const folder = join(configDir, 'projects', cwd.replace(/[^A-Za-z0-9]/g, '-'))
  const path = join(folder, `${sessionId}.jsonl`)
  const registry = join(configDir, 'sessions', `${pid}.json`)
  const promptId = randomUUID()
  let parentUuid: string | null = null
  let messages = 0

  mkdirSync(folder, { recursive: true, mode: 0o700 })
  mkdirSync(join(configDir, 'sessions'), { recursive: true, mode: 0o700 })
  // Whole or not there: a reader never sees half of it.
  writeFileSync(
    `${registry}.tmp`,
    JSON.stringify({ pid, sessionId, cwd, startedAt: now().getTime(), procStart, version: FORMAT_VERSION, kind: 'interactive', entrypoint: 'sdk-cli', status: 'busy' }),
  )
  renameSync(`${registry}.tmp`, registry)

  function append(line: object): void {
    const uuid = randomUUID()
    const common = { isSidechain: false, ...line, uuid, timestamp: now().toISOString(), userType: 'external', entrypoint: 'sdk-cli', cwd, sessionId, version: FORMAT_VERSION }
    appendFileSync(path, JSON.stringify({ parentUuid, ...common }) + '\n', { mode: 0o600 })
    parentUuid = uuid
  }
  const assistant = (content: object, stop: string): void =>
    append({
      type: 'assistant',
      message: {
        id: `msg_demo_${++messages}`,
        type: 'message',
        role: 'assistant',
        model: MODEL,
        content: [content],
        stop_reason: stop,
        stop_sequence: null,
        usage: { input_tokens: 0, output_tokens: 0 },
      },
    })

  return {
    sessionId,
    path,
    prompt: (content) => append({ promptId, type: 'user', message: { role: 'user', content }, permissionMode: 'bypassPermissions' }),
    toolUse({ tool, input }) {
      const id = `toolu_demo_${randomUUID().replaceAll('-', '').slice(0, 20)}`
      assistant({ type: 'tool_use', id, name: tool, input }, 'tool_use')
      return id
    },
    toolResult(id, content, isError) {
      append({
        promptId,
        type: 'user',
        message: { role: 'user', content: [{ tool_use_id: id, type: 'tool_result', content, is_error: isError }] },
        toolUseResult: { stdout: content, stderr: '', interrupted: false },
        permissionDecision: { decision: 'accept', source: 'config', reasonType: 'mode' },
      })
    },
    text: (text) => assistant({ type: 'text', text }, 'end_turn'),
    close: () => rmSync(registry, { force: true }),
  }
}
