// What the programs report in the running kernel, against scenarios whose every step is known (kernel.child.ts).
import assert from 'node:assert/strict'
import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bytesOf } from '../../src/model/bytes.ts'
import type { ObservationOf } from '../../src/model/observation.ts'
import type { Running } from '../../src/model/sensor.ts'
import { linuxEbpf } from './index.ts'
import { NAMED, NOT_OPENED, named } from './kernel.names.ts'
import { type Scenarios, startScenarios } from './kernel.scenarios.ts'

const probed = linuxEbpf.probe()
const skip = probed.ok ? false : `${probed.unavailable}: ${probed.why}`
let scenarios: Scenarios
let running: Running
let folder: string

before(async () => {
  if (skip) return
  scenarios = await startScenarios()
  running = scenarios.running
  folder = scenarios.folder
})
after(() => scenarios?.stop())

const run = (scenario: string) => scenarios.run(scenario)
const mine = (path: string) => path.startsWith(`${folder}/`) || path === folder
const short = (path: string) => path.replace(folder, '~')

test('names and metadata that change are reported with joined paths and results', { skip }, async () => {
  const { of, code, pid } = await run('changes')
  assert.equal(code, 0)
  const changes = of('change').map((o) => [
    o.op,
    short(o.file.path),
    o.file.exact,
    ...(o.target ? [short(o.target.path)] : []),
    ...(o.mode === undefined ? [] : [o.mode.toString(8)]),
    o.result,
  ])
  assert.deepEqual(changes, [
    ['mkdir', '~/sub', false, '751', 0],
    ['truncate', '~/a', true, 0],
    ['chmod', '~/a', true, '640', 0],
    ['chown', '~/a', true, 0],
    ['rename', '~/a', false, '~/sub/b', 0],
    ['rename', '~/sub/b', false, '~/sub/c', 0],
    ['link', '~/sub/c', false, '~/hard', 0],
    ['symlink', '~/sub/soft', false, '~/outside', 0],
    ['chmod', '~/hard', false, '4755', 0],
    ['chown', '~/hard', false, 0],
    ['truncate', '~/hard', false, 0],
    ['unlink', '~/hard', false, 0],
    ['unlink', '~/sub/soft', false, 0],
    ['unlink', '~/missing', false, -2],
    ['mkdir', '~/sub', false, '777', -17],
    ['mkdir', '~/bad\xff\n\x1b', false, '777', 0],
    ['rmdir', '~/bad\xff\n\x1b', false, 0],
  ])
  assert.ok(of('change').every((o) => o.task.pid === pid))
})

test('names that go through a descriptor of the caller are below its folder, and no others', { skip }, async () => {
  const done = await run('descriptors')
  assert.equal(done.code, 0)
  const { changes, failed } = named(scenarios, done)
  assert.deepEqual(changes, NAMED)
  assert.deepEqual(failed, NOT_OPENED)
  // Of the descriptor itself all is known that is known of an open file.
  const { ino, dev } = statSync(join(folder, 'work', 'a'))
  for (const op of ['chmod', 'truncate']) {
    const { file } = done.of('change').find((o) => o.op === op)!
    assert.deepEqual([file.ino, file.dev, file.class, file.deleted], [BigInt(ino), dev, 'regular', false])
  }
  const { file } = done.of('change').find((o) => o.target?.path === join(folder, 'named'))!
  assert.equal(file.ino, BigInt(statSync(join(folder, 'named')).ino))
  const refused = done.of('open').find((o) => o.result === -21)!.file
  assert.deepEqual([refused.class, refused.ino], ['dir', BigInt(statSync(join(folder, 'work')).ino)])
})

test('opens are reported with the path of the kernel, mode and result; repeats are coalesced', { skip }, async () => {
  const { of } = await run('opens')
  const describe = (o: ObservationOf<'open'>) =>
    [
      short(o.file.path),
      o.access,
      o.file.exact && 'exact',
      o.created && 'created',
      o.truncated && 'truncated',
      o.file.deleted && 'deleted',
      o.repeats && `${o.count} repeats`,
      o.result < 0 && o.result,
    ]
      .filter(Boolean)
      .join(' ')
  const opens = of('open').filter((o) => mine(o.file.path) || o.file.path === '/nowhere/at/all')
  const long = `~/${Array.from({ length: 40 }, (_, i) => `l${i}`).join('/')}/file`
  // Two files of one slot take it from each other: then an open stands here again instead of being a repeat.
  const told = [...new Set(opens.filter((o) => !o.repeats).map(describe))]
  assert.deepEqual(told, [
    '~/deep/new write exact created',
    '~/deep/new write exact truncated',
    '~/deep/new read exact',
    '~/deep/new read_write exact',
    '~/deep/renamed read exact',
    '~/deep/missing read -2',
    '/nowhere/at/all write truncated -2',
    '~/deep write truncated -21',
    '~/gone read_write exact created',
    '~/gone read exact deleted',
    opens
      .filter((o) => !o.repeats)
      .map(describe)
      .find((text) => text.startsWith('~/#')),
    `${long} write exact created`,
  ])
  const reads = opens.filter((o) => o.access === 'read' && o.file.path === join(folder, 'deep/new'))
  assert.equal(
    reads.reduce((sum, o) => sum + o.count, 0),
    6,
  )
  assert.ok(reads.some((o) => o.repeats && o.count >= 4 && o.file.ino === reads[0]!.file.ino))
  // The same inode under its new name is not a repeat of the old one.
  const { ino, dev } = statSync(join(folder, 'deep', 'renamed'))
  const renamed = opens.find((o) => o.file.path.endsWith('/renamed'))!
  assert.deepEqual([renamed.file.ino, renamed.file.dev, renamed.file.class], [BigInt(ino), dev, 'regular'])
  assert.equal(running.stats().open?.filtered['o_path'], 1n)
})

test('coalescing is exact, and its paths are whole, also where threads fight for the slots', { skip }, async () => {
  const { of } = await run('crowd')
  const opens = of('open').filter((o) => o.file.path.includes('/crowd-') && o.access === 'read')
  const total = opens.reduce((sum, o) => sum + o.count, 0)
  assert.equal(total, 16_000)
  assert.ok(opens.some((o) => o.repeats))
  for (const o of opens) assert.match(o.file.path.slice(folder.length), /^\/crowd-\d{1,3}$/)
})

test('connections are reported on both sides with bytes both ways, IPv4, IPv6 and mapped', { skip }, async () => {
  const { of, pid } = await run('sockets')
  const side = ({ sock }: { sock: ObservationOf<'connect'>['sock'] }) => `${sock.family} ${sock.local.address} ${sock.peer.address}`
  assert.deepEqual(
    of('connect').map((o) => [side(o), o.result]),
    [
      ['2 127.0.0.1 127.0.0.1', 0],
      ['10 ::1 ::1', 0],
      ['2 127.0.0.1 127.0.0.1', 0],
      ['2 127.0.0.1 127.0.0.1', -111],
      ['10 ::1 ::1', -111],
    ],
  )
  assert.deepEqual(of('listen').map(side), ['2 127.0.0.1 0.0.0.0', '10 ::1 ::', '10 :: ::'])
  assert.deepEqual(of('accept').map(side), ['2 127.0.0.1 127.0.0.1', '10 ::1 ::1', '2 127.0.0.1 127.0.0.1'])
  const ends = of('sock.end')
  assert.equal(ends.length, 6)
  for (const [index, up, down] of [
    [0, 5000n, 7000n],
    [1, 300n, 100_000n],
    [2, 10n, 20n],
  ] as const) {
    const connected = of('connect')[index]!
    const accepted = of('accept')[index]!
    assert.deepEqual([connected.sock.local, connected.sock.peer], [accepted.sock.peer, accepted.sock.local])
    const client = ends.find((o) => o.sock.cookie === connected.sock.cookie)!
    const server = ends.find((o) => o.sock.cookie === accepted.sock.cookie)!
    assert.deepEqual([client.tx, client.rx, server.tx, server.rx], [up, down, down, up])
    assert.ok(client.durNs > 0n && client.task.pid === pid && server.task.pid === pid)
  }
})

test('the leader ends first: the process ends with its last thread', { skip }, async () => {
  const { all, of, pid, code } = await run('leaderFirst')
  assert.equal(code, 3)
  const exits = of('exit')
  assert.equal(exits.length, 1)
  assert.deepEqual([exits[0]!.task.pid, exits[0]!.code, exits[0]!.signal], [pid, 3, 0])
  const late = of('change').find((o) => o.file.path === '/nowhere/of/the/second/thread')!
  assert.equal(late.task.pid, pid)
  assert.notEqual(late.task.tid, pid)
  assert.equal(all.at(-1), exits[0])
})

test('an exec from a second thread: the process goes on, and what it coalesced comes before', { skip }, async () => {
  const { of, pid, startTicks, all } = await run('execFromThread')
  const execs = of('exec')
  assert.equal(execs.length, 1)
  assert.deepEqual(execs[0]!.task, { pid, tid: pid, startTicks })
  assert.deepEqual(execs[0]!.args.head, ['echo', 'from another thread'])
  assert.equal(of('exit').length, 1)
  const repeats = of('open').find((o) => o.repeats && o.file.path === '/etc/passwd')!
  assert.equal(repeats.count, 2)
  assert.ok(all.indexOf(repeats) < all.indexOf(execs[0]!))
})

test('programs are reported with argv, allowed variables, and their end', { skip }, async () => {
  const { of, pid } = await run('programs')
  const execs = of('exec')
  const [long, clean, many, killed, seven] = execs
  assert.equal(execs.length, 5)
  const big = 'x'.repeat(120_000)
  const argv = ['/bin/true', 'head', ...Array.from({ length: 9 }, () => big), 'tail', '']
  assert.equal(long!.argsBytes, argv.join('\0').length + 1)
  assert.equal(long!.args.total, argv.length)
  assert.deepEqual(long!.args.head.slice(0, 2), ['/bin/true', 'head'])
  assert.equal(long!.args.head.join('\0').length, 2048)
  assert.deepEqual(long!.args.tail!.slice(1), ['tail', ''])
  assert.deepEqual(long!.args.tail!.join('\0').length, 2047)

  assert.deepEqual(clean!.args, { head: ['', 'a', '', 'b'], total: 4 })
  assert.deepEqual(clean!.env, [
    ['TRACEPARENT', bytesOf('00-1-2-01')],
    ['CI', bytesOf('yes')],
    ['CLAUDE_CODE_SESSION_ID', bytesOf('s')],
  ])
  assert.equal(clean!.envMissed, false)
  assert.equal(clean!.cwd, realpathSync('/tmp'))
  assert.deepEqual([many!.env, many!.envMissed], [[], true])

  for (const exec of execs) {
    assert.equal(exec.parent.pid, pid)
    assert.equal(exec.exe.path, realpathSync(exec.called))
    assert.equal(exec.exe.ino, BigInt(statSync(exec.exe.path).ino))
  }
  const end = (of_: ObservationOf<'exec'>) =>
    of('exit')
      .filter((o) => o.task.pid === of_.task.pid)
      .map((o) => [o.code, o.signal])
  assert.deepEqual([end(clean!), end(killed!), end(seven!)], [[[0, 0]], [[0, 9]], [[7, 0]]])
  assert.deepEqual(
    of('fork').map((o) => o.child.pid),
    execs.map((o) => o.task.pid),
  )
})

test('after all of this the counters balance, kind by kind, and nothing was lost', { skip }, () => {
  for (const [kind, counts] of Object.entries(running.stats())) {
    const sum = (of: Partial<Record<string, bigint>>) => Object.values(of).reduce<bigint>((total, n) => total + (n ?? 0n), 0n)
    assert.equal(counts.observed, counts.coalesced + counts.delivered + sum(counts.filtered) + sum(counts.lost), kind)
    assert.equal(sum(counts.lost), 0n, kind)
  }
})
