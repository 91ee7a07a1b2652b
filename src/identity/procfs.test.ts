import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Bytes } from '../model/bytes.ts'
import { bootNow } from './libc.ts'
import { ancestry, seeProcess, seeProcesses } from './processes.ts'
import { clipArgs, listPids, parseStat, readCwd, readEnvironment, readExe, readIds, readStat } from './procfs.ts'

const options = { sensor: 'linux-ebpf', seq: 8n, boot: 1n, environment: new Set(['SPOOR_SEEN', 'AGENT']) } as const

/** A process that lives until the test ends. */
async function living(t: TestContext, file: string, args: readonly string[], how: { env?: NodeJS.ProcessEnv; argv0?: string; cwd?: string } = {}): Promise<number> {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], ...how })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  // Until its exec, /proc shows our own image.
  while (readStat(child.pid!) !== null && readExe(child.pid!) === readExe(process.pid)) await new Promise((resolve) => setTimeout(resolve, 1))
  return child.pid!
}

test('a comm with blanks, parentheses and line ends does not shift the fields', () => {
  const line = '4242 (a) R 1 (b)\n) S 17 4200 4100 34816 4242 4194304 1 2 3 4 5 6 7 8 20 0 3 0 987654 1000 200 18446744073709551615\n'
  assert.deepEqual(parseStat(line), {
    pid: 4242,
    comm: 'a) R 1 (b)\n',
    state: 'S',
    ppid: 17,
    pgid: 4200,
    sid: 4100,
    tty: 34816,
    threads: 3,
    startTicks: 987_654,
    kernelThread: false,
  })
  for (const bad of ['', '1', '1 (x', '1 (x) S 2', ') (', '(x) S' + ' 1'.repeat(30)]) assert.equal(parseStat(bad), null, bad)
  fc.assert(fc.property(fc.string(), (text) => void parseStat(text)))
})

test('a process is seen as it is: image, arguments as bytes, allowed environment, folder, start', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'spoor-proc-'))
  t.after(() => rmSync(cwd, { recursive: true, force: true }))
  const copy = join(cwd, 'a sleeper') // its comm will hold a blank
  copyFileSync('/bin/sleep', copy)
  const before = Number(bootNow() / 10_000_000n)
  const pid = await living(t, copy, ['3600', '--'], { env: { SPOOR_SEEN: 'ja=ja', SPOOR_SEEN_NOT: 'secret', PATH: '/bin' }, cwd, argv0: 'schlaf \u00fc' })
  const seen = seeProcess(pid, options)
  assert.ok(seen)
  assert.deepEqual(
    { ...seen, task: seen.task.pid, ids: undefined },
    {
      kind: 'process.seen',
      sensor: 'linux-ebpf',
      seq: 8n,
      boot: 1n,
      fidelity: 'sampled',
      task: pid,
      parent: { pid: process.pid, tid: process.pid, startTicks: readStat(process.pid)!.startTicks },
      comm: 'a sleeper',
      exe: Buffer.from(copy).toString('latin1'),
      args: { head: [Buffer.from('schlaf \u00fc').toString('latin1'), '3600', '--'], total: 3 },
      env: [['SPOOR_SEEN', 'ja=ja']],
      cwd,
      ids: undefined,
    },
  )
  assert.ok(Math.abs(seen.task.startTicks - before) < 500, 'start time in clock ticks since boot')
  assert.equal(seen.ids.uid, process.getuid!())
  assert.equal(seen.ids.pgid, readStat(process.pid)!.pgid)
  // The program may be gone from its folder: its path stays what it was.
  rmSync(copy)
  assert.equal(readExe(pid), copy)
  assert.equal(readCwd(pid), cwd)
})

test('what is gone, a kernel thread, or a zombie is not seen', async (t) => {
  const child = spawn('/bin/sh', ['-c', '/bin/true & exec sleep 3600'], { stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  let zombie: number | undefined
  for (const started = Date.now(); zombie === undefined && Date.now() - started < 5000; ) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    zombie = listPids().find((pid) => {
      const stat = readStat(pid)
      return stat !== null && stat.ppid === child.pid && stat.state === 'Z'
    })
  }
  assert.ok(zombie !== undefined)
  assert.equal(seeProcess(zombie, options), null)
  assert.equal(seeProcess(2 ** 22 + 1, options), null)
  assert.equal(readExe(2 ** 22 + 1), null)
  assert.ok(seeProcesses(options).every((seen) => seen.task.pid !== 2))
})

test('all of them, a parent before its children, this one among them', () => {
  const all = seeProcesses(options)
  const place = new Map(all.map((seen, at) => [seen.task.pid, at]))
  assert.ok(place.has(process.pid))
  for (const seen of all) if (seen.parent && place.has(seen.parent.pid)) assert.ok(place.get(seen.parent.pid)! < place.get(seen.task.pid)!)
})

test('ancestry climbs to the first process', async (t) => {
  const pid = await living(t, '/bin/sleep', ['3600'])
  const above = ancestry(pid)
  assert.equal(above[0]?.pid, process.pid)
  assert.equal(above[0]?.exe, readExe(process.pid))
  assert.equal(above[0]?.args.head[0], process.argv0)
  assert.equal(above[1]?.pid, process.ppid)
  assert.equal(above.at(-1)?.ppid, 0)
  assert.deepEqual(ancestry(2 ** 22 + 1), [])
})

test('the environment gives exactly the names asked for', async (t) => {
  const pid = await living(t, '/bin/sleep', ['3600'], { env: { AGENT: 'x', AGENT_TOKEN: 'secret', XAGENT: 'no', LONG: 'y'.repeat(100_000), LAST: 'ü' } })
  assert.deepEqual(readEnvironment(pid, new Set(['AGENT', 'LAST'])), [
    ['AGENT', 'x'],
    ['LAST', '\u00c3\u00bc'],
  ])
  assert.deepEqual(readEnvironment(pid, new Set()), [])
})

test('ids: real uid, and unset logins as the kernel has them', () => {
  const ids = readIds(readStat(process.pid)!)
  assert.equal(ids.uid, process.getuid!())
  assert.equal(ids.gid, process.getgid!())
  assert.ok(Number.isInteger(ids.loginUid) && ids.loginUid >= 0 && ids.loginUid <= 0xffff_ffff)
})

test('arguments are clipped to head and tail, with their number', () => {
  assert.deepEqual(clipArgs(''), { head: [], total: 0 })
  assert.deepEqual(clipArgs('a\0\0b\0'), { head: ['a', '', 'b'], total: 3 })
  assert.deepEqual(clipArgs('title without nul'), { head: ['title without nul'], total: 1 })
  const long = clipArgs(['sh', '-c', 'A'.repeat(3000) + 'M'.repeat(3000) + 'Z'.repeat(3000), 'end'].join('\0') + '\0')
  assert.equal(long.total, 4)
  assert.deepEqual([long.head.length, long.head[2]![0], long.tail?.length, long.tail?.[0]?.at(-1), long.tail?.[1]], [3, 'A', 2, 'Z', 'end'])
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3000 }), { maxLength: 8 }), (args) => {
      const { head, tail, total } = clipArgs(args.map((arg) => arg + '\0').join(''))
      assert.equal(total, args.length)
      if (tail === undefined) return assert.deepEqual(head, args)
      const size = (list: readonly Bytes[]): number => list.reduce((sum, arg) => sum + arg.length + 1, 0)
      assert.ok(size(head) <= 2049 && size(tail) <= 2049)
      for (const [at, arg] of head.entries()) assert.ok(args[at]!.startsWith(arg))
      for (const [at, arg] of tail.entries()) assert.ok(args[total - tail.length + at]!.endsWith(arg))
    }),
  )
})

test('a command line of 2 MB costs no more than its bound', async (t) => {
  const pid = await living(t, '/bin/sh', ['-c', 'read x', ...Array.from({ length: 15 }, () => 'x'.repeat(130_000))])
  const args = seeProcess(pid, options)?.args
  assert.deepEqual([args?.head.slice(0, 3), args?.head.length], [['/bin/sh', '-c', 'read x'], 4])
  assert.ok(args!.head[3]!.length < 2048 && args!.tail![0]!.length <= 2048)
})
