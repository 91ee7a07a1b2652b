// Real agent CLIs against a fake model, observed and traced by strace in the same run: every exec, parent, file and connection that strace saw must stand in the session.
// Not part of `npm test`: SPOOR_LAB=DIR node scripts/launch.cjs test/lab/main.ts [agent ...]      DIR holds run-agent.mjs, scenarios/ and the installed cli-*/ folders
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { balances } from '../support/ledger.ts'
import { need } from '../support/need.ts'
import { startSink } from '../support/sink.ts'
import { type Event, events, list, root, startRun, until } from '../support/spoor.ts'
import { readTruth, type TrueProcess, worthNaming } from './truth.ts'

const lab = resolve(process.env['SPOOR_LAB'] ?? join(root, '../shared/lab'))
const names = process.argv.slice(2)
/** a: ordinary coding; c: swarm, detached children; f: MCP server. */
const scenarios = (process.env['SPOOR_LAB_SCENARIOS'] ?? 'a').split(' ')
/** The issue's bounds for ordinary coding work. */
const MAX_ENTRIES = 60
const MAX_GZIPPED = 30_000

const wanted = need('root', 'ebpf', 'strace', 'unshare')
const installed = existsSync(lab)
  ? readdirSync(lab)
      .filter((name) => name.startsWith('cli-'))
      .map((name) => name.slice(4))
  : []
const agents = installed.filter((name) => names.length === 0 || names.includes(name))
if (wanted.skip !== false || !existsSync(join(lab, 'run-agent.mjs')) || agents.length === 0) {
  console.log(
    `lab: skipped: ${wanted.skip || (existsSync(join(lab, 'run-agent.mjs')) ? `no agent is installed in ${lab} (./install.sh there)` : `no lab at ${lab} (SPOOR_LAB=DIR)`)}`,
  )
  process.exit(0)
}

let failures = 0
for (const scenario of scenarios) for (const agent of agents) failures += await check(agent, scenario)
console.log(`\n${failures === 0 ? 'every agent: nothing missing' : `${failures} differences`}`)
process.exitCode = failures === 0 ? 0 : 1

async function check(agent: string, scenario: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'spoor-lab-'))
  const work = join('/var/tmp', `${basename(folder)}-work`)
  const sink = await startSink()
  const observer = await startRun(join(folder, 'state'), { args: ['--otlp-endpoint', sink.url] })
  try {
    const trace = join(folder, 'strace')
    const file = join(lab, 'scenarios', readdirSync(join(lab, 'scenarios')).find((name) => name.startsWith(`${scenario}-`))!)
    const child = spawn('node', [join(lab, 'run-agent.mjs'), '--agent', agent, '--scenario', file, '--workdir', work, '--timeout', '120', '--trace', trace], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PATH: `${join(lab, 'rt-node24/node_modules/node/bin')}:${process.env['PATH']}` },
    })
    let summary = ''
    child.stdout.on('data', (part: Buffer) => (summary += part.toString('utf8')))
    await new Promise((done) => child.on('close', done))
    const { executed, ok } = JSON.parse(summary) as { executed: number; ok: boolean }
    const truth = readTruth(trace, agent)
    // Sessions of this run's own processes: whoever else runs an agent on the machine is not in question.
    const ours = () => events(observer.stateDir, '--name', 'session.*').filter((event) => truth.has(Number(event.attributes['process.pid'])))
    const ids = await until(
      'the session to end',
      () => {
        const begun = ours().filter((event) => event.eventName === 'session.start')
        return begun.length > 0 && ours().filter((event) => event.eventName === 'session.end').length === begun.length && new Set(begun.map((event) => event.sessionId!))
      },
      60_000,
    )
    const entries = events(observer.stateDir)
    const differences = compare(truth, entries, ids)
    if (!ok) differences.push(`the agent itself did not finish its scenario (${executed} calls)`)
    await balances(observer.stateDir)
    await until('the sink to have all', () => entries.every((event) => sink.logs.some((record) => record.attributes['log.record.uid'] === event.uid)), 30_000)
    const own = sink.logs.filter((record) => ids.has(String(record.attributes['session.id'])))
    const perCall = own.length / executed
    const gzipped = gzipSync(Buffer.concat(own.map((record) => record.raw)), { level: 1 }).length / executed
    if (scenario === 'a' && perCall > MAX_ENTRIES) differences.push(`${perCall.toFixed(0)} entries per tool call, more than ${MAX_ENTRIES}`)
    if (scenario === 'a' && gzipped > MAX_GZIPPED) differences.push(`${gzipped.toFixed(0)} bytes gzipped per tool call, more than ${MAX_GZIPPED}`)
    const count = (pick: (process: TrueProcess) => number): number => [...truth.values()].reduce((sum, process) => sum + pick(process), 0)
    console.log(
      `${scenario} ${agent.padEnd(10)} ${truth.size} processes, ${count((p) => p.execs.length)} execs, ${count((p) => [...p.files].filter(worthNaming).length)} files, ${count((p) => p.connects.length)} connections; ` +
        `${executed} tool calls, ${perCall.toFixed(1)} entries and ${(gzipped / 1000).toFixed(1)} kB gzipped each; ${ids.size} session; ${differences.length === 0 ? 'nothing missing' : `${differences.length} DIFFERENCES`}`,
    )
    for (const line of differences.slice(0, 40)) console.log(`  ${line}`)
    return differences.length
  } finally {
    await observer.stop()
    await sink.close()
    for (const path of [folder, work, `${work}.home`, `${work}.out`]) rmSync(path, { recursive: true, force: true })
  }
}

function compare(truth: ReadonlyMap<number, TrueProcess>, entries: readonly Event[], ids: ReadonlySet<string>): string[] {
  const out: string[] = []
  if (ids.size !== 1) out.push(`${ids.size} sessions instead of one`)
  const mine = entries.filter((event) => event.sessionId !== null && ids.has(event.sessionId))
  const pidOf = new Map<string, number>()
  for (const event of mine)
    if (typeof event.attributes['spoor.process.id'] === 'string' && event.attributes['process.pid'] !== undefined)
      pidOf.set(event.attributes['spoor.process.id'], Number(event.attributes['process.pid']))
  const of = (name: string, pid: number): Event[] => mine.filter((event) => event.eventName === name && Number(event.attributes['process.pid']) === pid)
  for (const process of truth.values()) {
    const execs = of('spoor.process.exec', process.pid)
    const exits = of('spoor.process.exit', process.pid)
    // The kernel puts the interpreter in front of a script's argv; strace shows what was passed.
    const same =
      execs.length === process.execs.length &&
      process.execs.every(({ path, args }, i) => list(execs[i]!, 'process.command_args')[0] === args[0] || execs[i]!.attributes['spoor.process.called_path'] === path)
    if (!same)
      out.push(
        `pid ${process.pid}: execs ${JSON.stringify(execs.map((event) => list(event, 'process.command_args')[0]))}, strace ${JSON.stringify(process.execs.map(({ path }) => path))}`,
      )
    if (exits.length !== 1) out.push(`pid ${process.pid}: ${exits.length} exit entries`)
    else if (process.exit !== null && exits[0]!.attributes['process.exit.code'] !== undefined && Number(exits[0]!.attributes['process.exit.code']) !== process.exit)
      out.push(`pid ${process.pid}: exit ${exits[0]!.attributes['process.exit.code']}, strace ${process.exit}`)
    if (process.parent !== null) {
      const parent = [...execs, ...exits].map((event) => pidOf.get(String(event.attributes['spoor.process.parent_id'])))
      if (parent.some((pid) => pid !== process.parent)) out.push(`pid ${process.pid}: parent ${parent.join()}, strace ${process.parent}`)
    }
    const named = new Set<string>()
    for (const event of mine) {
      if (Number(event.attributes['process.pid']) !== process.pid || !event.eventName.startsWith('spoor.file.')) continue
      for (const name of [event.attributes['file.path'], event.attributes['spoor.file.target_path'], ...list(event, 'spoor.file.paths')])
        if (typeof name === 'string') named.add(name)
    }
    for (const file of process.files) if (worthNaming(file) && !named.has(file)) out.push(`pid ${process.pid} (${process.execs.at(-1)?.path ?? 'fork'}): file ${file} is not named`)
    const connects = of('spoor.network.connect', process.pid).map((event) => `${event.attributes['network.peer.address']}:${event.attributes['network.peer.port']}`)
    for (const address of process.connects) {
      const at = connects.indexOf(address)
      if (at < 0) out.push(`pid ${process.pid}: connection to ${address} is missing (has ${connects.join(' ')})`)
      else connects.splice(at, 1)
    }
  }
  const extra = new Set(mine.map((event) => Number(event.attributes['process.pid'])).filter((pid) => !Number.isNaN(pid) && !truth.has(pid)))
  if (extra.size > 0) out.push(`processes that strace did not see: ${[...extra].join(' ')}`)
  return out
}
