import { type SpawnOptions, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openJournal } from '../journal/journal.ts'
import type { EntryDraft } from '../model/entry.ts'
import { createEncoder } from '../shape/encode.ts'

// For the tests of this folder: the program as its users start it, and a journal to read.

export type Said = { readonly code: number | null; readonly out: string; readonly err: string }

export const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

export function startSpoor(args: readonly string[], options: SpawnOptions = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk) => (out += chunk))
  child.stderr?.on('data', (chunk) => (err += chunk))
  const said = new Promise<Said>((done) => child.on('close', (code) => done({ code, out, err })))
  return { child, said, soFar: () => out }
}

export const spoor = (args: readonly string[], options?: SpawnOptions): Promise<Said> => startSpoor(args, options).said

const encode = createEncoder()

/** Appends to the journal of `stateDir`, durably. */
export async function writeJournal(stateDir: string, drafts: readonly EntryDraft[]): Promise<void> {
  mkdirSync(stateDir, { recursive: true })
  const opened = await openJournal({ dir: join(stateDir, 'journal') })
  if (!opened.ok) throw new Error(opened.message)
  const { journal } = opened
  for (const draft of drafts)
    journal.append(encode(draft, { journalId: journal.id, runId: 'ab'.repeat(16), index: journal.next, observedTimeUnixNano: draft.timeUnixNano + 1_000_000n }))
  await journal.close()
}

const T0 = 1_763_600_000_000_000_000n
export const SESSION = '3f2a9c1e'.repeat(4)
export const OTHER = '3f2a0000'.repeat(4)
export const entry = (eventName: string, seconds: number, attributes: EntryDraft['attributes'], session = SESSION): EntryDraft => ({
  eventName,
  timeUnixNano: T0 + BigInt(seconds * 1000) * 1_000_000n,
  severity: 9,
  attributes: { 'session.id': session, ...attributes },
})
const of = (n: number) => ({ 'spoor.process.id': String(n).padStart(32, '0'), 'process.pid': n })
const ROOT = of(100)
const CHILD = of(101)

/** A session of two processes, with the worst names that files and arguments can have. */
export const STORY: readonly EntryDraft[] = [
  { eventName: 'spoor.run.start', timeUnixNano: T0, severity: 9, attributes: { 'spoor.run.id': 'ab'.repeat(16) } },
  entry('session.start', 1, {
    ...ROOT,
    'gen_ai.agent.name': 'claude-code',
    'gen_ai.agent.version': '2.1.328',
    'spoor.agent.kind': 'agent',
    'spoor.agent.evidence': ['package:@anthropic-ai/claude-code'],
    'spoor.agent.sanction': 'unknown',
    'user.id': '1000',
    'user.name': 'ada',
    'spoor.origin': 'terminal',
    'process.working_directory': '/home/ada/app\x1b[2J',
  }),
  entry('spoor.process.exec', 1, {
    ...ROOT,
    'spoor.process.role': 'agent',
    'process.executable.path': '/usr/bin/claude',
    'process.command_args': ['claude', '-p', 'fix it'],
    'process.working_directory': '/home/ada/app',
  }),
  entry('spoor.turn.start', 2, { 'spoor.turn.id': 'aa', 'spoor.turn.basis': 'burst' }),
  entry('spoor.tool_call.start', 2, { 'spoor.tool_call.id': 'bb', 'spoor.turn.id': 'aa', 'gen_ai.tool.name': 'shell' }),
  entry('spoor.process.exec', 2, {
    ...CHILD,
    'spoor.process.parent_id': ROOT['spoor.process.id'],
    'spoor.process.role': 'tool',
    'process.executable.path': '/bin/bash',
    'process.command_args': ['bash', '-c', 'rm \u202e\x1b]0;owned\x07'],
    'spoor.command': 'rm \u202e\x1b]0;owned\x07',
  }),
  entry('spoor.file.open', 2.1, { ...CHILD, 'file.path': '/home/ada/.aws/credentials', 'spoor.file.access': 'read', 'spoor.file.sensitivity': 'cloud' }),
  entry('spoor.file.change', 2.2, { ...CHILD, 'file.path': '/home/ada/app/a\nb', 'spoor.file.operation': 'unlink' }),
  entry('spoor.file.change', 2.2, { ...CHILD, 'file.path': '/home/ada/app/a\nb', 'spoor.file.operation': 'unlink', 'error.type': 'ENOENT' }),
  entry('spoor.network.connect', 2.3, { ...CHILD, 'spoor.connection.id': 'cc', 'network.transport': 'tcp', 'network.peer.address': '2001:db8::1', 'network.peer.port': 443 }),
  entry('spoor.process.exit', 3, { ...CHILD, 'spoor.process.parent_id': ROOT['spoor.process.id'], 'process.exit.code': 3, 'spoor.start_time': T0 + 1_900_000_000n }),
  entry('spoor.process.settled', 3, { ...CHILD, 'spoor.turn.id': 'aa', 'spoor.tool_call.id': 'bb', 'process.exit.code': 3, 'spoor.start_time': T0 + 1_900_000_000n }),
  entry('spoor.tool_call.end', 3, {
    'spoor.tool_call.id': 'bb',
    'spoor.turn.id': 'aa',
    'spoor.verdict': 'not_observable',
    'spoor.join.method': 'lineage',
    'spoor.join.confidence': 'certain',
  }),
  entry('session.start', 4, { ...of(200), 'gen_ai.agent.name': 'codex', 'spoor.session.parent_id': SESSION }, OTHER),
  entry('spoor.process.exec', 4, { ...of(200), 'process.command_args': ['codex'] }, OTHER),
  entry('session.end', 5, {
    'gen_ai.agent.name': 'claude-code',
    'spoor.start_time': T0 + 1_000_000_000n,
    'spoor.totals.processes': 2,
    'spoor.totals.execs': 2,
    'spoor.totals.files_read': 1,
    'spoor.totals.files_changed': 1,
    'spoor.totals.connections': 1,
    'spoor.totals.bytes_out': 0,
    'spoor.totals.turns': 1,
    'spoor.totals.tool_calls': 1,
  }),
]
