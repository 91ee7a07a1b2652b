import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KindLedger, StatusDocument } from '../../src/model/status.ts'
import { accounted } from '../support/ledger.ts'
import { events, list, number, sessions, startRun, status, text, until } from '../support/spoor.ts'
import { exactly, type Row } from './table.ts'
import { type Ground, openAll } from './workloads.ts'

const opensOf = (document: StatusDocument | null): KindLedger | null => document?.ledger?.sensors['linux-ebpf']?.['open'] ?? null
const total = (counts: Readonly<Record<string, string>>): bigint => Object.values(counts).reduce((sum, count) => sum + BigInt(count), 0n)

/** The multiset of (nonce in argv, parent, exit code) of `count` short processes. */
export async function shortProcesses(ground: Ground, count: number): Promise<Row> {
  const observer = await startRun(join(ground.root, 'state-short'), { config: ground.config })
  try {
    spawnSync(ground.agent, ['spawn', String(count), String(availableParallelism()), ground.work])
    const session = await until('the session to end', () => sessions(observer.stateDir).find((one) => one.state === 'ended'), 60_000)
    const entries = events(observer.stateDir, '--session', session.id)
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
    const opens = await until(
      'the observer to have read all',
      () => {
        const document = status(state)
        const kind = opensOf(document)
        return kind !== null && document!.run?.openSessions === 0 && kind
      },
      60_000,
    )
    const delta = (pick: (kind: KindLedger) => bigint): bigint => pick(opens) - (before === null ? 0n : pick(before))
    // The static writers open nothing but the files themselves.
    const observed = delta((kind) => BigInt(kind.observed))
    const held = delta((kind) => BigInt(kind.single) + BigInt(kind.rolledUp) + BigInt(kind.coalesced))
    const lost = delta((kind) => total(kind.lost))
    const expected = BigInt(folders) * 1000n
    const balanced = accounted(opens) === BigInt(opens.observed) && observed === expected
    const holds = balanced && held + lost === expected && (mayLose ? lost > 0n : lost === 0n)
    return exactly(
      `${folders * 1000} distinct opens, observer stopped for ${stallMs} ms, ring ${ring ?? 'default'}`,
      mayLose ? 'lost > 0, exactly counted' : `${folders * 1000} kept, 0 lost`,
      `${held} kept, ${lost} lost, ${observed} observed`,
      holds,
    )
  } finally {
    process.kill(observer.pid, 'SIGCONT')
    await observer.stop()
    spawnSync('rm', ['-rf', state, files])
  }
}
