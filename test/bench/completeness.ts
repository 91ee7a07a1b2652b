import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KindLedger, StatusDocument } from '../../src/model/status.ts'
import { balances } from '../support/ledger.ts'
import { events, list, number, startRun, status, text } from '../support/spoor.ts'
import { exactly, type Row } from './table.ts'
import { benchEnded, type Ground, openAll } from './workloads.ts'

const opensOf = (document: StatusDocument | null): KindLedger | null => document?.ledger?.sensors['linux-ebpf']?.['open'] ?? null
const total = (counts: Readonly<Record<string, string>>): bigint => Object.values(counts).reduce((sum, count) => sum + BigInt(count), 0n)

/** The multiset of (nonce in argv, parent, exit code) of `count` short processes. */
export async function shortProcesses(ground: Ground, count: number): Promise<Row> {
  const observer = await startRun(join(ground.root, 'state-short'), { config: ground.config })
  try {
    spawnSync(ground.agent, ['spawn', String(count), String(availableParallelism()), ground.work])
    const [session] = await benchEnded(observer.stateDir)
    const entries = events(observer.stateDir, '--session', session!.id)
    const rootId = text(entries.find((event) => event.eventName === 'session.start')!, 'spoor.process.id')
    const nonces = new Map<string, string>()
    for (const event of entries) {
      if (event.eventName !== 'spoor.process.exec' || list(event, 'process.command_args')[1] !== 'short' || text(event, 'spoor.process.parent_id') !== rootId) continue
      nonces.set(text(event, 'spoor.process.id'), list(event, 'process.command_args')[2]!)
    }
    const seen = entries
      .filter((event) => event.eventName === 'spoor.process.exit' && nonces.has(text(event, 'spoor.process.id')))
      .map((event) => `${nonces.get(text(event, 'spoor.process.id'))} ${number(event, 'process.exit.code')}`)
    const spawned = new Set(Array.from({ length: count }, (_, i) => `nonce-${i} ${i % 200}`))
    const right = new Set(seen.filter((line) => spawned.has(line))).size
    return exactly(`${count} short processes, (nonce, parent, exit code)`, 'all, once', `${right} right of ${seen.length} recorded`, right === count && seen.length === count)
  } finally {
    await observer.stop()
    spawnSync('rm', ['-rf', observer.stateDir])
  }
}

/** `folders` x 1000 distinct opens by a writer per core while the observer is stopped for `stallMs` in the middle. */
export async function stalledOpens(ground: Ground, folders: number, stallMs: number, ring: string | null, mayLose: boolean): Promise<Row> {
  const files = join(ground.root, 'many')
  mkdirSync(files, { recursive: true })
  const made = spawnSync(ground.work, ['make', files, String(folders), '1000'], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(made.stderr)
  const state = join(ground.root, `state-stall-${stallMs}`)
  const observer = await startRun(state, { config: `${ring === null ? '' : `ring: ${ring}\n`}${ground.config}` })
  try {
    const before = opensOf(status(state))
    const done = openAll(ground, files, folders)
    await sleep(Math.min(400, folders))
    process.kill(observer.pid, 'SIGSTOP')
    await sleep(stallMs)
    process.kill(observer.pid, 'SIGCONT')
    await done
    const mine = await benchEnded(state)
    // Counted in the journal, not in the ledger: the static writers open nothing but these files.
    let kept = 0
    for (const session of mine) {
      for (const event of events(state, '--session', session.id, '--name', 'spoor.*')) {
        if (event.eventName === 'spoor.file.open') kept += Number(event.attributes['spoor.file.count'] ?? 1)
        else if (event.attributes['spoor.file.opens'] !== undefined) kept += number(event, 'spoor.file.opens')
      }
    }
    const now = await balances(state)
    const lost = Number(total(opensOf(now)?.lost ?? {}) - total(before?.lost ?? {}))
    const expected = folders * 1000
    // The loss counter is the machine's: a `node` that starts meanwhile is a candidate too, and loses opens of its own.
    const others = kept + lost - expected
    return exactly(
      `${expected} distinct opens, observer stopped for ${stallMs} ms, ring ${ring ?? 'default'}`,
      mayLose ? 'lost > 0, exactly counted' : 'all kept, 0 lost',
      `${kept} in the journal, ${lost} lost${others === 0 ? '' : ` (${others} more than these)`}`,
      mayLose ? lost > 0 && others >= 0 && others < expected / 1000 : kept === expected && lost === 0,
    )
  } finally {
    process.kill(observer.pid, 'SIGCONT')
    await observer.stop()
    spawnSync('rm', ['-rf', state, files])
  }
}
