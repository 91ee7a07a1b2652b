import { spawn } from 'node:child_process'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { demoActs, PROMPT, SENT_BYTES, type ToolUse } from './acts.ts'
import { openTranscript } from './transcript.ts'

/** "Thinking": so that each act stands by itself in a waterfall, and whoever follows the transcript is there before the first. */
const PAUSE_BEFORE_MS = 600
const PAUSE_BETWEEN_MS = 120

type Result = { readonly content: string; readonly isError: boolean }

/**
 * The program that `spoor demo` observes: `__demo-agent WORK SINK`, with HOME and CLAUDE_CONFIG_DIR in a temporary folder.
 * It has no model and talks to nobody but SINK on loopback. Shells are session leaders and file tools run in-process, as with most agents.
 */
export async function runAgent([work = '', sink = '']: readonly string[]): Promise<number> {
  const configDir = process.env['CLAUDE_CONFIG_DIR']
  if (work === '' || sink === '' || configDir === undefined) return 2
  process.chdir(work)
  const transcript = openTranscript({ configDir, cwd: work, pid: process.pid, procStart: startTicks() })
  const shellEnv = { ...process.env, CLAUDE_CODE_SESSION_ID: transcript.sessionId, CLAUDE_PID: String(process.pid) }
  transcript.prompt(PROMPT)
  await sleep(PAUSE_BEFORE_MS)
  for (const act of demoActs({ work, sink })) {
    const id = act.declared ? transcript.toolUse(act) : null
    const { content, isError } = await perform(act, shellEnv)
    if (id !== null) transcript.toolResult(id, content, isError)
    await sleep(PAUSE_BETWEEN_MS)
  }
  transcript.text('Counted, written down and reported.')
  transcript.close()
  return 0
}

async function perform(use: ToolUse, env: NodeJS.ProcessEnv): Promise<Result> {
  switch (use.tool) {
    case 'Read':
      return { content: readFileSync(use.input.file_path, 'utf8'), isError: false }
    case 'Write':
      return write(use.input.file_path, use.input.content)
    case 'Edit':
      return write(use.input.file_path, readFileSync(use.input.file_path, 'utf8').replace(use.input.old_string, use.input.new_string))
    case 'Bash':
      return shell(use.input.command, env)
    case 'WebFetch':
      return send(use.input.url)
  }
}

/** Through a temporary file and rename, as Claude Code, qwen and openclaw write. */
function write(path: string, content: string): Result {
  const temporary = `${path}.tmp.${process.pid}`
  writeFileSync(temporary, content)
  renameSync(temporary, path)
  return { content: `wrote ${content.length} characters`, isError: false }
}

function shell(command: string, env: NodeJS.ProcessEnv): Promise<Result> {
  return new Promise((done) => {
    let output = ''
    const child = spawn('/bin/sh', ['-c', command], { detached: true, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (part) => (output += part))
    child.stderr.on('data', (part) => (output += part))
    child.on('error', (error) => done({ content: error.message, isError: true }))
    child.on('close', (code) => done({ content: output, isError: code !== 0 }))
  })
}

function send(url: string): Promise<Result> {
  return new Promise((done) => {
    const sent = request(url, { method: 'POST', agent: false }, (answer) => {
      let text = ''
      answer.on('data', (part) => (text += part))
      answer.on('end', () => done({ content: text, isError: answer.statusCode !== 200 }))
    })
    sent.on('error', (error) => done({ content: error.message, isError: true }))
    sent.end(Buffer.alloc(SENT_BYTES, 'spoor '))
  })
}

/** Field 22 of /proc/self/stat (proc(5)). */
function startTicks(): string {
  try {
    const stat = readFileSync(join('/proc', String(process.pid), 'stat'), 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    return '0' // no /proc: another system
  }
}
