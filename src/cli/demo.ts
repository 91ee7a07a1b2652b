import { fileURLToPath } from 'node:url'
import { SHORT_PROCESSES } from '../demo/acts.ts'
import { compare } from '../demo/compare.ts'
import { declaredIn } from '../demo/declared.ts'
import { openStage, type Stage } from '../demo/stage.ts'
import { type CommandSpec, readArguments, STATE_DIR } from './arguments.ts'
import { comparedText } from './demo-text.ts'
import { standardOutput } from './output.ts'
import { openRecorder } from './record.ts'
import { recordedSession } from './recorded-session.ts'
import type { Recorder } from './recorder.ts'
import { failed, say } from './say.ts'
import { startShim } from './shim.ts'
import { summaryText } from './summary-text.ts'
import { isRoot } from './where.ts'

const COMMAND: CommandSpec = {
  name: 'demo',
  usage: '[options]',
  summary: 'Runs a scripted agent (no model, no network but loopback, some seconds) and shows what it declared beside what Spoor saw.',
  options: {
    'state-dir': STATE_DIR,
    'otlp-endpoint': { type: 'text', value: 'URL', help: 'ship there by OTLP over HTTP (default: OTEL_EXPORTER_OTLP_ENDPOINT)' },
    config: { type: 'text', value: 'FILE', help: 'configuration file (YAML)' },
  },
  details: `It reads and writes files in a temporary folder, runs a pipeline and ${SHORT_PROCESSES} processes of a millisecond, sends some bytes to itself, and does one thing that it does not declare.`,
}

export async function main(argv: readonly string[]): Promise<number> {
  const args = readArguments(COMMAND, argv)
  if (!args.ok) return args.exit
  const recorder = await openRecorder('demo', args.text('state-dir'), args.text('otlp-endpoint'), args.text('config'))
  if (typeof recorder === 'number') return recorder
  const stage = await openStage(fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './spoor.mjs', import.meta.url)))
  try {
    return await play(stage, recorder, args.text('state-dir'))
  } finally {
    await stage.close()
  }
}

async function play(stage: Stage, recorder: Recorder, stateDir: string | null): Promise<number> {
  say(`spoor demo: a scripted agent works in ${stage.work} for some seconds; it has no model and talks to ${stage.sink} only`)
  const folder = process.cwd()
  // The agent begins where its project is, as a person would start it.
  process.chdir(stage.work)
  const shim = await startShim(stage.command, null, stage.environment)
  process.chdir(folder)
  if (typeof shim === 'string') {
    await recorder.abandon()
    return failed('demo', shim)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => shim.kill('SIGTERM'))
  const recorded = await recorder.record(shim, null)
  if (typeof recorded === 'string') {
    await shim.abandon()
    await recorder.abandon()
    return failed('demo', recorded)
  }
  const began = process.hrtime.bigint()
  shim.open()
  const { exitCode, signal } = await shim.ended
  const lasted = process.hrtime.bigint() - began
  const summary = await recorder.finish(recorded.session)

  const fold = await recordedSession(recorded.session, stateDir)
  const declared = declaredIn(stage.transcript())
  const output = standardOutput()
  if (fold !== null) await output.write(comparedText(compare(declared, fold, stage), process.stdout.columns || 120))
  await output.flush()
  const sudo = !recorder.own && !isRoot() ? 'sudo ' : ''
  const hint = `${sudo}spoor show ${recorded.session.slice(0, 8)}${stateDir === null ? '' : ` --state-dir ${stateDir}`}`
  for (const line of summaryText({ session: recorded.session, summary, how: signal === null ? `exit ${exitCode}` : signal, lasted, hint })) say(line)
  if (fold === null) say(`spoor: the record belongs to the machine's observer and is not readable for this user; the agent declared ${declared.length} tool calls`)
  return exitCode === 0 ? 0 : failed('demo', `the scripted agent ended with ${signal ?? exitCode}`)
}
