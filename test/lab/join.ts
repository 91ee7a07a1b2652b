// Real agent CLIs against a fake model: is every tool call that they carried out found in the record, and joined to what it did?
// Not part of `npm test`: SPOOR_LAB=DIR node scripts/launch.cjs test/lab/join.ts [agent ...]      DIR holds run-agent.mjs, scenarios/ and the installed cli-*/ folders
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Event, events, list, startRun, status, until } from '../support/spoor.ts'

export type JoinReport = {
  readonly shells: { readonly all: number; readonly joined: number }
  readonly files: { readonly all: number; readonly joined: number }
  readonly other: number
  /** Calls that the model asked for and got an answer to; of these, those that the record has. Calls that a program made are not among them. */
  readonly executed: number
  readonly found: number
  readonly ambiguous: number
  /** Joined to a process that ran another command, children before parents, orphans, helpers called undeclared: one sentence each. */
  readonly wrong: readonly string[]
  readonly lines: readonly string[]
  readonly events: readonly Event[]
  /** Of the whole machine. */
  readonly all: readonly Event[]
}

/** What is done to the observer while the agent runs. */
export type Meanwhile = (stateDir: string) => Promise<void>

/** Runs one CLI on one scenario below a fresh observer. */
export async function joinRun(lab: string, agent: string, scenario: string, meanwhile: Meanwhile = async () => {}): Promise<JoinReport> {
  const folder = mkdtempSync(join(tmpdir(), 'spoor-join-'))
  const work = join('/var/tmp', `${basename(folder)}-work`)
  const observer = await startRun(join(folder, 'state'))
  try {
    const file = scenario.includes('/') ? scenario : join(lab, 'scenarios', readdirSync(join(lab, 'scenarios')).find((name) => name.startsWith(`${scenario}-`))!)
    const child = spawn('node', [join(lab, 'run-agent.mjs'), '--agent', agent, '--scenario', file, '--workdir', work, '--timeout', '120'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PATH: `${join(lab, 'rt-node24/node_modules/node/bin')}:${process.env['PATH']}` },
    })
    let summary = ''
    child.stdout.on('data', (part: Buffer) => (summary += part.toString('utf8')))
    await Promise.all([new Promise((done) => child.on('close', done)), meanwhile(observer.stateDir)])
    await until('the sessions to end', () => status(observer.stateDir)?.run?.openSessions === 0, 60_000)
    await sleep(500)
    const all = events(observer.stateDir)
    // Other agents may run on this machine.
    const own = new Set(all.filter((event) => event.eventName === 'session.start' && event.attributes['process.working_directory'] === work).map((event) => event.sessionId))
    const { executed } = JSON.parse(summary) as { executed: number }
    return { executed, ...report(all.filter((event) => event.sessionId !== null && own.has(event.sessionId))), all }
  } finally {
    await observer.stop()
    for (const path of [folder, work, `${work}.home`, `${work}.out`]) rmSync(path, { recursive: true, force: true })
  }
}

const SHELLS = new Set(['Bash', 'exec_command', 'shell'])
const FILES = new Set(['Read', 'Write', 'Edit', 'apply_patch'])
const spaces = (text: unknown): string =>
  String(text ?? '')
    .replace(/\s+/g, ' ')
    .trim()

export function report(all: readonly Event[]): Omit<JoinReport, 'all' | 'executed'> {
  const of = (name: string): Event[] => all.filter((event) => event.eventName === name)
  const commands = new Map<string, string[]>()
  for (const event of of('spoor.process.exec')) {
    const id = String(event.attributes['spoor.process.id'])
    commands.set(id, [...(commands.get(id) ?? []), spaces(event.attributes['spoor.command'] ?? list(event, 'process.command_args').join(' '))])
  }
  const wrong: string[] = []
  const lines: string[] = []
  let found = 0
  const count = { shells: { all: 0, joined: 0 }, files: { all: 0, joined: 0 }, other: 0, ambiguous: 0 }
  for (const { attributes: a } of of('spoor.tool_call.end')) {
    const tool = String(a['gen_ai.tool.name'])
    const verdict = String(a['spoor.verdict'])
    const declared = spaces(a['spoor.claim.command'])
    if (a['gen_ai.tool.call.id'] !== undefined && !String(a['gen_ai.tool.call.id']).startsWith('exec-')) found++
    const ran = commands.get(String(a['spoor.process.id'])) ?? []
    lines.push(
      `${verdict} ${a['spoor.join.method']}/${a['spoor.join.confidence']} ${tool} ${a['gen_ai.tool.call.id'] ?? '-'} ${(declared || list({ attributes: a } as unknown as Event, 'spoor.claim.paths').join(' ') || ran.join(' => ')).slice(0, 90)}`,
    )
    if (verdict === 'ambiguous') count.ambiguous++
    if (verdict === 'seen_not_declared' || verdict === 'differs' || verdict === 'declared_not_seen') wrong.push(`${verdict}: ${lines.at(-1)}`)
    const kind = SHELLS.has(tool) ? count.shells : FILES.has(tool) ? count.files : null
    if (kind === null) count.other++
    else {
      kind.all++
      if (verdict === 'confirmed') kind.joined++
      if (kind === count.shells && verdict === 'confirmed' && !ran.includes(declared)) wrong.push(`joined to a process that ran another command: ${declared} / ${ran.join(' => ')}`)
    }
  }
  wrong.push(...spanFaults(all))
  return { ...count, found, wrong, lines, events: all }
}

/** Each span has its parent in its trace, none begins before it, none comes twice. */
export function spanFaults(all: readonly Event[]): string[] {
  const spans = new Map<string, { readonly start: bigint; readonly parent: string | null; readonly what: string }>()
  const faults: string[] = []
  for (const event of all) {
    if (!/^(?:session\.end|spoor\.(?:turn|tool_call)\.end|spoor\.process\.settled)$/.test(event.eventName) || event.attributes['spoor.span.omitted'] === true) continue
    const { traceId, spanId } = event as unknown as { traceId?: string; spanId?: string }
    if (traceId === undefined || spanId === undefined) continue
    const parent = event.attributes['spoor.parent.span_id']
    const key = `${traceId}/${spanId}`
    const what = `${event.eventName} ${event.attributes['gen_ai.tool.name'] ?? event.attributes['process.executable.name'] ?? ''} ${event.uid}`
    if (spans.has(key)) faults.push(`two spans of one id: ${what}`)
    spans.set(key, { start: BigInt(String(event.attributes['spoor.start_time'])), parent: typeof parent === 'string' ? `${traceId}/${parent}` : null, what })
  }
  for (const { parent, start, what } of spans.values()) {
    if (parent === null) continue
    const above = spans.get(parent)
    if (above === undefined) faults.push(`orphan: ${what}`)
    else if (start < above.start) faults.push(`begins before its parent: ${what}`)
  }
  return faults
}

if (import.meta.main) {
  const lab = resolve(process.env['SPOOR_LAB'] ?? '/var/tmp/lab')
  const agents = process.argv.slice(2)
  const scenarios = (process.env['SPOOR_LAB_SCENARIOS'] ?? 'a').split(' ')
  for (const scenario of scenarios) {
    for (const agent of agents.length > 0 ? agents : ['claude', 'codex', 'codex-codemode']) {
      const done = await joinRun(lab, agent, scenario)
      console.log(
        `${scenario} ${agent}: shells ${done.shells.joined}/${done.shells.all}, files ${done.files.joined}/${done.files.all}, other ${done.other}, ambiguous ${done.ambiguous}; ${done.found} of ${done.executed} executed calls found; ${done.wrong.length} wrong`,
      )
      for (const line of done.lines) console.log(`  ${line}`)
      for (const line of done.wrong) console.log(`  WRONG ${line}`)
      if (process.env['SPOOR_LAB_DUMP'] !== undefined) for (const event of done.events) console.log(JSON.stringify(event))
    }
  }
}
