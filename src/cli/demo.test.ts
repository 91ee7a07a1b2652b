import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { need } from '../../test/support/need.ts'
import { events, sessions, spoorAsync, startRun } from '../../test/support/spoor.ts'
import { tempFolder } from '../../test/support/temp.ts'

const folder = tempFolder('demo')
/** The bound is 10 s for the agent; a busy machine takes longer for all around it. */
const AGENT_MS_MAX = 10_000n

async function check(stateDir: string): Promise<void> {
  const said = await spoorAsync(['demo', '--state-dir', stateDir])
  assert.equal(said.code, 0, said.stderr)
  assert.match(said.stdout, /8 of 8 declared acts were seen; 1 not declared/, said.stdout)
  assert.match(said.stdout, /^! {2}\(not declared\) +cp "\$HOME\/\.aws\/credentials" .*!cloud; wrote \.cache-/m)
  assert.match(said.stdout, /201 processes, exit 0/)
  assert.match(said.stdout, /4\.\d kB out/)
  const [session] = sessions(stateDir).filter(({ agent }) => agent.name === 'spoor-demo')
  assert.ok(session !== undefined && said.stderr.includes(`spoor show ${session.id.slice(0, 8)} --state-dir ${stateDir}`), said.stderr)
  assert.ok(BigInt(session.endedAt!) - BigInt(session.startedAt!) < AGENT_MS_MAX * 1_000_000n)
  assert.ok(
    session.agent.evidence.some((evidence) => evidence === 'package:spoor-demo'),
    session.agent.evidence.join(),
  )
  assert.ok(session.cwd?.endsWith('/snow'))
  const trues = events(stateDir, '--session', session.id, '--name', 'spoor.process.exec').filter((event) => event.attributes['process.executable.name'] === 'true')
  assert.equal(trues.length, 200)
}

test('the demo with an observer of its own', need('root', 'ebpf'), () => check(join(folder, 'own')))

test('the demo under an observer that runs', need('root', 'ebpf'), async () => {
  const observer = await startRun(join(folder, 'run'))
  try {
    await check(observer.stateDir)
  } finally {
    await observer.stop()
  }
})

test('the demo says in one sentence why it cannot', async () => {
  const said = await spoorAsync(['demo', '--state-dir', '/proc/no'])
  assert.equal(said.code, 1)
  assert.match(said.stderr, /^spoor demo: [^\n]+\n$/)
})
