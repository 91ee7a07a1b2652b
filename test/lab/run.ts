// npm run lab -- AGENT... [--scenario NAME] [--user NAME] [--state-dir DIR] [--net host] [--keep]
// Real agent CLIs from npm against a scripted model on loopback, observed by Spoor: which tool calls ran, and what Spoor recorded beside them.
import { spawnSync } from 'node:child_process'
import { chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Account, accountOf } from '../../src/cli/account.ts'
import { comparedText } from '../../src/cli/demo-text.ts'
import { openRecorder } from '../../src/cli/record.ts'
import { recordedSession } from '../../src/cli/recorded-session.ts'
import { startShim } from '../../src/cli/shim.ts'
import type { ShowFold } from '../../src/cli/show-fold.ts'
import { compare } from '../../src/demo/compare.ts'
import { onPath } from '../support/need.ts'
import { LAB_AGENTS } from './agents.ts'
import { declaredBy } from './declared.ts'
import { install, nodeFolder, PACKAGES } from './install.ts'
import { startModel } from './model/server.ts'
import { SCENARIOS } from './scenarios/index.ts'
import type { Scenario } from './scenarios/scenario.ts'

const USAGE = `usage: npm run lab -- AGENT... [options]      AGENT: ${Object.keys(LAB_AGENTS).join(', ')}
  --scenario NAME  one of:
${SCENARIOS.map(({ name, about }) => `      ${name.padEnd(8)} ${about}`).join('\n')}
  --user NAME      whom the CLI runs as, as root (default: nobody)
  --state-dir DIR  Spoor's; where an observer runs there, it records (default: a temporary one)
  --otlp-endpoint URL  where Spoor ships to; takes --net host
  --net host       leave the CLI on the machine's network (default as root: a network of its own, with loopback only)
  --keep           keep the folder of each run: home, project, the CLI's output, Spoor's state
`
const CLI_MS = 180_000
const BROKEN_SHOWN = 5
const say = (line: string): void => console.error(line)
const isRoot = process.getuid?.() === 0

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenario: { type: 'string', multiple: true },
    user: { type: 'string', default: 'nobody' },
    'state-dir': { type: 'string' },
    'otlp-endpoint': { type: 'string' },
    net: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const scenarios = values.scenario === undefined ? SCENARIOS : SCENARIOS.filter(({ name }) => values.scenario!.includes(name))
if (values.help || positionals.length === 0 || scenarios.length === 0 || positionals.some((name) => !Object.hasOwn(LAB_AGENTS, name))) {
  process.stderr.write(USAGE)
  process.exit(values.help ? 0 : 2)
}
const programs = new Map(positionals.map((name) => [name, install(LAB_AGENTS[name]!.program, say)]))
const runtime = nodeFolder()
if (isRoot && values.net !== 'host' && process.env['SPOOR_LAB_NET'] === undefined && onPath('unshare') && onPath('ip')) {
  // What a CLI sends elsewhere goes nowhere: this network has nothing but loopback.
  const inside = spawnSync('unshare', ['--net', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, SPOOR_LAB_NET: 'own' },
  })
  process.exit(inside.status ?? 1)
}

let wrong = 0
for (const name of positionals) for (const scenario of scenarios) wrong += (await run(name, scenario)) ? 0 : 1
process.exit(wrong === 0 ? 0 : 1)

async function run(name: string, scenario: Scenario): Promise<boolean> {
  const agent = LAB_AGENTS[name]!
  const folder = mkdtempSync(join(tmpdir(), 'spoor-lab-run-'))
  const place = { home: join(folder, 'home'), work: join(folder, 'work') }
  const found = isRoot && values.user !== 'root' ? accountOf(values.user) : null
  const account: Account | null = found === null ? null : { ...found, home: place.home, shell: '/bin/bash' }
  if (isRoot && values.user !== 'root' && account === null) throw new Error(`there is no user ${values.user}`)
  const turns = scenario.turns(place)
  const model = await startModel(scenario, turns)
  const stateDir = values['state-dir'] ?? join(folder, 'state')
  const recorder = await openRecorder('record', stateDir, values['otlp-endpoint'] ?? null, null)
  if (typeof recorder === 'number') process.exit(recorder)
  try {
    const invocation = agent.invoke({ ...place, model: model.url, prompt: scenario.prompt, root: isRoot && account === null })
    for (const [path, content] of Object.entries({ ...scenario.files(place), ...invocation.files })) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, content, { mode: path.startsWith(place.home) ? 0o600 : 0o644 })
    }
    give(folder, account)
    const environment = {
      HOME: place.home,
      USER: account?.name ?? process.env['USER'] ?? 'lab',
      SHELL: '/bin/bash',
      TERM: 'dumb',
      LANG: 'C.UTF-8',
      PATH: [runtime, '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
      ...invocation.environment,
    }
    const output = openSync(join(folder, 'output.log'), 'a')
    const from = process.cwd()
    process.chdir(place.work)
    const shim = await startShim([programs.get(name)!, ...invocation.args], account, environment, ['ignore', output, output])
    process.chdir(from)
    closeSync(output)
    if (typeof shim === 'string') throw new Error(shim)
    const recorded = await recorder.record(shim, null)
    if (typeof recorded === 'string') throw new Error(recorded)
    const began = Date.now()
    shim.open()
    const timer = setTimeout(() => shim.kill('SIGKILL'), CLI_MS)
    const { exitCode, signal } = await shim.ended
    clearTimeout(timer)
    const lasted = Date.now() - began
    await recorder.finish(recorded.session)
    const fold = await recordedSession(recorded.session, stateDir)

    const asked = model.asked
    const steps = turns.flat().length
    const executed = asked.filter((call) => call.result !== null).flatMap((call) => call.steps).length
    console.log(`\n${name} ${PACKAGES[agent.program].version}, ${scenario.name}: ${signal ?? `exit ${exitCode}`} after ${(lasted / 1000).toFixed(1)} s`)
    console.log(`${executed} of ${steps} scripted steps executed in ${asked.length} tool calls, ${model.requests()} model requests; session ${recorded.session.slice(0, 8)}`)
    if (model.others.length > 0) console.log(`also asked for: ${[...new Set(model.others)].join(', ')}`)
    const rows = fold === null ? [] : compare(declaredBy(asked), fold, { ...place, configDir: invocation.configDir }, new Set([Number(new URL(model.url).port)]))
    process.stdout.write(comparedText(rows, process.stdout.columns || 160))
    if (fold !== null) console.log(`Spoor's own verdicts: ${verdictsOf(fold)}`)
    const broken = fold === null ? [] : brokenPaths(fold)
    if (broken.length > 0) console.log(`paths that are none: ${broken.slice(0, BROKEN_SHOWN).join('  ')}`)
    if (exitCode !== 0) say(readFileSync(join(folder, 'output.log'), 'utf8').slice(-2000))
    if (values.keep) console.log(`kept: ${folder}`)
    return exitCode === 0 && executed === steps && broken.length === 0 && rows.every((row) => row.declared === null || row.seen !== null)
  } finally {
    await model.close()
    if (!values.keep) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** A path is absolute, or the kernel's name of something without one (`pipe:`, `memfd:`): anything else was read wrongly. */
function brokenPaths({ files }: ShowFold): readonly string[] {
  return [...files.values()].flatMap((row) => [row.path, ...row.paths, ...row.failedPaths]).filter((path) => !/^(?:\/|[a-z_]+:)/.test(path))
}

/** How many tool calls got which verdict by the claims Spoor read itself. */
function verdictsOf(fold: ShowFold): string {
  const counts = new Map<string, number>()
  for (const turn of fold.turns.values()) for (const { verdict } of turn.toolCalls) counts.set(verdict ?? 'none', (counts.get(verdict ?? 'none') ?? 0) + 1)
  return counts.size === 0 ? 'no tool calls' : [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')
}

/** Home and project to the user whom the CLI runs as; Spoor's state stays ours. */
function give(folder: string, account: Account | null): void {
  if (account === null) return
  chownSync(folder, account.uid, account.gid)
  for (const part of ['home', 'work']) {
    const base = join(folder, part)
    for (const path of ['', ...(existsSync(base) ? readdirSync(base, { recursive: true, encoding: 'utf8' }) : [])]) chownSync(join(base, path), account.uid, account.gid)
  }
}
