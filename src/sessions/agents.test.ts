import assert from 'node:assert/strict'
import { test } from 'node:test'
import { processId, sessionId, spanId } from '../identity/ids.ts'
import { BOOT_ID, createMachine, MACHINE_ID, type Machine, type Proc } from './machine.fixture.ts'
import { checkSpans } from './spans.fixture.ts'

// Process trees as the real programs make them (their parents, argv shapes and order; times shortened).
const NODE = '/opt/node/bin/node'
const start = (m: Machine): string[] => m.of('session.start').map((each) => `${each.session.agent.name} ${each.session.rootPid} ${each.session.agent.evidence.join(' ')}`)
const roles = (m: Machine, proc: Proc): string[] => [...new Set(m.places(proc).map((each) => each.place.role))]

test('codex: node launcher execs in place; start-up shells are helpers; set-up stage, snapshot shell, shell and command are one process and one tool call', () => {
  const m = createMachine()
  const bin = '/opt/npm/node_modules/.bin/codex'
  const exe = '/opt/npm/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex'
  const agent = m.newcomer()
  m.exec(agent, { exe: '/usr/bin/env', called: bin, args: ['/usr/bin/env', 'node', bin, 'exec', 'x'] })
  m.exec(agent, { exe: NODE, args: ['node', bin, 'exec', 'x'] })
  m.open(agent, '/lib/x86_64-linux-gnu/libc.so.6')
  assert.deepEqual(m.out, [], 'nothing is told of a suspect')
  m.pass(60)
  m.open(agent, '/opt/npm/node_modules/@openai/codex/bin/codex.js')
  assert.deepEqual(start(m), [`codex ${agent.task.pid} called:${bin} opened:@openai/codex`])
  assert.equal(m.places(agent).length, 4, 'what waited is told in order')
  m.exec(agent, { exe, args: [exe, 'exec', 'x'] })
  assert.deepEqual(roles(m, agent), ['agent'])
  m.pass(400)
  const snapshot = m.spawn(agent, { exe: '/usr/bin/bash', called: '/bin/bash', args: ['/bin/bash', '-lc', "echo '# Snapshot file'"], leader: true })
  m.exit(m.spawn(snapshot, { exe: '/usr/bin/id', args: ['id', '-u'] }))
  m.exit(snapshot)
  assert.deepEqual(roles(m, snapshot), ['harness'], 'a session leader without a tool call id')
  const tool = m.fork(agent)
  m.exec(tool, {
    exe,
    called: '/proc/self/exe',
    args: ['/proc/self/exe', '--codex-run-as-process-setup', '48', '/bin/bash', '/bin/bash', '-c', '__CODEX_SNAPSHOT_OVERRIDE=1'],
    leader: true,
  })
  const env = [['CODEX_TOOL_CALL_ID', 'call_7']] as const
  m.exec(tool, { exe: '/usr/bin/bash', args: ['/bin/bash', '-c', '__CODEX_SNAPSHOT_OVERRIDE=1'], env })
  m.exec(tool, { exe: '/usr/bin/bash', args: ['/bin/bash', '-c', 'cat x'], env })
  m.exec(tool, { exe: '/usr/bin/cat', args: ['cat', 'x'], env })
  m.exit(tool)
  m.exit(agent)
  assert.equal(m.of('session.start').length, 1)
  assert.deepEqual(
    m.of('tool_call.start').map((each) => [each.toolCall.callId, each.toolCall.rootProcess]),
    [['call_7', processId(MACHINE_ID, BOOT_ID, tool.task.pid, tool.task.startTicks)]],
  )
  assert.equal(m.settled(tool).length, 1)
  assert.deepEqual(m.settled(tool)[0]?.place.role, 'tool')
  assert.deepEqual(m.filtered('open'), {})
  checkSpans(m.out)
})

test('gemini-cli: suspect until node opens the package; the relaunched child is the same agent', () => {
  const m = createMachine()
  const bin = '/opt/npm/node_modules/.bin/gemini'
  const launcher = m.exec(m.newcomer(), { exe: '/usr/bin/env', called: bin, args: ['/usr/bin/env', 'node', bin, '-p', 'x'] })
  m.exec(launcher, { exe: NODE, args: ['node', bin, '-p', 'x'] })
  m.pass(50)
  m.open(launcher, '/opt/npm/node_modules/@google/gemini-cli/dist/index.js')
  m.pass(600)
  const agent = m.spawn(launcher, { exe: NODE, args: [NODE, '--max-old-space-size=12052', bin, '-p', 'x'] })
  assert.deepEqual(roles(m, agent), ['agent'])
  const git = m.spawn(agent, { exe: '/usr/bin/git', args: ['git', 'rev-parse', '--show-toplevel'] })
  m.exit(git, 128)
  const mcp = m.spawn(agent, { exe: NODE, args: ['node', '/work/mcp.mjs'] })
  const shell = m.spawn(agent, { exe: '/usr/bin/bash', args: ['/usr/bin/bash', '-c', '(\nnode --test\n)'], leader: true })
  const subshell = m.fork(shell)
  const runner = m.spawn(subshell, { exe: NODE, args: ['node', '--test'] })
  m.exit(runner)
  m.exit(subshell)
  m.exit(shell)
  m.exit(mcp)
  m.exit(agent)
  m.exit(launcher)
  assert.equal(m.of('session.start').length, 1)
  assert.deepEqual(m.of('session.start')[0]?.session.agent.evidence, [`called:${bin}`, 'opened:@google/gemini-cli'])
  assert.deepEqual(roles(m, mcp), ['harness'])
  assert.equal(m.settled(subshell).length, 0, 'a child that never execs has no settled entry')
  assert.equal(m.settled(shell)[0]?.parentSpanId, m.of('tool_call.end')[0]?.toolCall.spanId)
  assert.equal(m.settled(runner)[0]?.parentSpanId, spanId('process', m.settled(shell)[0]!.process.id), 'the nearest ancestor with a span')
  assert.deepEqual(
    m.of('session.end').map((each) => each.session.totals.toolCalls),
    [1],
  )
  checkSpans(m.out)
})

test('opencode: a shell that execs the command itself; a detached child outlives the agent and stays in the session', () => {
  const m = createMachine()
  const exe = '/opt/npm/node_modules/opencode-ai/bin/opencode.exe'
  const agent = m.exec(m.newcomer(), { exe, called: '/opt/npm/node_modules/.bin/opencode', args: ['/opt/npm/node_modules/.bin/opencode', 'run', 'x'] })
  const tool = m.spawn(agent, { exe: '/usr/bin/bash', args: ['/bin/bash', '-c', 'node --test'], leader: true })
  m.exec(tool, { exe: NODE, args: ['node', '--test'] })
  const middle = m.fork(tool)
  const daemon = m.spawn(middle, { exe: '/usr/bin/sleep', args: ['sleep', '600'], leader: true })
  m.exit(middle)
  m.exit(tool)
  m.exit(agent)
  m.wait(5_000)
  assert.equal(m.of('session.end').length, 0)
  m.open(daemon, '/work/late')
  assert.equal(m.places(daemon).at(-1)?.place.session.id, sessionId(processId(MACHINE_ID, BOOT_ID, agent.task.pid, agent.task.startTicks)))
  m.exit(daemon, 0, 15)
  const [end] = m.of('session.end')
  assert.equal(end?.reason, 'exit')
  assert.deepEqual(end?.session.incomplete, [`outlived:sleep[${daemon.task.pid}]`])
  checkSpans(m.out)
})

test("another agent in a tool call is a child session; the tool call waits for it, and so does the parent's end", () => {
  const m = createMachine()
  const claude = m.exec(m.newcomer(), { exe: '/usr/local/bin/claude', args: ['claude'] })
  const shell = m.spawn(claude, { exe: '/usr/bin/bash', args: ['bash', '-c', 'codex exec x'], leader: true })
  // A simple command: bash execs it in place.
  m.exec(shell, { exe: '/usr/local/bin/codex', args: ['codex', 'exec', 'x'] })
  m.pass(500)
  const inner = m.spawn(shell, { exe: '/usr/bin/bash', args: ['bash', '-c', 'ls'], leader: true, env: [['CODEX_TOOL_CALL_ID', 'c']] })
  m.exit(claude)
  assert.equal(m.of('tool_call.end').length, 0)
  m.exit(inner)
  m.exit(shell)
  const [outer, nested] = m.of('session.start')
  assert.equal(nested?.session.agent.name, 'codex')
  assert.equal(nested?.session.parentId, outer?.session.id)
  assert.deepEqual(
    m.of('session.end').map((each) => each.session.agent.name),
    ['codex', 'claude-code'],
  )
  assert.deepEqual(m.of('tool_call.end').length, 2)
  checkSpans(m.out)
})

test('the same agent run by a tool call is a session of its own', () => {
  const m = createMachine()
  const outer = m.exec(m.newcomer(), { exe: '/usr/local/bin/claude', args: ['claude'] })
  const shell = m.spawn(outer, { exe: '/usr/bin/bash', args: ['bash', '-c', 'claude -p x; true'], leader: true })
  const inner = m.spawn(shell, { exe: '/usr/local/bin/claude', args: ['claude', '-p', 'x'] })
  assert.equal(m.of('session.start').length, 2)
  // Its embedded ripgrep is the same executable under another name.
  const rg = m.spawn(inner, { exe: '/usr/local/bin/claude', args: ['rg', '--files'] })
  assert.deepEqual(roles(m, rg), ['harness'])
  assert.equal(m.of('session.start').length, 2)
  for (const proc of [rg, inner, shell, outer]) m.exit(proc)
  checkSpans(m.out)
})

test('a program that is no agent is released at the end of the batch, with its children; what it did is counted', () => {
  const m = createMachine()
  const node = m.exec(m.newcomer(), { exe: NODE, args: ['node', 'build.js'] })
  m.open(node, '/work/a')
  const child = m.fork(node)
  m.open(child, '/work/b')
  assert.deepEqual(m.orders, [])
  m.tick()
  assert.deepEqual(m.orders, [`release ${node.task.pid}`, `release ${child.task.pid}`])
  assert.deepEqual([m.filtered('exec'), m.filtered('open'), m.filtered('fork')], [{ not_agent: 1 }, { not_agent: 2 }, { not_agent: 1 }])
  assert.deepEqual(m.out, [])
  m.wait(6_000)
  assert.equal(m.sessions.state.standings.size, 0)
  assert.equal(m.lineage.state.byId.size, 0)
})

test('npx: node execs the agent in the same batch; the release is taken back', () => {
  const m = createMachine()
  const proc = m.exec(m.newcomer(), { exe: NODE, args: ['node', '/usr/bin/npx', 'claude'] })
  m.exec(proc, { exe: '/opt/npm/node_modules/@anthropic-ai/claude-code/bin/claude.exe', args: ['claude'] })
  m.tick()
  assert.deepEqual(m.orders, [`track ${proc.task.pid}`])
  assert.equal(m.of('session.start').length, 1)
})

test('a suspect that never proves it is released after 5 s; its observations are counted, none is told', () => {
  const m = createMachine()
  const script = m.exec(m.newcomer(), { exe: NODE, args: ['node', '/home/ann/gemini', 'x'] })
  m.open(script, '/home/ann/secret')
  const child = m.spawn(script, { exe: '/bin/ls', args: ['ls'] })
  m.wait(5_100)
  assert.deepEqual(m.out, [])
  assert.deepEqual(m.orders, [`release ${script.task.pid}`, `release ${child.task.pid}`])
  assert.deepEqual([m.filtered('exec'), m.filtered('open'), m.filtered('fork')], [{ not_agent: 2 }, { not_agent: 1 }, { not_agent: 1 }])
})

test('a suspect is proven by what it execs: wrapper script, then the real program', () => {
  const m = createMachine()
  const proc = m.exec(m.newcomer(), { exe: '/usr/bin/bash', called: '/usr/local/bin/claude', args: ['/bin/bash', '/usr/local/bin/claude'] })
  m.open(proc, '/etc/claude.conf')
  m.exec(proc, { exe: '/nix/store/x-claude-code/bin/claude', args: ['claude'] })
  assert.equal(m.of('session.start').length, 1)
  assert.equal(m.places(proc).length, 3)
  const other = m.exec(m.newcomer(), { exe: '/usr/bin/bash', called: '/usr/local/bin/claude', args: ['/bin/bash', '/usr/local/bin/claude'] })
  m.exec(other, { exe: '/bin/ls', args: ['ls'] })
  assert.equal(m.of('session.start').length, 1)
  assert.deepEqual(m.filtered('exec'), { not_agent: 2 })
})

test('a stub that opens a secret, forks and ends within 2 ms: all is there', () => {
  const m = createMachine()
  for (let i = 0; i < 1000; i++) {
    const stub = m.exec(m.newcomer(), { exe: '/usr/local/bin/claude', args: ['claude'] })
    m.pass(0.5)
    m.open(stub, '/home/ann/.ssh/id_ed25519')
    const child = m.fork(stub)
    m.exit(stub)
    m.exit(child)
    m.pass(1)
  }
  const count = (kind: string): number => m.of('observed').filter((each) => each.activity.observation.kind === kind).length
  assert.deepEqual([m.of('session.start').length, m.of('session.end').length, count('open'), count('fork'), count('exit')], [1000, 1000, 1000, 1000, 2000])
  checkSpans(m.out)
})

test('suspects are bounded: by what one may do, and by how many there may be', () => {
  const m = createMachine()
  const busy = m.exec(m.newcomer(), { exe: NODE, args: ['node', '/home/ann/gemini'] })
  for (let i = 0; i < 3000; i++) m.open(busy, `/work/${i}`)
  assert.deepEqual(m.filtered('open'), { not_agent: 3000 })
  assert.equal(m.sessions.state.overflow.holds, 1)
  for (let i = 0; i < 1100; i++) m.exec(m.newcomer(), { exe: NODE, args: ['node', '/home/ann/gemini'] })
  assert.equal(m.sessions.state.holds.size, 1024)
  assert.equal(m.sessions.state.overflow.holds, 77)
  m.wait(6_000)
  assert.deepEqual([m.sessions.state.holds.size, m.sessions.state.heldItems], [0, 0])
  assert.deepEqual(m.filtered('exec'), { not_agent: 1101 })
  assert.deepEqual(m.out, [])
})
