// Run by kernel.test.ts and fixtures/capture.ts: says "ready", waits to be tracked, and then does one scenario whose every step is known.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import koffi from 'koffi'

const [scenario, folder] = process.argv.slice(2)
const libc = koffi.load('libc.so.6')
const arm = process.arch === 'arm64'
const call = (x64: number, arm64: number) => (arm ? arm64 : x64)
/** syscall(2) with a descriptor, a name, a number or descriptor, a name, flags. */
const atCall = libc.func('long syscall(long number, int folder, const char *name, long third, const char *fourth, long flags)')
const UNLINKAT = call(263, 35)
const RENAMEAT2 = call(316, 276)
const O_TMPFILE = 0o20000000 | (arm ? 0o40000 : 0o200000)

function changes(at: string) {
  process.chdir(at)
  fs.mkdirSync('sub', 0o751)
  const file = fs.openSync('a', 'wx+', 0o600)
  fs.ftruncateSync(file, 3)
  fs.fchmodSync(file, 0o640)
  fs.fchownSync(file, 1, 2)
  fs.closeSync(file)
  fs.renameSync('a', 'sub/../sub/./b')
  const sub = fs.openSync('sub', fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  atCall(RENAMEAT2, sub, 'b', sub, 'c', 0)
  fs.linkSync('sub/c', 'hard')
  fs.symlinkSync('../outside', 'sub/soft')
  fs.chmodSync('hard', 0o4755)
  fs.chownSync('hard', 3, 4)
  libc.func('int truncate(const char *path, long length)')('hard', 1)
  fs.unlinkSync('hard')
  atCall(UNLINKAT, sub, 'soft', 0, null, 0)
  assertFails(() => fs.unlinkSync('missing'))
  assertFails(() => fs.mkdirSync('sub'))
  fs.mkdirSync(Buffer.from('bad\xff\n\x1b', 'latin1'))
  fs.rmdirSync(Buffer.from('bad\xff\n\x1b', 'latin1'))
}

function opens(at: string) {
  process.chdir(at)
  const open = (path: string, flags: number | string) => {
    const fd = fs.openSync(path, flags)
    fs.closeSync(fd)
  }
  fs.mkdirSync('deep')
  fs.symlinkSync('deep', 'link')
  open('deep/new', 'w')
  open('deep/new', 'w')
  open('link/../link/new', 'r')
  open('deep/new', 'r+')
  for (let i = 0; i < 5; i++) open('deep/new', 'r')
  fs.renameSync('deep/new', 'deep/renamed')
  open('deep/renamed', 'r')
  assertFails(() => open('deep/missing', 'r'))
  assertFails(() => open('/nowhere/at/all', 'w'))
  assertFails(() => open('deep', 'w'))
  const gone = fs.openSync('gone', 'wx+')
  fs.unlinkSync('gone')
  open(`/proc/self/fd/${gone}`, 'r')
  fs.closeSync(fs.openSync(at, O_TMPFILE | fs.constants.O_RDWR, 0o600))
  fs.closeSync(fs.openSync('deep', 0o10000000)) // O_PATH
  let deep = at
  for (let i = 0; i < 40; i++) fs.mkdirSync((deep += `/l${i}`))
  open(`${deep}/file`, 'w')
}

/** Names that go through a descriptor; kernel.test.ts says what each is. */
async function descriptors(at: string) {
  process.chdir(at)
  fs.mkdirSync('work')
  fs.writeFileSync('work/a', 'text')
  const dir = 700
  const file = 701
  const duplicate = libc.func('int dup2(int from, int to)')
  duplicate(fs.openSync('work', fs.constants.O_RDONLY | fs.constants.O_DIRECTORY), dir)
  duplicate(fs.openSync('work/a', 'r+'), file)
  const unnamed = fs.openSync(at, O_TMPFILE | fs.constants.O_RDWR, 0o600)
  const self = `/proc/self/fd/${dir}`
  fs.renameSync(`${self}/a`, `${self}/b`)
  fs.renameSync(`/dev/fd/${dir}/b`, `/proc/${process.pid}/fd/${dir}//c`)
  await fs.promises.rename(`${self}/c`, `/proc/thread-self/fd/${dir}/./a`) // by another thread
  fs.linkSync(`/proc/thread-self/fd/${dir}/a`, `${self}/../hard`)
  fs.symlinkSync('/proc/self/fd/3/text', `${self}/soft`)
  fs.mkdirSync(`${self}/${'long'.repeat(60)}`)
  fs.rmdirSync(`/dev/fd/${dir}/${'long'.repeat(60)}/`)
  fs.unlinkSync(`${self}/soft`)
  // The descriptor itself.
  fs.chmodSync(`/proc/self/fd/${file}`, 0o640)
  fs.truncateSync(`/dev/fd/${file}`, 1)
  fs.chownSync(`/proc/self/fd/${dir}/`, 0, 0)
  const linkat = libc.func('int linkat(int folder, const char *name, int target_folder, const char *target, int flags)')
  linkat(-100, `/proc/self/fd/${unnamed}`, -100, 'named', 0x400) // AT_SYMLINK_FOLLOW
  // Its link in /proc, which is not followed.
  linkat(-100, `/proc/self/fd/${file}`, -100, 'never', 0)
  libc.func('int fchownat(int folder, const char *name, int user, int group, int flags)')(-100, `/proc/self/fd/${file}`, 0, 0, 0x100)
  assertFails(() => fs.unlinkSync(`/proc/self/fd/${file}`))
  assertFails(() => fs.renameSync(`/proc/self/fd/${file}`, `${self}/never`))
  assertFails(() => fs.linkSync(`${self}/a`, `/dev/fd/${file}`))
  assertFails(() => fs.rmdirSync(`/proc/self/fd/${file}/x`)) // no folder
  // Nothing of this is a descriptor of ours.
  fs.closeSync(file)
  assertFails(() => fs.chmodSync(`/proc/self/fd/${file}`, 0))
  for (const bad of [`${file}/x`, '../x', '', '/', 'x/y', `0${dir}/x`, '00/x', `${dir}x/y`, '-1/x', '12345678/x', '4000000/x', `${dir} /x`])
    assertFails(() => fs.rmdirSync(`/proc/self/fd/${bad}`))
  for (const bad of ['/dev/fd', '/dev/fd/', '/dev/fdx/1/x', '/proc/', `/proc/0${process.pid}/fd/${dir}/x`, `/proc/${process.ppid}/fd/${dir}/x`, `/proc/${process.pid}/fx/${dir}/x`])
    assertFails(() => fs.rmdirSync(bad))
  for (const away of ['../../../../../../nowhere/x', '../../../../../..//.']) assertFails(() => fs.rmdirSync(`${self}/${away}`))
  // The number of another namespace's /proc; and the same of a child, whose folder is not its own.
  spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'sh', '-c', `exec mkdir /proc/$$/fd/3/inside`], { stdio: ['ignore', 'ignore', 'inherit', dir] })
  spawnSync('sh', ['-c', 'mkdir /proc/$$/fd/3/childs; true'], { stdio: ['ignore', 'ignore', 'inherit', dir] })
  // Opens that fail.
  const { O_NOFOLLOW, O_WRONLY } = fs.constants
  assertFails(() => fs.openSync(`${self}/missing`, 'r'))
  assertFails(() => fs.openSync(`/dev/fd/${dir}//gone/x`, 'w'))
  assertFails(() => fs.openSync(self, 'w'))
  assertFails(() => fs.openSync(self, O_WRONLY | O_NOFOLLOW))
  assertFails(() => fs.openSync(self, 'wx'))
  assertFails(() => fs.openSync(`/proc/self/fd/${file}/x`, 'r'))
  // A thread with descriptors of its own: /proc/self/fd is the leader's, which has one that this thread has closed, and the other way round.
  const later = (name: string, types: string, ...given: unknown[]) => new Promise((done) => libc.func(`int ${name}(${types})`).async(...given, done))
  await later('unshare', 'int flags', 0x400) // CLONE_FILES
  await later('mkdir', 'const char *name, int mode', `/proc/self/fd/${dir}/leaders`, 0)
  await later('mkdir', 'const char *name, int mode', `/proc/thread-self/fd/${dir}/threads`, 0)
}

function assertFails(act: () => void) {
  try {
    act()
  } catch {
    return
  }
  throw new Error('this should have failed')
}

async function exchange(host: string, up: number, down: number) {
  const server = net.createServer((socket) => {
    let got = 0
    socket.on('data', (data) => {
      got += data.length
      if (got === up) socket.end(Buffer.alloc(down))
    })
  })
  await new Promise<void>((done) => server.listen(0, host, done))
  const { port } = server.address() as net.AddressInfo
  await new Promise<void>((done) => {
    const client = net.connect(port, host === '::' ? '127.0.0.1' : host, () => client.write(Buffer.alloc(up)))
    client.resume().on('close', () => done())
  })
  await new Promise((done) => server.close(done))
}

const refused = (host: string) => new Promise<void>((done) => net.connect(9, host).on('error', () => done()))

async function sockets() {
  await exchange('127.0.0.1', 5000, 7000)
  await exchange('::1', 300, 100_000)
  await exchange('::', 10, 20)
  await refused('127.0.0.1')
  await refused('::1')
}

/** The leader ends, the process goes on: the calls are queued for the only thread of libuv's pool. Started with UV_THREADPOOL_SIZE=1. */
function leaderFirst() {
  const later = (name: string, type: string, argument: unknown) => libc.func(`int ${name}(${type} argument)`).async(argument, () => {})
  later('usleep', 'uint', 50_000)
  later('rmdir', 'const char *', '/nowhere/of/the/second/thread')
  later('_exit', 'int', 3)
  libc.func('long syscall(long number, long status)')(call(60, 93), 0) // SYS_exit: this thread only
}

/** The kernel ends all other threads, and the one that called takes the leader's number. */
function execFromThread() {
  for (let i = 0; i < 3; i++) fs.closeSync(fs.openSync('/etc/passwd', 'r'))
  libc.func('int execv(const char *path, const char **argv)').async('/bin/echo', ['echo', 'from another thread', null], () => {})
}

function programs() {
  const big = 'x'.repeat(120_000)
  spawnSync('/bin/true', ['head', ...Array.from({ length: 9 }, () => big), 'tail', ''], { env: {} })
  spawnSync('/bin/true', ['a', '', 'b'], {
    env: { SECRET: 'no', TRACEPARENTS: 'no', TRACEPAREN: 'no', TRACEPARENT: '00-1-2-01', CI: 'yes', CIX: 'no', SIXTEEN_BYTES_AB: 'no', CLAUDE_CODE_SESSION_ID: 's', EMPTY: '' },
    argv0: '',
    cwd: '/tmp',
  })
  spawnSync('/bin/true', [], { env: { ...Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`V${i}`, '1'])), CI: 'late' } })
  spawnSync('/bin/sh', ['-c', 'kill -9 $$'])
  spawnSync('/bin/sh', ['-c', 'exit 7'])
}

/** Four threads open the same 200 files, each 4,000 times altogether: more than the 64 slots hold, so that they fight for them. */
async function crowd(at: string) {
  const work = `
    const fs = require('node:fs')
    const { at, seed } = require('node:worker_threads').workerData
    for (let i = 0; i < 4000; i++) fs.closeSync(fs.openSync(at + '/crowd-' + (i * 7919 + seed * 31) % 200, 'r'))`
  for (let i = 0; i < 200; i++) fs.writeFileSync(`${at}/crowd-${i}`, '')
  await Promise.all([1, 2, 3, 4].map((seed) => new Promise((done) => new Worker(work, { eval: true, workerData: { at, seed } }).on('exit', done))))
}

const SCENARIOS: Readonly<Record<string, () => void | Promise<void>>> = {
  changes: () => changes(folder!),
  opens: () => opens(folder!),
  descriptors: () => descriptors(folder!),
  sockets,
  leaderFirst,
  execFromThread,
  programs,
  crowd: () => crowd(folder!),
}

process.stdout.write('ready\n')
process.stdin.once('data', async () => {
  await SCENARIOS[scenario!]!()
  if (scenario !== 'leaderFirst' && scenario !== 'execFromThread') process.exit(0)
})
