import assert from 'node:assert/strict'
import test from 'node:test'
import { deserialize, serialize } from 'node:v8'
import fc from 'fast-check'
import type { Bytes } from '../model/bytes.ts'
import type { ProcessId, ToolCallId, TurnId } from '../model/ids.ts'
import type { Rollup, Shapeable } from '../model/rollup.ts'
import { problemsOf } from './check.ts'
import { shape } from './entries.ts'
import { file, observed, opened, place, processOf, session, sock, toolCall, turn } from './sample.ts'
import { createVolume, emptyVolume, type VolumePolicy, type VolumeState } from './volume.ts'

const NORMAL: VolumePolicy = { mode: 'normal', sensitive: [] }
const exited = { kind: 'exit', code: 0, signal: 0, coreDumped: false, cpuNs: 5n } as const

function run(policy = NORMAL, state?: VolumeState) {
  const out: Shapeable[] = []
  const volume = createVolume({ policy, emit: (s) => out.push(s), ...(state && { state }) })
  return { out, volume, rollups: () => out.flatMap(rollupsOf), singles: () => out.filter((s) => s.kind === 'observed') }
}
/** Its own entry, or what an exit takes along. */
const rollupsOf = (s: Shapeable): Rollup[] => (s.kind === 'rollup' ? [s] : s.kind === 'observed' && 'system' in s ? [s.system] : [])
const pathOf = (s: Shapeable): string => {
  if (s.kind !== 'observed') return s.kind
  const o = s.activity.observation
  return o.kind === 'open' || o.kind === 'change' ? o.file.path : o.kind
}

test('ordinary reads are rolled up at exit, and named', () => {
  const { volume, out, rollups } = run()
  for (const path of ['/home/ann/p/a.ts', '/home/ann/p/b.ts', '/home/ann/p/a.ts', '/usr/lib/libc.so.6', '/etc/ld.so.cache', '/home/ann/p/node_modules/x/i.js'])
    volume.handle(observed(opened(path)))
  assert.equal(out.length, 0)
  volume.handle(observed(exited))
  assert.deepEqual(
    rollups().map((r) => [r.scope, r.folder, r.access, r.opens, r.distinct, r.paths]),
    [
      ['folder', '/home/ann/p/', 'read', 3, 2, ['/home/ann/p/a.ts', '/home/ann/p/b.ts']],
      ['system', '/', 'read', 3, 3, ['/usr/lib/libc.so.6', '/etc/ld.so.cache', '/home/ann/p/node_modules/x/i.js']],
    ],
  )
  assert.equal(out[out.length - 1]!.kind, 'observed')
  assert.deepEqual(volume.state.ledger.open, { single: 0, folded: 0, rolledUp: 6, filtered: {} })
  assert.equal(volume.state.processes.size, 0)
})

test('a report of repeats that carries only the end of a long path counts for the file that was opened', () => {
  const { volume, rollups } = run()
  const long = ('/home/ann/' + 'deep/'.repeat(20) + 'a.ts') as Bytes
  const first = opened(long)
  volume.handle(observed(first))
  volume.handle(observed({ ...first, repeats: true, count: 7, file: { ...first.file, path: long.slice(-80) as Bytes, cut: true } }))
  volume.handle(observed(exited))
  assert.deepEqual(
    rollups().map((r) => [r.opens, r.coalesced, r.paths]),
    [[8, 7, [long]]],
  )
})

test('small folders share one roll-up, larger ones have their own', () => {
  const { volume, rollups } = run()
  for (let f = 0; f < 5; f++) volume.handle(observed(opened('/home/ann/p/src/' + f + '/x.ts')))
  for (let i = 0; i < 20; i++) volume.handle(observed(opened('/home/ann/p/big/' + i)))
  volume.handle(observed(exited))
  assert.deepEqual(
    rollups().map((r) => [r.folder, r.distinct]),
    [
      ['/home/ann/p/src/', 5],
      ['/home/ann/p/big/', 20],
    ],
  )
})

test('no file outside system and library trees stays unnamed, however many and however spread', () => {
  const { volume, rollups } = run()
  const expected = new Set<string>()
  for (let i = 0; i < 3000; i++) {
    const path = '/home/ann/data/' + (i % 61) + '/' + i
    expected.add(path)
    volume.handle(observed(opened(path)))
  }
  volume.flush()
  const named = new Set(rollups().flatMap((r) => r.paths as readonly string[]))
  assert.deepEqual([...named].sort(), [...expected].sort())
  assert.equal(
    rollups().reduce((n, r) => n + r.opens, 0),
    3000,
  )
  for (const r of rollups()) {
    assert.ok(r.paths.length <= 50 && r.distinct === r.paths.length)
    for (const path of r.paths) assert.ok(path.startsWith(r.folder), path + ' is not in ' + r.folder)
  }
  assert.ok(rollups().length <= 3000 / 50 + 32 + 1, String(rollups().length))
})

test('a system roll-up counts distinct paths exactly and starts anew when it is full', () => {
  const { volume, rollups } = run()
  for (let i = 0; i < 2500; i++) volume.handle(observed(opened('/usr/share/doc/' + i)))
  volume.handle(observed(opened('/usr/share/doc/2499')))
  volume.handle(observed(exited))
  assert.deepEqual(
    rollups().map((r) => [r.distinct, r.opens, r.paths.length]),
    [
      [1024, 1024, 5],
      [1024, 1024, 5],
      [452, 453, 5],
    ],
  )
})

test('the first write of a file by a process is an entry, later ones are counted', () => {
  const { volume, singles, rollups } = run()
  for (let i = 0; i < 4; i++) volume.handle(observed(opened('/home/ann/p/out.txt', { access: 'write', created: i === 0 })))
  volume.handle(observed(opened('/home/ann/p/out.txt', { access: 'read_write' })))
  assert.deepEqual(singles().map(pathOf), ['/home/ann/p/out.txt'])
  const other = processOf({ id: 'other' as ProcessId })
  volume.handle(observed(opened('/home/ann/p/out.txt', { access: 'write' }), { process: other }))
  assert.equal(singles().length, 2)
  volume.handle(observed(exited))
  assert.deepEqual(
    rollups().map((r) => [r.access, r.opens, r.paths]),
    [['write', 4, ['/home/ann/p/out.txt']]],
  )
})

test('devices, own proc files, library trees, git internals and scratch files make no single writes', () => {
  const { volume, singles, rollups } = run()
  const writes = [
    '/dev/null',
    '/dev/pts/3',
    '/proc/4711/oom_score_adj',
    '/p/node_modules/x/y.js',
    '/p/.git/HEAD.lock',
    '/p/.git/index',
    '/p/.git/objects/ab/cd',
    '/p/.git/hooks/pre-commit.sample',
    '/p/db.sqlite-wal',
    '/p/.x.tmp.123',
  ]
  for (const path of writes) volume.handle(observed(opened(path, { access: 'write' })))
  assert.deepEqual(singles(), [])
  for (const path of ['/etc/hosts', '/usr/bin/ls', '/dev/shm/x', '/proc/1/oom_score_adj', '/p/.git/hooks/pre-commit', '/p/.git/config', '/p/a.txt'])
    volume.handle(observed(opened(path, { access: 'write' })))
  assert.deepEqual(singles().map(pathOf), ['/etc/hosts', '/usr/bin/ls', '/dev/shm/x', '/proc/1/oom_score_adj', '/p/.git/hooks/pre-commit', '/p/.git/config', '/p/a.txt'])
  volume.handle(observed(exited))
  const named = rollups().flatMap((r) => (r.scope === 'folder' ? r.paths : []))
  for (const path of ['/p/.git/HEAD.lock', '/p/.git/index', '/p/.git/hooks/pre-commit.sample', '/p/db.sqlite-wal', '/p/.x.tmp.123']) assert.ok(named.includes(path as Bytes), path)
})

test('sensitive files are entries with their class, once for each process and outcome', () => {
  const { volume, out, singles } = run({ mode: 'normal', sensitive: ['~/vault/**'] })
  const classes: [string, string][] = [
    ['/home/ann/.ssh/id_ed25519', 'ssh'],
    ['/home/ann/.aws/credentials', 'cloud'],
    ['/p/.env', 'env_file'],
    ['/p/.env.local', 'env_file'],
    ['/etc/shadow', 'credentials'],
    ['/p/server.pem', 'key_file'],
    ['/home/ann/.bash_history', 'shell_history'],
    ['/home/ann/.config/google-chrome/Default/Login Data', 'browser'],
    ['/home/ann/.claude/.credentials.json', 'agent_credentials'],
    ['/home/ann/.codex/config.toml', 'agent_config'],
    ['/home/ann/.local/share/keyrings/login.keyring', 'keychain'],
    ['/proc/1/environ', 'process_memory'],
    ['/home/ann/vault/deep/thing', 'configured'],
  ]
  for (const [path] of classes) {
    volume.handle(observed(opened(path)))
    volume.handle(observed(opened(path)))
  }
  assert.deepEqual(
    singles().map((s) => [pathOf(s), 'sensitivity' in s ? s.sensitivity : null]),
    classes,
  )
  volume.handle(observed(opened('/p/.env', { access: 'write' })))
  volume.handle(observed(opened('/p/.env', { result: -13 })))
  assert.equal(singles().length, classes.length + 2)
  const before = out.length
  for (const path of [
    '/p/.env.example',
    '/home/ann/.ssh/id_ed25519.pub',
    '/proc/4711/environ',
    '/home/ann/.bashrc',
    '/p/node_modules/x/test.pem',
    '/etc/ssl/certs/ca.pem',
    '/p/environ',
    '/etc/x/shadow',
  ])
    volume.handle(observed(opened(path)))
  assert.equal(out.length, before)
  volume.handle(observed(opened('/home/ann/.bashrc', { access: 'write' })))
  const last = out[out.length - 1]!
  assert.ok('sensitivity' in last && last.sensitivity === 'shell_profile')
})

test('changes are entries; refusals too, other failures are counted with their error', () => {
  const { volume, singles, rollups } = run()
  const change = (op: 'rename' | 'unlink' | 'mkdir', path: string, result = 0, target?: string) =>
    volume.handle(observed({ kind: 'change', op, file: file(path), ...(target !== undefined && { target: file(target) }), result }))
  change('unlink', '/p/a')
  change('mkdir', '/p/b', -17)
  change('unlink', '/p/c', -2)
  change('unlink', '/p/d', -13)
  change('unlink', '/p/d', -13)
  change('rename', '/p/x.tmp.1', 0, '/p/x')
  change('rename', '/p/.git/HEAD.lock', 0, '/p/.git/HEAD')
  change('rename', '/p/.git/config.lock', 0, '/p/.git/config')
  change('unlink', '/p/node_modules/m/i.js')
  assert.deepEqual(singles().map(pathOf), ['/p/a', '/p/d', '/p/x.tmp.1', '/p/.git/config.lock'])
  volume.handle(observed(exited))
  const [failed, git] = [rollups().find((r) => r.errors['ENOENT'] !== undefined)!, rollups().find((r) => r.operations['rename'] === 1)!]
  assert.deepEqual(failed.errors, { EEXIST: 1, ENOENT: 1, EACCES: 1 })
  assert.ok(git.paths.includes('/p/.git/HEAD' as Bytes))
  assert.deepEqual(volume.state.ledger.change, { single: 4, folded: 0, rolledUp: 5, filtered: {} })
})

test('a flood of new files goes over to roll-ups that name them', () => {
  const { volume, singles, rollups } = run()
  for (let i = 0; i < 5000; i++) volume.handle(observed(opened('/p/out/' + i, { access: 'write', created: true })))
  volume.handle(observed(exited))
  const single = singles().filter((s) => pathOf(s).startsWith('/p/out/')).length
  assert.equal(single, 32)
  assert.equal(new Set(rollups().flatMap((r) => r.paths)).size, 5000 - single)
})

test('failed opens keep their error and first paths, in one roll-up', () => {
  const { volume, rollups } = run()
  for (const folder of ['/p/a/', '/p/b/', '/q/']) for (const name of ['package.json', 'index.js']) volume.handle(observed(opened(folder + name, { result: -2 })))
  volume.handle(observed(opened('/usr/lib/missing.so', { result: -2 })))
  volume.handle(observed(exited))
  assert.deepEqual(
    rollups().map((r) => [r.scope, r.folder, r.opens, r.distinct, r.errors, r.failedPaths.length]),
    [
      ['folder', '/', 6, 0, { ENOENT: 6 }, 6],
      ['system', '/', 1, 0, { ENOENT: 1 }, 1],
    ],
  )
})

test('coalesced repeats add to counts and are no observations of their own', () => {
  const { volume, rollups } = run()
  volume.handle(observed(opened('/p/a')))
  volume.handle(observed(opened('/p/a', { count: 9999, repeats: true })))
  volume.handle(observed(opened('/p/.env', { count: 3, repeats: true })))
  volume.handle(observed(exited))
  const sum = (pick: (r: Rollup) => number) => rollups().reduce((n, r) => n + pick(r), 0)
  assert.equal(
    sum((r) => r.opens),
    10_003,
  )
  assert.equal(
    sum((r) => r.coalesced),
    10_002,
  )
  assert.equal(volume.state.ledger.open.rolledUp, 1)
})

test('long-lived processes are flushed every 10 s, and when their turn or tool call changes', () => {
  const { volume, rollups } = run()
  volume.handle(observed(opened('/p/a'), { boot: 1_000_000_000n }))
  volume.tick(10_000_000_000n)
  assert.equal(rollups().length, 0)
  volume.tick(11_000_000_000n)
  assert.equal(rollups().length, 1)
  volume.tick(100_000_000_000n)
  assert.equal(rollups().length, 1)
  volume.handle(observed(opened('/p/a'), { place: { ...place } }))
  assert.equal(rollups().length, 1)
  volume.handle(observed(opened('/p/b'), { place: { ...place, toolCall: { ...toolCall, id: 'next' as ToolCallId } } }))
  volume.handle(observed(opened('/p/c'), { place: { ...place, turn: { ...turn, id: 'next' as TurnId } } }))
  assert.deepEqual(
    rollups().map((r) => r.paths),
    [['/p/a'], ['/p/a'], ['/p/b']],
  )
})

test('what is open is written before its session ends', () => {
  const { volume, out } = run()
  volume.handle(observed(opened('/p/a')))
  volume.handle({ kind: 'session.end', session, reason: 'observer_stop', at: 5n, process: processOf() })
  assert.deepEqual(
    out.map((s) => s.kind),
    ['rollup', 'session.end'],
  )
  assert.equal(volume.state.processes.size + volume.state.waiting.size, 0)
})

test('full keeps everything single', () => {
  const { volume, singles, rollups } = run({ mode: 'full', sensitive: [] })
  for (let i = 0; i < 10; i++) volume.handle(observed(opened('/usr/lib/x')))
  volume.handle(observed(exited))
  assert.equal(singles().length, 11)
  assert.equal(rollups().length, 0)
})

test('the state survives a snapshot at any point: same entries, same ledger', () => {
  const part = fc.constantFrom('/usr/lib/a', '/home/ann/a', '/home/ann/b', '/p/.env', '/p/.git/HEAD', '/p/x.lock', '/dev/null', '/home/ann/deep/er/c')
  const step = fc.record({
    path: part,
    access: fc.constantFrom('read' as const, 'write' as const),
    result: fc.constantFrom(3, -2, -13),
    pid: fc.integer({ min: 1, max: 3 }),
    what: fc.constantFrom('open', 'open', 'open', 'unlink', 'exit', 'fork', 'tick', 'connect'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, cutAt) => {
      const feed = (volume: ReturnType<typeof createVolume>, s: (typeof steps)[number], i: number) => {
        const boot = BigInt(i) * 1_000_000_000n
        const process = processOf({ id: ('p' + s.pid) as ProcessId })
        if (s.what === 'tick') return volume.tick(boot)
        if (s.what === 'exit') return volume.handle(observed(exited, { process, boot }))
        if (s.what === 'fork') return volume.handle(observed({ kind: 'fork', child: { pid: 9, tid: 9, startTicks: 1 } }, { process, boot }))
        if (s.what === 'connect') return volume.handle(observed({ kind: 'connect', sock, result: 0 }, { process, boot }))
        if (s.what === 'unlink') return volume.handle(observed({ kind: 'change', op: 'unlink', file: file(s.path), result: s.result }, { process, boot }))
        volume.handle(observed(opened(s.path, { access: s.access, result: s.result }), { process, boot }))
      }
      const plain = run()
      for (const [i, s] of steps.entries()) feed(plain.volume, s, i)
      plain.volume.flush()

      const first = run()
      for (const [i, s] of steps.slice(0, cutAt).entries()) feed(first.volume, s, i)
      const second = run(NORMAL, deserialize(serialize(first.volume.state)) as VolumeState)
      for (const [i, s] of steps.slice(cutAt).entries()) feed(second.volume, s, i + Math.min(cutAt, steps.length))
      second.volume.flush()
      assert.deepEqual([...first.out, ...second.out], plain.out)
      assert.deepEqual(second.volume.state.ledger, plain.volume.state.ledger)

      const counts = Object.values(plain.volume.state.ledger).reduce((n, k) => n + k.single + k.folded + k.rolledUp, 0)
      assert.equal(counts, steps.filter((s) => s.what !== 'tick').length)
      for (const s of plain.out) assert.deepEqual(problemsOf(shape(s, { wall: (boot) => boot + 1n, bootId: new Uint8Array(16) })), [])
    }),
    { numRuns: 200 },
  )
})

test('every kind has its place in the ledger', () => {
  assert.deepEqual(Object.keys(emptyVolume().ledger).sort(), ['accept', 'change', 'connect', 'exec', 'exit', 'fork', 'listen', 'loss', 'open', 'process.seen', 'sock.end'])
})
