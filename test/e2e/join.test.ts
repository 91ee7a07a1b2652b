import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { joinRun, type Meanwhile } from '../lab/join.ts'
import { need } from '../support/need.ts'
import { status } from '../support/spoor.ts'

/** Real agent CLIs against a fake model: SPOOR_LAB names the folder with run-agent.mjs, scenarios/ and the installed cli-*. */
const lab = resolve(process.env['SPOOR_LAB'] ?? '/nowhere')
const skipOf = (agent: string): string | false =>
  need('root', 'ebpf').skip || (existsSync(join(lab, `cli-${agent.split('-')[0]}`)) ? false : `no ${agent} in SPOOR_LAB (${process.env['SPOOR_LAB'] ?? 'not set'})`)

for (const agent of ['claude', 'codex', 'codex-codemode']) {
  for (const scenario of ['a', 'c', 'f']) {
    test(`${agent}, scenario ${scenario}: every call is found and joined, nothing wrong`, { skip: skipOf(agent) }, async () => {
      const { shells, files, ambiguous, executed, found, wrong, lines } = await joinRun(lab, agent, scenario)
      assert.deepEqual(wrong, [], lines.join('\n'))
      assert.equal(shells.joined, shells.all)
      assert.equal(files.joined, files.all)
      assert.equal(ambiguous, 0)
      assert.ok(executed > 0)
      assert.equal(found, executed)
    })
  }
}

/** The intake of the agent's user, once there is one. */
async function intakeOf(stateDir: string): Promise<number> {
  for (const until = Date.now() + 15_000; Date.now() < until; ) {
    const pid = status(stateDir)?.self.intake?.pid
    if (pid !== undefined) return pid
  }
  throw new Error('no intake runs')
}

test('what the agent says is read 5 s late: the same verdicts', { skip: skipOf('claude') }, async () => {
  const stopped: Meanwhile = async (stateDir) => {
    const pid = await intakeOf(stateDir)
    process.kill(pid, 'SIGSTOP')
    setTimeout(() => process.kill(pid, 'SIGCONT'), 5_000)
  }
  const { shells, files, wrong, lines } = await joinRun(lab, 'claude', 'a', stopped)
  assert.deepEqual(wrong, [], lines.join('\n'))
  assert.deepEqual([shells.joined, files.joined], [3, 4])
})

test('the intake is killed: it starts again and reads on, and an entry says so', { skip: skipOf('claude') }, async () => {
  const killed: Meanwhile = async (stateDir) => {
    process.kill(await intakeOf(stateDir), 'SIGKILL')
  }
  const { shells, files, wrong, all, lines } = await joinRun(lab, 'claude', 'a', killed)
  assert.deepEqual(wrong, [], lines.join('\n'))
  assert.deepEqual([shells.joined, files.joined], [3, 4])
  assert.equal(all.filter(({ eventName, attributes }) => eventName === 'spoor.sensor.gap' && attributes['spoor.gap.reason'] === 'intake_lost').length, 1)
})
