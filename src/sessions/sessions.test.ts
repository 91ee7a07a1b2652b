import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMachine } from './machine.fixture.ts'

const CLAUDE = '/opt/npm/node_modules/@anthropic-ai/claude-code/bin/claude.exe'
const NODE = '/usr/bin/node'
const claudeShell = (command: string) => ({
  exe: '/usr/bin/bash',
  called: '/bin/bash',
  args: ['/bin/bash', '-c', `source /home/ann/.claude/shell-snapshots/snapshot-bash-1-x.sh 2>/dev/null || true && eval '${command}' < /dev/null && pwd -P >| /tmp/claude-a788-cwd`],
  env: [['CLAUDECODE', '1']] as const,
  leader: true,
})

test('claude: start-up is turn 0, each session-leader shell a tool call, all settled when the tree has ended', () => {
  const m = createMachine()
  const agent = m.name(m.newcomer(), 'claude')
  m.exec(agent, { exe: CLAUDE, called: '/opt/npm/node_modules/.bin/claude', args: ['/opt/npm/node_modules/.bin/claude', '-p', 'Run the tests.'] })
  m.open(agent, '/work/.env')
  m.pass(300)
  const git = m.name(m.spawn(agent, { exe: '/usr/bin/git', args: ['git', 'ls-files'] }), 'git')
  m.pass(17)
  m.exit(git, 128)
  m.pass(1000)
  const shell = m.name(m.spawn(agent, claudeShell('node --test')), 'shell')
  const runner = m.name(m.spawn(shell, { exe: NODE, args: ['node', '--test'] }), 'runner')
  const worker = m.name(m.spawn(runner, { exe: NODE, args: [NODE, 'test/sum.test.js'] }), 'worker')
  m.exit(worker)
  m.exit(runner)
  m.exit(shell)
  m.pass(50)
  m.exit(agent)
  assert.deepEqual(m.story(), [
    'session.start claude-code',
    'turn.start 0 startup',
    'exec claude agent turn 0',
    'exec git harness turn 0',
    'exit git harness turn 0',
    'settled git',
    'turn.start 1 burst',
    'tool_call.start 1',
    'turn.end 0',
    'exec shell tool turn 1',
    'exec runner tool turn 1',
    'exec worker tool turn 1',
    'exit worker tool turn 1',
    'settled worker',
    'exit runner tool turn 1',
    'settled runner',
    'exit shell tool turn 1',
    'settled shell',
    'tool_call.end',
    'exit claude agent turn 1',
    'settled claude',
    'turn.end 1',
    'session.end claude-code exit',
  ])
  const [start] = m.of('session.start')
  assert.deepEqual(start?.session.agent.evidence, [`exe:${CLAUDE}`, 'package:@anthropic-ai/claude-code'])
  assert.equal(start?.session.user.name, 'ann')
  assert.deepEqual(start?.session.totals, { processes: 5, execs: 5, filesRead: 1, filesChanged: 0, connections: 0, bytesOut: 0, turns: 2, toolCalls: 1 })
})
