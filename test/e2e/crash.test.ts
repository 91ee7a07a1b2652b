import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { balances, lost } from '../support/ledger.ts'
import { need } from '../support/need.ts'
import { events, list, number, sessions, startRun, status, text, until } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'
import { compileWork } from '../support/work.ts'

const kernel = need('root', 'ebpf', 'compiler')
const here = tempFolder('crash')

test('kill -9 under load, three times: nothing lost, nothing doubled, the same session goes on', { ...kernel, timeout: 180_000 }, async () => {
  const work = compileWork(here)
  const agent = compileWork(here, 'stub-agent')
  const state = join(here, 'state')
  const config = `agents:\n  - name: stub\n    exe: "${agent}"\n`
  const total = 6000
  let observer = await startRun(state, { config })
  const load = spawn(agent, ['spawn', String(total), '2', work], { stdio: 'ignore' })
  const ended = new Promise<number | null>((resolve) => load.on('close', resolve))
  for (let round = 0; round < 3; round++) {
    await sleep(300)
    await observer.kill()
    await sleep(100)
    observer = await startRun(state, { config })
  }
  assert.equal(await ended, 0)
  const session = await until('the session to end', () => sessions(state).find((one) => one.agent.name === 'stub' && one.state === 'ended'), 30_000)
  assert.equal(sessions(state).filter((one) => one.agent.name === 'stub').length, 1)
  const entries = events(state, '--session', session.id)
  const uids = new Set(entries.map((event) => event.uid))
  assert.equal(uids.size, entries.length, 'no record twice')
  for (const name of ['session.start', 'session.end']) assert.equal(entries.filter((event) => event.eventName === name).length, 1, name)
  const nonces = entries
    .filter((event) => event.eventName === 'spoor.process.exec' && list(event, 'process.command_args')[1] === 'short')
    .map((event) => list(event, 'process.command_args')[2]!)
  assert.equal(nonces.length, total, 'execs')
  assert.equal(new Set(nonces).size, total, 'each once')
  const nonceOf = new Map<string, number>()
  for (const event of entries)
    if (event.eventName === 'spoor.process.exec' && list(event, 'process.command_args')[1] === 'short')
      nonceOf.set(text(event, 'spoor.process.id'), Number(list(event, 'process.command_args')[3]))
  const exits = entries.filter((event) => event.eventName === 'spoor.process.exit' && nonceOf.has(text(event, 'spoor.process.id')))
  assert.equal(exits.length, total, 'exits')
  assert.ok(
    exits.every((event) => number(event, 'process.exit.code') === nonceOf.get(text(event, 'spoor.process.id'))),
    'each with its code',
  )
  const settled = entries.filter((event) => event.eventName === 'spoor.process.settled')
  assert.equal(new Set(settled.map((event) => text(event, 'spoor.process.id'))).size, settled.length, 'settled at most once')
  const now = await balances(state)
  assert.equal(lost(now), 0n)
  const starts = events(state, '--name', 'spoor.run.start')
  assert.deepEqual(starts.map((event) => event.attributes['spoor.run.previous_end']).slice(1), ['crash', 'crash', 'crash'])
  const { pinned } = now.sensor!
  assert.ok(pinned !== null && existsSync(pinned), 'pinned while it runs')
  assert.equal(await observer.stop(), 0)
  // What stays pinned goes on costing every process of the machine.
  assert.equal(existsSync(pinned), false, 'a clean stop removes the pins')
})

test('SIGKILL leaves no orphan shipper', kernel, async () => {
  const state = join(here, 'orphans')
  const observer = await startRun(state, { args: ['--otlp-endpoint', 'http://127.0.0.1:9'] })
  const shipper = await until('the shipper', () => status(state)?.self.shipper?.pid)
  await observer.kill()
  await until('the shipper to end', () => {
    try {
      process.kill(shipper, 0)
      return false
    } catch {
      return true
    }
  })
  const again = await startRun(state)
  assert.equal(await again.stop(), 0)
})
